"""The real ``deepgram.STTv2`` plugin against the lab's Flux, with real recognition: one test per event it relies on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from livekit import rtc
from livekit.agents import APIConnectOptions, stt

from engines.component import Component
from engines.plugins import Endpoint, build
from lab.callers import HERE, load_pcm
from lab.delays import Delays
from lab.faults import Fault, Kind, Provider
from lab.journal import Journal
from lab.server import Lab, LabSettings
from lab.standins import ToneVoices

pytestmark = [pytest.mark.conformance, pytest.mark.asyncio(loop_scope="module")]

RATE_HZ = 16_000
FLUX: Provider = "deepgram.flux"
OPENING_HOURS, OPENING_HOURS_TEXT = "01_quick_question_t01", "hi what are your opening hours on saturday"
GOODBYE = "01_quick_question_t03"
THANKS, THANKS_TEXT = "01_quick_question_t02", "great thank you that is all i needed"
Type = stt.SpeechEventType
BREATH_S, SURE_S, PATIENT_MS = 0.35, 1.0, 1500
"""Longer than the ears need to be sure of words; than a turn's end takes; than a breath and the quiet around it."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Lab]:
    async with Lab(LabSettings(Delays.none(), ears=1), voices=ToneVoices()) as lab:
        yield lab


@pytest.fixture
def lab(running: Lab) -> Lab:
    running.context.faults.clear()
    running.context.journal = Journal()
    return running


@dataclass
class Plugin:
    """The plugin's stream, as the catalogue builds it, and the errors it reported."""

    stream: stt.RecognizeStream
    errors: list[stt.STTError] = field(default_factory=list)

    def push(self, name: str, *, silence_s: float) -> None:
        self.push_pcm(load_pcm(HERE / f"{name}.flac", sample_rate_hz=RATE_HZ).tobytes())
        self.push_pcm(bytes(2 * int(RATE_HZ * silence_s)))

    def push_pcm(self, pcm: bytes) -> None:
        step = RATE_HZ // 50 * 2
        for at in range(0, len(pcm), step):
            data = pcm[at : at + step]
            self.stream.push_frame(rtc.AudioFrame(data, RATE_HZ, 1, len(data) // 2))

    async def until(self, kind: Type) -> list[stt.SpeechEvent]:
        """The events up to the next of this kind."""
        events = []
        async with asyncio.timeout(60):
            async for event in self.stream:
                events.append(event)
                if event.type is kind:
                    return events
        raise AssertionError(f"the stream ended without {kind}; it said {events}")


@asynccontextmanager
async def plugin(lab: Lab, **options: Any) -> AsyncIterator[Plugin]:
    connect = APIConnectOptions(max_retry=3, retry_interval=0.01, timeout=30.0)
    async with aiohttp.ClientSession() as http:
        component = Component("deepgram", "flux-general-en", options)
        model = build("stt", component, Endpoint("lab", lab.deepgram_url, simulated=True), http)
        opened = Plugin(model.stream(conn_options=connect))
        model.on("error", opened.errors.append)
        try:
            yield opened
        finally:
            await opened.stream.aclose()
            await model.aclose()


async def test_a_turn_has_a_start_updates_and_an_end_with_word_times(lab: Lab) -> None:
    async with plugin(lab) as opened:
        opened.push(OPENING_HOURS, silence_s=SURE_S)
        events = await opened.until(Type.END_OF_SPEECH)
    kinds = [event.type for event in events if event.type is not Type.RECOGNITION_USAGE]
    assert kinds[:2] == [Type.START_OF_SPEECH, Type.INTERIM_TRANSCRIPT]
    assert kinds[-2:] == [Type.FINAL_TRANSCRIPT, Type.END_OF_SPEECH]
    assert Type.PREFLIGHT_TRANSCRIPT not in kinds
    final = next(event for event in events if event.type is Type.FINAL_TRANSCRIPT).alternatives[0]
    assert final.text == OPENING_HOURS_TEXT
    assert final.words is not None
    starts = [word.start_time for word in final.words if isinstance(word.start_time, float)]
    assert starts == sorted(starts)
    assert 0.2 < starts[0] < 1.5
    [asked] = lab.context.journal.of(FLUX, "connect")
    assert (asked.payload["model"], asked.payload["encoding"]) == ("flux-general-en", "linear16")


async def test_an_eager_end_of_turn_is_a_preflight_with_the_words_of_the_end(lab: Lab) -> None:
    async with plugin(lab, eager_eot_threshold=0.4, eot_threshold=0.7) as opened:
        opened.push(OPENING_HOURS, silence_s=SURE_S)
        events = await opened.until(Type.END_OF_SPEECH)
    texts = {event.type: event.alternatives[0].text for event in events if event.alternatives}
    assert texts[Type.PREFLIGHT_TRANSCRIPT] == texts[Type.FINAL_TRANSCRIPT] == OPENING_HOURS_TEXT


async def test_a_caller_who_goes_on_takes_the_eager_end_back(lab: Lab) -> None:
    async with plugin(lab, eager_eot_threshold=0.4, eot_threshold=1.0, eot_timeout_ms=PATIENT_MS) as opened:
        opened.push(OPENING_HOURS, silence_s=BREATH_S)
        opened.push(THANKS, silence_s=2 * PATIENT_MS / 1000)
        events = await opened.until(Type.END_OF_SPEECH)
    said = [event for event in events if event.alternatives]
    kinds = [event.type for event in said]
    eager = kinds.index(Type.PREFLIGHT_TRANSCRIPT)
    assert said[eager].alternatives[0].text == OPENING_HOURS_TEXT
    assert kinds[eager + 1] is Type.INTERIM_TRANSCRIPT  # TurnResumed
    assert kinds.count(Type.FINAL_TRANSCRIPT) == 1
    assert said[-1].alternatives[0].text == f"{OPENING_HOURS_TEXT} {THANKS_TEXT}"


async def test_a_second_turn_has_its_own_words_and_times(lab: Lab) -> None:
    async with plugin(lab) as opened:
        opened.push(OPENING_HOURS, silence_s=SURE_S)
        first = (await opened.until(Type.FINAL_TRANSCRIPT))[-1].alternatives[0]
        opened.push(GOODBYE, silence_s=SURE_S)
        second = (await opened.until(Type.FINAL_TRANSCRIPT))[-1].alternatives[0]
    assert second.text == "goodbye"
    assert first.words is not None
    assert second.words is not None
    assert isinstance(first.words[-1].end_time, float)
    assert isinstance(second.words[0].start_time, float)
    assert second.words[0].start_time > first.words[-1].end_time


async def test_noise_is_no_turn(lab: Lab) -> None:
    async with plugin(lab) as opened:
        opened.push("07_silence_and_noise_t03", silence_s=SURE_S)
        opened.push(GOODBYE, silence_s=SURE_S)
        events = await opened.until(Type.FINAL_TRANSCRIPT)
    assert [event.type for event in events].count(Type.START_OF_SPEECH) == 1
    assert events[-1].alternatives[0].text == "goodbye"


@pytest.mark.parametrize("kind", ["refuse", "rate_limited", "server_error"])
async def test_a_failure_at_the_door_is_reported_and_tried_again(lab: Lab, kind: Kind) -> None:
    lab.context.faults.set(FLUX, Fault(kind, times=2 if kind == "refuse" else 1))
    async with plugin(lab) as opened:
        opened.push(GOODBYE, silence_s=SURE_S)
        assert (await opened.until(Type.FINAL_TRANSCRIPT))[-1].alternatives[0].text == "goodbye"
        assert [error.recoverable for error in opened.errors] == [True]


async def test_a_connection_lost_in_mid_turn_is_opened_again(lab: Lab) -> None:
    lab.context.faults.set(FLUX, Fault("drop", times=1, after=1))
    async with plugin(lab) as opened:
        opened.push(OPENING_HOURS, silence_s=SURE_S)
        await lab.context.journal.until(FLUX, "connect", count=2)
        opened.push(GOODBYE, silence_s=SURE_S)
        assert (await opened.until(Type.FINAL_TRANSCRIPT))[-1].alternatives[0].text == "goodbye"


async def test_a_key_is_demanded_and_only_one_rate_heard(lab: Lab) -> None:
    url = lab.deepgram_url.replace("/v1/", "/v2/")
    async with aiohttp.ClientSession() as http:
        for query, headers, status in (
            ({"encoding": "linear16", "sample_rate": "16000"}, {}, 401),
            ({"encoding": "linear16", "sample_rate": "8000"}, {"Authorization": "Token lab"}, 400),
        ):
            async with http.get(url, params=query, headers=headers) as response:
                assert response.status == status
