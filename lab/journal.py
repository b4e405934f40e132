"""What the providers were told: every client message, so that a test can assert on the protocol."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lab.faults import Provider

_LONG = 2000


@dataclass(frozen=True, slots=True)
class Entry:
    """One message a provider received. ``at_s`` is the lab's monotonic clock."""

    at_s: float
    provider: Provider
    connection: str
    """Which socket or request of that provider; unique within a lab."""
    name: str
    """The protocol's own name of the event, such as ``response.create``. Names that begin with ``lab.`` are
    notes of the simulator itself, such as ``lab.overrun``."""
    payload: Any
    """The message as JSON, its long texts (audio) cut short."""


@dataclass(slots=True)
class Journal:
    """Entries in the order of arrival. One event loop only."""

    clock: Callable[[], float] = time.monotonic
    entries: list[Entry] = field(default_factory=list)
    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _waiting: list[tuple[Provider, str, int, asyncio.Future[None]]] = field(default_factory=list)

    def record(self, provider: Provider, connection: str, name: str, payload: Any = None) -> Entry:
        """Write one message down and wake who waits for it."""
        entry = Entry(self.clock(), provider, connection, name, _shortened(payload))
        self.entries.append(entry)
        self._counts[provider, name] += 1
        for waiter in self._waiting:
            if (
                waiter[:2] == (provider, name)
                and self._counts[provider, name] >= waiter[2]
                and not waiter[3].done()
            ):
                waiter[3].set_result(None)
        return entry

    def of(self, provider: Provider, name: str | None = None) -> list[Entry]:
        """The provider's entries, or only those called ``name``."""
        return [e for e in self.entries if e.provider == provider and name in (None, e.name)]

    def names(self, provider: Provider) -> list[str]:
        """The names of all messages the provider received, in order."""
        return [e.name for e in self.entries if e.provider == provider]

    def count(self, provider: Provider, name: str) -> int:
        return self._counts[provider, name]

    async def until(
        self, provider: Provider, name: str, *, count: int = 1, timeout_s: float = 60.0
    ) -> list[Entry]:
        """Wait until ``count`` messages called ``name`` have arrived since the start, and return them all.

        Raises:
            TimeoutError: they did not arrive in ``timeout_s`` seconds; the message lists what did.
        """
        if self._counts[provider, name] < count:
            waiter = (provider, name, count, asyncio.get_running_loop().create_future())
            self._waiting.append(waiter)
            try:
                async with asyncio.timeout(timeout_s):
                    await waiter[3]
            except TimeoutError:
                received = self._counts[provider, name]
                seen = dict(Counter(self.names(provider)))
                raise TimeoutError(
                    f"{provider} received {received} of {count} '{name}' in {timeout_s} s; it saw {seen}"
                ) from None
            finally:
                self._waiting.remove(waiter)
        return self.of(provider, name)


def _shortened(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _LONG else f"{value[:40]}… ({len(value)} characters)"
    if isinstance(value, dict):
        return {str(k): _shortened(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_shortened(v) for v in value]
    if isinstance(value, bytes | bytearray):
        return f"({len(value)} bytes)"
    return value
