"""Destroys what is to be erased, and leaves a tombstone: ordered, done, told, in that order, from any step on again.

Erasing a call destroys its key (crypto-shredding): its events and sealed values stay in the log as ciphertext that
nobody can read, so the record verifies as before. What is kept of a call outside the ledger is a :class:`Shreddable`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from compliance.access.overseer import Overseer
from compliance.access.roles import Permission
from compliance.errors import ComplianceError
from compliance.ledger import Ledger
from compliance.oversight import Erased, ErasureOrdered, Retained
from compliance.standing import CALL, Standing, Thing

_AT_ONCE = 1000
"""Orders in one commit; a hold on a call that waits among them comes too late."""


class ErasureError(ComplianceError):
    """Something could not be destroyed."""


class Shreddable(Protocol):
    """A place outside the ledger that keeps something of calls."""

    @property
    def kind(self) -> str:
        """What it keeps, as retention rules name it, such as ``recording``."""
        ...

    def keeps(self, call_id: str) -> bool:
        """Whether there is anything of the call."""
        ...

    def shred(self, call_id: str) -> int:
        """Makes all that it keeps of the call unreadable, for good; returns how many things that were.

        To shred what was shredded is no error and returns 0.

        Raises:
            OSError: something could not be destroyed; it will be tried again.
            ComplianceError: the same.
        """
        ...


@dataclass(frozen=True, slots=True)
class Due:
    """Something of a call that is to be destroyed."""

    call_id: str
    what: str = CALL
    reason: str = ""
    rule: str = ""
    """The rule of the retention policy; empty when somebody asked for it."""
    policy: str = ""

    @property
    def thing(self) -> Thing:
        return self.call_id, self.what


@dataclass(frozen=True, slots=True)
class Destroyed:
    """Something of a call that is no more."""

    call_id: str
    what: str
    items: int
    rule: str


def lost(ledger: Ledger) -> tuple[str, ...]:
    """The calls whose key is gone though nobody on record erased them: it was destroyed by hand, or not restored.

    Raises:
        compliance.errors.LedgerError: the ledger cannot be read.
    """
    gone = (
        ledger.calls_without_key()
    )  # first: who erases puts the order on record before the key is destroyed
    standing = Standing.of(ledger.oversight(kinds=Standing.KINDS)) if gone else None
    return tuple(
        call for call in gone if standing and not (standing.is_gone(call) or standing.is_going(call))
    )


def sentence_of_lost(call_id: str) -> str:
    """What people are told of such a call."""
    return f"the key of call {call_id} is gone, and nobody on record erased it. Look for it in the backups."


def erase(
    overseer: Overseer,
    dues: Iterable[Due],
    shreddables: Sequence[Shreddable],
    *,
    permission: Permission = Permission.ERASE,
    at_once: int = _AT_ONCE,
) -> Iterator[Destroyed]:
    """Destroys each of ``dues`` and what an earlier run left undone, as it is iterated over.

    What is held, or gone already, is passed over. May be stopped, or fail, at any point, and be run again.

    Raises:
        ErasureError: something could not be destroyed. Its order stands, so another run goes on with it.
        compliance.access.AccessError: it is not permitted.
        compliance.errors.LedgerError: the ledger refused.
    """
    overseer.require(permission)
    waiting = iter(dues)
    standing = Standing.of(overseer.ledger.oversight(kinds=Standing.KINDS))
    yield from _destroy(overseer, standing.ordered, shreddables, permission)
    while batch := list(islice(waiting, at_once)):
        new = [due for due in batch if due.call_id not in standing.holds and due.thing not in standing.gone]
        if not new:
            continue
        overseer.record_many(
            permission,
            ErasureOrdered,
            [
                {
                    "call_id": due.call_id,
                    "what": due.what,
                    "reason": due.reason,
                    "rule": due.rule,
                    "policy": due.policy,
                }
                for due in new
            ],
        )
        standing = Standing.of(
            overseer.ledger.oversight(kinds=Standing.KINDS)
        )  # a hold may have come before the order
        yield from _destroy(overseer, standing.ordered, shreddables, permission)


def _destroy(
    overseer: Overseer,
    ordered: Mapping[Thing, ErasureOrdered],
    shreddables: Sequence[Shreddable],
    permission: Permission,
) -> Iterator[Destroyed]:
    for (call_id, what), order in ordered.items():
        items = 0
        try:
            if what == CALL:
                items += bool(overseer.ledger.destroy_key(call_id))
            for place in shreddables:
                if what in (CALL, place.kind):
                    items += place.shred(call_id)
        except OSError as error:
            raise ErasureError(
                f"call {call_id}: its {what} could not be destroyed ({error.strerror or type(error).__name__}). "
                "Mend that and run it again: it goes on where it stopped."
            ) from error
        tombstone: dict[str, Any] = {"call_id": call_id, "what": what, "items": items}
        if order.rule:
            overseer.record(permission, Retained, rule=order.rule, **tombstone)
        else:
            overseer.record(permission, Erased, **tombstone)
        yield Destroyed(call_id, what, items, order.rule)
