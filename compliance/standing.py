"""What is held and what is erased, as the record itself says: a fold over the events about it. Pure.

The order of the log decides between a hold and an erasure of the same call. Whoever erases appends the order first,
reads this again, and goes on only if the order has effect: no lock is needed, and a crash leaves an order to finish.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from compliance.oversight import (
    Erased,
    ErasureOrdered,
    HoldPlaced,
    HoldReleased,
    OversightEvent,
    Retained,
)

CALL = "call"
"""What is erased when all of a call is: its key, and with it everything encrypted under it; and its files."""
SEALED = "sealed"
"""The sealed values of a call alone; see :mod:`compliance.reveal`."""

Thing = tuple[str, str]
"""A call id, and :data:`CALL` or one kind of thing kept of the call."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Holds in force by call; orders that have effect but no tombstone yet; tombstones."""

    KINDS: ClassVar = ("hold_placed", "hold_released", "erasure_ordered", "erased", "retained")
    """The kinds of events that make a difference: they are few, and what was read of the record is not."""

    holds: Mapping[str, tuple[HoldPlaced, ...]]
    ordered: Mapping[Thing, ErasureOrdered]
    gone: Mapping[Thing, Erased | Retained]

    @classmethod
    def of(cls, events: Iterable[OversightEvent]) -> Standing:
        """Where things stand after ``events``, in the order of the log."""
        holds: dict[str, list[HoldPlaced]] = {}
        ordered: dict[Thing, ErasureOrdered] = {}
        gone: dict[Thing, Erased | Retained] = {}
        for event in events:
            call = event.call_id
            match event:
                case HoldPlaced() if (call, CALL) not in ordered and (call, CALL) not in gone:
                    holds.setdefault(call, []).append(event)
                case HoldReleased():
                    holds[call] = [hold for hold in holds.get(call, ()) if hold.hold != event.hold]
                case ErasureOrdered() if not holds.get(call) and (call, event.what) not in gone:
                    ordered.setdefault((call, event.what), event)
                case Erased() | Retained() if (call, event.what) in ordered:
                    gone[call, event.what] = event
                    del ordered[call, event.what]
                case _:
                    pass
        return cls(
            MappingProxyType({call: tuple(placed) for call, placed in holds.items() if placed}),
            MappingProxyType(ordered),
            MappingProxyType(gone),
        )

    def is_gone(self, call_id: str, what: str = CALL) -> bool:
        """Whether it was destroyed, by itself or with the whole call."""
        return (call_id, what) in self.gone or (call_id, CALL) in self.gone

    def is_going(self, call_id: str, what: str = CALL) -> bool:
        """Whether an order to destroy it has effect, and its tombstone is not there yet."""
        return (call_id, what) in self.ordered or (call_id, CALL) in self.ordered
