"""Runs a coroutine in virtual time: when nothing is left to do, the clock jumps to the next timer.

Calls that take minutes then take milliseconds, and timings are exact. Work for threads is done in the loop, in
no time. Sockets are for :func:`run_with_sockets`, and only where both ends are in the loop: what one end has sent
is at the other as soon as the kernel says so, and time stands still until then.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import is_dataclass
from functools import cache, wraps
from typing import Any, TypeVar

import pytest
from livekit.agents import llm, voice
from livekit.agents.llm import duplex_adapter
from livekit.agents.llm._realtime import gpt_live
from pydantic import BaseModel

from compliance.clock import CallClock

_T = TypeVar("_T")
WALL_S = 1_750_000_000.0
_CLOCK = time.time
_KERNEL_S = 50e-6
"""What was sent is at the other end by now; real time. On Linux loopback it is so at once."""


class _Selector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    now_s = 0.0
    has_sockets = False

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready and self.has_sockets and timeout != 0:
            time.sleep(_KERNEL_S)
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


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """An ``async`` test, run in virtual time."""

    @wraps(test)
    def tested(*arguments: Any, **named: Any) -> None:
        run(test(*arguments, **named))

    return tested


def in_virtual_time_with_sockets(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """An ``async`` test, run by :func:`run_with_sockets`."""

    @wraps(test)
    def tested(*arguments: Any, **named: Any) -> None:
        run_with_sockets(lambda: test(*arguments, **named))

    return tested


def run_with_sockets(main: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Run ``main()`` in virtual time, sockets between parts of its own loop included.

    Every clock of :mod:`time` shows the loop's time meanwhile: clients and simulators stamp and pace with them.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        loop._virtual.has_sockets = True
        with _clocks_of(loop):
            return runner.run(main())


@contextmanager
def _clocks_of(loop: VirtualLoop) -> Iterator[None]:
    _stamp_when_asked()
    began_s = time.monotonic() - loop.time()  # clocks of before go on, and none runs backwards
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: WALL_S + loop.time())
        for clock in ("monotonic", "perf_counter"):
            patch.setattr(time, clock, lambda: began_s + loop.time())
        yield


@cache
def _stamp_when_asked() -> None:
    """LiveKit's items and events hold the clock that stamps them from when their classes were made: let go of it."""
    for module in (llm.chat_context, voice.events):
        for kind in vars(module).values():
            if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
                continue
            stamped = [field for field in kind.model_fields.values() if field.default_factory is _CLOCK]
            for field in stamped:
                field.default_factory = lambda: time.time()
            if stamped:
                kind.model_rebuild(force=True)
    for module in (duplex_adapter, gpt_live):
        for kind in vars(module).values():
            for cell in getattr(getattr(kind, "__init__", None), "__closure__", None) or ():
                if is_dataclass(kind) and cell.cell_contents is _CLOCK:
                    cell.cell_contents = lambda: time.time()


def call_clock() -> CallClock:
    """A call's clock on the running loop's time."""
    loop = asyncio.get_running_loop()
    return CallClock(monotonic=loop.time, wall=lambda: WALL_S + loop.time())
