"""How long the machine stood still while something was measured in real time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

_STEP_S = 0.01
_LATE_MS = 20.0
"""What an event loop that has its machine for itself may be late."""


class Stalls:
    """Adds up, in ``ms``, by how much the event loop woke too late: a measured time may be off by as much."""

    def __init__(self) -> None:
        self.ms = 0.0

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note them until the end."""
        watching = asyncio.create_task(self._watch(), name="stalls")
        try:
            yield
        finally:
            watching.cancel()

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + _STEP_S
            await asyncio.sleep(_STEP_S)
            late_ms = (loop.time() - due_s) * 1000
            self.ms += late_ms if late_ms > _LATE_MS else 0.0
