"""The real ``deepgram.STT`` plugin against the lab, with real recognition: one test per message it relies on."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from livekit import rtc
from livekit.agents import APIConnectionError, APIConnectOptions, APIStatusError, stt
from livekit.plugins import deepgram

from lab.callers import HERE, load_pcm
from lab.delays import Delay, Delays
from lab.faults import Fault, Kind, Provider
from lab.journal import Journal
from lab.server import Lab, LabSettings
from lab.standins import ToneVoices

pytestmark = [pytest.mark.conformance, pytest.mark.asyncio(loop_scope="module")]

RATE_HZ = 16_000
DEEPGRAM: Provider = "deepgram"
OPENING_HOURS = "hi what are your opening hours on saturday"
GOODBYE = "01_quick_question_t03.flac"
Type = stt.SpeechEventType


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Lab]:
    async with Lab(LabSettings(Delays.none(), ears=1), voices=ToneVoices()) as lab:
        yield lab


@pytest.fixture
def lab(running: Lab) -> Lab:
    running.context.faults.clear()
    running.context.delays = Delays.none()
    running.context.journal = Journal()
    return running


@dataclass
class Plugin:
    """The plugin's stream, what it said, and the errors it reported."""

    stream: stt.RecognizeStream
    errors: list[stt.STTError] = field(default_factory=list)

    def push(self, name: str, *, silence_s: float = 0.0) -> None:
        pcm = load_pcm(HERE / name, sample_rate_hz=RATE_HZ).tobytes() + bytes(2 * int(RATE_HZ * silence_s))
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
async def plugin(lab: Lab, *, key: str = "lab", max_retry: int = 3, **options: Any) -> AsyncIterator[Plugin]:
    connect = APIConnectOptions(max_retry=max_retry, retry_interval=0.01, timeout=30.0)
    async with aiohttp.ClientSession() as http:
        model = deepgram.STT(base_url=lab.deepgram_url, api_key=key, http_session=http, **options)
        opened = Plugin(model.stream(conn_options=connect))
        model.on("error", opened.errors.append)
        try:
            yield opened
        finally:
            await opened.stream.aclose()
            await model.aclose()


async def test_speech_brings_its_start_then_interims_then_a_final_with_word_times(lab: Lab) -> None:
    async with plugin(lab) as opened:
        opened.push("01_quick_question_t01.flac", silence_s=0.5)
        events = await opened.until(Type.END_OF_SPEECH)
    kinds = [event.type for event in events]
    assert kinds[:2] == [Type.START_OF_SPEECH, Type.INTERIM_TRANSCRIPT]
    assert kinds[-2:] == [Type.FINAL_TRANSCRIPT, Type.END_OF_SPEECH]
    final = events[-2].alternatives[0]
    assert final.text == OPENING_HOURS
    assert final.words is not None
    assert [str(word) for word in final.words] == OPENING_HOURS.split()
    starts = [word.start_time for word in final.words if isinstance(word.start_time, float)]
    assert len(starts) == len(final.words)
    assert starts == sorted(starts)
    assert 0.2 < starts[0] < 1.5
    assert 0 < final.confidence <= 1
    assert events[-2].request_id == lab.context.journal.of(DEEPGRAM, "connect")[0].connection


async def test_flush_finalizes_without_waiting_for_silence(lab: Lab) -> None:
    # endless endpointing: only the Finalize can close the utterance
    async with plugin(lab, endpointing_ms=0) as opened:
        opened.push("01_quick_question_t01.flac", silence_s=1.0)
        opened.stream.flush()
        events = await opened.until(Type.FINAL_TRANSCRIPT)
        assert events[-1].alternatives[0].text == OPENING_HOURS
        opened.push(GOODBYE)
        opened.stream.flush()
        events = await opened.until(Type.FINAL_TRANSCRIPT)
        assert events[-1].alternatives[0].text == "goodbye"
    names = lab.context.journal.names(DEEPGRAM)
    assert names.count("Finalize") == 2


async def test_the_plugin_keeps_the_connection_alive_and_closes_the_stream(lab: Lab) -> None:
    async with plugin(lab) as opened:
        await lab.context.journal.until(DEEPGRAM, "KeepAlive")
        opened.push(GOODBYE)
        opened.stream.end_input()
        # CloseStream has the rest recognised before the Metadata and the close
        events = await opened.until(Type.FINAL_TRANSCRIPT)
        assert events[-1].alternatives[0].text == "goodbye"
        await lab.context.journal.until(DEEPGRAM, "CloseStream")
        assert opened.errors == []


async def test_interims_and_starts_come_only_to_who_asked_for_them(lab: Lab) -> None:
    async with plugin(lab, interim_results=False, vad_events=False) as opened:
        opened.push(GOODBYE, silence_s=0.5)
        events = await opened.until(Type.END_OF_SPEECH)
    assert [event.type for event in events if event.type is not Type.RECOGNITION_USAGE] == [
        Type.START_OF_SPEECH,  # the plugin's own, made from the final
        Type.FINAL_TRANSCRIPT,
        Type.END_OF_SPEECH,
    ]


async def test_noise_brings_nothing(lab: Lab) -> None:
    async with plugin(lab) as opened:
        opened.push("07_silence_and_noise_t03.flac", silence_s=1.0)
        opened.stream.flush()
        opened.push(GOODBYE)
        opened.stream.flush()
        events = await opened.until(Type.FINAL_TRANSCRIPT)
    assert [event.type for event in events].count(Type.START_OF_SPEECH) == 1
    assert events[-1].alternatives[0].text == "goodbye"


@pytest.mark.parametrize("kind", ["refuse", "rate_limited", "server_error"])
async def test_a_failure_at_the_door_is_reported_and_tried_again(lab: Lab, kind: Kind) -> None:
    # aiohttp asks once more by itself when a connection is cut before the answer
    lab.context.faults.set(DEEPGRAM, Fault(kind, times=2 if kind == "refuse" else 1))
    async with plugin(lab) as opened:
        opened.push(GOODBYE)
        opened.stream.flush()
        events = await opened.until(Type.FINAL_TRANSCRIPT)
        assert events[-1].alternatives[0].text == "goodbye"
        assert [error.recoverable for error in opened.errors] == [True]
        statuses = {"rate_limited": 429, "server_error": 500}
        if kind in statuses:
            error = opened.errors[0].error
            assert isinstance(error, APIStatusError)
            assert error.status_code == statuses[kind]


async def test_a_provider_that_keeps_failing_is_given_up(lab: Lab) -> None:
    lab.context.faults.set(DEEPGRAM, Fault("server_error"))
    async with plugin(lab, max_retry=1) as opened:
        with pytest.raises(APIConnectionError, match="after 1 attempts"):
            await opened.until(Type.FINAL_TRANSCRIPT)
        assert [error.recoverable for error in opened.errors] == [True, False]


@pytest.mark.parametrize("kind", ["drop", "refuse", "server_error"])
async def test_a_connection_lost_in_mid_utterance_is_opened_again(lab: Lab, kind: Kind) -> None:
    async with plugin(lab) as opened:
        await lab.context.journal.until(DEEPGRAM, "KeepAlive")
        lab.context.faults.set(DEEPGRAM, Fault(kind, times=1, after=1))
        opened.push("01_quick_question_t01.flac")
        await lab.context.journal.until(DEEPGRAM, "connect", count=2)
        opened.push(GOODBYE)
        opened.stream.flush()
        events = await opened.until(Type.FINAL_TRANSCRIPT)
        assert events[-1].alternatives[0].text == "goodbye"
        assert [error.recoverable for error in opened.errors] == [True]


async def test_a_malformed_message_costs_nothing_but_itself(lab: Lab) -> None:
    lab.context.faults.set(DEEPGRAM, Fault("malformed", times=1, after=1))
    async with plugin(lab) as opened:
        opened.push("01_quick_question_t01.flac")
        opened.stream.flush()
        events = await opened.until(Type.FINAL_TRANSCRIPT)
        assert events[-1].alternatives[0].text == OPENING_HOURS
        assert opened.errors == []


async def test_a_provider_that_hangs_says_nothing_but_stays_connected(lab: Lab) -> None:
    async with plugin(lab) as opened:
        await lab.context.journal.until(DEEPGRAM, "KeepAlive")
        lab.context.faults.set(DEEPGRAM, Fault("hang", times=1))
        opened.push(GOODBYE)
        opened.stream.flush()
        await lab.context.journal.until(DEEPGRAM, "lab.fault")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await opened.until(Type.START_OF_SPEECH)
        assert opened.errors == []


async def test_a_key_is_demanded(lab: Lab) -> None:
    async with aiohttp.ClientSession() as http:
        query = {"encoding": "linear16", "sample_rate": "16000"}
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await http.ws_connect(lab.deepgram_url, params=query)
        assert refusal.value.status == 401


@pytest.mark.parametrize(
    "query", [{"encoding": "opus", "sample_rate": "16000"}, {"encoding": "linear16", "sample_rate": "x"}]
)
async def test_audio_that_the_lab_cannot_hear_is_refused(lab: Lab, query: dict[str, str]) -> None:
    headers = {"Authorization": "Token lab"}
    async with (
        aiohttp.ClientSession() as http,
        http.get(lab.deepgram_url, params=query, headers=headers) as response,
    ):
        assert response.status == 400
        assert (await response.json())["err_code"] == "Bad Request"


async def test_results_say_what_they_answer_and_unreadable_messages_are_passed_over(lab: Lab) -> None:
    query = {"encoding": "linear16", "sample_rate": str(RATE_HZ)}
    headers = {"Authorization": "Token lab"}
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(lab.deepgram_url, params=query, headers=headers) as socket,
    ):
        await socket.send_str("{ this is no JSON")
        await socket.send_bytes(load_pcm(HERE / GOODBYE, sample_rate_hz=RATE_HZ).tobytes())
        await socket.send_str(json.dumps({"type": "Finalize"}))
        await socket.send_str(json.dumps({"type": "CloseStream"}))
        messages = [json.loads(message.data) async for message in socket]
    assert [message["type"] for message in messages] == ["Results", "Results", "Results", "Metadata"]
    assert [message["from_finalize"] for message in messages[:3]] == [False, True, True]
    assert messages[0]["channel"]["alternatives"][0]["transcript"] == "goodbye"
    assert messages[-1]["duration"] == pytest.approx(1.34, abs=0.1)
    assert lab.context.journal.count(DEEPGRAM, "lab.unreadable") == 1


async def test_the_drawn_delay_contains_the_decoding(lab: Lab) -> None:
    lab.context.delays = Delays.none().override({"stt": 0.001})
    async with plugin(lab) as opened:
        opened.push(GOODBYE)
        opened.stream.flush()
        await opened.until(Type.FINAL_TRANSCRIPT)
    # a microsecond is over before any decoder has answered, which is on record
    assert lab.context.journal.count(DEEPGRAM, "lab.overrun") >= 1
    assert lab.context.delays.stt == Delay(0.001, 0.001)
