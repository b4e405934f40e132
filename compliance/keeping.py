"""Keeps redacted events: in the ledger, or until that takes them on disk, or as a last resort in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

from compliance.backlog import Backlog, Spooling
from compliance.errors import LedgerError
from compliance.events import Event

RETRY_AFTER_S = (0.05, 0.2, 1.0)
"""Pauses between attempts to append, after which events are spooled."""
_FIRST_GAP_S, _LONGEST_GAP_S = 1.0, 30.0
"""Between attempts to append what was spooled; doubled every time."""


class EventLedger(Protocol):
    """What is needed of a :class:`compliance.ledger.Ledger`."""

    def append_many(self, events: Sequence[Event]) -> object: ...


class Keeping(StrEnum):
    """Where the record of a call is kept at the moment."""

    LEDGER = "ledger"
    SPOOL = "spool"
    """On disk, until the ledger takes it."""
    MEMORY = "memory"
    """Nowhere that outlives this process."""


class Keeper:
    """Keeps the events of one call, in order. Used by one thread, which it may hold up.

    Args:
        ledger: where they belong.
        spool: where they are kept while the ledger refuses them.
        retry_after_s: pauses between attempts to append, after which events are spooled.
        failed: makes and shows the event that says so: error, what was done about it, call time in ms.
        moved: told when the record is kept elsewhere than before; it begins in the ledger.
    """

    def __init__(
        self,
        ledger: EventLedger,
        spool: Spooling,
        *,
        retry_after_s: Sequence[float],
        failed: Callable[[Exception, str, float], Event],
        moved: Callable[[Keeping], None],
    ) -> None:
        self._ledger = ledger
        self._spool = spool
        self._retry_after_s = tuple(retry_after_s)
        self._failed = failed
        self._moved = moved
        self._backlog = Backlog(spool)
        self._keeping = Keeping.LEDGER
        self._gap_s = _FIRST_GAP_S
        self._try_at_s = 0.0

    def keep(self, events: list[Event], *, now: bool) -> None:
        """Appends ``events`` after what waits; ``now`` says that what waits is tried whenever it was tried last."""
        if not self._backlog:
            error = self._append(events)
            if error is not None:
                self._fall_behind(events, error)
            return
        if events:
            self._hold(events)
        if now or time.monotonic() >= self._try_at_s:
            self._catch_up(events[-1].at_ms if events else 0.0)

    def close(self) -> None:
        """Leaves what the ledger did not take to whoever comes next."""
        self._spool.close()

    def _append(self, events: Sequence[Event]) -> Exception | None:
        for pause_s in (*self._retry_after_s, None):
            try:
                if events:
                    self._ledger.append_many(events)
            except Exception as error:
                if pause_s is None:
                    return error
                time.sleep(pause_s)
            else:
                break
        return None

    def _fall_behind(self, events: list[Event], error: Exception) -> None:
        action = f"events are kept in {self._spool.name} until the ledger takes them"
        self._hold([*events, self._failed(error, action, events[-1].at_ms)])
        self._gap_s = _FIRST_GAP_S
        self._try_at_s = time.monotonic() + self._gap_s

    def _hold(self, events: Sequence[Event]) -> None:
        error = self._backlog.add(events)
        if error is not None and self._keeping is not Keeping.MEMORY:
            failed = self._failed(error, "events are held in memory only", events[-1].at_ms)
            self._backlog.add([failed])
        self._kept_in(Keeping.SPOOL if self._backlog.is_safe else Keeping.MEMORY)

    def _catch_up(self, at_ms: float) -> None:
        lost = self._backlog.lost
        try:
            self._backlog.drain(self._ledger.append_many)
        except Exception:  # still; it was told before
            self._try_at_s = time.monotonic() + self._gap_s
            self._gap_s = min(2 * self._gap_s, _LONGEST_GAP_S)
            return
        self._kept_in(Keeping.LEDGER)
        if lost:
            error = LedgerError(f"{lost} events found no room")
            action = f"{lost} event(s) were lost: neither the ledger nor the disk took them"
            self.keep([self._failed(error, action, at_ms)], now=False)

    def _kept_in(self, keeping: Keeping) -> None:
        if keeping is not self._keeping:
            self._keeping = keeping
            self._moved(keeping)
