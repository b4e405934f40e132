"""Several voices as one: a reply begins with the first that is well."""

from __future__ import annotations

from typing import Any

import pytest
from livekit.agents import APIConnectionError, tts

from engines.voices import HealthyVoices
from tests.unit.engines.test_voiced import Voice

pytestmark = pytest.mark.unit


class Health:
    """Voices that are not well, and what is told of them."""

    def __init__(self, *sick: str) -> None:
        self.sick = set(sick)
        self.told: list[str] = []

    def may_ask(self, name: str) -> bool:
        return name not in self.sick

    def asked(self, name: str) -> None:
        self.told.append(name)


class Named(Voice):
    """A voice that says who it is, and notes what it was given."""

    def __init__(self, name: str, *, fails: bool = False) -> None:
        super().__init__(self._speak)
        self.name, self.fails = name, fails
        self.read: list[str] = []

    def _speak(self, word: str) -> bool | Exception:
        self.read.append(word)
        return APIConnectionError("gone") if self.fails else True

    @property
    def model(self) -> str:
        return self.name


async def say(voices: tts.TTS[Any]) -> None:
    async with voices.stream() as stream:
        stream.push_text("Hello.")
        stream.end_input()
        async for _ in stream:
            pass


def chain(health: Health, *voices: Named) -> HealthyVoices:
    return HealthyVoices([(voice.name, voice) for voice in voices], health)


async def test_the_first_voice_speaks_while_it_is_well() -> None:
    health, house, spare = Health(), Named("house"), Named("spare")
    voices = chain(health, house, spare)
    await say(voices)
    assert (house.read, spare.read) == (["Hello."], [])
    assert health.told == ["house"]
    assert voices.metrics_metadata["model_name"] == "house"
    await voices.aclose()


async def test_a_voice_that_is_not_well_is_passed_over() -> None:
    health, house, spare, third = Health("house", "spare"), Named("house"), Named("spare"), Named("third")
    voices = chain(health, house, spare, third)
    await say(voices)
    assert (house.read, spare.read, third.read) == ([], [], ["Hello."])
    assert health.told == ["third"]
    assert voices.metrics_metadata["model_name"] == "third"
    health.sick.clear()
    await say(voices)
    assert house.read == ["Hello."]
    await voices.aclose()


async def test_where_none_is_well_the_first_is_tried() -> None:
    health, house = Health("house", "spare"), Named("house")
    voices = chain(health, house, Named("spare"))
    await say(voices)
    assert house.read == ["Hello."]
    await voices.aclose()


async def test_the_next_voice_speaks_when_one_fails_whichever_began() -> None:
    health, house, spare = Health("house"), Named("house"), Named("spare", fails=True)
    voices = chain(health, house, spare)
    await say(voices)
    assert spare.read
    assert house.read == ["Hello."]
    await voices.aclose()
