"""A voice that hangs is followed by the next one within the latency budget, and nobody else is blamed for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from compliance.events import ProviderFailed
from engines.catalogue import Catalogue
from lab.faults import Fault, Provider
from lab.known_speech import KnownSpeech
from lab.server import Lab, LabSettings
from lab.standins import ToneVoices
from service.patience import silence_limit_s, within
from tests.conformance.engines import stage
from tests.desk_call import DeskCall, Plan, silence
from tests.virtual_time import call_clock, run_with_sockets

pytestmark = pytest.mark.conformance

ELEVENLABS = "{plugin: elevenlabs, model: m, options: {voice_id: one}}"
OPENAI = "{plugin: openai, model: tts-1, options: {voice: two}}"
CATALOGUE = """
version: 1
greeting: Hello.
instructions: You are the assistant of the conformance suite.
transcriber: {{plugin: deepgram, model: nova-3, options: {{language: en-US}}}}
voices: {{house: {house}, spare: {spare}}}
engines:
  first: {{kind: cascade, model: {{plugin: openai, model: one}}, voices: [house, spare]}}
  second: {{kind: cascade, model: {{plugin: openai, model: two}}, voices: [house, spare]}}
"""
QUESTION = stage.QUESTIONS[0]


class Noted:
    """The health of voices: well until they fail."""

    def __init__(self) -> None:
        self.sick: list[str] = []

    def may_ask(self, engine: str) -> bool:
        return engine not in self.sick

    def asked(self, engine: str) -> None: ...
    def worked(self, engine: str) -> None: ...
    def failed(self, engine: str) -> None:
        self.sick.append(engine)


@asynccontextmanager
async def called(
    budget_ms: int, hung: Provider, health: Noted, *, silent_s: float | None = None
) -> AsyncIterator[DeskCall]:
    """A call under a latency budget whose first voice, of the provider ``hung``, hangs."""
    first, then = (ELEVENLABS, OPENAI) if hung == "elevenlabs" else (OPENAI, ELEVENLABS)
    catalogue = within(Catalogue.parse(CATALOGUE.format(house=first, spare=then)), budget_ms)
    settings = LabSettings(delays=stage.DELAYS, scenario=Path(stage.__file__).with_name("script.yaml"))
    ears, voices = KnownSpeech(tuple(stage.SPEECH.values())), ToneVoices(20.0, {"one": 400.0, "two": 600.0})
    async with Lab(settings, hearing=ears, voices=voices) as lab:
        lab.context.faults.set(hung, Fault("hang"))
        call = DeskCall(
            lab,
            Plan(["first"], order=["first", "second"]),
            name="voices",
            change=lambda _: catalogue,
            endpointing_s=0.3,
            first_reply_s=catalogue.engines["first"].first_reply_s,
            silence_limit_s=silence_limit_s(budget_ms) if silent_s is None else silent_s,
            clock=call_clock(),
            health=health,
        )
        async with call:
            yield call


async def waited_ms(call: DeskCall) -> float:
    """How long a caller waits for the answer to a question."""
    await call.line.say(silence(200))
    said = await call.line.say(stage.SPEECH[QUESTION].samples)
    answered_ms = await call.answered(said)
    await call.heard_out()
    return answered_ms - said.end_ms


@pytest.mark.parametrize("hung", ["elevenlabs", "openai.speech"])
@pytest.mark.parametrize("budget_ms", [1000, 2000, 8000])
def test_the_next_voice_speaks_within_the_budget_and_no_model_is_blamed(
    budget_ms: int, hung: Provider
) -> None:
    async def conversation() -> None:
        health = Noted()
        async with called(budget_ms, hung, health) as call:
            waited = await waited_ms(call)
        # The watch runs from the decision on, which is the endpointing after the caller's last word.
        assert waited < budget_ms + 300
        assert health.sick == ["voice house"]
        assert call.voices_failed == [(hung.split(".")[0], "the next voice speaks")]
        assert call.plan.failures == []
        assert call.of(ProviderFailed) == []

    run_with_sockets(conversation)


@pytest.mark.parametrize("hung", ["elevenlabs", "openai.speech"])
def test_a_voice_that_is_not_waited_for_any_longer_is_what_failed_and_is_not_asked_by_the_next_engine(
    hung: Provider,
) -> None:
    async def conversation() -> None:
        health = Noted()
        async with called(1000, hung, health, silent_s=0.5) as call:
            await waited_ms(call)
        assert health.sick == ["voice house"]
        assert call.voices_failed == [(hung.split(".")[0], "it was not waited for any longer")]
        assert call.plan.failures == []
        [failed] = call.of(ProviderFailed)
        assert (failed.engine, failed.provider, failed.action) == ("first", "voice", "moved to second")

    run_with_sockets(conversation)


def test_a_model_that_hangs_is_blamed_for_it() -> None:
    async def conversation() -> None:
        health = Noted()
        async with called(8000, "openai.chat", health, silent_s=1.0) as call:
            call.lab.context.faults.set("openai.chat", Fault("hang", times=1))
            await waited_ms(call)
        assert health.sick == []
        assert call.plan.failures == ["first"]

    run_with_sockets(conversation)
