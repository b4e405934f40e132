"""A database that is locked, full, damaged, gone or something else is told of in a typed error."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from compliance.errors import LedgerError
from compliance.ledger import Ledger
from lab.postgres import Postgres
from tests.forged import unguarded
from tests.unit.compliance.ledger.conftest import KEYS, Place, heard, tool

pytestmark = pytest.mark.unit


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def own_server(postgres: Postgres) -> Iterator[Postgres]:
    """The server, for a test that stops it; started again afterwards."""
    yield postgres
    postgres.stop("immediate")
    postgres.start()


# -- Locked, full, damaged ------------------------------------------------------------------------------------
def test_a_log_that_another_process_holds_is_waited_for_and_then_told_of(place: Place) -> None:
    with closing(place.open()) as holder, closing(place.open(wait_ms=20)) as ledger:
        with holder._database.transaction(write=True) as connection:
            if not place.is_file:
                connection.exec_driver_sql("SELECT size FROM heads FOR UPDATE")
            with pytest.raises(LedgerError, match="another process is writing"):
                ledger.append(heard("a", 1))
        assert ledger.append(heard("a", 1)).seq == 0


def test_a_full_disk_is_told_of_and_nothing_is_lost(path: Path) -> None:
    with closing(Ledger.open(path)) as ledger:
        ledger.append(heard("a", 1))
        with ledger._database._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")
        with pytest.raises(LedgerError, match="disk is full"):
            ledger.append_many([tool("a", "x" * 100_000)])
        with ledger._database._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 100000")
        assert ledger.append(heard("a", 2)).seq == 1
        assert ledger.verify().ok


def test_a_damaged_file_is_told_of(path: Path) -> None:
    with closing(Ledger.open(path)) as ledger:
        ledger.append_many([tool("a", "x" * 5000) for _ in range(20)])
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    path.write_bytes(bytes(data))

    with pytest.raises(LedgerError, match="damaged"), closing(Ledger.open(path)) as ledger:
        ledger.verify()


def test_what_is_not_a_ledger_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello, I am a text file, not a ledger" * 50)
    with closing(sqlite3.connect(tmp_path / "other")) as db:
        db.execute("CREATE TABLE notes (text)")
    (tmp_path / "file").write_text("")

    for where, told in (
        (tmp_path / "text", "not a ledger"),
        (tmp_path / "other", "not a Patchbay ledger"),
        (tmp_path / "file" / "ledger", "folder cannot be made"),
        (tmp_path, "cannot be opened"),
        ("sqlite://", "memory"),
        ("nosuch://host/db", "URL"),
        ("mysql://host/db", "cannot be kept in mysql"),
    ):
        with pytest.raises(LedgerError, match=told):
            Ledger.open(where, keys=KEYS)
    with pytest.raises(LedgerError, match="no ledger here"):
        Ledger.open(tmp_path / "absent", must_exist=True)
    assert not (tmp_path / "absent").exists()


def test_a_ledger_of_another_format_is_not_touched(path: Path) -> None:
    Ledger.open(path).close()
    with unguarded(path) as db:
        db.execute("UPDATE patchbay_ledger SET format = 9")

    with pytest.raises(LedgerError, match="format 9"):
        Ledger.open(path)


# -- Gone and back --------------------------------------------------------------------------------------------
def test_a_database_that_is_gone_is_told_of_and_one_that_is_back_is_used(own_server: Postgres) -> None:
    where = own_server.url().replace("patchbay@", "patchbay:secret@")
    with closing(Ledger.open(where, keys=KEYS)) as ledger:
        ledger.append(heard("a", 1))
        own_server.stop()
        for use in (lambda: ledger.append(heard("a", 2)), lambda: ledger.events("a"), ledger.verify):
            with pytest.raises(LedgerError, match="cannot be reached") as caught:
                use()
            assert "secret" not in str(caught.value)
        own_server.start()
        assert ledger.append(heard("a", 2)).seq == 1
        assert len(ledger.events("a")) == 2
        assert ledger.verify().ok


def test_a_server_that_is_not_there_or_does_not_know_us_is_told_of(
    tmp_path: Path, postgres: Postgres
) -> None:
    for wrong in ("nobody@/postgres", "patchbay@/nowhere"):
        with pytest.raises(LedgerError, match="does not exist"):
            Ledger.open(f"postgresql://{wrong}?host={postgres.folder}", keys=KEYS)
    with pytest.raises(LedgerError, match="cannot be reached"):
        Ledger.open(f"postgresql://patchbay@/ledger?host={tmp_path}", keys=KEYS)


def test_a_database_of_something_else_gets_the_tables_of_a_ledger_only_on_a_server(place: Place) -> None:
    place.execute("CREATE TABLE notes (text TEXT)")
    if place.is_file:
        with pytest.raises(LedgerError, match="not a Patchbay ledger"):
            place.open()
    else:
        with closing(place.open()) as ledger:
            assert ledger.append(heard("a", 1)).seq == 0


@pytest.mark.parametrize("kept", [True, False])
def test_an_append_that_failed_while_it_was_committed_is_not_kept_twice_when_it_is_tried_again(
    place: Place, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(place.open()) as ledger:
        ledger.append(heard("a", 0))
        dialect = ledger._database._engine.dialect

        def commit(connection: Any) -> None:
            """The answer is lost; whether the database did it, nobody is told."""
            (connection.commit if kept else connection.rollback)()
            raise dialect.loaded_dbapi.OperationalError("connection lost")

        events = [heard("a", 1), heard("b", 1)]
        with monkeypatch.context() as broken:
            broken.setattr(dialect, "do_commit", commit)
            with pytest.raises(LedgerError, match="cannot be reached"):
                ledger.append_many(events)
        again = ledger.append_many([*events, heard("a", 2)])

        assert [receipt.seq for receipt in again] == [1, 2, 3]
        assert [e.at_ms for e in ledger.events("a")] == [0, 1, 2]
        assert [receipt.hash for receipt in again] == [e.leaf_hash.hex() for e in ledger.entries(1)]
        assert ledger.verify().ok


def test_processes_that_come_to_an_empty_database_at_once_make_one_ledger(place: Place) -> None:
    opened: list[Ledger] = []
    threads = [threading.Thread(target=lambda: opened.append(place.open())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [ledger.append(heard("a", n)).seq for n, ledger in enumerate(opened)] == [0, 1, 2, 3]
    for ledger in opened:
        ledger.close()


def test_a_connection_waits_for_a_lock_as_long_as_it_was_told_and_sees_what_was_done_meanwhile(
    postgres: Postgres,
) -> None:
    strict = "-c statement_timeout=240000 -c default_transaction_isolation=serializable"
    where = f"{postgres.url()}%20{quote(strict)}"
    with closing(Ledger.open(where, keys=KEYS, wait_ms=1234)) as ledger, ledger._database.transaction() as db:
        shown = [
            db.exec_driver_sql(f"SHOW {name}").scalar()
            for name in ("lock_timeout", "statement_timeout", "default_transaction_isolation")
        ]
        assert shown == ["1234ms", "4min", "read committed"]


def test_sqlite_writes_through_to_the_disk_and_overwrites_what_it_deletes(path: Path) -> None:
    with closing(Ledger.open(path)) as ledger, ledger._database.transaction() as db:
        pragmas = {
            name: db.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        }
        assert pragmas == {"journal_mode": "wal", "synchronous": 2}
        assert db.exec_driver_sql("PRAGMA secure_delete").scalar() == 1
