"""A caller's turn kept as audio of another rate, for a vendor that cannot take back what it was sent."""

from __future__ import annotations

from livekit import rtc

PIECE_MS = 200


class Resampled:
    """Holds one turn at a time.

    Args:
        rate_hz: the rate that it is wanted in, int16 mono.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._resampler: rtc.AudioResampler | None = None
        self._pcm = bytearray()

    def push(self, frame: rtc.AudioFrame) -> None:
        """Append a mono frame; all frames of a turn have the same rate."""
        if self._resampler is None and frame.sample_rate != self._rate_hz:
            self._resampler = rtc.AudioResampler(frame.sample_rate, self._rate_hz)
        for each in [frame] if self._resampler is None else self._resampler.push(frame):
            self._pcm += each.data.cast("b")

    def clear(self) -> None:
        """Forget the turn."""
        self._resampler = None  # it holds the last of what it was given
        self._pcm.clear()

    def take(self) -> list[bytes]:
        """The turn to its last sample, in pieces of at most :data:`PIECE_MS`; the next one begins."""
        for each in [] if self._resampler is None else self._resampler.flush():
            self._pcm += each.data.cast("b")
        whole, size = bytes(self._pcm), 2 * self._rate_hz * PIECE_MS // 1000
        self.clear()
        return [whole[at : at + size] for at in range(0, len(whole), size)]
