"""The newest state of a log, and what adding events makes of it. Pure but for the nonces."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compliance.ledger.callkeys import CallState
from compliance.ledger.checkpoint import Checkpoint, digest
from compliance.ledger.leaf import NONCE_BYTES, Header, commitment, sealed
from compliance.ledger.merkle import Frontier, Subtree, leaf_hash

KEEP_EVENTS = 100
KEEP_MS = 1_000
"""A checkpoint is kept when so many events or so much time passed since the last that was, and when a call ends."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it is stored: nothing of it is verified."""

    seq: int
    """Its place in the log, from 0."""
    call_id: str
    """The call; empty for an event about the record."""
    call_seq: int
    """Its place in the call, from 0."""
    kind: str
    leaf: bytes
    """Header, nonce and ciphertext; see :mod:`compliance.ledger.leaf`."""
    leaf_hash: bytes
    """RFC 6962 hash of ``leaf``, 32 bytes."""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest state of a log."""

    frontier: Frontier
    time_ms: int
    """When its checkpoint was signed."""
    kept_size: int
    kept_ms: int
    """Size and time of the newest checkpoint that was kept."""
    kept: str
    """The digest of the newest checkpoint that was kept before this one."""
    note: str = ""
    """Its own checkpoint, once that is signed."""

    def grown(
        self, log: str, items: Sequence[tuple[str, str, bytes]], calls: Mapping[str, CallState], now_ms: int
    ) -> tuple[Head, tuple[Entry, ...], tuple[Subtree, ...]]:
        """The state with more events, their entries, and the subtrees they completed.

        Args:
            log: the log's name.
            items: call id, kind and RFC 8785 JSON of each event.
            calls: the state of each call named in them.
            now_ms: what the clock says; a clock that went back does not take the log with it.
        """
        time_ms = max(now_ms, self.time_ms)
        added = dict.fromkeys(calls, 0)
        entries = []
        for seq, (call_id, kind, body) in enumerate(items, start=self.frontier.size):
            call = calls[call_id]
            call_seq = call.length + added[call_id]
            commit = commitment(call.key.secret, seq, body)
            header = Header(log, seq, call_id, call_seq, commit, kind, time_ms, call.key.name)
            leaf = sealed(header, call.key.cipher, secrets.token_bytes(NONCE_BYTES), body)
            entries.append(Entry(seq, call_id, call_seq, kind, leaf, leaf_hash(leaf)))
            added[call_id] += 1
        frontier, subtrees = self.frontier.extended(entry.leaf_hash for entry in entries)
        keep = (
            frontier.size - self.kept_size >= KEEP_EVENTS
            or time_ms - self.kept_ms >= KEEP_MS
            or any(kind == "call_ended" for _, kind, _ in items)
        )
        kept = (frontier.size, time_ms) if keep else (self.kept_size, self.kept_ms)
        before = digest(self.note) if self.is_kept else self.kept
        return Head(frontier, time_ms, *kept, before), tuple(entries), subtrees

    @property
    def is_kept(self) -> bool:
        """Whether its checkpoint is one to keep; that of an empty log is not."""
        return self.kept_size == self.frontier.size > 0

    def checkpoint(self, origin: str) -> Checkpoint:
        """What is signed of it."""
        return Checkpoint(origin, self.frontier.size, self.frontier.root, self.time_ms, self.kept)
