"""Watches that a turn does not end in silence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class SilenceWatch:
    """Runs from a turn's decision until its answer is heard.

    Args:
        limit_s: how long a turn may stay without an audible answer.
        paused: whether the caller is speaking just now; then the limit starts anew.
        expired: called when the limit has passed.
    """

    def __init__(self, limit_s: float, *, paused: Callable[[], bool], expired: Callable[[], None]) -> None:
        self._limit_s = limit_s
        self._paused = paused
        self._expired = expired
        self._timer: asyncio.TimerHandle | None = None

    @property
    def running(self) -> bool:
        """Whether the turn in hand still waits for its answer."""
        return self._timer is not None

    def start(self) -> None:
        """A turn waits for its answer from now on."""
        self.stop()
        self._timer = asyncio.get_running_loop().call_later(self._limit_s, self._due)

    def extend(self) -> None:
        """Work is being done for the turn: allow it the whole time again."""
        if self.running:
            self.start()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> None:
        if self._paused():
            self.start()
        else:
            self._expired()
