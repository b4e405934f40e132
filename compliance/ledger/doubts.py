"""Appends whose commit got no answer, because the database went away in the middle: it has them, or it has not.

They failed, so the caller tries them again, first in its next append. What the log turns out to have is not added a
second time: a leaf's hash tells, for no two leaves share a nonce.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from compliance.ledger.recorded import Recorded

_MOST = 64


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where an event is in its log, from 0, and the hash of its leaf in hex."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """Events, and where they would be."""

    events: tuple[Recorded, ...]
    receipts: tuple[Receipt, ...]


class Doubts:
    """The newest of one log. Threads may share it."""

    def __init__(self) -> None:
        self._doubts: list[Doubt] = []
        self._lock = Lock()

    def keep(self, doubt: Doubt) -> None:
        with self._lock:
            self._doubts = [*self._doubts[1 - _MOST :], doubt]

    def take(self, events: Sequence[Recorded]) -> Doubt | None:
        """The doubt about the first of ``events``, if there is one; it is settled or kept again by the caller."""
        with self._lock:
            for index, doubt in enumerate(self._doubts):
                if doubt.events == tuple(events[: len(doubt.events)]):
                    return self._doubts.pop(index)
        return None
