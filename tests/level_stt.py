"""A recogniser for tests that reads its audio: a stretch of one amplitude is a word, named after it.

Silence parts words. Results become final when the stream is flushed, or after 400 ms of silence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from livekit import rtc
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions, APIError, stt
from livekit.agents.types import TimedString

Kind = stt.SpeechEventType


@dataclass
class Plan:
    """What one stream does: fail with ``error`` after ``after_s`` seconds of audio, or hang from then on."""

    error: APIError | None = None
    after_s: float = 0.0
    hang: bool = False
    ends: bool = False


@dataclass(eq=False)
class LevelSTT(stt.STT[Any]):
    """``plans`` are for its streams in order; streams after the last one work."""

    plans: Sequence[Plan] = ()
    word_times: bool = True
    auto_final: bool = True
    manual_flush: bool = False
    opened: list[_LevelStream] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(
            capabilities=stt.STTCapabilities(
                streaming=True,
                interim_results=True,
                aligned_transcript="word" if self.word_times else False,
                manual_flush=self.manual_flush,
            )
        )

    @property
    def model(self) -> str:
        return "levels"

    @property
    def provider(self) -> str:
        return "test"

    async def _recognize_impl(self, *args: object, **kwargs: object) -> stt.SpeechEvent:
        raise NotImplementedError

    def stream(
        self, *, language: object = None, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> _LevelStream:
        plan = self.plans[len(self.opened)] if len(self.opened) < len(self.plans) else Plan()
        self.opened.append(_LevelStream(self, conn_options, plan))
        return self.opened[-1]


class _LevelStream(stt.RecognizeStream):
    def __init__(self, owner: LevelSTT, conn_options: APIConnectOptions, plan: Plan) -> None:
        super().__init__(stt=owner, conn_options=conn_options)
        self.owner = owner
        self.plan = plan
        self.audio_s = 0.0
        self.flushes = 0
        self.words: list[str] = []
        """Those that began in its audio."""
        self.closed = asyncio.Event()
        self._words: list[tuple[int, float, float]] = []
        self._speaking = False

    async def _run(self) -> None:
        try:
            async for item in self._input_ch:
                if self.plan.ends and self.audio_s >= self.plan.after_s:
                    return
                if self.plan.error is not None and self.audio_s >= self.plan.after_s:
                    raise self.plan.error
                if isinstance(item, rtc.AudioFrame):
                    self._hear(item)
                else:
                    self.flushes += 1
                    self._final()
            self._send(
                stt.SpeechEvent(Kind.RECOGNITION_USAGE, recognition_usage=stt.RecognitionUsage(self.audio_s))
            )
        finally:
            self.closed.set()

    def _hear(self, frame: rtc.AudioFrame) -> None:
        level = int(np.abs(np.frombuffer(frame.data, np.int16).astype(int)).max(initial=0))
        start_s, self.audio_s = self.audio_s, self.audio_s + frame.duration
        if level < 100:
            if self.owner.auto_final and self._words and start_s - self._words[-1][2] >= 0.4:
                self._final()
            return
        if not self._speaking:
            self._speaking = True
            self._send(stt.SpeechEvent(Kind.START_OF_SPEECH))
        last = self._words[-1] if self._words else None
        if last is not None and last[0] == level and start_s - last[2] < 0.001:
            self._words[-1] = (level, last[1], self.audio_s)
        else:
            self.words.append(str(level))
            self._words.append((level, start_s, self.audio_s))
            self._send(stt.SpeechEvent(Kind.INTERIM_TRANSCRIPT, alternatives=[self._data()]))

    def _data(self) -> stt.SpeechData:
        timed = self.owner.word_times
        return stt.SpeechData(
            language="en",
            text=" ".join(str(level) for level, _, _ in self._words),
            confidence=0.9,
            start_time=self._words[0][1] + self.start_time_offset if timed else 0,
            end_time=self._words[-1][2] + self.start_time_offset if timed else 0,
            words=[TimedString(str(word), start_time=start, end_time=end) for word, start, end in self._words]
            if timed
            else None,
        )

    def _final(self) -> None:
        if self._words:
            self._send(stt.SpeechEvent(Kind.FINAL_TRANSCRIPT, alternatives=[self._data()]))
            self._words.clear()
        if self._speaking:
            self._speaking = False
            self._send(stt.SpeechEvent(Kind.END_OF_SPEECH))

    def _send(self, event: stt.SpeechEvent) -> None:
        if not (self.plan.hang and self.audio_s >= self.plan.after_s):
            self._event_ch.send_nowait(event)
