"""A call with proofs: what is on record of it, and how an outsider sees that it is.

Each entry comes with its leaf, the proof that the leaf is in the log that was signed (RFC 6962, section 2.1.1), its
event as it was appended, redacted, and the opening of the leaf's commitment to that event. Nothing here can decrypt
anything else of the call.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from compliance.errors import ErasedError
from compliance.events import EVENT, Event
from compliance.export.errors import ExportError
from compliance.ledger import Entry, Ledger, verifier
from compliance.ledger.leaf import header_of

FORMAT = 1


@dataclass(frozen=True)
class Statement:
    """The checkpoint that an export is proved against, and whose it is."""

    note: str
    """The signed checkpoint."""
    vkey: str
    """The key it is signed with, in the notation of signed notes."""
    size: int
    """How many entries the log had."""
    root: bytes

    @classmethod
    def of(cls, ledger: Ledger) -> Statement:
        """The newest one of a ledger.

        Raises:
            ExportError: it is not the ledger's own.
        """
        note = ledger.checkpoint()
        signed = verifier.signed_checkpoint(note.encode(), verifier.Key(ledger.vkey))
        if signed is None:
            raise ExportError("the ledger's head is not signed with its key. Verify the ledger.")
        return cls(note, ledger.vkey, signed.size, signed.root)

    def as_json(self) -> dict[str, Any]:
        """The first of a list of proofs."""
        return {"patchbay_export": FORMAT, "checkpoint": self.note, "key": self.vkey}


@dataclass(frozen=True)
class ProvedEntry:
    """One entry of a call."""

    seq: int
    call_seq: int
    kind: str
    recorded_ms: int
    """When it was appended, Unix milliseconds."""
    leaf: bytes
    proof: tuple[bytes, ...]
    body: str | None
    """The event's RFC 8785 JSON; ``None`` when the call was erased."""
    opening: bytes | None

    @cached_property
    def event(self) -> Event | None:
        """The event; ``None`` when the call was erased."""
        return None if self.body is None else EVENT.validate_json(self.body)

    def as_json(self) -> dict[str, Any]:
        """What :mod:`compliance.ledger.verifier` reads."""
        return {
            "seq": self.seq,
            "leaf": base64.b64encode(self.leaf).decode(),
            "proof": [base64.b64encode(digest).decode() for digest in self.proof],
            "event": self.body,
            "opening": None if self.opening is None else self.opening.hex(),
        }


@dataclass(frozen=True)
class ProvedCall:
    """All that is on record of a call."""

    call_id: str
    entries: tuple[ProvedEntry, ...]
    erased: bool

    @property
    def events(self) -> tuple[Event, ...]:
        """The events; empty when the call was erased."""
        return tuple(entry.event for entry in self.entries if entry.event is not None)


def proved_call(ledger: Ledger, call_id: str, statement: Statement) -> ProvedCall:
    """Reads a call as far as ``statement`` covers it, and proves it.

    Raises:
        ExportError: an entry is not what was signed.
        compliance.errors.LedgerError: the ledger cannot be read.
    """
    entries = [entry for entry in ledger.call_entries(call_id) if entry.seq < statement.size]
    try:
        bodies: list[str | None] = [ledger.body(entry) for entry in entries]
        erased = False
    except ErasedError:
        bodies, erased = [None] * len(entries), True
    proved = (_proved(ledger, e, b, statement) for e, b in zip(entries, bodies, strict=True))
    return ProvedCall(call_id, tuple(proved), erased)


def _proved(ledger: Ledger, entry: Entry, body: str | None, statement: Statement) -> ProvedEntry:
    proof = ledger.inclusion_proof(entry.seq, statement.size)
    digest = verifier.leaf_hash(entry.leaf)
    if not verifier.included(digest, entry.seq, statement.size, list(proof), statement.root):
        raise ExportError(
            f"entry {entry.seq} of call {entry.call_id} is not what was signed. Verify the ledger before exporting."
        )
    time_ms = header_of(entry.leaf).time_ms
    opening = None if body is None else ledger.derived_key(entry.call_id, f"opening {entry.seq}")
    return ProvedEntry(entry.seq, entry.call_seq, entry.kind, time_ms, entry.leaf, proof, body, opening)
