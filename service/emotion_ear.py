"""Listens to the caller's voice beside the call: the tap's frames go to the emotion model in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from classifiers.emotion import EmotionModel, EmotionReading, EmotionStream
from compliance.tap import RATE_HZ, CallerTap, Stamped

BATCH_MS = 200.0
"""Audio is handed to the model in pieces of this size."""
UNKNOWN = EmotionReading("unknown", 0.0, 0.0, 0)


class ClosedEar:
    """Stands where an ear would when the caller's voice may not be judged: it hears nothing."""

    def reading(self) -> EmotionReading:
        return UNKNOWN

    def speech(self, speaking: bool) -> None: ...
    def turn_ended(self) -> None: ...


class EmotionEar:
    """Keeps the emotion reading of the caller's running turn up to date.

    One queue off the tap, one task, one worker thread; the event loop only copies samples. A failure of the
    model ends the listening, not the call: ``failed`` is told once and readings stay unknown. ``heard`` is told of
    every new reading.
    """

    def __init__(
        self,
        model: EmotionModel,
        tap: CallerTap,
        *,
        heard: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._stream = EmotionStream(model)
        self._tap = tap
        self._queue = tap.subscribe()
        self._heard = heard
        self._failed = failed
        self._reading = UNKNOWN
        self._speaking = False
        self._turn = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="patchbay-emotion")
        self._task = asyncio.create_task(self._listen(), name="patchbay.emotion")

    def reading(self) -> EmotionReading:
        """What is heard in the running turn so far; label ``unknown`` until enough was voiced."""
        return self._reading

    def speech(self, speaking: bool) -> None:
        """The voice detector's verdict, from now on."""
        self._speaking = speaking

    def turn_ended(self) -> None:
        """The next speech belongs to a new turn."""
        self._turn += 1
        self._reading = UNKNOWN

    async def aclose(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._tap.unsubscribe(self._queue)
        self._thread.shutdown(wait=False)

    async def _listen(self) -> None:
        loop, turn = asyncio.get_running_loop(), 0
        batch: list[Stamped] = []
        try:
            while True:
                batch.append(await self._queue.get())
                if batch[-1].end_ms - batch[0].start_ms < BATCH_MS:
                    continue
                if turn != self._turn:
                    turn = self._turn
                    await loop.run_in_executor(self._thread, self._stream.reset_turn)
                samples = np.concatenate([np.frombuffer(piece.frame.data, np.int16) for piece in batch])
                batch.clear()
                reading = await loop.run_in_executor(self._thread, self._classify, samples, self._speaking)
                if turn == self._turn and reading != self._reading:
                    self._reading = reading
                    self._heard()
        except Exception as error:
            self._reading = UNKNOWN
            self._failed(error)

    def _classify(self, samples: np.ndarray, speaking: bool) -> EmotionReading:
        self._stream.push(samples, RATE_HZ, speaking=speaking)
        return self._stream.turn_result()
