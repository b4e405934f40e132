"""Cascades that fail a turn, with real ears and voices: a realtime engine hears it and answers, or fails as well.

Every pair of engines is in tests/conformance/engines.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from compliance.events import AgentSaid, HandedOff, LateEventDropped, ProviderFailed
from engines.wording import Wording
from lab.delays import Delays
from lab.faults import Fault
from lab.server import Lab, LabSettings
from tests.desk_call import (
    HOURS,
    HOURS_TEXT,
    ORDER,
    ORDER_TEXT,
    THANKS,
    THANKS_TEXT,
    DeskCall,
    Plan,
    patient,
)

pytestmark = [pytest.mark.scenario, pytest.mark.alone]

ONE_MOMENT, CANNOT_HELP = Wording().one_moment.strip(), Wording().cannot_help.strip()


@dataclass
class Finished:
    """What is left of a call: whose second turn failed, and whose third was answered in peace."""

    call: DeskCall
    messages: list[tuple[str, str]]
    server: set[str]
    history: set[str]

    @property
    def actions(self) -> list[tuple[str, str]]:
        return [(one.engine, one.action) for one in self.call.of(ProviderFailed)]

    @property
    def answers(self) -> list[tuple[int, str]]:
        said = self.call.of(AgentSaid)
        return [(one.turn, one.engine) for one in said if one.text.strip() != ONE_MOMENT]


async def made(name: str, order: tuple[str, ...], fail: Callable[[Lab], None]) -> Finished:
    # What would go to a realtime engine is not begun before the turn is over.
    previews = {} if name == "early" else {2: "realtime"}
    plan = Plan(("fast", "fast", "fast"), previews, order)
    async with (
        Lab(LabSettings(delays=Delays.none(), ears=1)) as lab,
        DeskCall(lab, plan, name=name) as call,
    ):
        await call.asks(HOURS)
        await call.in_step()
        fail(lab)
        await call.asks(ORDER)
        lab.context.faults.clear()
        await call.asks(THANKS)
        await call.in_step()
        return Finished(call, call.messages, call.server_conversation(), call.history_ids())


def cascades_fail(lab: Lab) -> None:
    lab.context.faults.set("openai.chat", Fault("server_error"))


def both_fail_once(lab: Lab) -> None:
    lab.context.faults.set("openai.chat", Fault("server_error", times=1))
    lab.context.faults.set("openai.realtime", Fault("server_error", times=1))


@pytest.fixture(scope="module")
def calls() -> dict[str, Finished]:
    async def all_of_them() -> dict[str, Finished]:
        last, early, first = await asyncio.gather(
            made("last", ("standard", "tool", "realtime"), cascades_fail),
            made("early", ("standard", "tool", "realtime"), cascades_fail),
            made("first", ("realtime", "standard", "tool"), both_fail_once),
        )
        return {"last": last, "early": early, "first": first}

    with patient():
        return asyncio.run(all_of_them())


def test_a_turn_that_every_cascade_fails_is_answered_by_the_realtime_engine(
    calls: dict[str, Finished],
) -> None:
    done = calls["last"]
    assert done.actions == [
        ("fast", "moved to standard"),
        ("standard", "moved to tool"),
        ("tool", "moved to realtime"),
    ]
    assert done.answers == [(1, "fast"), (2, "realtime"), (3, "fast")]


def test_one_that_they_failed_before_it_was_over_is_so_too(calls: dict[str, Finished]) -> None:
    done = calls["early"]
    assert [engine for engine, _ in done.actions] == ["fast", "standard", "tool"]
    assert done.answers == [(1, "fast"), (2, "realtime"), (3, "fast")]
    assert CANNOT_HELP not in str(done.messages)


@pytest.mark.parametrize("name", ["last", "early"])
def test_it_hears_the_turn(calls: dict[str, Finished], name: str) -> None:
    call = calls[name].call
    handed = [one for one in call.of(HandedOff) if one.turn == 2]
    assert [(one.to_engine, one.warm, one.turn_as_audio) for one in handed] == [("realtime", True, True)]
    assert len(call.realtime("input_audio_buffer.commit")) == 1
    assert calls[name].server == calls[name].history


def test_a_realtime_engine_that_fails_too_is_followed_by_a_cascade_and_not_asked_again(
    calls: dict[str, Finished],
) -> None:
    done = calls["first"]
    assert done.actions == [("fast", "moved to realtime"), ("realtime", "moved to standard")]
    assert done.answers == [(1, "fast"), (2, "standard"), (3, "fast")]


@pytest.mark.parametrize("name", ["last", "first"])
def test_the_caller_is_told_of_the_delay_once_and_nothing_is_said_twice(
    calls: dict[str, Finished], name: str
) -> None:
    done = calls[name]
    replies = [text for role, text in done.messages if role == "assistant"]
    assert " ".join(replies).count(ONE_MOMENT) == 1
    assert len(replies) == len(set(replies)) == 4
    assert done.call.of(LateEventDropped) == []


@pytest.mark.parametrize("name", ["last", "early", "first"])
def test_the_history_has_every_turn_once_and_in_its_place(calls: dict[str, Finished], name: str) -> None:
    asked = [text for role, text in calls[name].messages if role == "user"]
    assert asked == [HOURS_TEXT, ORDER_TEXT, THANKS_TEXT]
    roles = [role for role, text in calls[name].messages if text.strip() != ONE_MOMENT]
    assert roles == ["user", "assistant"] * 3
