"""The append-only record of calls: hash-chained events in SQLite, or another database by URL.

Each call is a chain of its own: an event's hash covers the hash before it, so no event of a call can be edited,
removed, added or moved without every later hash changing. One chain per call, rather than one for all, lets a call be
verified, exported and one day erased by itself, and lets calls append without waiting for each other's hashes. What a
chain of its own cannot see, whole calls being removed, the ledger's sequence numbers show: they have no gaps.

    hash of the event before the first = SHA-256("patchbay ledger call v1" 00 call_id)
    hash of an event = SHA-256("patchbay ledger event v1" 00 previous_hash seq call_seq body)

``seq`` counts the events of the ledger and ``call_seq`` those of the call, both from 1, as 8 bytes, high byte first.
``body`` is the event's RFC 8785 canonical JSON in UTF-8. The prefixes keep the two kinds of hash apart, as in RFC 6962.

``heads`` has the length and last hash of each chain, so that a cut tail is seen. Triggers refuse to change or remove
rows. **Neither stops somebody who may write to the file**: who rewrites the events, their hashes and the heads alike,
or removes the newest calls with their heads, leaves a ledger that verifies. Only a head that was published outside
shows it.

``policies`` archives the text of every policy that routed a call, so that its decisions can be explained and taken
again. It needs no chain: a text is filed under the hash that the chained events name, and who reads it hashes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785
from pydantic import ValidationError
from sqlalchemy import (
    DDL,
    REAL,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    event,
    func,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from compliance.chain import Row, Verification, call_genesis, event_hash, verify_rows
from compliance.errors import LedgerError, UnstorableEventError
from compliance.events import EVENT, Event

_FORMAT = 1
_DEFAULT_WAIT_MS = 10_000

_schema = MetaData()
_format = Table("patchbay_ledger", _schema, Column("format", Integer, primary_key=True))
_events = Table(
    "events",
    _schema,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("call_id", Text, nullable=False),
    Column("call_seq", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at_ms", REAL, nullable=False),
    Column("body", Text, nullable=False),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index("one_place_in_each_call", "call_id", "call_seq", unique=True),
)
_heads = Table(
    "heads",
    _schema,
    Column("call_id", Text, primary_key=True),
    Column("events", Integer, nullable=False),
    Column("hash", Text, nullable=False),
)
_policies = Table(
    "policies",
    _schema,
    Column("hash", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("text", Text, nullable=False),
)
for _table, _what, _when in (
    (_events, "UPDATE", ""),
    (_events, "DELETE", ""),
    (_heads, "DELETE", ""),
    (_heads, "UPDATE", "WHEN NEW.events <= OLD.events OR NEW.call_id <> OLD.call_id"),
    (_policies, "UPDATE", ""),
    (_policies, "DELETE", ""),
):
    event.listen(
        _table,
        "after_create",
        DDL(  # type: ignore[no-untyped-call] # SQLAlchemy's
            f"CREATE TRIGGER {_table.name}_no_{_what.lower()} BEFORE {_what} ON {_table.name} {_when} "
            "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
        ).execute_if(dialect="sqlite"),
    )


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where an event is in the ledger, and its hash in hex."""

    seq: int
    hash: str


class Ledger:
    """An open ledger. Threads may share it; processes open the same file each for itself."""

    def __init__(self, engine: Engine, path: Path | None) -> None:
        self._engine = engine
        self.path = path
        """The file it is kept in, or None when it is on a server."""

    @classmethod
    def open(cls, where: str | Path, *, must_exist: bool = False, wait_ms: int = _DEFAULT_WAIT_MS) -> Ledger:
        """Opens the ledger at a path or SQLAlchemy URL, and creates it there unless ``must_exist``.

        ``wait_ms`` is how long an append waits for another process's.

        Raises:
            LedgerError: there is none, it is something else, or it cannot be opened.
        """
        url, path = _located(where)
        if path is not None:
            if must_exist and not path.is_file():
                raise LedgerError(f"{path}: there is no ledger here. Check the path.")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise LedgerError(
                    f"{path}: its folder cannot be made ({error.strerror}). Choose another place for the ledger."
                ) from error
        engine = create_engine(url)
        if engine.dialect.name == "sqlite":
            _set_up_sqlite(engine, wait_ms)
        ledger = cls(engine, path)
        try:
            ledger._prepare(must_exist)
        except BaseException:
            engine.dispose()
            raise
        return ledger

    def close(self) -> None:
        """Closes every connection; everything appended is on disk already."""
        self._engine.dispose()

    def append(self, event: Event) -> Receipt:
        """Appends one event; it is on disk when this returns.

        Raises:
            UnstorableEventError: the event has no canonical JSON form.
            LedgerError: it could not be written; nothing was.
        """
        return self.append_many([event])[0]

    def append_many(self, events: Sequence[Event]) -> tuple[Receipt, ...]:
        """Appends events in order, all or none; see :meth:`append`."""
        bodies = [canonical_body(e) for e in events]
        if not events:
            return ()
        with self._connection(write=True) as connection:
            seq: int = connection.scalar(select(func.max(_events.c.seq))) or 0
            heads: dict[str, tuple[int, str]] = {}
            rows: list[dict[str, Any]] = []
            for e, body in zip(events, bodies, strict=True):
                length, previous = heads.get(e.call_id) or _head(connection, e.call_id)
                seq += 1
                digest = event_hash(previous, seq, length + 1, body)
                rows.append(
                    {
                        "seq": seq,
                        "call_id": e.call_id,
                        "call_seq": length + 1,
                        "kind": e.kind,
                        "at_ms": e.at_ms,
                        "body": body,
                        "previous_hash": previous,
                        "hash": digest,
                    }
                )
                heads[e.call_id] = length + 1, digest
            connection.execute(insert(_events), rows)
            for call_id, (length, digest) in heads.items():
                values = {"events": length, "hash": digest}
                done = connection.execute(update(_heads).where(_heads.c.call_id == call_id).values(values))
                if not done.rowcount:
                    connection.execute(insert(_heads).values(call_id=call_id, **values))
        return tuple(Receipt(row["seq"], row["hash"]) for row in rows)

    def calls(self) -> tuple[str, ...]:
        """The ids of the recorded calls, in the order they began."""
        query = select(_events.c.call_id).where(_events.c.call_seq == 1).order_by(_events.c.seq)
        with self._connection() as connection:
            return tuple(connection.scalars(query))

    def events(self, call_id: str, *, kinds: Collection[str] = ()) -> tuple[Event, ...]:
        """The events of a call in the order they were appended; empty for an unknown call.

        ``kinds`` reads only events of these kinds, which for many calls is much faster.

        Raises:
            LedgerError: what is stored is not an event; :meth:`verify` says what was changed.
        """
        query = select(_events.c.seq, _events.c.body).where(_events.c.call_id == call_id)
        if kinds:
            query = query.where(_events.c.kind.in_(kinds))
        with self._connection() as connection:
            rows = connection.execute(query.order_by(_events.c.call_seq)).all()
        events = []
        for seq, body in rows:
            try:
                events.append(EVENT.validate_json(body))
            except ValidationError as error:
                raise LedgerError(
                    f"{self._name}: entry {seq} is not an event ({error.error_count()} errors). Run its verification."
                ) from error
        return tuple(events)

    def keep_policy(self, policy_hash: str, name: str, version: int, text: str) -> None:
        """Archives the text of a policy under the hash of what it says; does nothing when it is there.

        Raises:
            LedgerError: it could not be written.
        """
        if self.policy(policy_hash) is not None:
            return
        with self._connection(write=True) as connection:
            _policies.create(connection, checkfirst=True)  # a ledger from before there was an archive
            if _archived(connection, policy_hash) is None:
                values = {"hash": policy_hash, "name": name, "version": version, "text": text}
                connection.execute(insert(_policies).values(values))

    def policy(self, policy_hash: str) -> str | None:
        """The text that is archived under ``policy_hash``, or ``None``. Whether it has that hash is for the reader.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        with self._connection() as connection:
            if not inspect(connection).has_table(_policies.name):
                return None
            return _archived(connection, policy_hash)

    def verify(self, call_id: str | None = None) -> Verification:
        """Recomputes the chain of one call, or of all calls and their sequence.

        What is in the ledger never makes it raise.

        Raises:
            LedgerError: the ledger cannot be read at all.
        """
        rows = select(_events)
        heads = select(_heads)
        if call_id is not None:
            rows = rows.where(_events.c.call_id == call_id)
            heads = heads.where(_heads.c.call_id == call_id)
        with self._connection() as connection:
            stored = [Row(*row) for row in connection.execute(rows.order_by(_events.c.seq))]
            expected = {str(row.call_id): (row.events, row.hash) for row in connection.execute(heads)}
        return verify_rows(stored, expected, whole=call_id is None, call_id=call_id)

    @property
    def _name(self) -> str:
        return str(self.path) if self.path else self._engine.url.render_as_string(hide_password=True)

    def _prepare(self, must_exist: bool) -> None:
        with self._connection(write=not must_exist) as connection:
            tables = set(inspect(connection).get_table_names())
            if not tables and not must_exist:
                _schema.create_all(connection)
                connection.execute(insert(_format).values(format=_FORMAT))
                return
            if _format.name not in tables:
                raise LedgerError(
                    f"{self._name}: this is a database, but not a Patchbay ledger. Choose another place for the ledger."
                )
            version = connection.scalar(select(_format.c.format))
        if version != _FORMAT:
            raise LedgerError(
                f"{self._name}: the ledger has format {version}, this version reads {_FORMAT}."
                " Update Patchbay."
            )

    @contextmanager
    def _connection(self, *, write: bool = False) -> Iterator[Connection]:
        """A transaction; a writing one holds SQLite's write lock from its start, so that no two read the same head."""
        try:
            with (
                self._engine.connect().execution_options(patchbay_write=write) as connection,
                connection.begin(),
            ):
                yield connection
        except DBAPIError as error:
            raise LedgerError(f"{self._name}: {_advice(error)}") from error


def canonical_body(event: Event) -> str:
    """The event as RFC 8785 canonical JSON: what is hashed and stored.

    Raises:
        UnstorableEventError: it holds NaN, an integer beyond 2**53 or a lone surrogate.
    """
    try:
        return rfc8785.dumps(event.model_dump(mode="json")).decode("utf-8")
    except (ValueError, TypeError, RecursionError) as error:
        raise UnstorableEventError(
            f"a {event.kind} event of call {event.call_id} has no canonical JSON ({type(error).__name__})."
            " Record only JSON values."
        ) from error


def _head(connection: Connection, call_id: str) -> tuple[int, str]:
    query = select(_heads.c.events, _heads.c.hash).where(_heads.c.call_id == call_id).with_for_update()
    row = connection.execute(query).first()
    return (row.events, row.hash) if row else (0, call_genesis(call_id))


def _archived(connection: Connection, policy_hash: str) -> str | None:
    return connection.scalar(select(_policies.c.text).where(_policies.c.hash == policy_hash))


def _located(where: str | Path) -> tuple[URL, Path | None]:
    text = str(where)
    if isinstance(where, Path) or "://" not in text:
        return URL.create("sqlite", database=text), Path(where)
    try:
        url = make_url(text)
        url.get_dialect()
    except (ArgumentError, NoSuchModuleError) as error:
        raise LedgerError(
            "the ledger's URL is not one SQLAlchemy knows. Give a path, or a URL such as sqlite:///ledger.sqlite."
        ) from error
    if url.get_backend_name() != "sqlite":
        return url, None
    if not url.database or url.database == ":memory:":
        raise LedgerError(
            "a ledger in memory is lost with the process. Give a file: sqlite:///ledger.sqlite."
        )
    return url, Path(url.database)


def _set_up_sqlite(engine: Engine, wait_ms: int) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver
        connection.text_factory = _lenient_text
        cursor = connection.cursor()
        try:
            cursor.execute(f"PRAGMA busy_timeout = {int(wait_ms)}")
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = FULL")
        except BaseException:
            cursor.close()
            connection.close()
            raise
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("patchbay_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _lenient_text(stored: bytes) -> str:
    """Text that somebody damaged still reaches the verification, which then says so."""
    return stored.decode("utf-8", "surrogateescape")


_ADVICE = (
    (
        "locked",
        "another process is writing to it and did not finish in time. Try again, or stop the other process.",
    ),
    ("full", "the disk is full. Make room; what could not be written is kept beside the ledger."),
    ("not a database", "this file is not a ledger. Choose another place for the ledger."),
    ("malformed", "the file is damaged. Restore it from a copy and verify that."),
    ("readonly", "it may not be written to. Check the permissions of the file and its folder."),
    ("unable to open", "it cannot be opened. Check that the folder exists and may be written to."),
    ("disk i/o", "the disk reported an error. Check it, and restore the ledger from a copy if needed."),
    ("append-only", "rows of a ledger cannot be changed or removed."),
)


def _advice(error: DBAPIError) -> str:
    told = str(error.orig).lower()
    for symptom, advice in _ADVICE:
        if symptom in told:
            return advice
    # The class only: a driver's message may quote the row, and with it the caller.
    return f"the database refused ({type(error.orig).__name__}). Check that it is a ledger and reachable."
