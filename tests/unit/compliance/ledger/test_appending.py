"""Events that are appended one by one: a server is asked once for each, and all that may come between is told.

A process that was the last to write to a log goes on from what it knows; each test first makes it one.
"""

from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from compliance.errors import ErasedError, LedgerError, LedgerKeysError
from compliance.events import CallEnded
from compliance.ledger import Ledger, database, rows
from compliance.ledger.merkle import LEVEL_HEIGHT
from lab.postgres import Postgres
from tests.unit.compliance.ledger.conftest import KEYS, Place, heard

pytestmark = pytest.mark.unit

PATIENCE_S = 120.0

REFUSED = {
    "entries": "INSERT",
    "heads": "UPDATE",
    "subtrees": "INSERT",
    "checkpoints": "INSERT",
    "call_keys": "INSERT",
}


def refuse(place: Place, table: str, what: str) -> None:
    refusal = (
        "FOR EACH ROW BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        if place.is_file
        else "FOR EACH ROW EXECUTE FUNCTION full_disk()"
    )
    if not place.is_file:
        place.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$"
        )
    place.execute(f"CREATE TRIGGER refused BEFORE {what} ON {table} {refusal}")


def allow(place: Place, table: str) -> None:
    place.execute("DROP TRIGGER refused" if place.is_file else f"DROP TRIGGER refused ON {table}")


@pytest.mark.parametrize("table", REFUSED)
def test_an_append_that_is_refused_at_any_table_is_told_of_and_leaves_nothing(
    ledger: Ledger, place: Place, table: str
) -> None:
    before = [heard("a", n) for n in range(2**LEVEL_HEIGHT - 1)]
    new = CallEnded(call_id="b", at_ms=1, reason="hang-up", turns=1, cost_usd=0.0)  # writes to every table
    ledger.append_many(before)
    head = ledger.checkpoint()

    refuse(place, table, REFUSED[table])
    for _ in range(2):
        with pytest.raises(LedgerError, match="disk is full"):
            ledger.append(new)
    assert ledger.checkpoint() == head
    assert ledger.call_entries("b") == ()
    assert [tuple(row) for row in place.execute("SELECT call_id FROM call_keys")] == [("a",)]

    allow(place, table)
    assert ledger.append(new).seq == len(before)
    assert ledger.events("b") == (new,)
    assert ledger.verify().ok


def test_an_append_with_an_event_of_an_erased_call_leaves_no_key_of_a_new_one(
    two_calls: Ledger, place: Place
) -> None:
    two_calls.destroy_key("a")
    with pytest.raises(ErasedError):
        two_calls.append_many([heard("new", 1), heard("a", 9)])

    assert [tuple(row) for row in place.execute("SELECT call_id FROM call_keys ORDER BY call_id")] == [
        ("a",),
        ("b",),
    ]


@pytest.fixture
def at_it(ledger: Ledger) -> Ledger:
    """A ledger that was the last to write to its log: three events of call ``a``."""
    for number in range(3):
        ledger.append(heard("a", number))
    return ledger


def test_an_append_to_a_log_that_nobody_else_adds_to_goes_to_a_server_and_back_once(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A connection that has rested is asked whether it is well.
    monkeypatch.setattr(database, "_ASK_AFTER_S", 600.0)
    with closing(Ledger.open(postgres.url(), keys=KEYS, clock=lambda: 1000.0)) as ledger:
        for number in range(3):
            ledger.append(heard("a", number))
        with ledger._database._engine.connect() as connection:
            driver = connection.connection.driver_connection
        assert driver is not None
        with (tmp_path / "trace").open("w") as trace:
            driver.pgconn.trace(trace.fileno())
            ledger.append(heard("a", 3))
            driver.pgconn.untrace()
    answers = (tmp_path / "trace").read_text().splitlines()
    assert sum("\tB\t" in answer and "ReadyForQuery" in answer for answer in answers) == 1


def test_processes_that_append_in_turn_see_what_the_others_added(at_it: Ledger, place: Place) -> None:
    with closing(place.open()) as other:
        for seq, ledger in enumerate([other, at_it, at_it, at_it, other, other, other, at_it], start=3):
            assert ledger.append(heard("a", seq)).seq == seq
        assert [event.at_ms for event in other.events("a")] == list(range(11))
        assert at_it.verify().ok


def test_what_another_process_did_to_the_key_of_a_call_is_told(at_it: Ledger, place: Place) -> None:
    at_it.append(heard("b", 0))
    place.tamper("UPDATE call_keys SET wrapped = leaf_hash FROM entries WHERE call_keys.call_id = 'b'")
    with pytest.raises(LedgerKeysError, match="call b"):
        at_it.append(heard("b", 1))
    with closing(place.open()) as other:
        other.destroy_key("a")
    with pytest.raises(ErasedError, match="call a was erased"):
        at_it.append(heard("a", 3))
    assert at_it.append(heard("c", 0)).seq == 4
    assert at_it.verify().ok


def test_a_call_that_was_erased_gets_no_entry_from_an_append_under_way(place: Place) -> None:
    def append_until_erased() -> None:
        with suppress(ErasedError):
            while True:
                one.append(heard(call_id, 1))

    # Whoever appends without a pause may have the lock many times before another does.
    with closing(place.open(wait_ms=100_000)) as one, closing(place.open(wait_ms=100_000)) as other:
        for number in range(6):
            call_id = f"call {number}"
            thread = Thread(target=append_until_erased)
            thread.start()
            while len(other.call_entries(call_id)) < 4 and thread.is_alive():
                pass
            other.destroy_key(call_id)
            entries = other.call_entries(call_id)
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
            assert other.call_entries(call_id) == entries
        assert one.verify().ok


def test_a_log_that_another_process_holds_is_waited_for(place: Place) -> None:
    with closing(place.open(wait_ms=20)) as ledger, closing(place.open()) as other:
        for number in range(3):
            ledger.append(heard("a", number))
        with other._database.transaction(write=True) as connection:
            rows.head(connection, "default")
            with pytest.raises(LedgerError, match="another process is writing"):
                ledger.append(heard("a", 3))
        assert ledger.append(heard("a", 3)).seq == 3
        assert ledger.verify().ok


@pytest.mark.parametrize("kept", [True, False])
def test_an_append_that_got_no_answer_is_not_kept_twice_when_it_is_tried_again(
    postgres: Postgres, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = rows.add_next

    def add_next(*arguments: Any) -> bool:
        if kept:
            assert added(*arguments)
        raise OperationalError("", {}, Exception("connection lost"))

    with closing(Ledger.open(postgres.url(), keys=KEYS, clock=lambda: 1000.0)) as ledger:
        for number in range(3):
            ledger.append(heard("a", number))
        with monkeypatch.context() as broken:
            broken.setattr(rows, "add_next", add_next)
            with pytest.raises(LedgerError, match="cannot be reached"):
                ledger.append(heard("a", 3))
        assert ledger.append(heard("a", 3)).seq == 3
        assert ledger.append(heard("a", 4)).seq == 4
        assert [event.at_ms for event in ledger.events("a")] == list(range(5))
        assert ledger.verify().ok
