"""What the ledger refused, until it takes it: on disk as far as that takes it, the rest in memory, which is bounded."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from compliance.events import Event

MOST_HELD = 10_000
"""Events that are held in memory when there is no room on disk either; about 10 MB, half an hour of a lively call."""
_AT_ONCE = 256


class Spooling(Protocol):
    """Where redacted events are kept while the ledger refuses them. Errors are ``OSError``."""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        ...

    def write(self, events: Sequence[Event]) -> None:
        """Appends events, all or none; they are on disk when this returns."""
        ...

    def read(self) -> Sequence[Event]:
        """What is in it, in order."""
        ...

    def remove(self) -> None:
        """Removes it."""
        ...

    def close(self) -> None:
        """Leaves what is in it to whoever comes next."""
        ...


class Backlog:
    """The events of one call that the ledger has not taken, in order. Used by one thread.

    Args:
        spool: the call's.
        most_held: events that are held in memory; of more, the newest are lost and counted.

    Attributes:
        lost: events for which there was no room anywhere.
    """

    def __init__(self, spool: Spooling, *, most_held: int = MOST_HELD) -> None:
        self.lost = 0
        self._spool = spool
        self._most_held = most_held
        self._spooled = 0
        self._held: deque[Event] = deque()

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._spooled or self._held or self.lost)

    @property
    def is_safe(self) -> bool:
        """Whether all of it is on disk."""
        return not self._held and not self.lost

    def add(self, events: Sequence[Event]) -> OSError | None:
        """Keeps events; returns why they are not on disk, if they are not."""
        self._held.extend(events)
        try:
            self._spool.write(tuple(self._held))
        except OSError as error:
            while len(self._held) > self._most_held:
                self._held.pop()
                self.lost += 1
            return error
        self._spooled += len(self._held)
        self._held.clear()
        return None

    def drain(self, append: Callable[[Sequence[Event]], object]) -> None:
        """Gives all of it to ``append``, in order and each event once; raises what that raises."""
        if self._spooled:
            left = deque(self._spool.read()[-self._spooled :])
            while left:
                chunk = tuple(itertools.islice(left, _AT_ONCE))
                append(chunk)
                self._spooled -= len(chunk)
                for _ in chunk:
                    left.popleft()
            self._spooled = 0
            self._spool.remove()
        while self._held:
            chunk = tuple(itertools.islice(self._held, _AT_ONCE))
            append(chunk)
            for _ in chunk:
                self._held.popleft()
        self.lost = 0
