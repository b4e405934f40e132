"""One person at work on one ledger: what they do is permitted first, and on record before they see anything."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from compliance.access.errors import DeniedError
from compliance.access.roles import Permission, Principal
from compliance.events import Event, Redactable, redactable
from compliance.ledger import Ledger
from compliance.oversight import Accessed, AccessRefused, OversightEvent
from compliance.redaction import Redactor

E = TypeVar("E", bound=OversightEvent)


class Overseer:
    """Does what ``principal`` may do with ``ledger``.

    Whatever people typed into an event is masked before it is kept: a reason or a search may quote a caller.

    Args:
        now: the time, aware.
        redactor: masks what was typed; by default one of its own, made when something was.
    """

    def __init__(
        self,
        ledger: Ledger,
        principal: Principal,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        redactor: Redactor | None = None,
    ) -> None:
        self.ledger = ledger
        self.principal = principal
        self.now = now
        self._redactor = redactor

    def require(self, permission: Permission) -> str:
        """The role that permits it. That somebody was refused is on record, too.

        Raises:
            DeniedError: none of theirs does.
        """
        try:
            return self.principal.role_for(permission)
        except DeniedError:
            self.refused(permission)
            raise

    def refused(self, permission: Permission, *, call_id: str = "") -> None:
        """Puts on record that what they asked for was refused."""
        roles = ",".join(sorted(self.principal.roles))
        refusal = self._made(AccessRefused, roles, call_id=call_id, permission=permission.value)
        self.ledger.append(refusal)

    def record(self, permission: Permission, kind: type[E], *, call_id: str = "", **fields: Any) -> E:
        """Appends an event of ``kind`` about what is done; committed when this returns.

        Raises:
            DeniedError: it is not permitted.
            compliance.errors.LedgerError: it cannot be recorded, and so may not be done.
        """
        return self.record_many(permission, kind, [{"call_id": call_id, **fields}])[0]

    def record_many(
        self, permission: Permission, kind: type[E], each: Sequence[dict[str, Any]]
    ) -> tuple[E, ...]:
        """The same for several, committed together; ``each`` has the fields of one."""
        role = self.require(permission)
        events = tuple(self._made(kind, role, **fields) for fields in each)
        self.ledger.append_many(events)
        return events

    def events(self, call_id: str, *, what: str, kinds: Collection[str] = ()) -> Sequence[Event]:
        """The redacted events of a call, after it is on record that they were read.

        Raises:
            DeniedError: it is not permitted.
            compliance.errors.LedgerError: the call cannot be read, or reading it cannot be recorded.
        """
        self.require(Permission.READ)
        events = self.ledger.events(call_id, kinds=kinds)
        self.record(Permission.READ, Accessed, call_id=call_id, what=what, events=len(events))
        return events

    def _made(self, kind: type[E], role: str, **fields: Any) -> E:
        at = self.now().astimezone(UTC).isoformat(timespec="milliseconds")
        event = kind(at=at, actor=self.principal.actor, role=role, **fields)
        return kind(**(dict(event) | self._masked(event)))

    def _masked(self, event: OversightEvent) -> dict[str, Any]:
        """What people typed in ``event``, masked."""
        masks: dict[str, Any] = {}
        for name, mark in redactable(event).items():
            if value := getattr(event, name):
                redactor = self._redactor = self._redactor or Redactor()
                spoken = mark is not Redactable.DATA
                masks[name] = (
                    redactor.redact_spoken(value, speaker="caller").text
                    if spoken
                    else redactor.redact_data(value)
                )
        return masks
