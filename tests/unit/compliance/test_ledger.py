"""The ledger keeps what it is given, in order, and shows when somebody changed it."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from compliance.errors import LedgerError, UnstorableEventError
from compliance.events import CallEnded, Event, SpeechHeard, ToolCalled
from compliance.ledger import Ledger, Receipt

pytestmark = pytest.mark.unit


def heard(call_id: str, at_ms: float) -> SpeechHeard:
    return SpeechHeard(call_id=call_id, at_ms=at_ms, speaker="caller", start_ms=at_ms, end_ms=at_ms + 0.5)


def tool(call_id: str, result: object) -> ToolCalled:
    return ToolCalled(
        call_id=call_id,
        at_ms=1,
        turn=1,
        engine="tool",
        name="find",
        arguments={},
        result=result,
        failed=False,
        took_ms=1,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


def tampered(path: Path, *statements: str) -> None:
    """Changes the file behind the ledger's back, as somebody with write access can."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            db.execute(statement)


@pytest.fixture
def ledger(path: Path):
    with closing(Ledger.open(path)) as ledger:
        yield ledger


@pytest.fixture
def two_calls(ledger: Ledger) -> Ledger:
    """Six entries: calls ``a`` and ``b`` in turn."""
    ledger.append_many([heard("ab"[i % 2], i) for i in range(6)])
    return ledger


def test_events_come_back_as_they_were_in_the_order_they_were_appended(ledger: Ledger) -> None:
    events: list[Event] = [
        heard("a", 1),
        tool("a", {"é": [1, 2.5, None, "ü\u2028"]}),
        CallEnded(call_id="a", at_ms=9, reason="hang-up", turns=1, cost_usd=0.01),
    ]

    receipts = ledger.append_many(events)

    assert ledger.events("a") == tuple(events)
    assert [r.seq for r in receipts] == [1, 2, 3]
    assert ledger.verify().ok
    assert ledger.verify("a").head == receipts[-1].hash


def test_a_reopened_ledger_goes_on_where_it_was(path: Path) -> None:
    for at_ms in (1, 2, 3):
        with closing(Ledger.open(path)) as ledger:
            assert ledger.append(heard("a", at_ms)).seq == at_ms
    with closing(Ledger.open(path, must_exist=True)) as ledger:
        check = ledger.verify("a")

    assert (check.ok, check.events) == (True, 3)


def test_calls_are_listed_in_the_order_they_began(two_calls: Ledger) -> None:
    assert two_calls.calls() == ("a", "b")
    assert [e.at_ms for e in two_calls.events("b")] == [1, 3, 5]
    assert two_calls.events("unknown") == ()
    assert not two_calls.verify("unknown").ok


def test_only_events_of_the_kinds_asked_for_are_read(ledger: Ledger) -> None:
    ledger.append_many([heard("a", 1), tool("a", 1), heard("a", 2)])

    assert [e.at_ms for e in ledger.events("a", kinds=["speech_heard"])] == [1, 2]


def test_a_policy_is_kept_once_under_its_hash_and_is_no_event(ledger: Ledger, path: Path) -> None:
    assert ledger.policy("ab" * 32) is None
    for text in ("# as it was\nrules: []\n", "rules: []"):  # the same policy, laid out otherwise
        ledger.keep_policy("ab" * 32, "support", 14, text)
    with closing(Ledger.open(path, must_exist=True)) as reopened:
        assert reopened.policy("ab" * 32) == "# as it was\nrules: []\n"
        assert reopened.policy("cd" * 32) is None
        assert reopened.verify().ok
        assert reopened.calls() == ()


def test_a_ledger_from_before_the_archive_gets_one_when_a_policy_is_kept(path: Path) -> None:
    Ledger.open(path).close()
    tampered(path, "DROP TABLE policies")
    with closing(Ledger.open(path)) as ledger:
        assert ledger.policy("ab" * 32) is None
        ledger.keep_policy("ab" * 32, "support", 14, "rules: []")

        assert ledger.policy("ab" * 32) == "rules: []"
    with closing(sqlite3.connect(path)) as db, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute("DELETE FROM policies")


def test_the_same_events_in_another_call_have_other_hashes(ledger: Ledger) -> None:
    first, second = ledger.append(heard("a", 1)), ledger.append(heard("b", 1))

    assert first.hash != second.hash


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET at_ms = 99 WHERE seq = 2",
        "DELETE FROM events WHERE seq = 6",
        "DELETE FROM heads",
        "UPDATE heads SET events = 1 WHERE call_id = 'a'",
        "UPDATE policies SET text = 'rules: []'",
        "DELETE FROM policies",
    ],
)
def test_the_database_refuses_to_change_or_remove_rows(two_calls: Ledger, path: Path, statement: str) -> None:
    two_calls.keep_policy("ab" * 32, "support", 1, "policy: {name: support}")
    with closing(sqlite3.connect(path)) as db, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute(statement)


@pytest.mark.parametrize(
    ("statements", "problem"),
    [
        (["UPDATE events SET body = replace(body, 'caller', 'agent') WHERE seq = 3"], "entry 3 of call a was changed"),
        (["UPDATE events SET at_ms = 7 WHERE seq = 3"], "columns do not match its body"),
        (["UPDATE events SET kind = 'call_ended' WHERE seq = 3"], "columns do not match its body"),
        (["DELETE FROM events WHERE seq = 3"], "entry 3 is missing"),
        (["DELETE FROM events WHERE seq = 6"], "call b ends after 2 entries, but should have 3"),
        (["DELETE FROM events WHERE call_id = 'b'"], "call b is missing altogether"),
        (["DELETE FROM events WHERE call_id = 'a'", "DELETE FROM heads WHERE call_id = 'a'"], "entry 1 is missing"),
        (["DELETE FROM heads WHERE call_id = 'a'"], "does not know the call"),
        (["UPDATE events SET seq = -1 WHERE seq = 3", "UPDATE events SET seq = 3 WHERE seq = 5",
          "UPDATE events SET seq = 5 WHERE seq = -1"], "not chained"),
        (["INSERT INTO events SELECT 7, call_id, 4, kind, at_ms, body, hash, hash FROM events WHERE seq = 5"],
         "entry 7 of call a was changed"),
        (["UPDATE events SET call_id = 'c' WHERE seq = 5"], "not chained"),
        (["UPDATE events SET body = X'FF' WHERE seq = 1"], "wrong type"),
        (["UPDATE events SET body = CAST(X'FF' AS TEXT) WHERE seq = 1"], "was changed"),
        (["UPDATE events SET previous_hash = 'zz' WHERE seq = 1"], "not chained"),
    ],
)  # fmt: skip
def test_tampering_is_found_and_named(
    two_calls: Ledger, path: Path, statements: list[str], problem: str
) -> None:
    tampered(path, *statements)

    check = two_calls.verify()

    assert not check.ok
    assert any(problem in found for found in check.problems), check.problems
    assert check.sentence.startswith(check.problems[0])


_value = st.one_of(
    st.integers(-(2**40), 2**40), st.text(max_size=12), st.floats(allow_nan=False), st.binary(max_size=8),
    st.sampled_from(["a", "b", "00" * 32]),
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(1, 6),
    st.sampled_from(["seq", "call_id", "call_seq", "kind", "at_ms", "body", "previous_hash", "hash"]),
    _value,
)
def test_any_edit_of_any_value_is_found(tmp_path_factory, seq: int, column: str, value: object) -> None:
    path = tmp_path_factory.mktemp("edit") / "ledger.sqlite"
    with closing(Ledger.open(path)) as ledger:
        ledger.append_many([heard("ab"[i % 2], i) for i in range(6)])
        tampered(path)
        with closing(sqlite3.connect(path)) as db:
            before = db.execute("SELECT * FROM events ORDER BY seq").fetchall()
            try:
                db.execute(f"UPDATE events SET {column} = ? WHERE seq = ?", (value, seq))  # noqa: S608
            except (sqlite3.IntegrityError, sqlite3.OperationalError):
                assume(False)
            db.commit()
            assume(db.execute("SELECT * FROM events ORDER BY seq").fetchall() != before)

        assert not ledger.verify().ok


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(1, 6), min_size=1, max_size=5))
def test_any_removal_of_entries_is_found(tmp_path_factory, gone: set[int]) -> None:
    path = tmp_path_factory.mktemp("cut") / "ledger.sqlite"
    with closing(Ledger.open(path)) as ledger:
        ledger.append_many([heard("ab"[i % 2], i) for i in range(6)])
        tampered(path, *(f"DELETE FROM events WHERE seq = {seq}" for seq in gone))  # noqa: S608

        assert not ledger.verify().ok


def test_a_consistent_rewriting_changes_the_published_head(tmp_path: Path) -> None:
    heads = []
    for at_ms in (1, 2):
        with closing(Ledger.open(tmp_path / f"{at_ms}.sqlite")) as ledger:
            ledger.append(heard("a", at_ms))
            assert ledger.verify().ok
            heads.append(ledger.verify().head)

    assert heads[0] != heads[1]


def test_threads_and_ledgers_append_to_one_file_without_losing_an_event(path: Path) -> None:
    receipts: list[Receipt] = []

    def append(ledger: Ledger, call_id: str) -> None:
        receipts.extend(ledger.append(heard(call_id, i)) for i in range(15))

    with closing(Ledger.open(path)) as one, closing(Ledger.open(path)) as other:
        threads = [
            threading.Thread(target=append, args=(ledger, f"call {i}"))
            for i, ledger in enumerate((one, one, other, other))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check = one.verify()

    assert (check.ok, check.events) == (True, 60)
    assert sorted(r.seq for r in receipts) == list(range(1, 61))


_APPENDING = """
import sys
from compliance.events import SpeechHeard
from compliance.ledger import Ledger
ledger = Ledger.open(sys.argv[1])
for i in range(100_000):
    event = SpeechHeard(call_id=sys.argv[2], at_ms=i, speaker="agent", start_ms=i, end_ms=i + 1)
    receipt = ledger.append(event)
    print(receipt.seq, flush=True)
"""


def test_a_killed_process_leaves_a_ledger_that_verifies_and_has_all_it_acknowledged(path: Path) -> None:
    with subprocess.Popen(  # noqa: S603 # our own code
        [sys.executable, "-c", _APPENDING, str(path), "killed"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        seen = [int(process.stdout.readline()) for _ in range(50)]
        os.kill(process.pid, signal.SIGKILL)
        seen += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    with closing(Ledger.open(path)) as ledger:
        check = ledger.verify()
        ledger.append(heard("after", 1))

        assert check.ok
        assert check.events >= seen[-1]
        assert ledger.verify().ok


def test_an_event_that_is_not_json_is_refused_and_nothing_is_written(ledger: Ledger) -> None:
    for value in (2**60, "\ud800"):
        with pytest.raises(UnstorableEventError, match="tool_called event of call a"):
            ledger.append_many([heard("a", 1), tool("a", value)])

    assert ledger.calls() == ()


def test_a_locked_ledger_says_so(path: Path) -> None:
    with closing(Ledger.open(path, wait_ms=1)) as ledger, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="another process is writing"):
            ledger.append(heard("a", 1))


def test_a_full_disk_says_so(path: Path) -> None:
    with closing(Ledger.open(path)) as ledger:
        with ledger._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")
        with pytest.raises(LedgerError, match="disk is full"):
            ledger.append_many([tool("a", "x" * 100_000)])


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
    ):
        with pytest.raises(LedgerError, match=told):
            Ledger.open(where)
    with pytest.raises(LedgerError, match="no ledger here"):
        Ledger.open(tmp_path / "absent", must_exist=True)
    assert not (tmp_path / "absent").exists()


def test_a_ledger_of_a_later_format_is_not_touched(path: Path) -> None:
    Ledger.open(path).close()
    tampered(path, "UPDATE patchbay_ledger SET format = 9")

    with pytest.raises(LedgerError, match="format 9"):
        Ledger.open(path)


def test_a_damaged_file_says_so(path: Path) -> None:
    with closing(Ledger.open(path)) as ledger:
        ledger.append_many([tool("a", "x" * 5000) for _ in range(20)])
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    path.write_bytes(bytes(data))

    with pytest.raises(LedgerError, match="damaged"), closing(Ledger.open(path)) as ledger:
        ledger.verify()
