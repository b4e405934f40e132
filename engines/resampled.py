"""Audio at another rate: as it comes, or a caller's turn kept for a vendor that cannot take back what it was sent."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

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


async def at_rate(
    frames: AsyncGenerator[rtc.AudioFrame, None], rate_hz: int
) -> AsyncGenerator[rtc.AudioFrame, None]:
    """The same audio at another rate; all of ``frames`` have one rate and are mono."""
    resampler: rtc.AudioResampler | None = None
    async with aclosing(frames):
        async for frame in frames:
            if frame.sample_rate == rate_hz:
                yield frame
                continue
            resampler = resampler or rtc.AudioResampler(frame.sample_rate, rate_hz)
            for each in resampler.push(frame):
                yield each
    for each in [] if resampler is None else resampler.flush():
        yield each
