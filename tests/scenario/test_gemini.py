"""Whole calls that Gemini Live answers turns of: beside cascades, beside OpenAI's realtime, with a caller who cuts in,
and with sessions that end.

Real audio, the real LiveKit session, the real plugin and google-genai, on the lab.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

import pytest

from compliance.events import AgentSaid, HandedOff, LateEventDropped, ProviderFailed
from engines.catalogue import Catalogue, EngineSpec
from engines.component import Component
from lab.delays import Delays
from lab.gemini_generation import PROVIDER
from lab.journal import Entry
from lab.server import Lab, LabSettings
from tests.desk_call import (
    BYE,
    BYE_TEXT,
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
from tests.together import DESK_CALLS, make_all

pytestmark = [pytest.mark.scenario, pytest.mark.alone]

GEMINI = "gemini"
SPOKEN = (HOURS, ORDER, THANKS, BYE)
TEXTS = (HOURS_TEXT, ORDER_TEXT, THANKS_TEXT, BYE_TEXT)
WALKS = {
    "cuts in": ("fast", GEMINI, "tool", GEMINI),
    "beside realtime": (GEMINI, GEMINI, "realtime", GEMINI),
    "ends": ("fast", GEMINI, GEMINI),
}


def with_gemini(catalogue: Catalogue) -> Catalogue:
    mind = Component("google", "gemini-2.5-flash-native-audio-preview-12-2025", MappingProxyType({}))
    gemini = EngineSpec(GEMINI, "realtime", mind, (), False, 4.0)
    return replace(catalogue, engines=MappingProxyType({**catalogue.engines, GEMINI: gemini}))


@dataclass
class Finished:
    call: DeskCall
    messages: list[tuple[str, str]]

    def gemini(self, name: str) -> list[Entry]:
        """What this call's connections to Gemini were told under a protocol name."""
        journal, mark = self.call.lab.context.journal, f"[{self.call.name}]"
        mine = {
            entry.connection
            for entry in journal.of(PROVIDER, "setup")
            if mark in str(entry.payload.get("systemInstruction"))
        }
        return [entry for entry in journal.of(PROVIDER, name) if entry.connection in mine]

    def seeds(self) -> list[list[tuple[str, str]]]:
        """The histories that connections were given: role and text."""
        return [
            [
                (turn["role"], "".join(part["text"] for part in turn["parts"]))
                for turn in seed.payload["turns"]
            ]
            for seed in self.gemini("clientContent")
        ]


async def make(lab: Lab, name: str) -> Finished:
    walk = WALKS[name]
    plan = Plan(walk, order=("standard", "tool", "fast"))
    async with DeskCall(lab, plan, name=name, change=with_gemini) as call:
        await BEHAVIOURS[name](call)
        await call.in_step()
        return Finished(call, call.messages)


async def cuts_in(call: DeskCall) -> None:
    """The second reply of Gemini is cut by the turn that ends the call."""
    await call.asks(HOURS)
    await call.asks(ORDER)
    await call.asks(THANKS)
    said = await call.says(HOURS)
    await call.answered(said)
    said = await call.says(BYE)
    await call.answered(said)
    await call.heard_out()


async def walks(call: DeskCall) -> None:
    for spoken in SPOKEN:
        await call.asks(spoken)


async def ends(call: DeskCall) -> None:
    """Gemini's sessions end while a cascade answers, and while Gemini does."""
    await call.asks(HOURS)
    await call.in_step()
    await hung_up(call)
    await call.asks(ORDER)
    await hung_up(call)
    await call.asks(THANKS)


async def hung_up(call: DeskCall) -> None:
    """Wait until the service assumes that its reply was played, then break its connections."""
    model = call.desk._realtime.models[GEMINI]
    await call.until(lambda: model.warm is not None and not model.warm.busy)
    setups = call.lab.context.journal.count(PROVIDER, "setup")
    assert call.lab.cut("/ws/") == 1
    await call.lab.context.journal.until(PROVIDER, "setup", count=setups + 1, timeout_s=60)


BEHAVIOURS: dict[str, Callable[[DeskCall], Awaitable[None]]] = {
    "cuts in": cuts_in,
    "beside realtime": walks,
    "ends": ends,
}


@pytest.fixture(scope="module")
def calls() -> dict[str, Finished]:
    async def all_of_them() -> dict[str, Finished]:
        quick = LabSettings(delays=Delays.none())
        async with Lab(quick) as lab, Lab(quick) as cut:
            shared = asyncio.create_task(
                make_all([name for name in WALKS if name != "ends"], partial(make, lab), at_once=DESK_CALLS)
            )
            ended = await make(cut, "ends")
            return {**await shared, "ends": ended}

    with patient():
        return asyncio.run(all_of_them())


def test_every_turn_is_answered_by_the_engine_decided(calls: dict[str, Finished]) -> None:
    for name in ("beside realtime", "ends"):
        said = [(said.turn, said.engine) for said in calls[name].call.of(AgentSaid)]
        assert said == list(enumerate(WALKS[name], start=1))
    cut = [(said.turn, said.engine, said.interrupted) for said in calls["cuts in"].call.of(AgentSaid)]
    assert cut == [
        (1, "fast", False),
        (2, GEMINI, False),
        (3, "tool", False),
        (4, GEMINI, True),
        (5, GEMINI, False),
    ]


def test_nothing_failed_and_nothing_came_late(calls: dict[str, Finished]) -> None:
    for name, done in calls.items():
        assert done.call.of(ProviderFailed) == []
        # What is cut may go on for a moment, and is dropped.
        assert name == "cuts in" or done.call.of(LateEventDropped) == []


def test_the_history_is_whole_and_in_our_words(calls: dict[str, Finished]) -> None:
    for name, texts in (
        ("beside realtime", TEXTS),
        ("ends", TEXTS[:3]),
        ("cuts in", (*TEXTS[:3], HOURS_TEXT, BYE_TEXT)),
    ):
        messages = calls[name].messages
        assert [role for role, _ in messages] == ["user", "assistant"] * len(texts)
        assert [text for role, text in messages if role == "user"] == list(texts)


def test_each_of_its_turns_is_heard_once_and_answered_once(calls: dict[str, Finished]) -> None:
    for name, turns in (("cuts in", 3), ("beside realtime", 3), ("ends", 2)):
        done = calls[name]
        assert len(done.gemini("realtimeInput.activityEnd")) == turns
        assert len(done.gemini("lab.generation")) == turns
        assert done.gemini("realtimeInput.text") == []


def test_a_hand_off_takes_the_turn_along_as_audio(calls: dict[str, Finished]) -> None:
    for done in calls.values():
        for handed in done.call.of(HandedOff):
            assert handed.turn_as_audio == (handed.to_engine in (GEMINI, "realtime"))
            assert handed.warm == handed.turn_as_audio or handed.turn == 1


def test_every_stay_begins_with_the_conversation_as_it_was_heard(calls: dict[str, Finished]) -> None:
    done = calls["cuts in"]
    first, second, third = done.seeds()
    as_seeded = [("model" if role == "assistant" else "user", text) for role, text in done.messages]
    assert first == as_seeded[:2]
    assert second == as_seeded[:6]
    assert third == as_seeded[:8]  # the fourth reply in the words that were heard of it
    assert third[-1][1] != ""
    whole = done.call.of(AgentSaid)[3]
    assert third[-1][1].split() == whole.text.split()


def test_a_stay_needs_one_seed(calls: dict[str, Finished]) -> None:
    done = calls["beside realtime"]
    [seed] = done.seeds()  # the first stay had no history to begin with
    assert [role for role, _ in seed] == ["user", "model"] * 3
    assert len({entry.connection for entry in done.gemini("realtimeInput.activityEnd")}) == 2


def test_a_session_that_ended_is_opened_and_seeded_anew(calls: dict[str, Finished]) -> None:
    done = calls["ends"]
    as_seeded = [("model" if role == "assistant" else "user", text) for role, text in done.messages]
    assert done.seeds() == [as_seeded[:2], as_seeded[:4]]
    assert len(done.gemini("setup")) == 3
