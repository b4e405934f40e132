"""A call's values, found by the real redaction in the process beside the calls; and policies that cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compliance.clock import CallClock
from compliance.events import Event, PartFailed
from compliance.redaction.placeholders import Placeholders
from compliance.redaction.policy import RedactionPolicy
from engines.catalogue import Catalogue
from engines.errors import EngineNotConfiguredError
from policies import shipped
from service.aside import Aside, AsideProcess, Redaction
from service.placeholders import CallFinder, FindingFailedError, check
from service.privacy import CallPrivacy
from service.redaction_line import RedactionLine

pytestmark = pytest.mark.unit

POLICY = RedactionPolicy.load(shipped("redaction.yaml"))
CATALOGUE = Catalogue.load(shipped("engines.yaml"))


@pytest.fixture(scope="module")
def redaction() -> Iterator[AsideProcess]:
    process = AsideProcess.start(Redaction(shipped("redaction.yaml")))
    process.wait_until_ready()
    yield process
    process.close()


def privacy(redaction: Aside, wanted: Placeholders, events: list[Event]) -> CallPrivacy:
    return CallPrivacy(
        replace(POLICY, placeholders=wanted),
        redaction,
        CATALOGUE,
        region="eu",
        given=lambda topic: False,
        clock=CallClock(),
        emit=events.append,
        call_id="c",
    )


async def test_a_value_is_found_because_it_was_asked_for_also_in_two_breaths(redaction: AsideProcess) -> None:
    finder = CallFinder(RedactionLine(redaction.address))
    asked = finder.in_words("What is your card number?", speaker="agent")
    first = finder.in_words("sure it is four one one one", speaker="caller")
    second = finder.in_words("two two three four", speaker="caller")
    assert await asked == ()
    assert [span.entity for span in (*await first, *await second)] == ["CREDIT_CARD", "CREDIT_CARD"]
    await finder.aclose()


async def test_the_values_of_a_tool_result_are_found_by_the_names_of_its_fields(
    redaction: AsideProcess,
) -> None:
    finder = CallFinder(RedactionLine(redaction.address))
    found = await finder.in_data({"customer": {"name": "Maren Oakes"}, "total": 45})
    assert found == {"customer": {"name": "<PERSON>"}, "total": 45}
    await finder.aclose()


async def test_without_the_process_nothing_is_found_and_that_is_told(tmp_path: Path) -> None:
    hours_s = iter(range(0, 1_000_000, 3600))
    finder = CallFinder(RedactionLine(tmp_path / "nowhere", clock=lambda: float(next(hours_s))))
    with pytest.raises(FindingFailedError, match="Aside"):
        await finder.in_words("it is kim doe", speaker="caller")
    await finder.aclose()


async def test_a_call_s_values_are_gone_when_it_is_over_and_what_was_made_up_is_told(
    redaction: AsideProcess,
) -> None:
    events: list[Event] = []
    call = privacy(redaction, Placeholders(frozenset({"tool"})), events)
    call.veil._limit_s = 60.0  # a quarter of a second is for calls, not for a machine that is busy with tests
    call.where = lambda: (1, "tool")
    assert await call.from_tool('{"name": "Maren Oakes"}') == '{"name": "[NAME_1]"}'
    assert call.for_tool({"who": "[NAME_1]", "card": "[CARD_1]"}) == {
        "who": "Maren Oakes",
        "card": "[CARD_1]",
    }
    await call.aclose()
    assert len(call.veil.vault) == 0
    [told] = [event for event in events if isinstance(event, PartFailed)]
    assert (told.part, told.error) == ("placeholders", "UnknownPlaceholder")


async def test_a_call_without_placeholders_asks_nobody() -> None:
    call = privacy(Aside(Path("/nowhere")), Placeholders.none(), [])
    call.veil.caller_said("it is kim doe")
    assert await call.from_tool("kim doe") == "kim doe"
    await call.aclose()


@pytest.mark.parametrize(
    ("engines", "last_resort", "problem"),
    [
        ({"tol"}, "standard", "r.yaml:9:1: unknown engine 'tol', did you mean 'tool'?"),
        (
            {"realtime"},
            "standard",
            "the engine 'realtime' hears the caller's voice, in which nothing can be replaced",
        ),
        (None, "realtime", "last resort 'realtime' hears the caller's voice: make a cascade the last resort"),
    ],
)
def test_a_policy_that_cannot_be_kept_is_refused(engines: Any, last_resort: str, problem: str) -> None:
    wanted = Placeholders(None if engines is None else frozenset(engines), where="r.yaml:9:1")
    with pytest.raises(EngineNotConfiguredError) as caught:
        check(replace(POLICY, placeholders=wanted), CATALOGUE, last_resort=last_resort)
    assert problem in str(caught.value)


@pytest.mark.parametrize("engines", [frozenset[str](), frozenset({"tool", "questions"}), None])
def test_one_that_can_is_not(engines: frozenset[str] | None) -> None:
    check(replace(POLICY, placeholders=Placeholders(engines)), CATALOGUE, last_resort="standard")
