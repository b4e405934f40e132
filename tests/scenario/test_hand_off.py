"""Hand-offs between every ordered pair of engines: real audio, real session, real plugins, on the lab.

Every test below looks at one of the calls made by :func:`calls`, all of them at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import permutations

import pytest

from compliance.events import AgentSaid, HandedOff, LateEventDropped, PreviewSettled, ProviderFailed
from lab.delays import Delays
from lab.server import Lab, LabSettings
from tests.desk_call import BYE, HOURS, HOURS_TEXT, ORDER, ORDER_TEXT, DeskCall, Plan, recording

pytestmark = pytest.mark.scenario

ENGINES = ("fast", "tool", "standard", "realtime")
PAIRS = tuple(permutations(ENGINES, 2))
"""The twelve ordered pairs."""


@dataclass
class Finished:
    """What is left of a call when it is over."""

    call: DeskCall
    messages: list[tuple[str, str]]
    server: set[str]
    history: set[str]


async def two_turns(call: DeskCall) -> None:
    await call.asks(HOURS)
    await call.asks(ORDER)


async def barge_in(call: DeskCall) -> None:
    said = await call.says("05_furious_from_first_word_t02")  # the reply to it is long
    started_ms = await call.answered(said)
    await call.until(lambda: call.line.clock.now_ms() > started_ms + 1500)
    await call.line.say(recording(HOURS))
    await call.until(lambda: len(call.plan.turns) == 2)
    await call.heard_out()


async def speaks_over_the_agent(call: DeskCall) -> None:
    await call.until(lambda: call.line.agent_speaking)
    await call.line.say(recording(HOURS))  # over the greeting
    await call.heard_out()
    said = await call.says(ORDER)  # this one hands the call to the realtime engine
    await call.answered(said)
    await call.line.say(recording(BYE))  # over its reply
    await call.until(lambda: len(call.plan.turns) == 3)
    await call.heard_out()


async def three_turns(call: DeskCall) -> None:
    await two_turns(call)
    await call.asks(BYE)


Script = Callable[[DeskCall], Awaitable[None]]
CALLS: dict[str, tuple[Plan, Script, str]] = {
    **{f"{a}-{b}": (Plan((a, b)), two_turns, "") for a, b in PAIRS},
    "wrong-cascade": (Plan(("fast", "fast"), previews={2: "tool"}), two_turns, ""),
    "wrong-realtime": (Plan(("fast", "tool"), previews={2: "realtime"}), two_turns, ""),
    "wrong-into-realtime": (Plan(("fast", "realtime"), previews={2: "fast"}), two_turns, ""),
    "barge-in": (Plan(("realtime", "realtime")), barge_in, ""),
    "barge-in-out": (Plan(("realtime", "tool")), barge_in, ""),
    "stays": (Plan(("fast", "realtime", "realtime")), three_turns, ""),
    "over-the-agent": (
        Plan(("fast", "realtime", "standard")),
        speaks_over_the_agent,
        "Hello, this is Robin, the automated assistant of Harbour Goods. How can I help you?",
    ),
}


async def make(lab: Lab, name: str) -> Finished:
    plan, script, greeting = CALLS[name]
    async with DeskCall(lab, plan, name=name, greeting=greeting) as call:
        await script(call)
        for warmth in call.desk._warmth.values():
            await warmth.settled()
        return Finished(call, call.messages, call.server_conversation(), call.history_ids())


@pytest.fixture(scope="module")
def calls() -> dict[str, Finished]:
    async def all_at_once() -> dict[str, Finished]:
        async with Lab(LabSettings(delays=Delays.none())) as lab:
            done = await asyncio.gather(*(make(lab, name) for name in CALLS))
        return dict(zip(CALLS, done, strict=True))

    return asyncio.run(all_at_once())


@pytest.fixture
def finished(calls: dict[str, Finished], request: pytest.FixtureRequest) -> Finished:
    first, second = request.param
    return calls[f"{first}-{second}"]


each_pair = pytest.mark.parametrize("finished", PAIRS, ids=["-".join(pair) for pair in PAIRS], indirect=True)


def engines(finished: Finished) -> tuple[str, ...]:
    return tuple(finished.call.plan.engines)


@each_pair
def test_each_turn_is_answered_once_by_the_engine_decided(finished: Finished) -> None:
    said = [(event.turn, event.engine) for event in finished.call.of(AgentSaid)]
    assert said == list(enumerate(engines(finished), start=1))
    assert finished.call.of(ProviderFailed) == []


@each_pair
def test_the_history_has_every_turn_once_and_in_order(finished: Finished) -> None:
    assert [role for role, _ in finished.messages] == ["user", "assistant"] * 2
    assert [text for role, text in finished.messages if role == "user"] == [HOURS_TEXT, ORDER_TEXT]
    heard = [event.text for event in finished.call.of(AgentSaid)]
    assert [text for role, text in finished.messages if role == "assistant"] == heard


@each_pair
def test_the_record_has_every_turn_once(finished: Finished) -> None:
    assert [segment.text for segment in finished.call.segments] == [HOURS_TEXT, ORDER_TEXT]


@each_pair
def test_the_hand_off_says_how_the_turn_went_along(finished: Finished) -> None:
    expected = [pair for pair in zip(("fast", *engines(finished)), engines(finished), strict=False)]
    expected = [(a, b) for a, b in expected if a != b]
    handed = finished.call.of(HandedOff)
    assert [(event.from_engine, event.to_engine) for event in handed] == expected
    for event in handed:
        to_realtime = event.to_engine == "realtime"
        assert (event.warm, event.turn_as_audio) == (to_realtime, to_realtime)


@each_pair
def test_a_realtime_engine_hears_its_turn_and_no_other(finished: Finished) -> None:
    call, texts = finished.call, (HOURS_TEXT, ORDER_TEXT)
    its_turns = [text for engine, text in zip(engines(finished), texts, strict=True) if engine == "realtime"]
    assert len(call.realtime("input_audio_buffer.commit")) == len(its_turns)
    written = call.written_to_server("user")
    assert not set(its_turns) & set(written)
    assert len(written) == len(set(written))


@each_pair
def test_the_servers_conversation_is_the_history(finished: Finished) -> None:
    assert finished.server == finished.history


@each_pair
def test_the_preview_of_the_right_engine_is_the_reply(finished: Finished) -> None:
    cascades = [engine for engine in engines(finished) if engine != "realtime"]
    settled = finished.call.of(PreviewSettled)
    assert all(event.used for event in settled)
    assert len(finished.call.completions) == len(cascades)
    # LiveKit begins no early reply out of a realtime engine.
    early = [b for a, b in zip(("fast", *engines(finished)), engines(finished), strict=False) if a != "realtime"]
    assert [event.engine for event in settled] == [engine for engine in early if engine != "realtime"]


@pytest.mark.parametrize("name", ["wrong-cascade", "wrong-into-realtime"])
def test_a_preview_by_the_wrong_engine_is_thrown_away_and_counted(
    calls: dict[str, Finished], name: str
) -> None:
    call = calls[name].call
    wrong = call.plan.previews[2]
    assert [(e.turn, e.engine, e.used) for e in call.of(PreviewSettled)] == [
        (1, "fast", True),
        (2, wrong, False),
    ]
    assert [(e.turn, e.engine) for e in call.of(AgentSaid)] == list(enumerate(call.plan.engines, start=1))
    assert [role for role, _ in calls[name].messages] == ["user", "assistant"] * 2


def test_a_preview_for_a_realtime_engine_asks_nobody(calls: dict[str, Finished]) -> None:
    call = calls["wrong-realtime"].call
    assert [(e.engine, e.used) for e in call.of(PreviewSettled)] == [("fast", True)]
    assert len(call.completions) == 2
    assert call.realtime("response.create") == []
    assert [e.engine for e in call.of(AgentSaid)] == ["fast", "tool"]


@pytest.mark.parametrize("name", ["barge-in", "barge-in-out"])
def test_a_barge_in_cuts_the_realtime_reply_to_what_was_heard(calls: dict[str, Finished], name: str) -> None:
    call = calls[name].call
    cut, full = call.of(AgentSaid)
    assert (cut.engine, cut.interrupted) == ("realtime", True)
    assert (full.engine, full.interrupted) == (call.plan.engines[1], False)
    [truncated] = call.realtime("conversation.item.truncate")
    assert truncated.payload["audio_end_ms"] == pytest.approx(cut.end_ms - cut.start_ms, abs=400)
    replies = [text for role, text in calls[name].messages if role == "assistant"]
    assert replies == [cut.text, full.text]
    assert 0 < len(cut.text) < 120
    assert [role for role, _ in calls[name].messages] == ["user", "assistant"] * 2


def test_a_realtime_engine_keeps_the_call_without_another_hand_off(calls: dict[str, Finished]) -> None:
    call = calls["stays"].call
    assert [(e.turn, e.to_engine) for e in call.of(HandedOff)] == [(2, "realtime")]
    assert [e.engine for e in call.of(AgentSaid)] == ["fast", "realtime", "realtime"]
    assert len(call.realtime("input_audio_buffer.commit")) == 2
    assert calls["stays"].server == calls["stays"].history


def test_the_record_has_what_was_said_over_the_agent(calls: dict[str, Finished]) -> None:
    call = calls["over-the-agent"].call
    text = " ".join(segment.text for segment in call.segments)
    assert HOURS_TEXT in text
    assert ORDER_TEXT in text
    assert "thank" in text.rsplit("order is", 1)[1]
    assert [e.to_engine for e in call.of(HandedOff)] == ["realtime", "standard"]


def test_nothing_of_a_left_engine_came_late(calls: dict[str, Finished]) -> None:
    assert [e for done in calls.values() for e in done.call.of(LateEventDropped)] == []
