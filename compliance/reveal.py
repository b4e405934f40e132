"""Values that were masked and may one day be needed: sealed while the call is on, revealed by two people.

The redaction policy says of which entities (``reveal: true``). A sealed value is encrypted under a key of its call
that is used for nothing else, so that erasing the call erases it. To see one takes a privacy officer's reason, the
agreement of another person who proved who they are, and both within the time that was asked for; that it was seen is
on record before it is. Card numbers, CVVs and PINs are never sealed, whatever a policy says (PCI DSS 3.3.1).
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from compliance.access.overseer import Overseer
from compliance.access.roles import PERMITS, Permission, Principal, Role
from compliance.errors import ComplianceError
from compliance.events import ValueSealed
from compliance.ledger import Ledger
from compliance.oversight import OversightEvent, RevealApproved, Revealed, RevealRequested
from compliance.redaction.luhn import passes_luhn
from compliance.redaction.spoken import hear
from compliance.redaction.traits import traits_of
from compliance.standing import SEALED, Standing

LONGEST = timedelta(days=7)
"""The longest time that a request may stand."""
_NONCE_BYTES = 12
_CARD_DIGITS = range(13, 20)


class RevealError(ComplianceError):
    """A value is not revealed, or not sealed; the message never holds it."""


def sealing_key(ledger: Ledger, call_id: str) -> bytes:
    """The key of the call's sealed values, made when it is first asked for.

    It is filed as that of a call of its own, so that sealed values can be destroyed before the call is.

    Raises:
        compliance.errors.ErasedError: it was destroyed.
        compliance.errors.LedgerError: the ledger cannot be read or written.
    """
    return ledger.derived_key(_filed(call_id), "reveal")


@dataclass(frozen=True, slots=True)
class SealedValues:
    """What a ledger has of sealed values, as a :class:`compliance.erasure.Shreddable`."""

    ledger: Ledger
    kind: str = SEALED

    def keeps(self, call_id: str) -> bool:
        return bool(self.ledger.events(call_id, kinds=("value_sealed",)))

    def shred(self, call_id: str) -> int:
        return int(self.ledger.destroy_key(_filed(call_id)))


class Sealer:
    """Seals the values of one call, in the order in which they are said.

    Args:
        call_id: the call.
        key: :func:`sealing_key` of it, 32 bytes.
    """

    def __init__(self, call_id: str, key: bytes) -> None:
        self._call_id = call_id
        self._cipher = AESGCM(key)
        self._sealed = 0

    def seal(self, entity: str, value: str, *, at_ms: float) -> ValueSealed:
        """The event that carries ``value``, as it was said or written, encrypted.

        Raises:
            RevealError: the entity may never be revealed, or the value looks like a payment card's number, whatever
                it is taken for.
        """
        if not traits_of(entity).may_be_revealed or _may_be_card(value):
            raise RevealError(
                f"call {self._call_id}: a value of {entity} may never be revealed and is not sealed"
            )
        self._sealed += 1
        nonce = os.urandom(_NONCE_BYTES)
        bound = _bound(self._call_id, entity, self._sealed)
        sealed = nonce + self._cipher.encrypt(nonce, value.encode("utf-8", "replace"), bound)
        return ValueSealed(
            call_id=self._call_id,
            at_ms=at_ms,
            entity=entity,
            number=self._sealed,
            sealed=base64.b64encode(sealed).decode("ascii"),
        )


def _unsealed(event: ValueSealed, key: bytes) -> str:
    """The value. Raises :class:`RevealError` when it was not sealed under ``key`` as what the event says."""
    try:
        sealed = base64.b64decode(event.sealed, validate=True)
        bound = _bound(event.call_id, event.entity, event.number)
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound).decode("utf-8")
    except (InvalidTag, binascii.Error, ValueError):
        raise RevealError(
            f"call {event.call_id}: value {event.number} was not sealed by this ledger. Verify the record."
        ) from None


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the record has it, and the agreement of another person, if there is one."""

    asked: RevealRequested
    approved: RevealApproved | None = None

    def is_open(self, now: datetime) -> bool:
        return now < datetime.fromisoformat(self.asked.expires_at)


def requests(events: Iterable[OversightEvent]) -> Mapping[str, Request]:
    """All requests by name. An agreement of the person who asked, or too late, or by no such role, is none."""
    found: dict[str, Request] = {}
    for event in events:
        if isinstance(event, RevealRequested):
            found.setdefault(event.request, Request(event))
        elif isinstance(event, RevealApproved) and (known := found.get(event.request)):
            approver = Principal(event.actor, frozenset({Role(event.role)} if event.role in PERMITS else ()))
            counts = (
                known.approved is None
                and known.is_open(datetime.fromisoformat(event.at))
                and not approver.same_person(known.asked.actor)
                and any(Permission.APPROVE in PERMITS[role] for role in approver.roles)
            )
            if counts:
                found[event.request] = Request(known.asked, event)
    return MappingProxyType(found)


@dataclass(frozen=True, slots=True)
class RevealedValue:
    """A value in the clear: show it, and keep it nowhere."""

    number: int
    entity: str
    value: str


def request(
    overseer: Overseer, call_id: str, numbers: Sequence[int], *, reason: str, lasting: timedelta
) -> RevealRequested:
    """Asks to see sealed values of a call.

    Raises:
        RevealError: no reason, no such values, or a time that is too long.
        compliance.access.AccessError: it is not permitted.
    """
    if not reason.strip():
        raise RevealError("a request takes a reason: say what the values are needed for")
    if not timedelta(0) < lasting <= LONGEST:
        raise RevealError(f"a request stands for at most {LONGEST.days} days")
    overseer.require(Permission.REVEAL)
    sealed = {event.number for event in sealed_values(overseer, call_id)}
    unknown = [str(number) for number in numbers if number not in sealed]
    if unknown or not numbers:
        had = f"it has {len(sealed)}" if sealed else "it has none"
        raise RevealError(f"call {call_id} has no sealed value {', '.join(unknown) or '0'}; {had}")
    expires = (overseer.now() + lasting).isoformat(timespec="seconds")
    return overseer.record(
        Permission.REVEAL,
        RevealRequested,
        call_id=call_id,
        request=secrets.token_hex(6),
        numbers=tuple(sorted(set(numbers))),
        reason=reason,
        expires_at=expires,
    )


def sealed_values(overseer: Overseer, call_id: str) -> tuple[ValueSealed, ...]:
    """What of a call is sealed: which entities, when; the values stay closed."""
    events = overseer.events(call_id, what="sealed values", kinds=("value_sealed",))
    return tuple(event for event in events if isinstance(event, ValueSealed))


def approve(overseer: Overseer, name: str) -> RevealApproved:
    """Agrees to somebody else's request.

    Raises:
        RevealError: there is no such request, or it has expired or is approved already, or it is one's own.
        compliance.access.AccessError: it is not permitted.
    """
    overseer.require(Permission.APPROVE)
    asked = _open_request(overseer, name)
    if asked.approved is not None:
        raise RevealError(f"request {name} was approved already, by {asked.approved.actor}")
    principal = overseer.principal
    if principal.same_person(asked.asked.actor) or not principal.authenticated:
        overseer.refused(Permission.APPROVE, call_id=asked.asked.call_id)
        raise RevealError(
            f"request {name} takes the agreement of another person than {asked.asked.actor}, who proves who they are "
            "by a token of their own"
        )
    return overseer.record(
        Permission.APPROVE, RevealApproved, call_id=asked.asked.call_id, request=asked.asked.request
    )


def reveal(overseer: Overseer, name: str) -> tuple[RevealedValue, ...]:
    """The values of an approved request, after it is on record that they are seen.

    Raises:
        RevealError: the request is not approved, has expired, is another person's, or a value cannot be opened.
        compliance.errors.LedgerError: the call is erased, or that it was seen cannot be recorded.
        compliance.access.AccessError: it is not permitted.
    """
    overseer.require(Permission.REVEAL)
    found = _open_request(overseer, name)
    asked = found.asked
    if not overseer.principal.same_person(asked.actor):
        overseer.refused(Permission.REVEAL, call_id=asked.call_id)
        raise RevealError(f"request {name} is {asked.actor}'s: make one of your own")
    if found.approved is None:
        raise RevealError(
            f"request {name} waits for another person, who runs `patchbay audit approve {name}`,"
            f" until {asked.expires_at}"
        )
    key = sealing_key(overseer.ledger, asked.call_id)
    sealed = [
        event
        for event in overseer.ledger.events(asked.call_id, kinds=("value_sealed",))
        if isinstance(event, ValueSealed) and event.number in asked.numbers
    ]
    overseer.record(
        Permission.REVEAL, Revealed, call_id=asked.call_id, request=asked.request, numbers=asked.numbers
    )
    return tuple(RevealedValue(event.number, event.entity, _unsealed(event, key)) for event in sealed)


def _open_request(overseer: Overseer, name: str) -> Request:
    events = overseer.ledger.oversight()
    found = requests(events).get(name)
    if found is None:
        raise RevealError(f"there is no request {name}. `patchbay audit reveal` with a call's id makes one.")
    if not found.is_open(overseer.now()):
        raise RevealError(f"request {name} expired at {found.asked.expires_at}. Make another.")
    standing, call_id = Standing.of(events), found.asked.call_id
    if standing.is_gone(call_id, SEALED) or standing.is_going(call_id, SEALED):
        raise RevealError(f"the sealed values of call {call_id} were destroyed: nobody can see them again")
    return found


def _filed(call_id: str) -> str:
    return f"{call_id}#{SEALED}"


def _may_be_card(value: str) -> bool:
    """Whether the digits in it, written or spoken, could be a payment card's number."""
    digits = "".join(piece.digits for piece in hear(value).pieces)
    return len(digits) in _CARD_DIGITS and passes_luhn(digits)


def _bound(call_id: str, entity: str, number: int) -> bytes:
    """What a sealed value is bound to, so that it opens nowhere else."""
    return json.dumps([call_id, entity, number]).encode("ascii")
