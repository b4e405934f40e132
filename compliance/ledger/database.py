"""Opening the database of a ledger, transactions on it, and what its errors mean to people."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, insert, inspect, select
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, NoSuchModuleError

from compliance.errors import LedgerError
from compliance.ledger import store

_ASK_AFTER_S = 5.0
_ASK_AGAIN_S = 0.01
_CONNECT_S = 10
"""A server that is there answers so soon, however briefly a lock is waited for."""

logger = logging.getLogger(__name__)


class Database:
    """An open database that holds a ledger. Threads may share it."""

    def __init__(self, engine: Engine, path: Path | None) -> None:
        self._engine = engine
        self._driver_error: type[Exception] = engine.dialect.loaded_dbapi.Error
        self.path = path
        """The file it is, or None when it is on a server."""

    @classmethod
    def open(cls, where: str | Path, *, must_exist: bool, wait_ms: int) -> Database:
        """Opens the database at a path or SQLAlchemy URL, and makes the tables unless ``must_exist``.

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
            _set_up_sqlite(engine, wait_ms)
        else:
            engine = _on_server(url, wait_ms)
        database = cls(engine, path)
        try:
            database._prepare(must_exist)
        except BaseException:
            engine.dispose()
            raise
        return database

    def close(self) -> None:
        self._engine.dispose()

    @property
    def name(self) -> str:
        """What it is called in messages: without a password."""
        return str(self.path) if self.path else self._engine.url.render_as_string(hide_password=True)

    @contextmanager
    def transaction(
        self, *, write: bool = False, snapshot: bool = False, single: bool = False
    ) -> Iterator[Connection]:
        """A transaction; a writing one holds SQLite's write lock from its start, so that no two read the same head.

        ``snapshot`` shows one state of the ledger in all that is read, however long that takes. ``single`` is for one
        statement: a server takes that for a transaction by itself, without being asked to begin and to commit.

        Raises:
            LedgerError: the database refused something in it, or cannot be reached; nothing of it was kept.
        """
        level = {}  # SQLite's transactions are all alike
        if self.path is None and (snapshot or single):
            level = {"isolation_level": "REPEATABLE READ" if snapshot else "AUTOCOMMIT"}
        try:
            with (
                self._engine.connect().execution_options(patchbay_write=write, **level) as connection,
                connection.begin(),
            ):
                yield connection
        except DBAPIError as error:
            raise LedgerError(f"{self.name}: {advice(error.orig)}") from error
        except self._driver_error as error:
            raise LedgerError(f"{self.name}: {advice(error)}") from error
        except LedgerError as error:
            raise type(error)(f"{self.name}: {error}") from error

    def logs(self) -> tuple[str, ...]:
        """The names of the logs in it."""
        with self.transaction() as connection:
            return tuple(connection.scalars(select(store.heads.c.log).order_by(store.heads.c.log)))

    def wipe(self) -> None:
        """Overwrites the keys that were destroyed in transactions before, as far as the database can.

        SQLite has overwritten them in the file's pages by itself (``secure_delete``); older pages lie in its
        write-ahead log until that is emptied. PostgreSQL frees the rows for reuse; its write-ahead log it keeps as
        long as it is configured to.
        """
        statement = "PRAGMA wal_checkpoint(TRUNCATE)" if self.path else "VACUUM call_keys"
        try:
            with self._engine.connect() as connection:
                autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
                done = autocommit.exec_driver_sql(statement)
                busy = done.returns_rows and done.one()[0]
        except DBAPIError as error:
            raise LedgerError(f"{self.name}: {advice(error.orig)}") from error
        if busy:
            logger.warning(
                "%s: a destroyed key is in the write-ahead log until others stop reading", self.name
            )

    def _prepare(self, must_exist: bool) -> None:
        with self.transaction(write=not must_exist) as connection:
            if (
                connection.dialect.name == "postgresql" and not must_exist
            ):  # two may come to an empty database at once
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7211350417)")
            tables = set(inspect(connection).get_table_names())
            if not tables & set(store.schema.tables) and (not tables or self.path is None) and not must_exist:
                store.schema.create_all(connection)
                connection.execute(insert(store.format_).values(format=store.FORMAT))
                return
            if store.format_.name not in tables:
                raise LedgerError(
                    f"{self.name}: this is a database, but not a Patchbay ledger. Choose another place for the ledger."
                )
            if gone := sorted(set(store.schema.tables) - tables):
                raise LedgerError(
                    f"{self.name}: the ledger's table {gone[0]} was removed or replaced by something else."
                    " Restore the ledger from a copy and verify that."
                )
            version = connection.scalar(select(store.format_.c.format))
        if version != store.FORMAT:
            raise LedgerError(
                f"{self.name}: the ledger has format {version}, this version reads {store.FORMAT}."
                " Use the version of Patchbay that wrote it."
            )


def _located(where: str | Path) -> tuple[URL, Path | None]:
    text = str(where)
    if isinstance(where, Path) or "://" not in text:
        return URL.create("sqlite", database=text), Path(where)
    try:
        url = make_url(text)
        url.get_dialect()
    except (ArgumentError, NoSuchModuleError) as error:
        raise LedgerError(
            "the ledger's URL is not one SQLAlchemy knows. Give a path, or a URL such as postgresql://host/database."
        ) from error
    except ModuleNotFoundError as error:
        raise LedgerError(
            f"the ledger's database needs {error.name}, which is not installed. Install patchbay[postgres]."
        ) from error
    match url.get_backend_name():
        case "postgresql":
            return url.set(drivername="postgresql+psycopg"), None
        case "sqlite" if url.database and url.database != ":memory:":
            return url, Path(url.database)
        case "sqlite":
            raise LedgerError(
                "a ledger in memory is lost with the process. Give a file: sqlite:///ledger.sqlite."
            )
        case other:
            raise LedgerError(f"a ledger cannot be kept in {other}. Give a file, or a postgresql:// URL.")


def _on_server(url: URL, wait_ms: int) -> Engine:
    try:
        engine = create_engine(
            url,
            connect_args={
                "connect_timeout": max(_CONNECT_S, wait_ms // 1000),
                "options": f"{url.query.get('options', '')} -c lock_timeout={int(wait_ms)} -c synchronous_commit=on"
                # Who waited for a log's head sees what was added meanwhile.
                " -c default_transaction_isolation=read\\ committed"
                # A plan made while the ledger was small is kept for as long as nobody analyses its tables.
                " -c enable_seqscan=off",
                "application_name": "patchbay ledger",
            },
        )
    except ModuleNotFoundError as error:
        raise LedgerError(
            f"the ledger's database needs {error.name}, which is not installed. Install patchbay[postgres]."
        ) from error

    @event.listens_for(engine, "checkout")
    def _ask(connection: Any, record: Any, _proxy: Any) -> None:
        """Asks a connection that was long idle whether it still is one; asking before each use costs a round trip."""
        idle_s = time.monotonic() - record.info.get("used_s", -_ASK_AFTER_S)
        if idle_s >= _ASK_AFTER_S:
            try:
                connection.execute("SELECT 1")
                connection.rollback()
            except engine.dialect.loaded_dbapi.Error as error:
                raise DisconnectionError from error  # the pool makes another

    @event.listens_for(engine, "checkin")
    def _note(_connection: Any, record: Any) -> None:
        record.info["used_s"] = time.monotonic()

    return engine


def _set_up_sqlite(engine: Engine, wait_ms: int) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver
        connection.text_factory = _lenient_text
        cursor = connection.cursor()
        try:
            cursor.execute(f"PRAGMA busy_timeout = {int(wait_ms)}")
            _write_ahead(cursor, wait_ms)
            cursor.execute("PRAGMA synchronous = FULL")
            cursor.execute("PRAGMA secure_delete = ON")  # a destroyed key is overwritten, not only forgotten
        except BaseException:
            cursor.close()
            connection.close()
            raise
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("patchbay_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _write_ahead(cursor: sqlite3.Cursor, wait_ms: int) -> None:
    """Has the file written through a log. SQLite itself does not wait for those who do this to a new file just now."""
    until_s = time.monotonic() + wait_ms / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= until_s:
                raise
            time.sleep(_ASK_AGAIN_S)


def _lenient_text(stored: bytes) -> str:
    """Text that somebody damaged still reaches the verification, which then says so."""
    return stored.decode("utf-8", "surrogateescape")


_ADVICE = (
    (
        "locked",
        "another process is writing to it and did not finish in time. Try again, or stop the other process.",
    ),
    (
        "lock timeout",
        "another process is writing to it and did not finish in time. Try again, or stop the other process.",
    ),
    ("full", "the disk is full. Make room; what could not be written is kept beside the ledger."),
    ("no space left", "the disk is full. Make room; what could not be written is kept beside the ledger."),
    ("not a database", "this file is not a ledger. Choose another place for the ledger."),
    ("malformed", "the file is damaged. Restore it from a copy and verify that."),
    ("readonly", "it may not be written to. Check the permissions of the file and its folder."),
    ("unable to open", "it cannot be opened. Check that the folder exists and may be written to."),
    ("disk i/o", "the disk reported an error. Check it, and restore the ledger from a copy if needed."),
    (store.REFUSAL, "rows of a ledger cannot be changed or removed."),
    ("does not exist", "it, or the user, does not exist. Make it, or mend the URL."),
    ("authentication failed", "it does not let this user in. Mend the user or the password in the URL."),
    ("permission denied", "it may not be used. Check what the database lets this user do."),
)


def advice(error: BaseException | None) -> str:
    """What a driver's error means."""
    told = str(error).lower()
    for symptom, advice in _ADVICE:
        if symptom in told:
            return advice
    if "connection" in told:
        return "it cannot be reached. See that the database runs and takes connections; appending goes on by itself."
    # The class only: a driver's message may quote the row, and with it the caller.
    return f"the database refused ({type(error).__name__}). Check that it is a ledger and reachable."
