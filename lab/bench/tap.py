"""What the tap costs a call, per frame: ``python -m lab.bench.tap``.

Feeds 20 ms frames of speech-like noise through :class:`compliance.tap.CallerTap` with two sinks and two
queues, as on a real call, and prints the time between the source's frame and the session's.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence

import numpy as np
from livekit import rtc
from livekit.agents.voice import io

from compliance.clock import CallClock
from compliance.tap import RATE_HZ, CallerTap, FrameQueue

FRAMES = 30_000
BUDGET_US = 50.0
_SAMPLES = RATE_HZ // 50


class _Recorded(io.AudioInput):
    """Frames that are ready when asked for; notes when each was handed over."""

    def __init__(self) -> None:
        super().__init__(label="recorded")
        noise = np.random.default_rng(1).normal(0, 2500, (64, _SAMPLES)).astype(np.int16)
        noise[::5] //= 100  # pauses, so that the voice gate takes both of its ways
        self._blocks = [block.tobytes() for block in noise]
        self.handed_over_ns = 0
        self._index = 0

    async def __anext__(self) -> rtc.AudioFrame:
        self._index += 1
        frame = rtc.AudioFrame(self._blocks[self._index % 64], RATE_HZ, 1, _SAMPLES)
        self.handed_over_ns = time.perf_counter_ns()
        return frame


async def _drain(queue: FrameQueue) -> None:
    while True:
        await queue.get()


async def measure(frames: int = FRAMES) -> np.ndarray:
    """Microseconds that the tap took for each of ``frames`` frames."""
    source = _Recorded()
    tap = CallerTap(source, CallClock())
    counted = 0

    def count(at_ms: float, frame: rtc.AudioFrame) -> None:
        nonlocal counted
        counted += 1

    tap.sinks += [count, count]
    drains = [asyncio.create_task(_drain(tap.subscribe()), name=f"drain {index}") for index in range(2)]
    took_us = np.empty(frames)
    for index in range(frames):
        await tap.__anext__()
        took_us[index] = (time.perf_counter_ns() - source.handed_over_ns) / 1000
        await asyncio.sleep(0)
    for drain in drains:
        drain.cancel()
    await asyncio.gather(*drains, return_exceptions=True)
    return took_us


def main(arguments: Sequence[str] = ()) -> int:
    """Print the figures; returns 1 when the budget is passed."""
    took_us = asyncio.run(measure())
    p50, p99, worst = np.percentile(took_us, [50, 99, 100], method="inverted_cdf")
    verdict = "within" if p99 <= BUDGET_US else "OVER"
    print(f"tap, {len(took_us)} frames of 20 ms: P50 {p50:.1f} µs, P99 {p99:.1f} µs, worst {worst:.0f} µs")
    print(f"P99 is {verdict} the budget of {BUDGET_US:.0f} µs a frame")
    return 0 if p99 <= BUDGET_US else 1


if __name__ == "__main__":
    sys.exit(main())
