"""Watches that a turn does not end in silence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class SilenceWatch:
    """Runs while a turn waits to be answered, or for the rest of its answer.

    Args:
        limit_s: how long the caller may wait for the next sound.
        paused: whether somebody speaks or a tool works just now; then the limit starts anew.
        expired: called when the limit has passed.
    """

    def __init__(self, limit_s: float, *, paused: Callable[[], bool], expired: Callable[[], None]) -> None:
        self._limit_s = limit_s
        self._paused = paused
        self._expired = expired
        self._share = 1.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def running(self) -> bool:
        """Whether the turn in hand still waits for its answer."""
        return self._timer is not None

    def start(self, share: float = 1.0) -> None:
        """A turn waits for its answer from now on, for this share of the limit."""
        self.stop()
        self._share = share
        self._timer = asyncio.get_running_loop().call_later(share * self._limit_s, self._due)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> None:
        if self._paused():
            self.start(self._share)
        else:
            self._expired()
