"""The answer that a caller waits for: what becomes of the rest where it stops short."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from compliance.events import AgentSaid, ProviderFailed
from engines.awaited import NOISE_S, TOOL_WAIT_S
from engines.wording import Wording
from tests.unit.engines.sat import Sat, Speech
from tests.virtual_time import in_virtual_time

pytestmark = pytest.mark.unit


@pytest.fixture
async def sat() -> Any:
    made = Sat()
    yield made
    await made.desk.aclose()


@pytest.fixture
async def replying(sat: Sat) -> Speech:
    """A reply to a turn that is over; its first words are heard, and it is not at its end."""
    sat.desk.attach()
    sat.ends_turn()
    speech = Speech(sat)
    speech.says("Let me look that up for you.")
    return speech


async def test_a_reply_that_ends_with_an_error_is_begun_again_although_it_was_heard(
    sat: Sat, replying: Speech
) -> None:
    replying.ends(TimeoutError())
    assert (sat.desk.engine, sat.session.did) == ("standard", ["interrupt", "reply"])


async def test_a_reply_that_tells_nothing_of_what_its_tools_brought_is_not_over(
    sat: Sat, replying: Speech
) -> None:
    replying.uses_a_tool()
    replying.ends()
    assert sat.desk.engine == "standard"
    [failed] = sat.of(ProviderFailed)
    assert (failed.engine, failed.error) == ("fast", "NothingSaidError")


async def test_a_reply_that_tells_what_its_tools_brought_is(sat: Sat, replying: Speech) -> None:
    replying.uses_a_tool()
    replying.says("It is on its way.")
    replying.ends()
    assert (sat.desk.engine, sat.of(ProviderFailed)) == ("fast", [])


async def test_a_reply_that_stops_coming_is_begun_again(sat: Sat, replying: Speech) -> None:
    sat.desk.stalled(sat.desk.generations.of(replying.id))
    await asyncio.sleep(0)
    assert (sat.desk.engine, [failed.error for failed in sat.of(ProviderFailed)]) == (
        "standard",
        ["TimeoutError"],
    )


async def test_a_reply_that_the_caller_cut_is_not_missed_when_it_stops_coming(
    sat: Sat, replying: Speech
) -> None:
    replying.ends(interrupted=True)
    sat.desk.stalled(sat.desk.generations.of(replying.id))
    await asyncio.sleep(0)
    assert sat.of(ProviderFailed) == []


async def test_nobody_has_failed_while_a_tool_works() -> None:
    sat = Sat(silence_limit_s=0.0)
    sat.desk.attach()
    sat.ends_turn()
    sat.desk.tool_began()
    for _ in range(5):
        await asyncio.sleep(0)
    assert sat.of(ProviderFailed) == []
    sat.desk.tool_done()
    for _ in range(5):
        await asyncio.sleep(0)
    assert [failed.engine for failed in sat.of(ProviderFailed)][:1] == ["fast"]
    await sat.desk.aclose()


class Waiting:
    """A caller who has heard "let me look that up", and waits for the tool that does."""

    def __init__(self) -> None:
        self.sat = Sat()
        self.sat.desk.attach()
        self.sat.ends_turn()
        self.reply = Speech(self.sat)
        still_here = self.sat.desk.wording.still_here
        self.beside = Speech(self.sat, still_here, audible=False)  # as LiveKit tells of it
        self.sat.session.opened = lambda speech_id: None
        generations = self.sat.desk.generations
        reply = generations.of(self.reply.id)
        generations.current = lambda: reply  # type: ignore[method-assign]
        self.sat.desk.tool_began()

    @property
    def told(self) -> int:
        """How often they were told that they are not forgotten."""
        assert set(self.sat.session.did) <= {f"say beside {self.sat.desk.wording.still_here}"}
        return len(self.sat.session.did)


@in_virtual_time
async def test_who_waits_for_a_tool_is_told_again_and_again_that_they_are_not_forgotten() -> None:
    waiting = Waiting()
    sat = waiting.sat
    await asyncio.sleep(TOOL_WAIT_S - 0.1)
    assert waiting.told == 0
    await asyncio.sleep(0.2)
    assert waiting.told == 1
    assert sat.desk.answering is sat.desk.generations.of(waiting.reply.id)  # it answers nothing
    sat.session.agent_state = "speaking"
    await asyncio.sleep(2 * TOOL_WAIT_S)
    assert waiting.told == 1, "one at a time"
    waiting.beside.ends()
    sat.session.agent_state = "listening"
    await asyncio.sleep(TOOL_WAIT_S - 0.1)
    assert waiting.told == 1
    await asyncio.sleep(0.2)
    assert waiting.told == 2
    sat.desk.tool_done()
    waiting.beside.ends()
    await asyncio.sleep(3 * TOOL_WAIT_S)
    assert waiting.told == 2
    await sat.desk.aclose()


@in_virtual_time
async def test_who_is_about_to_be_answered_is_not_told_to_wait() -> None:
    waiting = Waiting()
    waiting.sat.session.current_speech = "a reply that is not heard yet"
    await asyncio.sleep(TOOL_WAIT_S + 0.1)
    assert waiting.told == 0
    waiting.sat.session.current_speech = None
    await asyncio.sleep(TOOL_WAIT_S)
    assert waiting.told == 1
    await waiting.sat.desk.aclose()


@in_virtual_time
async def test_who_asked_something_else_meanwhile_is_told_until_that_is_answered() -> None:
    waiting = Waiting()
    waiting.sat.ends_turn("and something else")
    await asyncio.sleep(TOOL_WAIT_S + 0.1)
    assert waiting.told == 1
    waiting.beside.ends()
    Speech(waiting.sat, "the answer to that").ends()
    await asyncio.sleep(3 * TOOL_WAIT_S)
    assert waiting.told == 1
    await waiting.sat.desk.aclose()


@in_virtual_time
async def test_what_is_said_beside_a_tool_answers_nothing() -> None:
    waiting = Waiting()
    waiting.sat.ends_turn("and something else")
    beside = waiting.sat.desk.generations.of(waiting.beside.id)
    assert beside is not None
    await asyncio.sleep(TOOL_WAIT_S + 0.1)
    beside.voiced(answers=False)
    waiting.sat.desk.first_sound()
    waiting.sat.desk.tool_done()
    waiting.beside.ends()
    await asyncio.sleep(60)
    assert [failed.action for failed in waiting.sat.of(ProviderFailed)][:1] == ["moved to standard"]
    await waiting.sat.desk.aclose()


@pytest.mark.parametrize(
    ("audible", "voiceless", "text"),
    [
        (True, False, Wording().still_here.strip()),
        (True, True, Wording().recorded_words),
        (False, False, None),
    ],
)
@in_virtual_time
async def test_of_what_is_said_beside_a_tool_the_record_has_what_was_heard(
    audible: bool, voiceless: bool, text: str | None
) -> None:
    sat = Sat()
    sat.desk.attach()
    sat.ends_turn()
    sat.desk.tool_began()
    beside = Speech(sat, sat.desk.wording.still_here, audible=False)  # as LiveKit tells of it
    sat.session.opened = lambda speech_id: None
    await asyncio.sleep(TOOL_WAIT_S + 0.1)
    generation = sat.desk.generations.of(beside.id)
    assert generation is not None
    if audible:
        generation.unvoiced() if voiceless else generation.voiced(answers=False)
    beside.ends(interrupted=not audible)
    assert [said.text for said in sat.of(AgentSaid)] == ([] if text is None else [text])
    assert sat.of(ProviderFailed) == []
    await sat.desk.aclose()


@in_virtual_time
async def test_a_reply_that_a_noise_cut_goes_on_once() -> None:
    sat = Sat()
    sat.desk.attach()
    sat.ends_turn()
    reply = Speech(sat)
    sat.session.hears("speaking")
    sat.session.hears("listening")
    reply.ends(interrupted=True)
    await asyncio.sleep(NOISE_S + 0.1)
    assert sat.session.did == ["reply"]
    Speech(sat, "the rest").ends(interrupted=True)  # not by the caller
    await asyncio.sleep(NOISE_S + 0.1)
    assert sat.session.did == ["reply"]
    await sat.desk.aclose()


@in_virtual_time
async def test_what_the_caller_cut_in_with_is_answered_instead() -> None:
    sat = Sat()
    sat.desk.attach()
    sat.ends_turn()
    reply = Speech(sat)
    sat.session.hears("speaking")
    reply.ends(interrupted=True)
    sat.session.listeners["user_input_transcribed"](SimpleNamespace(transcript="no, I meant"))
    sat.session.hears("listening")
    await asyncio.sleep(NOISE_S + 0.1)
    assert sat.session.did == []
    await sat.desk.aclose()


@in_virtual_time
async def test_a_reply_that_was_given_up_does_not_go_on() -> None:
    sat = Sat()
    sat.plan.order = ()
    sat.desk.attach()
    sat.ends_turn()
    reply = Speech(sat, audible=False)
    sat.desk.recovery.rescue()
    reply.ends(interrupted=True)
    await asyncio.sleep(NOISE_S + 0.1)
    assert sat.session.did == ["interrupt", f"say {sat.desk.wording.cannot_help}"]
    await sat.desk.aclose()
