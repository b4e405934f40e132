"""Runs a coroutine in virtual time: when nothing is left to do, the clock jumps to the next timer.

Calls that take minutes then take milliseconds, and timings are exact. Work for threads is done in the loop, in
no time. Not for code with sockets, whose work the loop cannot see.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from compliance.clock import CallClock

_T = TypeVar("_T")
WALL_S = 1_750_000_000.0


class _Selector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("nothing is left that could wake the loop: a deadlock")
            self.now_s += max(0.0, timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is the sum of what it would have waited."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now_s

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """Run ``main`` to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def call_clock() -> CallClock:
    """A call's clock on the running loop's time."""
    loop = asyncio.get_running_loop()
    return CallClock(monotonic=loop.time, wall=lambda: WALL_S + loop.time())
