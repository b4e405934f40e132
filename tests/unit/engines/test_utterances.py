"""Utterances of a call, cut by voice activity and recognised one by one; both are told here what to find."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from livekit import rtc
from livekit.agents import APIConnectionError, APIConnectOptions, APIStatusError, LanguageCode, stt, vad

from engines.utterances import Utterances

pytestmark = pytest.mark.unit

RATE_HZ = 24_000
FRAME_S = 0.1
ONCE = APIConnectOptions(max_retry=0, timeout=60.0)
Type = stt.SpeechEventType


def frame() -> rtc.AudioFrame:
    samples = int(RATE_HZ * FRAME_S)
    return rtc.AudioFrame(bytes(2 * samples), RATE_HZ, 1, samples)


class Detector(vad.VAD):
    """Finds speech in frames ``since`` to ``until`` of each span, and says so with the frame that shows it."""

    def __init__(self, *spans: tuple[int, int]) -> None:
        super().__init__(capabilities=vad.VADCapabilities(update_interval=FRAME_S))
        self.spans = spans

    @property
    def model(self) -> str:
        return "told"

    @property
    def provider(self) -> str:
        return "test"

    @property
    def min_silence_duration(self) -> float | None:
        return FRAME_S

    def stream(self) -> vad.VADStream:
        return _Detection(self)


class _Detection(vad.VADStream):
    def __init__(self, detector: Detector) -> None:
        super().__init__(detector)
        self._spans = detector.spans

    async def _main_task(self) -> None:
        number = 0
        async for item in self._input_ch:
            if not isinstance(item, rtc.AudioFrame):
                continue
            number += 1
            self._tell(vad.VADEventType.INFERENCE_DONE, number, item)
            if number in [since for since, _ in self._spans]:
                self._tell(vad.VADEventType.START_OF_SPEECH, number, item)
            if number in [until + 1 for _, until in self._spans]:
                self._tell(vad.VADEventType.END_OF_SPEECH, number, item)

    def _tell(self, kind: vad.VADEventType, number: int, item: rtc.AudioFrame) -> None:
        self._event_ch.send_nowait(
            vad.VADEvent(kind, number, number * FRAME_S, FRAME_S, FRAME_S, frames=[item])
        )


class Whisper(stt.STT[str]):
    """Answers with ``says``, one after another; an error is raised. ``held`` keeps it from answering."""

    def __init__(self, *says: str | Exception) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=False, interim_results=False))
        self.says = [*says]
        self.sent_s: list[float] = []
        self.asked = asyncio.Event()
        self.held = asyncio.Event()
        self.held.set()
        self.closed = False

    async def _recognize_impl(self, buffer: Any, **_: Any) -> stt.SpeechEvent:
        self.sent_s.append(rtc.combine_audio_frames(buffer).duration)
        self.asked.set()
        await self.held.wait()
        said = self.says.pop(0)
        if isinstance(said, Exception):
            raise said
        return stt.SpeechEvent(
            Type.FINAL_TRANSCRIPT, alternatives=[stt.SpeechData(LanguageCode("en"), said)] if said else []
        )

    async def aclose(self) -> None:
        self.closed = True


@asynccontextmanager
async def streaming(whisper: Whisper, *spans: tuple[int, int]) -> AsyncIterator[stt.RecognizeStream]:
    cut = Utterances(whisper, Detector(*spans))
    stream = cut.stream(conn_options=ONCE)
    try:
        yield stream
    finally:
        await stream.aclose()
        await cut.aclose()
    assert whisper.closed


async def events(stream: stt.RecognizeStream, frames: int) -> Sequence[stt.SpeechEvent]:
    """What comes of so many frames and the end of the audio."""
    for _ in range(frames):
        stream.push_frame(frame())
    stream.end_input()
    async with asyncio.timeout(60):
        return [event async for event in stream]


async def test_every_utterance_is_sent_by_itself_and_told_where_it_was() -> None:
    whisper = Whisper(" one ", "two")
    async with streaming(whisper, (3, 6), (12, 14)) as stream:
        heard = await events(stream, 20)
    finals = [event.alternatives[0] for event in heard if event.type is Type.FINAL_TRANSCRIPT]
    assert [final.text for final in finals] == ["one", "two"]
    times = [time for final in finals for time in (final.start_time, final.end_time)]
    assert times == pytest.approx([0.2, 0.6, 1.1, 1.4], abs=0.001)
    assert whisper.sent_s == pytest.approx([0.5, 0.4])  # with the silence that ended each


async def test_speech_of_any_length_is_sent_whole() -> None:
    whisper = Whisper("all of it")
    async with streaming(whisper, (1, 900)) as stream:
        await events(stream, 905)
    assert whisper.sent_s == pytest.approx([90.1])


async def test_what_is_being_said_when_the_audio_ends_is_sent() -> None:
    whisper = Whisper("cut off")
    async with streaming(whisper, (3, 99)) as stream:
        heard = await events(stream, 10)
    [final] = [event.alternatives[0] for event in heard if event.type is Type.FINAL_TRANSCRIPT]
    assert final.text == "cut off"
    assert final.end_time == pytest.approx(1.0, abs=0.001)


@pytest.mark.parametrize("nothing", ["", "  "])
async def test_a_sound_without_words_begins_and_ends(nothing: str) -> None:
    async with streaming(Whisper(nothing), (3, 6)) as stream:
        heard = await events(stream, 10)
    assert [event.type for event in heard] == [Type.START_OF_SPEECH, Type.END_OF_SPEECH]


async def test_a_caller_who_goes_on_is_heard_before_the_words_are_there() -> None:
    whisper = Whisper("one", "two")
    whisper.held.clear()
    async with streaming(whisper, (1, 2), (4, 99)) as stream:
        for _ in range(5):
            stream.push_frame(frame())
        got = [(await anext(stream)).type for _ in range(2)]
        assert got == [Type.START_OF_SPEECH, Type.START_OF_SPEECH]
        whisper.held.set()
        assert (await anext(stream)).type is Type.FINAL_TRANSCRIPT
        rest = [event.type for event in await events(stream, 1)]
    # The first utterance's end was no end of speech: the caller spoke.
    assert rest == [Type.FINAL_TRANSCRIPT, Type.END_OF_SPEECH]


async def test_a_failure_ends_the_stream() -> None:
    async with streaming(Whisper(APIStatusError("busy", status_code=503)), (1, 2)) as stream:
        with pytest.raises(APIStatusError):
            await events(stream, 5)


async def test_an_utterance_that_may_not_be_sent_is_not_and_ends_the_stream() -> None:
    def refuse() -> None:
        raise APIConnectionError("not now", retryable=False)

    whisper = Whisper("one")
    cut = Utterances(whisper, Detector((1, 2), (5, 6)))
    cut.before_sending = refuse
    stream = cut.stream(conn_options=ONCE)
    with pytest.raises(APIConnectionError, match="not now"):
        await events(stream, 10)
    await stream.aclose()
    await cut.aclose()
    assert whisper.sent_s == []


async def test_what_each_utterance_used_is_told_once() -> None:
    whisper = Whisper("one", "two")
    cut = Utterances(whisper, Detector((1, 2), (5, 6)))
    used: list[float] = []
    cut.on("metrics_collected", lambda metrics: used.append(metrics.audio_duration))
    stream = cut.stream(conn_options=ONCE)
    await events(stream, 10)
    await stream.aclose()
    await cut.aclose()
    assert used == pytest.approx(whisper.sent_s)
