"""The ledger: an RFC 6962 log of encrypted events for each tenant, in SQLite or PostgreSQL; see the package."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import Connection

from compliance.errors import LedgerError, LedgerKeysError
from compliance.events import Event
from compliance.ledger import merkle, note, rows
from compliance.ledger.anchors import Anchor, Anchoring
from compliance.ledger.appending import Appender
from compliance.ledger.callkeys import CallKeys, DataKey
from compliance.ledger.checkpoint import Checkpoint, digest
from compliance.ledger.database import Database, advice
from compliance.ledger.doubts import Receipt
from compliance.ledger.head import Entry, Head
from compliance.ledger.keys import Keys, LogKeys, find_keys
from compliance.ledger.leaf import UnreadableLeafError, derived
from compliance.ledger.recorded import NO_CALL, Recorded, body_in, event_in
from compliance.ledger.verifier import Key, Verification, VerifierError, verify_ledger, verify_log
from compliance.oversight import OversightEvent

DEFAULT_LOG = "default"
DEFAULT_ORIGIN = "patchbay.local/ledger"
_DEFAULT_WAIT_MS = 10_000
_ENTRIES_AT_ONCE = 256
T = TypeVar("T")


class Ledger:
    """An open log. Threads may share it; processes open it each for itself."""

    def __init__(
        self,
        database: Database,
        log: str,
        keys: Keys,
        *,
        origin: str,
        anchors: Sequence[Anchor],
        clock: Callable[[], float],
        must_exist: bool,
    ) -> None:
        self.origin = origin
        """The log's name in its checkpoints, and that of its key."""
        self.log = log
        """The log's name: the tenant's, or ``default``."""
        self._database = database
        self._keys: LogKeys = keys.of_log(log)
        self._calls = CallKeys(log, self._keys)
        self._clock = clock
        self._anchoring = Anchoring(log, anchors, self._leaf_hashes)
        self._prepare(must_exist)
        self._appender = Appender(
            database, log, self._calls, self._checkpoint, clock, self._anchoring.publish
        )

    @classmethod
    def open(
        cls,
        where: str | Path,
        *,
        tenant: str = "",
        keys: Keys | None = None,
        anchors: Sequence[Anchor] = (),
        origin: str = DEFAULT_ORIGIN,
        must_exist: bool = False,
        wait_ms: int = _DEFAULT_WAIT_MS,
        clock: Callable[[], float] = time.time,
    ) -> Ledger:
        """Opens the log of a tenant in the ledger at a path or SQLAlchemy URL.

        Args:
            where: the ledger.
            tenant: whose log; empty where a line has no tenants.
            keys: by default those that :func:`compliance.ledger.keys.find_keys` finds.
            anchors: where checkpoints are published.
            origin: what a new log's name begins with; a log that is there keeps its name.
            must_exist: do not make a ledger or log that is not there.
            wait_ms: how long an append waits for another process's.
            clock: Unix time in seconds.

        Raises:
            LedgerError: there is none, it is something else, or it cannot be opened.
            LedgerKeysError: its keys are missing, or another ledger's.
        """
        database = Database.open(where, must_exist=must_exist, wait_ms=wait_ms)
        try:
            if keys is None:
                keys = find_keys(database.path, make=not must_exist and not database.logs())
            log = tenant or DEFAULT_LOG
            return cls(
                database,
                log,
                keys,
                origin=f"{origin}/{quote(log, safe='')}",
                anchors=anchors,
                clock=clock,
                must_exist=must_exist,
            )
        except BaseException:
            database.close()
            raise

    @property
    def path(self) -> Path | None:
        """The file it is kept in, or ``None`` when it is on a server."""
        return self._database.path

    @property
    def vkey(self) -> str:
        """The public key that checkpoints are verified with, as signed notes write it."""
        return note.vkey(self.origin, self._keys.public_key)

    def close(self) -> None:
        """Publishes the newest checkpoint and closes every connection; all that was appended is on disk already."""
        try:
            self._anchoring.close(self._stored_note)
        finally:
            self._database.close()

    # Adding

    def append(self, event: Recorded) -> Receipt:
        """Appends one event; it is on disk when this returns. Raises as :meth:`append_many`."""
        return self.append_many([event])[0]

    def append_many(self, events: Sequence[Recorded]) -> tuple[Receipt, ...]:
        """Appends events in order, all or none; they are on disk when this returns.

        What threads append meanwhile is committed together. An append that failed may be tried again with the same
        events: if the database has them after all, they are not added a second time.

        Raises:
            UnstorableEventError: an event has no canonical JSON form.
            ErasedError: an event is of a call that was erased.
            LedgerError: they could not be written; nothing was.
        """
        return self._appender.append(events)

    # Reading

    def calls(self) -> tuple[str, ...]:
        """The ids of the recorded calls, in the order they began, the erased ones too."""
        with self._database.transaction() as connection:
            return rows.calls(connection, self.log)

    def calls_without_key(self) -> tuple[str, ...]:
        """The calls that cannot be read any more, in the order they began.

        Whether somebody erased them says :func:`compliance.erasure.lost`.
        """
        with self._database.transaction() as connection:
            return rows.without_key(connection, self.log)

    def events(self, call_id: str, *, kinds: Collection[str] = ()) -> tuple[Event, ...]:
        """The events of a call in the order they were appended; empty for an unknown call.

        ``kinds`` reads only events of these kinds, which for many calls is much faster.

        Raises:
            ErasedError: the call was erased.
            LedgerError: an entry is not what was appended, and which; :meth:`verify` says what was changed.
        """
        return self._read(call_id, kinds) if call_id != NO_CALL else ()

    def oversight(self, *, kinds: Collection[str] = ()) -> tuple[OversightEvent, ...]:
        """The events about the record itself, in the order they were appended; only ``kinds`` if given.

        Raises as :meth:`events`.
        """
        return self._read(NO_CALL, kinds)

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """The raw entries ``start <= seq < stop``, in order, a few at a time: memory does not grow with the log.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        last = start - 1
        while True:
            with self._database.transaction() as connection:
                page = rows.page(connection, self.log, last, stop, _ENTRIES_AT_ONCE)
            yield from page
            if len(page) < _ENTRIES_AT_ONCE:
                return
            last = page[-1].seq

    def call_entries(self, call_id: str) -> tuple[Entry, ...]:
        """The raw entries of a call, in the order they were appended, also of one that was erased."""
        with self._database.transaction() as connection:
            return rows.of_call(connection, self.log, call_id)

    def event(self, entry: Entry) -> Recorded:
        """The event of a raw entry, decrypted. Raises as :meth:`events`."""
        with self._database.transaction() as connection:
            return self._decrypted(connection, [entry], event_in)[0]

    def body(self, entry: Entry) -> str:
        """The same as the JSON that was appended, to which the entry commits. Raises as :meth:`events`."""
        with self._database.transaction() as connection:
            return self._decrypted(connection, [entry], body_in)[0].decode()

    # Proving

    def checkpoint(self) -> str:
        """The newest checkpoint: a signed note."""
        return self._stored_note() or ""

    def sign(self, text: str) -> str:
        """A note of another text, such as the list of an export's files, signed with the log's key.

        Raises:
            LedgerError: it could be taken for a checkpoint.
        """
        if text.startswith(f"{self.origin}\n") or not text.endswith("\n"):
            raise LedgerError(
                "a note that is no checkpoint begins with another line than the log's name, and ends one."
            )
        return self._signed(text)

    def inclusion_proof(self, seq: int, size: int) -> tuple[bytes, ...]:
        """The hashes that prove entry ``seq`` to be in the log of ``size`` entries (RFC 6962, section 2.1.1).

        Raises:
            LedgerError: the log has no such entry or size.
        """
        return self._proof(merkle.inclusion_proof, seq, size)

    def consistency_proof(self, old: int, new: int) -> tuple[bytes, ...]:
        """The hashes that prove the log of ``old`` entries to be the beginning of that of ``new`` (section 2.1.2).

        Raises:
            LedgerError: the log has no such size.
        """
        return self._proof(merkle.consistency_proof, old, new)

    def verify(self, *, anchor: Iterable[str | bytes] = ()) -> Verification:
        """Recomputes the whole log, as :mod:`compliance.ledger.verifier` does. What is stored never makes it raise.

        Args:
            anchor: the lines of what a :class:`compliance.ledger.anchors.FileAnchor` wrote.

        Raises:
            LedgerError: the ledger cannot be read at all.
        """
        key = Key(self.vkey)
        if self.path is not None:
            try:
                return verify_ledger(self.path, key, log=self.log, anchor=anchor)
            except VerifierError as error:
                raise LedgerError(f"{self._database.name}: {advice(error)}") from error
        with (
            self._database.transaction(snapshot=True) as connection,
            closing(rows.raw_entries(connection, self.log)) as entries,
            closing(rows.kept_checkpoints(connection, self.log)) as checkpoints,
        ):
            return verify_log(
                self.log,
                key,
                entries,
                checkpoints,
                rows.raw_head(connection, self.log),
                anchor=anchor,
            )

    # Keys of calls

    @property
    def spool_keys(self) -> LogKeys:
        """What seals events that are not in the log yet."""
        return self._keys

    def derived_key(self, call_id: str, purpose: str) -> bytes:
        """A key of 32 bytes for what is kept of a call elsewhere, such as a recording; erasing the call takes it along.

        Raises:
            ErasedError: the call was erased.
            LedgerError: the ledger cannot be read or written.
        """
        with self._database.transaction() as connection:
            key = self._calls.find(connection, call_id)
        if key is None:
            with self._database.transaction(write=True) as connection:
                rows.head(connection, self.log)  # waits for whoever is making it now
                key = self._calls.states(connection, [call_id])[call_id].key
        return derived(key.secret, f"call {purpose}")

    def destroy_key(self, call_id: str) -> bool:
        """Destroys the key of a call: its events, and all that was encrypted with keys derived of it, are lost.

        Whether there was one to destroy. The database overwrites it as far as it can: SQLite in the file and its
        write-ahead log, PostgreSQL in time. Copies and backups of the database still have it, wrapped by the keyring.

        Raises:
            LedgerError: it could not be destroyed.
        """
        if call_id == NO_CALL:
            raise LedgerError("the events about the record itself are never erased: name a call.")
        with self._database.transaction(write=True) as connection:
            rows.head(connection, self.log)  # no append of the call is under way
            destroyed = self._calls.destroy(connection, call_id)
        self._database.wipe()
        return destroyed

    # Policies

    def keep_policy(self, policy_hash: str, name: str, version: int, text: str) -> None:
        """Archives the text of a policy under the hash of what it says; does nothing when it is there.

        Raises:
            LedgerError: it could not be written.
        """
        if self.policy(policy_hash) is not None:
            return
        with self._database.transaction(write=True) as connection:
            rows.archive_policy(connection, policy_hash, name, version, text)

    def policy(self, policy_hash: str) -> str | None:
        """The text that is archived under ``policy_hash``, or ``None``. Whether it has that hash is for the reader.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        with self._database.transaction() as connection:
            return rows.archived_policy(connection, policy_hash)

    # What it is made of

    def _prepare(self, must_exist: bool) -> None:
        """Makes the log where it is not there; one that is there keeps its origin."""
        stored = self._stored_note()
        if stored is None:
            if must_exist:
                others = ", ".join(self._database.logs()) or "none"
                raise LedgerError(
                    f"{self._database.name}: there is no log '{self.log}' in it. It has: {others}."
                )
            now_ms = int(self._clock() * 1000)
            head = Head(merkle.Frontier(), now_ms, 0, now_ms, digest(""))
            with self._database.transaction(write=True) as connection:
                rows.begin(connection, self.log, head, self._checkpoint(head))
            stored = self._stored_note() or ""
        try:
            found = Checkpoint.read(stored).origin
            signer = note.signer(stored)
        except ValueError:
            return  # somebody changed it; verifying says so
        if signer != (found, note.key_id(found, self._keys.public_key)):
            raise LedgerKeysError(
                f"{self._database.name}: log '{self.log}' is signed with other keys. Give the ledger its own."
            )
        self.origin = found

    def _stored_note(self) -> str | None:
        with self._database.transaction() as connection:
            return rows.note(connection, self.log)

    def _checkpoint(self, head: Head) -> str:
        return self._signed(head.checkpoint(self.origin).text)

    def _signed(self, text: str) -> str:
        return note.signed(text, self.origin, self._keys.public_key, self._keys.sign)

    def _read(self, call_id: str, kinds: Collection[str]) -> tuple[Any, ...]:
        # What is filed under a call is an Event, what is not an OversightEvent: event_in has seen to it.
        with self._database.transaction() as connection:
            return self._decrypted(connection, rows.of_call(connection, self.log, call_id, kinds), event_in)

    def _decrypted(
        self, connection: Connection, entries: Sequence[Entry], read: Callable[[Entry, str, DataKey], T]
    ) -> tuple[T, ...]:
        """What ``read`` makes of the entries of one call."""
        if not entries:
            return ()
        key = self._calls.find(connection, entries[0].call_id)
        if key is None:
            raise LedgerError(f"the key of call {entries[0].call_id} was removed. Verify the ledger.")
        events = []
        for entry in entries:
            try:
                events.append(read(entry, self.log, key))
            except UnreadableLeafError as error:
                raise LedgerError(
                    f"entry {entry.seq} of log '{self.log}' cannot be read: {error}. Verify the ledger."
                ) from error
        return tuple(events)

    def _leaf_hashes(self, start: int, stop: int) -> Sequence[bytes]:
        with self._database.transaction() as connection:
            return rows.hashes(connection, self.log, 0, start, stop)

    def _proof(
        self, prove: Callable[[merkle.Fetch, int, int], tuple[bytes, ...]], one: int, other: int
    ) -> tuple[bytes, ...]:
        with self._database.transaction() as connection:
            try:
                return prove(partial(rows.hashes, connection, self.log), one, other)
            except ValueError as error:
                raise LedgerError(f"{error}.") from None
