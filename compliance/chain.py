"""The hash chain of a call, and what verifying it finds. Pure: rows in, findings out; see :mod:`compliance.ledger`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

_CALL_PREFIX = b"patchbay ledger call v1\x00"
_EVENT_PREFIX = b"patchbay ledger event v1\x00"
_MOST_PROBLEMS = 100


@dataclass(frozen=True, slots=True)
class Row:
    """One stored event, as read: nothing about it is trusted, not even the types."""

    seq: Any
    call_id: Any
    call_seq: Any
    kind: Any
    at_ms: Any
    body: Any
    previous_hash: Any
    hash: Any


@dataclass(frozen=True, slots=True)
class Verification:
    """What recomputing the chains found.

    ``head`` is the last hash, in hex, of the call verified; of a whole ledger, the SHA-256 of all heads in order of
    their call ids. Publish it elsewhere: compared later, it shows any rewriting.
    """

    ok: bool
    events: int
    problems: tuple[str, ...]
    head: str

    @property
    def sentence(self) -> str:
        """The finding in words."""
        if self.ok:
            return f"{self.events} entries, each chained to the one before, none changed, missing or added"
        more = f", and {len(self.problems) - 1} more findings" if len(self.problems) > 1 else ""
        return f"{self.problems[0]}{more}"


def call_genesis(call_id: str) -> str:
    """What the first event of a call is chained to, in hex."""
    return hashlib.sha256(_CALL_PREFIX + call_id.encode("utf-8", "surrogatepass")).hexdigest()


def event_hash(previous_hash: str, seq: int, call_seq: int, body: str) -> str:
    """The hash of an event, in hex: prefix, previous hash, both places, canonical body."""
    places = seq.to_bytes(8, "big") + call_seq.to_bytes(8, "big")
    return hashlib.sha256(
        _EVENT_PREFIX + bytes.fromhex(previous_hash) + places + body.encode("utf-8")
    ).hexdigest()


def verify_rows(
    rows: list[Row], heads: dict[str, tuple[Any, Any]], *, whole: bool, call_id: str | None = None
) -> Verification:
    """Checks ``rows``, in order of ``seq``, against their chains and the ``heads`` (call id to length and last hash).

    ``whole`` says that the rows are all of a ledger's, whose sequence has no gaps.
    """
    problems: list[str] = []
    chains: dict[str, tuple[int, str]] = {}
    for place, row in enumerate(rows, start=1):
        if whole and row.seq != place:
            problems.append(f"entry {place} is missing: entry {row.seq} stands in its place")
            whole = False  # all later ones are shifted alike: one finding is enough
        problems += _check(row, chains)
    for known, (length, last) in chains.items():
        if known not in heads:
            problems.append(f"call {known} has entries, but the ledger does not know the call")
        elif heads[known] != (length, last):
            problems.append(f"call {known} ends after {length} entries, but should have {heads[known][0]}")
    problems += [f"call {known} is missing altogether" for known in heads if known not in chains]
    if call_id is not None and not rows and not heads:
        problems.append(f"call {call_id} is not in the ledger")
    if call_id is not None and call_id in chains:
        head = chains[call_id][1]
    else:
        digest = hashlib.sha256()
        for known in sorted(chains):
            digest.update(f"{known} {chains[known][1]}\n".encode("utf-8", "surrogatepass"))
        head = digest.hexdigest()
    if len(problems) > _MOST_PROBLEMS:
        problems = [*problems[:_MOST_PROBLEMS], f"and {len(problems) - _MOST_PROBLEMS} more"]
    return Verification(not problems, len(rows), tuple(problems), head)


def _check(row: Row, chains: dict[str, tuple[int, str]]) -> list[str]:
    """What is wrong with one row, given the chains so far, which it extends."""
    texts = row.call_id, row.kind, row.body, row.previous_hash, row.hash
    if not all(isinstance(t, str) for t in texts) or not all(type(n) is int for n in (row.seq, row.call_seq)):
        return [f"entry {row.seq} holds values of the wrong type"]
    length, previous = chains.get(row.call_id) or (0, call_genesis(row.call_id))
    problems = []
    if row.call_seq != length + 1:
        problems.append(
            f"entry {row.seq} of call {row.call_id} is number {row.call_seq}, expected {length + 1}"
        )
    if row.previous_hash != previous:
        problems.append(f"entry {row.seq} of call {row.call_id} is not chained to the entry before it")
    try:
        digest = event_hash(row.previous_hash, row.seq, row.call_seq, row.body)
    except (ValueError, OverflowError):
        digest = ""
    if digest != row.hash:
        problems.append(f"entry {row.seq} of call {row.call_id} was changed: its hash does not match")
    elif not _columns_match(row):
        problems.append(
            f"entry {row.seq} of call {row.call_id} was changed: its columns do not match its body"
        )
    chains[row.call_id] = row.call_seq, row.hash
    return problems


def _columns_match(row: Row) -> bool:
    try:
        body = json.loads(row.body)
        return (body["call_id"], body["kind"], body["at_ms"]) == (row.call_id, row.kind, row.at_ms)
    except (ValueError, TypeError, LookupError, RecursionError):
        return False
