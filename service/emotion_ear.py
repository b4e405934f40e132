"""Listens to the caller's voice beside the call: what the tap hears goes to a process of its own, readings come back.

The event loop copies samples and nothing else. Nothing here waits: audio that cannot be judged in time is dropped, a
score that comes too late is dropped, and the reading is unknown whenever it would not be of what was just said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from livekit import rtc

from classifiers.emotion import EmotionReading
from compliance.tap import RATE_HZ, CallerTap
from service.aside import Aside, Channel

BATCH_MS = 200.0
"""Audio is handed over in pieces of this size, and at once when the caller stops speaking."""
STALE_MS = 1_000.0
"""A reading that knows nothing of so much of the latest audio is no reading of this turn."""
UNKNOWN = EmotionReading("unknown", 0.0, 0.0, 0)


@dataclass(slots=True)
class EarCounts:
    """What did not become part of a reading, over a call.

    Attributes:
        dropped_frames: frames of audio that were not judged, because the process was too slow or gone.
        late: scores that came when their turn was over.
        stale: turns for which the reading was asked while it was too far behind.
        restarts: how many times the process was lost.
    """

    dropped_frames: int = 0
    late: int = 0
    stale: int = 0
    restarts: int = 0


class ClosedEar:
    """Stands where an ear would when the caller's voice may not be judged: it hears nothing."""

    @property
    def counts(self) -> EarCounts:
        return EarCounts()

    def reading(self) -> EmotionReading:
        return UNKNOWN

    def speech(self, speaking: bool) -> None: ...
    def turn_ended(self) -> None: ...
    def forget(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Piece:
    """What was handed over: of which turn, up to which call time, in how many frames."""

    turn: int
    end_ms: float
    frames: int


class EmotionEar:
    """Keeps the emotion reading of the caller's running turn up to date.

    Args:
        aside: where the voice is judged. If that fails, in whatever way, readings are unknown until it is back.
        tap: the caller's audio.
        heard: told of every new reading.
        failed: told of the first failure; there is no second telling.
    """

    def __init__(
        self,
        aside: Aside,
        tap: CallerTap,
        *,
        heard: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._tap = tap
        self._heard = heard
        self._failed = failed
        self._counts = EarCounts()
        self._has_failed = False
        self._reading = UNKNOWN
        self._speaking = False
        self._turn = 0
        self._stale_turn: int | None = None
        self._frames: list[rtc.AudioFrame] = []
        self._unsent_ms = 0.0
        self._end_ms = self._judged_ms = tap.heard_until_ms
        self._channel: Channel[_Piece] = aside.attach(
            "emotion", answered=self._answered, dropped=self._dropped, failed=self._broken
        )
        tap.sinks.append(self._hear)

    @property
    def counts(self) -> EarCounts:
        """What was dropped, late or stale so far."""
        self._counts.restarts = self._channel.lost
        return self._counts

    def reading(self) -> EmotionReading:
        """What is heard in the running turn; ``unknown`` until enough was voiced, and when it is out of date."""
        if self._end_ms - self._judged_ms <= STALE_MS or self._channel.closed:
            return self._reading
        if self._stale_turn != self._turn:
            self._stale_turn = self._turn
            self._counts.stale += 1
        return UNKNOWN

    def speech(self, speaking: bool) -> None:
        """The voice detector's verdict, from now on."""
        if self._speaking and not speaking:
            self._hand_over(ended=True)
        self._speaking = speaking

    def turn_ended(self) -> None:
        """The next speech belongs to a new turn; what waits to be judged of this one is of no use."""
        self._turn += 1
        self._reading = UNKNOWN
        self._channel.drop_pending()

    def forget(self) -> None:
        """Stop listening for good and have all forgotten that was learnt of this voice: the caller wants it so."""
        if self._hear in self._tap.sinks:
            self._tap.sinks.remove(self._hear)
        self._channel.hang_up()
        self._frames.clear()
        self._reading = UNKNOWN

    async def aclose(self) -> None:
        self.forget()
        await self._channel.aclose()

    # -- audio in, readings out -----------------------------------------------------------------------------
    def _hear(self, start_ms: float, frame: rtc.AudioFrame) -> None:
        duration_ms = frame.duration * 1000
        self._frames.append(frame)
        self._end_ms = start_ms + duration_ms
        self._unsent_ms += duration_ms
        if self._unsent_ms >= BATCH_MS:
            self._hand_over(ended=False)

    def _hand_over(self, *, ended: bool) -> None:
        samples = b"".join(frame.data for frame in self._frames)
        piece = _Piece(self._turn, self._end_ms, len(self._frames))
        self._frames.clear()
        self._unsent_ms = 0.0
        header = {"turn": piece.turn, "rate_hz": RATE_HZ, "speaking": self._speaking, "ended": ended}
        self._channel.send(header, samples, piece)

    def _answered(self, piece: _Piece, answer: Mapping[str, Any]) -> None:
        self._judged_ms = piece.end_ms
        if piece.turn != self._turn:
            self._counts.late += 1
            return
        reading = EmotionReading(**answer["reading"])
        if reading != self._reading:
            self._reading = reading
            self._heard()

    def _dropped(self, piece: _Piece) -> None:
        self._counts.dropped_frames += piece.frames

    def _broken(self, error: Exception) -> None:
        self._reading = UNKNOWN
        if not self._has_failed:
            self._has_failed = True
            self._failed(error)
