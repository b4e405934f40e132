"""Half-cascades: a realtime model hears the caller and answers in text, and a voice of ours speaks it.

Real audio, the real session and the unmodified plugins, on the lab. Every ordered pair with a half-cascade in it is in
tests/conformance/engines.
"""

import asyncio
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest

from compliance.events import (
    AgentSaid,
    EngineHeard,
    HandedOff,
    HeardAlike,
    LateEventDropped,
    ProviderFailed,
)
from engines.catalogue import Catalogue, EngineSpec
from engines.plugins import OWN_TRANSCRIPT, TEXT_ONLY
from lab.delays import Delays
from lab.faults import Fault
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

HALF = "half_cascade"
SPOKEN = (HOURS, ORDER, THANKS, BYE)
TEXTS = (HOURS_TEXT, ORDER_TEXT, THANKS_TEXT, BYE_TEXT)
WALKS = {
    "beside realtime": ("fast", HALF, "realtime", HALF),
    "has no voice": ("fast", HALF),
}


def with_a_half_cascade(catalogue: Catalogue) -> Catalogue:
    mind = catalogue.engines["realtime"].mind
    mind = replace(mind, options={TEXT_ONLY: True, OWN_TRANSCRIPT: "gpt-4o-mini-transcribe"})
    half = EngineSpec(HALF, "half_cascade", mind, ("house",), False, 4.0)
    assert "house" in catalogue.voices
    return replace(catalogue, engines={**catalogue.engines, HALF: half})


def heard_twice(call: DeskCall) -> list[int]:
    """The turns that the engine's vendor wrote down too, in order."""
    return sorted(event.turn for event in [*call.of(HeardAlike), *call.of(EngineHeard)])


@dataclass
class Finished:
    call: DeskCall
    messages: list[tuple[str, str]]


async def make(lab: Lab, name: str) -> Finished:
    walk = WALKS[name]
    plan = Plan(walk, order=("standard", "tool", "fast"))
    async with DeskCall(lab, plan, name=name, change=with_a_half_cascade) as call:
        for number, spoken in enumerate(SPOKEN[: len(walk)], start=1):
            if name == "has no voice" and number == 2:
                for provider in ("elevenlabs", "openai.speech"):
                    lab.context.faults.set(provider, Fault("refuse"))
            await call.asks(spoken)
        await call.in_step()
        if name != "has no voice":
            await call.until(lambda: len(heard_twice(call)) == walk.count(HALF))
        return Finished(call, call.messages)


@pytest.fixture(scope="module")
def calls() -> dict[str, Finished]:
    async def all_of_them() -> dict[str, Finished]:
        async with (
            Lab(LabSettings(delays=Delays.none())) as lab,
            Lab(LabSettings(delays=Delays.none())) as mute,
        ):
            others = [name for name in WALKS if name != "has no voice"]
            done, silent = await asyncio.gather(
                make_all(others, partial(make, lab), at_once=DESK_CALLS), make(mute, "has no voice")
            )
            return {**done, "has no voice": silent}

    with patient():
        return asyncio.run(all_of_them())


WHOLE = [name for name in WALKS if name != "has no voice"]


@pytest.mark.parametrize("name", WHOLE)
def test_every_turn_is_answered_once_by_the_engine_decided(calls: dict[str, Finished], name: str) -> None:
    call = calls[name].call
    assert [(said.turn, said.engine) for said in call.of(AgentSaid)] == list(enumerate(WALKS[name], start=1))
    assert call.of(ProviderFailed) == []


@pytest.mark.parametrize("name", WHOLE)
def test_the_history_is_whole_and_in_our_words(calls: dict[str, Finished], name: str) -> None:
    done = calls[name]
    assert [role for role, _ in done.messages] == ["user", "assistant"] * len(WALKS[name])
    assert [text for role, text in done.messages if role == "user"] == list(TEXTS[: len(WALKS[name])])


@pytest.mark.parametrize("name", WHOLE)
def test_a_half_cascade_hears_the_turn_and_says_nothing_by_itself(
    calls: dict[str, Finished], name: str
) -> None:
    call = calls[name].call
    heard = [engine for engine in WALKS[name] if engine in (HALF, "realtime")]
    assert len(call.realtime("input_audio_buffer.commit")) == len(heard)
    asked: list[Any] = [entry.payload["session"] for entry in call.realtime("session.update")]
    modalities = {tuple(session["output_modalities"]) for session in asked if "output_modalities" in session}
    assert ("text",) in modalities


@pytest.mark.parametrize("name", WHOLE)
def test_a_hand_off_takes_the_turn_along_as_audio(calls: dict[str, Finished], name: str) -> None:
    for handed in calls[name].call.of(HandedOff):
        assert handed.turn_as_audio == (handed.to_engine in (HALF, "realtime"))
        assert handed.warm == handed.turn_as_audio or handed.turn == 1


def test_a_half_cascade_without_a_voice_apologises_aloud(calls: dict[str, Finished]) -> None:
    call = calls["has no voice"].call
    assert [(failed.turn, failed.engine, failed.provider) for failed in call.of(ProviderFailed)] == [
        (2, HALF, "voice")
    ]
    assert call.of(AgentSaid)[-1].text == call.desk.wording.recorded_words
    assert len(call.sounds_ms) == 2


def test_nothing_came_late(calls: dict[str, Finished]) -> None:
    assert [event for done in calls.values() for event in done.call.of(LateEventDropped)] == []


@pytest.mark.parametrize("name", WHOLE)
def test_every_turn_that_its_vendor_wrote_down_too_is_compared_with_the_record(
    calls: dict[str, Finished], name: str
) -> None:
    expected = [turn for turn, engine in enumerate(WALKS[name], start=1) if engine == HALF]
    assert heard_twice(calls[name].call) == expected
