"""A call as a vCon, the IETF's container for conversations (draft-ietf-vcon-vcon-core-04), in its unsigned form.

What was said is the dialog, text by text, redacted. All events are an analysis; checkpoint and proofs are an
attachment, which :mod:`compliance.ledger.verifier` reads: it compares the dialog with the events as well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from compliance.events import CallerSaid, CallStarted, HumanSaid, Utterance
from compliance.export.proved import ProvedCall, Statement
from compliance.export.rows import moment

PROOFS: Final = "patchbay-proofs"
"""The purpose of the attachment with the proofs."""
CALLER, AGENT = 0, 1
"""Their places among the parties. People who had the call follow, in the order in which they first spoke."""


def vcon(call: ProvedCall, statement: Statement) -> dict[str, Any]:
    """The vCon of a call that was not erased. The same export of a call has the same UUID every time."""
    started = _started(call)
    people = list(dict.fromkeys(event.person for event in call.events if isinstance(event, HumanSaid)))
    dialog = [
        {
            "type": "text",
            "start": _at(started, event.start_ms),
            "duration": round(max(event.end_ms - event.start_ms, 0) / 1000, 3),
            "parties": _party(event, people),
            "mediatype": "text/plain",
            "encoding": "none",
            "body": event.text,
        }
        for event in call.events
        if isinstance(event, Utterance)
    ]
    begun = _at(started, 0)
    spoken = list(range(len(dialog)))
    analysis = {
        "type": "report",
        **({"dialog": spoken} if spoken else {}),
        "vendor": "Patchbay",
        "schema": "patchbay-events",
        "mediatype": "application/json",
        "encoding": "json",
        "body": [json.loads(entry.body) for entry in call.entries if entry.body],
    }
    proofs = {
        "purpose": PROOFS,
        "start": begun,
        "party": AGENT,
        "dialog": 0,
        "mediatype": "application/json",
        "encoding": "json",
        "body": [statement.as_json(), *(entry.as_json() for entry in call.entries)],
    }
    checkpoint = {
        "purpose": "signed-checkpoint",
        "start": begun,
        "party": AGENT,
        "dialog": 0,
        "mediatype": "text/plain",
        "encoding": "none",
        "body": statement.note,
    }
    return {
        "uuid": str(_uuid(call, statement, started)),
        "created_at": moment(call.entries[-1].recorded_ms if call.entries else 0),
        "subject": f"Support call {call.call_id}",
        "redacted": {"type": "personal data masked before it was stored"},
        "parties": [
            {"type": "person", "validation": "none"},
            {"type": "bot"},
            *({"type": "person", "name": person} if person else {"type": "person"} for person in people),
        ],
        "dialog": dialog or [{"type": "incomplete", "start": begun, "disposition": "hung-up"}],
        "analysis": [analysis],
        "attachments": [proofs, checkpoint],
    }


def _party(event: Utterance, people: Sequence[str]) -> int:
    """Who said it, by their place among the parties."""
    if isinstance(event, HumanSaid):
        return AGENT + 1 + people.index(event.person)
    return CALLER if isinstance(event, CallerSaid) else AGENT


def _started(call: ProvedCall) -> datetime:
    for event in call.events:
        if isinstance(event, CallStarted):
            try:
                at = datetime.fromisoformat(event.started_at)
            except ValueError:
                break
            return at if at.tzinfo else at.replace(tzinfo=UTC)
    first_ms = call.entries[0].recorded_ms if call.entries else 0
    return datetime.fromtimestamp(first_ms / 1000, UTC)


def _at(started: datetime, at_ms: float) -> str:
    return (started + timedelta(milliseconds=at_ms)).isoformat(timespec="milliseconds")


def _uuid(call: ProvedCall, statement: Statement, started: datetime) -> UUID:
    """Version 8 (RFC 9562): a time as in version 7, and of SHA-1 of a name below the log's host, as the draft says."""
    host = statement.note.partition("/")[0]
    digest = hashlib.sha1(f"{call.call_id}.{host}".encode(), usedforsecurity=False).digest()
    high = int(started.timestamp() * 1000) & (1 << 48) - 1
    custom = int.from_bytes(digest[8:10], "big") & 0xFFF
    low = int.from_bytes(digest[:8], "big") >> 2
    return UUID(int=high << 80 | 8 << 76 | custom << 64 | 2 << 62 | low)
