"""What a recogniser heard, on the call's clock. All times are call times in milliseconds."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from livekit.agents import stt

from compliance.tap import Stamped

Recogniser = stt.STT[Any]
"""Any of LiveKit's recognisers."""


@dataclass(frozen=True)
class Word:
    """A recognised word."""

    text: str
    start_ms: float
    end_ms: float


@dataclass(frozen=True)
class Segment:
    """A stretch of the caller's words that the recogniser holds for final; confidence is in 0..1.

    ``words`` is empty when the recogniser gives no word times. ``settled`` is False for words that were
    still an interim result when the call ended.
    """

    start_ms: float
    end_ms: float
    text: str
    confidence: float
    words: tuple[Word, ...] = ()
    settled: bool = True


@dataclass(frozen=True)
class Heard:
    """A recogniser's event, for who reads the stream beside the record.

    ``start_ms`` and ``end_ms`` span its words, or the speech so far where it has no times. ``offset_s`` added
    to the times inside the event gives seconds of call time; None when the event has no times.
    """

    event: stt.SpeechEvent
    start_ms: float
    end_ms: float
    offset_s: float | None


class Ears(StrEnum):
    """Whether the caller is being transcribed."""

    LISTENING = "listening"
    RECONNECTING = "reconnecting"
    DEAF = "deaf"
    """Given up for now. Attempts go on, rarely, while there is an error that may pass."""
    CLOSED = "closed"


@dataclass(frozen=True)
class Condition:
    """The transcriber's state has changed, or an attempt has failed again.

    ``error`` is the latest failure, and ``passed_on`` whether another recogniser is asked next.
    """

    state: Ears
    error: Exception | None = None
    passed_on: bool = False


class Timeline:
    """Translates a recogniser stream's seconds of audio into call time, across gaps and replays."""

    def __init__(self) -> None:
        self._pushed_s = 0.0
        self._from_s: list[float] = []
        self._offset_s: list[float] = []

    def push(self, stamped: Stamped) -> None:
        """Note that this frame is the next of the stream's audio."""
        offset_s = stamped.start_ms / 1000 - self._pushed_s
        if not self._offset_s or abs(offset_s - self._offset_s[-1]) > 0.03:
            self._from_s.append(self._pushed_s)
            self._offset_s.append(offset_s)
        self._pushed_s += stamped.frame.duration

    def offset_s(self, stream_s: float) -> float:
        """What to add to ``stream_s`` for seconds of call time."""
        if not self._offset_s:
            return 0.0
        return self._offset_s[max(0, bisect_right(self._from_s, stream_s) - 1)]

    def ms(self, stream_s: float) -> float:
        """The call time at ``stream_s``."""
        return (stream_s + self.offset_s(stream_s)) * 1000


def segment(data: stt.SpeechData, timeline: Timeline, *, otherwise: tuple[float, float]) -> Segment:
    """A recogniser's result as a segment; ``otherwise`` is its span when it has no times."""
    start_ms, end_ms = otherwise
    words = tuple(
        Word(str(word).strip(), timeline.ms(word.start_time), timeline.ms(word.end_time))
        for word in data.words or ()
        if isinstance(word.start_time, float | int) and isinstance(word.end_time, float | int)
        if word.end_time > 0  # Flux's plugin says zero where the server says nothing
    )
    if words:  # the result's own times may be of all audio since the result before, as Flux's are
        start_ms, end_ms = words[0].start_ms, words[-1].end_ms
    elif data.end_time > 0:
        start_ms, end_ms = timeline.ms(data.start_time), timeline.ms(data.end_time)
    return Segment(
        start_ms=max(0.0, start_ms),
        end_ms=max(0.0, start_ms, end_ms),
        text=data.text,
        confidence=min(1.0, max(0.0, data.confidence)),
        words=words,
    )
