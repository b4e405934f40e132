"""The real ``openai.STT`` plugin, cut into utterances as the catalogue builds it, against the lab's transcriptions."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from livekit import rtc
from livekit.agents import APIConnectionError, APIConnectOptions, APIError, APIStatusError, stt

from engines.component import Component
from engines.plugins import Endpoint, build
from lab.callers import HERE, load_pcm
from lab.delays import Delays
from lab.faults import Fault, Kind, Provider
from lab.journal import Journal
from lab.server import Lab, LabSettings
from lab.standins import ToneVoices

pytestmark = [pytest.mark.conformance, pytest.mark.asyncio(loop_scope="module")]

RATE_HZ = 24_000
EARS: Provider = "openai.transcription"
OPENING_HOURS, OPENING_HOURS_TEXT = "01_quick_question_t01", "hi what are your opening hours on saturday"
THANKS, THANKS_TEXT = "01_quick_question_t02", "great thank you that is all i needed"
GOODBYE = "01_quick_question_t03"
Type = stt.SpeechEventType


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Lab]:
    async with Lab(LabSettings(Delays.none(), ears=1), voices=ToneVoices()) as lab:
        yield lab


@pytest.fixture
def lab(running: Lab) -> Lab:
    running.context.faults.clear()
    running.context.journal = Journal()
    return running


class Ears:
    def __init__(self, model: Any) -> None:
        self.metrics: list[Any] = []
        model.on("metrics_collected", self.metrics.append)
        self.stream = model.stream(conn_options=APIConnectOptions(max_retry=0, timeout=30.0))

    def push(self, name: str, *, silence_s: float = 0.0) -> float:
        """Returns the seconds that were said."""
        pcm = load_pcm(HERE / f"{name}.flac", sample_rate_hz=RATE_HZ).tobytes()
        data = pcm + bytes(2 * int(RATE_HZ * silence_s))
        step = RATE_HZ // 50 * 2
        for at in range(0, len(data), step):
            piece = data[at : at + step]
            self.stream.push_frame(rtc.AudioFrame(piece, RATE_HZ, 1, len(piece) // 2))
        return len(pcm) / 2 / RATE_HZ

    async def until(self, kind: Type) -> list[stt.SpeechEvent]:
        events = []
        async with asyncio.timeout(60):
            async for event in self.stream:
                events.append(event)
                if event.type is kind:
                    return events
        raise AssertionError(f"the stream ended without {kind}; it said {events}")


@asynccontextmanager
async def ears(lab: Lab, model: str = "whisper-large-v3", **options: Any) -> AsyncIterator[Ears]:
    async with aiohttp.ClientSession() as http:
        made = build("stt", Component("openai", model, options), Endpoint("none", lab.openai_url), http)
        opened = Ears(made)
        try:
            yield opened
        finally:
            await opened.stream.aclose()
            await made.aclose()


async def test_an_utterance_is_sent_when_it_is_over_and_has_its_times(lab: Lab) -> None:
    async with ears(lab, language="en") as opened:
        first_s = opened.push(OPENING_HOURS, silence_s=1.0)
        events = await opened.until(Type.END_OF_SPEECH)
        assert [event.type for event in events] == [
            Type.START_OF_SPEECH,
            Type.FINAL_TRANSCRIPT,
            Type.END_OF_SPEECH,
        ]
        opening = events[1].alternatives[0]
        assert opening.text == OPENING_HOURS_TEXT
        assert 0.0 <= opening.start_time < 0.8
        assert opening.end_time == pytest.approx(first_s, abs=0.5)
        opened.push(THANKS, silence_s=1.0)
        thanks = (await opened.until(Type.FINAL_TRANSCRIPT))[-1].alternatives[0]
    assert thanks.text == THANKS_TEXT
    assert thanks.start_time > first_s + 0.9
    asked = [entry.payload for entry in lab.context.journal.of(EARS, "audio.transcriptions")]
    assert [(one["model"], one["language"], one["response_format"]) for one in asked] == [
        ("whisper-large-v3", "en", "json")
    ] * 2


async def test_what_is_being_said_when_the_call_ends_is_recognised_too(lab: Lab) -> None:
    async with ears(lab) as opened:
        opened.push(GOODBYE)
        opened.stream.end_input()
        assert (await opened.until(Type.FINAL_TRANSCRIPT))[-1].alternatives[0].text == "goodbye"


async def test_whisper_itself_answers_at_length(lab: Lab) -> None:
    async with ears(lab, "whisper-1") as opened:
        opened.push(GOODBYE, silence_s=1.0)
        heard = (await opened.until(Type.FINAL_TRANSCRIPT))[-1].alternatives[0]
    assert heard.text == "goodbye"
    [asked] = lab.context.journal.of(EARS, "audio.transcriptions")
    assert asked.payload["response_format"] == "verbose_json"


async def test_audio_is_metered_once_per_utterance(lab: Lab) -> None:
    async with ears(lab) as opened:
        said_s = opened.push(OPENING_HOURS, silence_s=1.0)
        await opened.until(Type.FINAL_TRANSCRIPT)
    [used] = opened.metrics
    assert used.audio_duration == pytest.approx(said_s, abs=0.8)
    assert used.metadata.model_name == "whisper-large-v3"


async def test_the_tokens_that_newer_models_are_billed_by_are_told(lab: Lab) -> None:
    async with ears(lab, "gpt-4o-transcribe") as opened:
        opened.push(OPENING_HOURS, silence_s=1.0)
        await opened.until(Type.FINAL_TRANSCRIPT)
    [used] = opened.metrics
    assert used.input_tokens == used.input_audio_tokens == round(used.audio_duration * 10)
    assert used.output_tokens == len(OPENING_HOURS_TEXT.split()) + 1  # the longest word counts twice


async def test_noise_says_nothing(lab: Lab) -> None:
    async with ears(lab) as opened:
        opened.push("07_silence_and_noise_t03", silence_s=1.0)
        opened.push(GOODBYE, silence_s=1.0)
        events = await opened.until(Type.FINAL_TRANSCRIPT)
    assert [event.alternatives[0].text for event in events if event.alternatives] == ["goodbye"]


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("refuse", APIConnectionError),
        ("drop", APIConnectionError),
        ("malformed", APIError),
        ("rate_limited", APIStatusError),
        ("server_error", APIStatusError),
    ],
)
async def test_a_failure_ends_the_stream_with_its_reason(lab: Lab, kind: Kind, error: type[APIError]) -> None:
    lab.context.faults.set(EARS, Fault(kind))
    async with ears(lab) as opened:
        opened.push(GOODBYE, silence_s=1.0)
        with pytest.raises(error):
            await opened.until(Type.FINAL_TRANSCRIPT)


async def test_what_is_no_audio_is_refused(lab: Lab) -> None:
    async with aiohttp.ClientSession() as http:
        form = aiohttp.FormData()
        form.add_field("file", b"not a wave file", filename="file.wav")
        form.add_field("model", "whisper")
        async with http.post(f"{lab.openai_url}/audio/transcriptions", data=form) as response:
            assert response.status == 400
            assert "cannot be read" in (await response.json())["error"]["message"]
