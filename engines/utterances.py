"""A recogniser that takes whole utterances, as one that streams: voice activity cuts the call into them.

LiveKit's ``stt.StreamAdapter`` does so too, but tells neither when the words were said nor, once a call is over,
what was being said; and speech that goes on for a minute loses its end. The record needs all three.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from livekit import rtc
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    ConversationItemAddedEvent,
    NotGivenOr,
    stt,
    utils,
    vad,
)


@dataclass(frozen=True, slots=True)
class _Utterance:
    """Speech without a pause in it; times in seconds of the stream's audio."""

    frames: Sequence[rtc.AudioFrame]
    start_s: float
    end_s: float


class Utterances(stt.STT[Any]):
    """Streams with a recogniser that does not; closing this closes it.

    Every pause of the caller's ends an utterance, which is sent when it is over: there are no interim results, and
    no word times beside the utterance's own. What is cut where is the detector's business; with the session's
    settings, the words come about as early as the turn can be over.

    Args:
        recogniser: takes an utterance at a time, such as ``openai.STT`` by its transcriptions endpoint.
        detector: of voice activity.

    Attributes:
        before_sending: called before an utterance is sent. What it raises ends the stream, and nothing is sent.
    """

    def __init__(self, recogniser: stt.STT[Any], detector: vad.VAD) -> None:
        super().__init__(
            capabilities=replace(
                recogniser.capabilities, streaming=True, interim_results=False, offline_recognize=False
            )
        )
        self.recogniser = recogniser
        self.detector = detector
        self.before_sending: Callable[[], None] = lambda: None
        recogniser.on("metrics_collected", self._used)

    @property
    def model(self) -> str:
        return self.recogniser.model

    @property
    def provider(self) -> str:
        return self.recogniser.provider

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        return _Stream(self, conn_options)

    async def _recognize_impl(
        self,
        buffer: utils.AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        return await self.recogniser.recognize(buffer, language=language, conn_options=conn_options)

    def _update_session_keyterms(self, keyterms: list[str]) -> None:
        self.recogniser._update_session_keyterms(keyterms)

    def _push_conversation_item(self, ev: ConversationItemAddedEvent) -> None:
        self.recogniser._push_conversation_item(ev)

    def _used(self, *metrics: Any) -> None:
        self.emit("metrics_collected", *metrics)

    async def aclose(self) -> None:
        self.recogniser.off("metrics_collected", self._used)
        await self.recogniser.aclose()


class _Stream(stt.RecognizeStream):
    def __init__(self, owner: Utterances, conn_options: APIConnectOptions) -> None:
        super().__init__(stt=owner, conn_options=conn_options)
        self._recogniser, self._detector = owner.recogniser, owner.detector
        self._before_sending = owner.before_sending
        self._speaking = False

    async def _run(self) -> None:
        activity = self._detector.stream()
        spoken: asyncio.Queue[_Utterance | None] = asyncio.Queue()
        tasks = [
            asyncio.create_task(self._listen(activity), name="utterances listen"),
            asyncio.create_task(self._cut(activity, spoken), name="utterances cut"),
            asyncio.create_task(self._recognise(spoken), name="utterances recognise"),
        ]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await activity.aclose()

    async def _listen(self, activity: vad.VADStream) -> None:
        async for item in self._input_ch:
            if isinstance(item, rtc.AudioFrame):  # a flush says no more than the silence that comes with it
                activity.push_frame(item)
        activity.end_input()

    async def _cut(self, activity: vad.VADStream, spoken: asyncio.Queue[_Utterance | None]) -> None:
        frames: list[rtc.AudioFrame] = []
        start_s = now_s = 0.0
        async for event in activity:
            now_s = event.timestamp
            if event.type is vad.VADEventType.START_OF_SPEECH:
                self._speaking, frames, start_s = True, [*event.frames], now_s - event.speech_duration
                self._event_ch.send_nowait(stt.SpeechEvent(stt.SpeechEventType.START_OF_SPEECH))
            elif event.type is vad.VADEventType.END_OF_SPEECH:
                self._speaking = False
                spoken.put_nowait(_Utterance(frames, start_s, now_s - event.silence_duration))
            elif self._speaking:
                frames.extend(event.frames)
        if self._speaking:  # the audio ended in the middle of it
            self._speaking = False
            spoken.put_nowait(_Utterance(frames, start_s, now_s))
        spoken.put_nowait(None)

    async def _recognise(self, spoken: asyncio.Queue[_Utterance | None]) -> None:
        while (utterance := await spoken.get()) is not None:
            self._before_sending()
            event = await self._recogniser.recognize(
                [*utterance.frames], language=NOT_GIVEN, conn_options=self._conn_options
            )
            heard = event.alternatives[0] if event.alternatives else None
            if heard is not None and heard.text.strip():
                timed = replace(
                    heard,
                    text=heard.text.strip(),
                    start_time=utterance.start_s + self.start_time_offset,
                    end_time=utterance.end_s + self.start_time_offset,
                )
                final = replace(event, type=stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[timed])
                self._event_ch.send_nowait(final)
            if not self._speaking:
                self._event_ch.send_nowait(stt.SpeechEvent(stt.SpeechEventType.END_OF_SPEECH))
