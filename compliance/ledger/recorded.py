"""What a ledger keeps: events of calls and events about the record, to bytes and back. Pure."""

from __future__ import annotations

import rfc8785
from pydantic import ValidationError

from compliance.errors import UnstorableEventError
from compliance.events import EVENT, Event
from compliance.ledger.callkeys import DataKey
from compliance.ledger.head import Entry
from compliance.ledger.leaf import UnreadableLeafError, header_of, opened
from compliance.oversight import KINDS, OVERSIGHT, OversightEvent

Recorded = Event | OversightEvent

NO_CALL = ""
"""The call under which events about the record itself are filed."""


def call_of(event: Recorded) -> str:
    """The call that an event is filed under, and whose key encrypts it."""
    return NO_CALL if event.kind in KINDS else event.call_id


def canonical_body(event: Recorded) -> str:
    """The event as RFC 8785 canonical JSON: what is encrypted and stored.

    Raises:
        UnstorableEventError: it holds NaN, an integer beyond 2**53 or a lone surrogate, or its call has no proper id.
    """
    try:
        if event.kind not in KINDS and (not event.call_id or "\x00" in event.call_id):
            raise ValueError
        return rfc8785.dumps(event.model_dump(mode="json")).decode("utf-8")
    except (ValueError, TypeError, RecursionError) as error:
        raise UnstorableEventError(
            f"a {event.kind} event of call {event.call_id} has no canonical JSON ({type(error).__name__})."
            " Record only JSON values."
        ) from error


def body_in(entry: Entry, log: str, key: DataKey) -> bytes:
    """The JSON of an entry's event, as it was appended.

    Raises:
        UnreadableLeafError: the entry is not what was appended.
    """
    header = header_of(entry.leaf)
    told = header.log, header.seq, header.call, header.call_seq, header.kind, header.key
    if told != (log, entry.seq, entry.call_id, entry.call_seq, entry.kind, key.name):
        raise UnreadableLeafError("its header is not what its columns and the key of its call say")
    return opened(entry.leaf, key.cipher)


def event_in(entry: Entry, log: str, key: DataKey) -> Recorded:
    """The event of an entry. Raises as :func:`body_in`."""
    body = body_in(entry, log, key)
    try:
        event = OVERSIGHT.validate_json(body) if entry.call_id == NO_CALL else EVENT.validate_json(body)
    except ValidationError as error:
        raise UnreadableLeafError(f"it is not an event ({error.error_count()} errors)") from None
    if (call_of(event), event.kind) != (entry.call_id, entry.kind):
        raise UnreadableLeafError("its event is not of the call and kind that its header says")
    return event
