"""The real ``openai.TTS`` plugin against the lab's speech endpoint, in both of its stream formats."""

from collections.abc import AsyncIterator

import pytest
from livekit.agents import APIConnectionError, APIConnectOptions, APIStatusError, tts
from livekit.plugins import openai

from lab.delays import Delays
from lab.faults import Fault, Kind
from lab.server import Lab, LabSettings
from lab.standins import GivenHearing, ToneVoices

pytestmark = pytest.mark.conformance

SSE, RAW = "gpt-4o-mini-tts", "tts-1"
TEXT = "Thank you for calling. Goodbye."
SECONDS = 0.005 * len(TEXT)
PADDING_S = 0.01  # the plugin ends every utterance with as much silence
ONCE = APIConnectOptions(max_retry=0, timeout=30.0)


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with Lab(LabSettings(Delays.none()), hearing=GivenHearing(), voices=ToneVoices()) as running:
        yield running


async def speak(
    lab: Lab, model: str, text: str = TEXT, response_format: str = "pcm"
) -> list[tts.SynthesizedAudio]:
    plugin = openai.TTS(model=model, base_url=lab.openai_url, api_key="lab", response_format=response_format)
    try:
        async with plugin.synthesize(text, conn_options=ONCE) as stream:
            return [audio async for audio in stream]
    finally:
        await plugin.aclose()


@pytest.mark.parametrize(("model", "stream_format"), [(SSE, "sse"), (RAW, "audio")])
async def test_speech_arrives_whole_in_either_format(lab: Lab, model: str, stream_format: str) -> None:
    received = await speak(lab, model)
    assert sum(a.frame.duration for a in received) == pytest.approx(SECONDS + PADDING_S, abs=0.001)
    assert {a.frame.sample_rate for a in received} == {24_000}
    (entry,) = lab.context.journal.of("openai.speech", "audio.speech")
    assert (entry.payload["input"], entry.payload["stream_format"]) == (TEXT, stream_format)


async def test_the_last_event_bills_text_in_and_audio_out(lab: Lab) -> None:
    plugin = openai.TTS(model=SSE, base_url=lab.openai_url, api_key="lab", response_format="pcm")
    billed: list[tuple[int, int]] = []
    plugin.on("metrics_collected", lambda m: billed.append((m.input_tokens, m.output_tokens)))
    async with plugin.synthesize(TEXT, conn_options=ONCE) as stream:
        async for _ in stream:
            pass
    await plugin.aclose()
    assert billed == [(7, round(SECONDS * 20))]


@pytest.mark.parametrize(("kind", "status"), [("rate_limited", 429), ("server_error", 500)])
async def test_an_error_status_reaches_the_plugin_as_such(lab: Lab, kind: Kind, status: int) -> None:
    lab.context.faults.set("openai.speech", Fault(kind))
    with pytest.raises(APIStatusError) as caught:
        await speak(lab, SSE)
    assert caught.value.status_code == status


async def test_a_format_the_lab_does_not_speak_is_refused_with_the_reason(lab: Lab) -> None:
    with pytest.raises(APIStatusError, match="pcm"):
        await speak(lab, SSE, response_format="opus")


@pytest.mark.parametrize("model", [SSE, RAW])
@pytest.mark.parametrize("kind", ["refuse", "drop"])
async def test_a_lost_connection_is_a_connection_error(lab: Lab, model: str, kind: Kind) -> None:
    lab.context.faults.set("openai.speech", Fault(kind, after=1))
    with pytest.raises(APIConnectionError):
        await speak(lab, model, TEXT * 4)


async def test_a_malformed_event_is_skipped_by_the_plugin(lab: Lab) -> None:
    lab.context.faults.set("openai.speech", Fault("malformed", after=1))
    received = await speak(lab, SSE)
    assert sum(a.frame.duration for a in received) == pytest.approx(SECONDS + PADDING_S, abs=0.001)


async def test_a_voice_that_fails_is_a_server_error(lab: Lab) -> None:
    assert isinstance(lab.context.voices, ToneVoices)
    lab.context.voices.broken = True
    with pytest.raises(APIStatusError) as caught:
        await speak(lab, SSE)
    assert caught.value.status_code == 500
