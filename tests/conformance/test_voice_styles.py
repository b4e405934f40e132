"""A caller whose voice sounds upset is answered in a calmer style: what of the catalogue reaches the vendors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from engines.cascade import TOLD
from engines.catalogue import Catalogue
from engines.routing import CallerTurn, Route
from lab.known_speech import KnownSpeech
from lab.server import Lab, LabSettings
from lab.standins import ToneVoices
from tests.conformance.engines import stage
from tests.desk_call import DeskCall, Plan, silence
from tests.virtual_time import call_clock, run_with_sockets

pytestmark = pytest.mark.conformance

CALMLY = "Speak slowly and warmly, like somebody who has time."
CATALOGUE = f"""
version: 1
greeting: Hello.
instructions: You are the assistant of the conformance suite.
transcriber: {{plugin: deepgram, model: nova-3, options: {{language: en-US}}}}
voices:
  house: {{plugin: elevenlabs, model: m, options: {{voice_id: anna}}}}
  house_calm:
    plugin: elevenlabs
    model: m
    options: {{voice_id: anna, voice_settings: {{stability: 0.9, similarity_boost: 0.75, speed: 0.9}}}}
  spoken_calm: {{plugin: openai, model: gpt-4o-mini-tts, options: {{voice: nova, instructions: "{CALMLY}"}}}}
engines:
  caring:
    kind: cascade
    model: {{plugin: openai, model: one}}
    voices: [house]
    audio_aware: true
    voices_when: {{upset: [VOICE]}}
"""
QUESTION, COMPLAINT = stage.QUESTIONS[:2]


@dataclass
class UpsetLater(Plan):
    """A plan for a caller whose voice sounds upset from the second turn on."""

    def preview(self, text: str) -> Route:
        route = super().preview(text)
        return replace(route, manner="upset" if route.turn > 1 else "")

    def decide(self, turn: CallerTurn) -> Route:
        route = super().decide(turn)
        return replace(route, manner="upset" if route.turn > 1 else "")


async def asked_twice(voice: str) -> tuple[Lab, DeskCall]:
    """A call of two turns, the second of them upset, for which the engine has ``voice``."""
    settings = LabSettings(delays=stage.DELAYS, scenario=Path(stage.__file__).with_name("script.yaml"))
    ears = KnownSpeech(tuple(stage.SPEECH.values()))
    async with Lab(settings, hearing=ears, voices=ToneVoices(20.0)) as lab:
        call = DeskCall(
            lab,
            UpsetLater(["caring"]),
            name="styles",
            change=lambda _: Catalogue.parse(CATALOGUE.replace("VOICE", voice)),
            endpointing_s=0.3,
            clock=call_clock(),
        )
        async with call:
            for text in (QUESTION, COMPLAINT):
                await call.line.say(silence(200))
                said = await call.line.say(stage.SPEECH[text].samples)
                await call.answered(said)
                await call.heard_out()
        return lab, call


def test_the_same_voice_speaks_in_a_calmer_style() -> None:
    async def conversation() -> None:
        lab, call = await asked_twice("house_calm")
        begun = [entry.payload for entry in lab.context.journal.of("elevenlabs", "voice_settings")]
        assert [packet["voice_settings"] for packet in begun] == [
            {},
            {"stability": 0.9, "similarity_boost": 0.75, "speed": 0.9},
        ]
        models = [str(entry.payload["messages"]) for entry in call.completions]
        assert [TOLD.format(manner="upset") in each for each in models] == [False, True]

    run_with_sockets(conversation)


def test_a_voice_that_takes_instructions_is_given_them() -> None:
    async def conversation() -> None:
        lab, _ = await asked_twice("spoken_calm")
        spoken = [entry.payload for entry in lab.context.journal.of("openai.speech", "audio.speech")]
        assert spoken
        assert {(body["voice"], body["instructions"]) for body in spoken} == {("nova", CALMLY)}
        assert len(lab.context.journal.of("elevenlabs", "voice_settings")) == 1

    run_with_sockets(conversation)
