"""Puts events on record in the order in which things were said, though what was said is known in another.

The vendor writes down the caller's words while its model already answers, so the reply is often known first. The
redactor understands an answer by the question before it: what it is given must be in order.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from compliance.events import Event


@dataclass(slots=True)
class _Place:
    key: Hashable
    since_ms: float
    events: Sequence[Event] | None = None


class InOrder:
    """Places in a queue, each kept until it is known what belongs there.

    Args:
        emit: takes events.
        patience_ms: a place that is not filled for longer holds up nothing any more.
        now_ms: the call's clock.
    """

    def __init__(
        self, emit: Callable[[Event], None], *, patience_ms: float, now_ms: Callable[[], float]
    ) -> None:
        self._emit = emit
        self._patience_ms = patience_ms
        self._now_ms = now_ms
        self._places: list[_Place] = []

    def keep(self, key: Hashable) -> None:
        """A place for what will be known under ``key``; what comes after waits for it."""
        self._places.append(_Place(key, self._now_ms()))

    def fill(self, key: Hashable, *events: Event) -> None:
        """What belongs in the place of ``key``, or at the end where none is kept for it (any more)."""
        place = next((one for one in self._places if one.key == key and one.events is None), None)
        if place is None:
            self.add(*events)
        else:
            place.events = events
            self._go_on()

    def add(self, *events: Event) -> None:
        """What belongs at the end."""
        self._places.append(_Place(None, self._now_ms(), events))
        self._go_on()

    def give_up(self) -> list[Hashable]:
        """Nothing more will be known: all that is goes out. Returns the keys whose places stay empty."""
        empty = [place.key for place in self._places if place.events is None]
        for place in self._places:
            place.events = place.events or ()
        self._go_on()
        return empty

    def _go_on(self) -> None:
        too_old_ms = self._now_ms() - self._patience_ms
        while self._places and (self._places[0].events is not None or self._places[0].since_ms < too_old_ms):
            for event in self._places.pop(0).events or ():
                self._emit(event)
