"""Hand-offs with real audio, in real time: real ears and voices, real session, real plugins, on the lab.

Every ordered pair of engines, for everything that can cause a hand-off, is in tests/conformance/engines, where nobody
really listens or speaks; here one call walks among them with words that are heard as they are said. The calls are made
beside each other (:func:`calls`), and each test looks at one of them or at one turn of one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from livekit.agents import function_tool

from compliance.events import AgentSaid, HandedOff, LateEventDropped, PreviewSettled, ProviderFailed
from engines.catalogue import Catalogue
from engines.usage import OfReply, usage
from lab.delays import Delays
from lab.server import Lab, LabSettings
from tests.desk_call import (
    BYE,
    BYE_TEXT,
    ENDPOINTING_S,
    HOURS,
    HOURS_TEXT,
    ORDER,
    ORDER_TEXT,
    PATIENCE_S,
    THANKS,
    THANKS_TEXT,
    DeskCall,
    Plan,
    patient,
    recording,
)
from tests.together import DESK_CALLS, make_all

pytestmark = [pytest.mark.scenario, pytest.mark.alone]

SPOKEN = (HOURS, ORDER, THANKS, BYE)
TEXTS = (HOURS_TEXT, ORDER_TEXT, THANKS_TEXT, BYE_TEXT)
GREETING = "Hello, this is Robin, the automated assistant of Harbour Goods. How can I help you?"
WALK = ("fast", "realtime", "tool", "fast")
PAIRS = tuple(pairwise(WALK))
UNDISTURBED = {"walk", "wrong-cascade", "wrong-realtime", "wrong-into-realtime", "ahead"}
"""Calls in which nobody is cut short and no realtime engine is asked in vain."""


@dataclass
class Finished:
    """What is left of a call when it is over."""

    call: DeskCall
    messages: list[tuple[str, str]]
    server: set[str]
    history: set[str]


@dataclass
class Turn:
    """The second turn of a pair of engines, in the walk that holds it."""

    done: Finished
    number: int
    before: str
    engine: str

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.done.call.of(kind) if event.turn == self.number]


class SlowShop:
    """A tool that does not answer before it is told to."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()

    @property
    def tool(self) -> Any:
        @function_tool(name="order_lookup")
        async def order_lookup(order_number: str) -> str:
            """Find an order."""
            self.asked.set()
            await self.may_answer.wait()
            return "on its way"

        return order_lookup


async def every_turn(call: DeskCall) -> None:
    for name in SPOKEN[: len(call.plan.engines)]:
        await call.asks(name)


async def barge_in(call: DeskCall) -> None:
    said = await call.says("05_furious_from_first_word_t02")  # the reply to it is long
    started_ms = await call.answered(said)
    await call.until(lambda: call.line.clock.now_ms() > started_ms + 1500)
    await call.answered(await call.line.say(recording(HOURS)))
    await call.heard_out()


async def speaks_over_the_agent(call: DeskCall) -> None:
    await call.until(lambda: call.line.agent_speaking)
    await call.answered(await call.line.say(recording(HOURS)))  # over the greeting
    await call.heard_out()
    await call.answered(await call.says(ORDER))  # hands the call to the realtime engine
    await call.answered(await call.line.say(recording(THANKS)))  # over its reply, and hands it on
    await call.heard_out()


async def goes_on_after_a_breath(call: DeskCall) -> None:
    await call.says(ORDER)
    await call.until(lambda: bool(call.realtime("response.create")))
    rest = asyncio.create_task(call.line.say(recording(THANKS)))
    await call.until(lambda: bool(call.of(PreviewSettled)))
    # Nothing ends this turn but that: what was said last has to be recognised by then, or is a turn of its own.
    call.session.update_options(endpointing_opts={"min_delay": 5 * ENDPOINTING_S})
    await call.answered(await rest)
    await call.heard_out()


def previewing(catalogue: Catalogue) -> Catalogue:
    """The same with a realtime engine that is asked for its reply when the caller falls silent."""
    return replace(
        catalogue,
        engines={
            name: replace(engine, previews=engine.kind == "realtime")
            for name, engine in catalogue.engines.items()
        },
    )


async def interrupts_a_tool(call: DeskCall) -> None:
    await call.asks(ORDER)
    await call.says("02_order_status_t02")
    assert call.shop is not None
    await call.shop.asked.wait()
    said = await call.says(HOURS)
    call.shop.may_answer.set()
    await call.answered(said)
    await call.heard_out()


Script = Callable[[DeskCall], Awaitable[None]]
CALLS: dict[str, tuple[Plan, Script]] = {
    "goes-on-ahead": (Plan(("realtime",)), goes_on_after_a_breath),
    "walk": (Plan(WALK), every_turn),
    "wrong-cascade": (Plan(("fast", "fast"), previews={2: "tool"}), every_turn),
    "wrong-realtime": (Plan(("fast", "tool"), previews={2: "realtime"}), every_turn),
    "wrong-into-realtime": (Plan(("fast", "realtime"), previews={2: "fast"}), every_turn),
    "barge-in": (Plan(("realtime", "realtime")), barge_in),
    "barge-in-out": (Plan(("realtime", "tool")), barge_in),
    "over-the-agent": (Plan(("fast", "realtime", "standard")), speaks_over_the_agent),
    "beside-a-tool": (Plan(("tool", "tool", "realtime")), interrupts_a_tool),
    "ahead": (Plan(("fast", "realtime", "fast")), every_turn),
    "wrong-ahead": (Plan(("fast", "tool"), previews={2: "realtime"}), every_turn),
}


async def make(lab: Lab, name: str) -> Finished:
    plan, script = CALLS[name]
    shop = SlowShop() if name == "beside-a-tool" else None
    greeting = GREETING if name == "over-the-agent" else ""
    async with DeskCall(
        lab,
        plan,
        name=name,
        greeting=greeting,
        shop=shop,
        tools=[shop.tool] if shop else [],
        change=previewing if name.endswith("ahead") else lambda catalogue: catalogue,
        endpointing_s=PATIENCE_S if name == "goes-on-ahead" else ENDPOINTING_S,
    ) as call:
        await script(call)
        await call.in_step()
        return Finished(call, call.messages, call.server_conversation(), call.history_ids())


@pytest.fixture(scope="module")
def calls() -> dict[str, Finished]:
    async def all_of_them() -> dict[str, Finished]:
        async with Lab(LabSettings(delays=Delays.none())) as lab:
            return await make_all(CALLS, partial(make, lab), at_once=DESK_CALLS)

    with patient():
        return asyncio.run(all_of_them())


@pytest.fixture
def walk(calls: dict[str, Finished]) -> Finished:
    return calls["walk"]


@pytest.fixture(params=PAIRS, ids="-".join)
def turn(walk: Finished, request: pytest.FixtureRequest) -> Turn:
    return Turn(walk, PAIRS.index(request.param) + 2, *request.param)


# -- each pair of the walk --------------------------------------------------------------------------------
def test_the_turn_is_answered_once_by_the_engine_decided(turn: Turn) -> None:
    [said] = turn.of(AgentSaid)
    assert (said.engine, said.interrupted) == (turn.engine, False)
    assert turn.of(ProviderFailed) == []


def test_the_history_has_the_turn_once_and_in_its_place(turn: Turn) -> None:
    [said] = turn.of(AgentSaid)
    at = 2 * (turn.number - 1)
    text = TEXTS[turn.number - 1]
    assert turn.done.messages[at : at + 2] == [("user", text), ("assistant", said.text)]
    assert turn.done.messages.count(("user", text)) == 1


def test_the_hand_off_says_how_the_turn_went_along(turn: Turn) -> None:
    [handed] = turn.of(HandedOff)
    to_realtime = turn.engine == "realtime"
    assert (handed.from_engine, handed.to_engine) == (turn.before, turn.engine)
    assert (handed.warm, handed.turn_as_audio) == (to_realtime, to_realtime)


def test_the_preview_of_the_right_engine_is_the_reply(turn: Turn) -> None:
    # LiveKit begins no early reply out of a realtime engine, and ours begins none into it.
    early = "realtime" not in (turn.before, turn.engine)
    assert [(event.engine, event.used) for event in turn.of(PreviewSettled)] == [(turn.engine, True)] * early
    asked = [each for each in turn.done.call.completions if last_words(each) == TEXTS[turn.number - 1]]
    assert len(asked) == (turn.engine != "realtime")


def last_words(completion: Any) -> str:
    return str(completion.payload["messages"][-1]["content"])


# -- the walk ------------------------------------------------------------------------------------------------
def test_the_conversation_is_whole(walk: Finished) -> None:
    assert [role for role, _ in walk.messages] == ["user", "assistant"] * 4
    assert [text for role, text in walk.messages if role == "user"] == list(TEXTS)


def test_the_record_has_every_turn_once(walk: Finished) -> None:
    assert [segment.text for segment in walk.call.segments] == list(TEXTS)


def test_a_realtime_engine_hears_its_turns_and_reads_the_others(walk: Finished) -> None:
    by_engine = list(zip(walk.call.plan.engines, TEXTS, strict=True))
    heard = [text for engine, text in by_engine if engine == "realtime"]
    assert len(walk.call.realtime("input_audio_buffer.commit")) == len(heard)
    written = walk.call.written_to_server("user")
    assert sorted(written) == sorted(text for text in TEXTS if text not in heard)


def test_the_servers_conversation_is_the_history(walk: Finished) -> None:
    assert walk.server == walk.history


# -- previews -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["wrong-cascade", "wrong-into-realtime"])
def test_a_preview_by_the_wrong_engine_is_thrown_away_and_counted(
    calls: dict[str, Finished], name: str
) -> None:
    call = calls[name].call
    wrong = call.plan.previews[2]
    settled = [(event.turn, event.engine, event.used) for event in call.of(PreviewSettled)]
    assert settled == [(1, "fast", True), (2, wrong, False)]
    said = [(event.turn, event.engine) for event in call.of(AgentSaid)]
    assert said == list(enumerate(call.plan.engines, start=1))
    assert [role for role, _ in calls[name].messages] == ["user", "assistant"] * 2


def test_a_preview_for_a_realtime_engine_asks_nobody(calls: dict[str, Finished]) -> None:
    call = calls["wrong-realtime"].call
    assert [(event.engine, event.used) for event in call.of(PreviewSettled)] == [("fast", True)]
    assert len(call.completions) == 2
    assert call.realtime("response.create") == []
    assert [event.engine for event in call.of(AgentSaid)] == ["fast", "tool"]


def test_a_realtime_engine_asked_ahead_answers_with_what_it_was_asked_for(calls: dict[str, Finished]) -> None:
    done = calls["ahead"]
    call = done.call
    assert [(event.turn, event.engine, event.used) for event in call.of(PreviewSettled)] == [
        (1, "fast", True),
        (2, "realtime", True),
    ]
    assert len(call.realtime("input_audio_buffer.commit")) == len(call.realtime("response.create")) == 1
    assert call.realtime("response.cancel") == []
    [handed] = [event for event in call.of(HandedOff) if event.to_engine == "realtime"]
    assert (handed.warm, handed.turn_as_audio) == (True, True)
    assert [text for role, text in done.messages if role == "user"] == list(TEXTS[:3])
    assert [event.engine for event in call.of(AgentSaid)] == ["fast", "realtime", "fast"]
    assert done.server == done.history


def test_a_realtime_engine_asked_ahead_in_vain_says_nothing_and_forgets_it(
    calls: dict[str, Finished],
) -> None:
    done = calls["wrong-ahead"]
    settled = [(event.engine, event.used) for event in done.call.of(PreviewSettled)]
    assert settled == [("fast", True), ("realtime", False)]
    assert len(done.call.realtime("response.create")) == 1
    [wrong] = [event for event in done.call.of(PreviewSettled) if not event.used]
    [billed] = [used for _, _, used in done.call.used if isinstance(used, OfReply)]
    assert billed.generation == wrong.generation > 0
    assert (used := usage(billed)) is not None
    assert used.quantities["input_audio_tokens"] > 0
    assert [event.engine for event in done.call.of(AgentSaid)] == ["fast", "tool"]
    assert [role for role, _ in done.messages] == ["user", "assistant"] * 2
    assert done.server == done.history


def test_a_caller_who_goes_on_is_answered_to_all_they_said(calls: dict[str, Finished]) -> None:
    done = calls["goes-on-ahead"]
    assert [(event.engine, event.used) for event in done.call.of(PreviewSettled)] == [("realtime", False)]
    assert [text for role, text in done.messages if role == "user"] == [f"{ORDER_TEXT} {THANKS_TEXT}"]
    first, whole = done.call.realtime("input_audio_buffer.commit")
    sent = done.call.realtime("input_audio_buffer.append")
    to_first = sum(one.payload["characters"] for one in sent if one.at_s < first.at_s)
    to_whole = sum(one.payload["characters"] for one in sent if first.at_s < one.at_s < whole.at_s)
    assert to_whole > to_first, "the part that had been heard was not sent again"
    assert [event.engine for event in done.call.of(AgentSaid)] == ["realtime"]
    assert done.server == done.history


# -- the caller speaks when it does not suit ----------------------------------------------------------------
@pytest.mark.parametrize("name", ["barge-in", "barge-in-out"])
def test_a_barge_in_cuts_the_realtime_reply_to_what_was_heard(calls: dict[str, Finished], name: str) -> None:
    call = calls[name].call
    cut, full = call.of(AgentSaid)
    assert (cut.engine, cut.interrupted) == ("realtime", True)
    assert (full.engine, full.interrupted) == (call.plan.engines[1], False)
    [truncated] = call.realtime("conversation.item.truncate")
    assert truncated.payload["audio_end_ms"] > 0
    replies = [text for role, text in calls[name].messages if role == "assistant"]
    assert replies == [cut.text, full.text]
    assert "Let me make this right" not in cut.text  # the end of the reply that was cut
    assert [role for role, _ in calls[name].messages] == ["user", "assistant"] * 2


def test_a_realtime_engine_keeps_the_call_without_another_hand_off(calls: dict[str, Finished]) -> None:
    call = calls["barge-in"].call
    assert [(event.turn, event.to_engine) for event in call.of(HandedOff)] == [(1, "realtime")]
    assert len(call.realtime("input_audio_buffer.commit")) == 2
    assert calls["barge-in"].server == calls["barge-in"].history


def test_the_record_has_what_was_said_over_the_agent(calls: dict[str, Finished]) -> None:
    call = calls["over-the-agent"].call
    assert " ".join(segment.text for segment in call.segments) == f"{HOURS_TEXT} {ORDER_TEXT} {THANKS_TEXT}"
    assert [event.to_engine for event in call.of(HandedOff)] == ["realtime", "standard"]
    assert [text for role, text in calls["over-the-agent"].messages if role == "user"] == list(TEXTS[:3])


def test_a_hand_off_beside_a_tool_call_is_not_lost(calls: dict[str, Finished]) -> None:
    # livekit/agents#5150
    done = calls["beside-a-tool"]
    assert [(event.turn, event.to_engine) for event in done.call.of(HandedOff)] == [(3, "realtime")]
    assert done.call.of(AgentSaid)[-1].engine == "realtime"
    assert [text for role, text in done.messages if role == "user"][-1] == HOURS_TEXT
    kinds = [item.type for item in done.call.session.history.items]
    assert kinds.count("function_call") == kinds.count("function_call_output")
    assert done.server == done.history


def test_nothing_of_a_left_engine_came_late(calls: dict[str, Finished]) -> None:
    late = {name for name, done in calls.items() if done.call.of(LateEventDropped)}
    assert late.isdisjoint(UNDISTURBED), (
        "only a reply that was cut or asked for in vain may come when nobody wants it"
    )
