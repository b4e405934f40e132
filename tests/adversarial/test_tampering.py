"""Somebody who owns the database file, and perhaps the keys, changes the record by hand: it is found and named.

Where a test says that something is *not* found without an anchor, that is the promise's limit, and the reason to have
an anchor: who holds the signing key, or puts an older state of everything back, leaves a record that fits itself.
"""

import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from compliance.errors import ComplianceError
from compliance.events import CallerSaid, SpeechHeard
from compliance.ledger import Ledger, merkle, note
from compliance.ledger.anchors import FileAnchor
from compliance.ledger.checkpoint import Checkpoint, digest
from compliance.ledger.keys import Keyring
from compliance.ledger.verifier import Key, Verification, VerifierError, verify_ledger
from tests.one_fixture import SHARED

pytestmark = pytest.mark.adversarial

EVENTS = 260
KEYS = Keyring.new()
COLUMNS = ("seq", "call_id", "call_seq", "kind", "leaf", "leaf_hash")


@dataclass
class Scene:
    """A ledger of 260 events of four calls, and what was anchored of it."""

    path: Path
    anchor: Path
    vkey: str

    def found(self, *, anchored: bool = False) -> Verification:
        lines = self.anchor.read_bytes().splitlines() if anchored else []
        return verify_ledger(self.path, Key(self.vkey), anchor=lines)

    def tamper(self, work: Callable[["Hand"], object]) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as db:
            db.execute("BEGIN")
            for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                db.execute(f'DROP TRIGGER "{name}"')
            work(Hand(db))
            db.execute("COMMIT")


@dataclass
class Hand:
    """What somebody with the file can do."""

    db: sqlite3.Connection

    def do(self, statement: str, *values: object) -> None:
        assert self.db.execute(statement, values).rowcount, "this changed nothing"

    def rows(self) -> list[dict[str, Any]]:
        rows = self.db.execute(f"SELECT {', '.join(COLUMNS)} FROM entries ORDER BY seq").fetchall()  # noqa: S608
        return [dict(zip(COLUMNS, row, strict=True)) for row in rows]

    def put(self, rows: list[dict[str, Any]], *, hashed: bool = True) -> None:
        """Replaces all events; ``hashed`` makes their hashes anew."""
        self.db.execute("DELETE FROM entries")
        for row in rows:
            if hashed:
                row["leaf_hash"] = merkle.leaf_hash(row["leaf"])
            self.db.execute(
                "INSERT INTO entries (log, seq, call_id, call_seq, kind, leaf, leaf_hash) "
                "VALUES ('default', :seq, :call_id, :call_seq, :kind, :leaf, :leaf_hash)",
                row,
            )

    def renumbered(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rows with new places, in their headers as well."""
        places: dict[str, int] = {}
        time_ms = 0
        for seq, row in enumerate(rows):
            time_ms = max(time_ms, json.loads(row["leaf"].partition(b"\n")[0])["time_ms"])
            row["seq"], row["call_seq"] = seq, places.get(row["call_id"], 0)
            places[row["call_id"]] = row["call_seq"] + 1
            row["leaf"] = with_header(
                row["leaf"], seq=seq, call=row["call_id"], call_seq=row["call_seq"], time_ms=time_ms
            )
        return rows

    def sign(
        self, keys: Keyring = KEYS, *, time_ms: Callable[[int], int] | None = None, since: int = 0
    ) -> None:
        """Signs the log as it is, and checkpoints from ``since`` on, as whoever holds ``keys`` can."""
        signer, origin = keys.of_log("default"), "patchbay.local/ledger/default"
        tree, rows, last_ms = merkle.Frontier(), self.rows(), 0
        self.db.execute("DELETE FROM checkpoints WHERE size > ?", (since,))
        left = self.db.execute("SELECT note FROM checkpoints ORDER BY size DESC").fetchone()
        kept = digest(left[0] if left else "")
        for row in rows:
            tree, _ = tree.extended([row["leaf_hash"]])
            last_ms = max(last_ms, json.loads(row["leaf"].partition(b"\n")[0])["time_ms"])
            at_ms = time_ms(tree.size) if time_ms else last_ms
            text = Checkpoint(origin, tree.size, tree.root, at_ms, kept).text
            if tree.size > since and (tree.size % 100 == 0 or tree.size == len(rows)):
                signed = note.signed(text, origin, signer.public_key, signer.sign)
                self.db.execute("INSERT INTO checkpoints VALUES ('default', ?, ?)", (tree.size, signed))
                kept = digest(signed)
        self.db.execute(
            "UPDATE heads SET size = ?, frontier = ?, note = ?", (tree.size, tree.to_bytes(), signed)
        )

    def old_head(self, size: int) -> None:
        """Puts the state of ``size`` events back in place of the newest."""
        (old,) = self.db.execute("SELECT note FROM checkpoints WHERE size = ?", (size,)).fetchone()
        tree = merkle.Frontier().extended(row["leaf_hash"] for row in self.rows()[:size])[0]
        self.do("UPDATE heads SET size = ?, frontier = ?, note = ?", size, tree.to_bytes(), old)


def with_header(leaf: bytes, **members: object) -> bytes:
    head, _, rest = leaf.partition(b"\n")
    changed = {**json.loads(head), **members}
    return json.dumps(changed, sort_keys=True, separators=(",", ":")).encode() + b"\n" + rest


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8 % len(changed)] ^= 1 << bit % 8
    return bytes(changed)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("ledger")
    path, anchor = folder / "ledger.sqlite", folder / "anchor.jsonl"
    # A clock of our own: checkpoints are kept by number only, so at 100, 200 and, on closing the anchor, 260.
    clock = iter(range(EVENTS * 4))
    with closing(
        Ledger.open(path, keys=KEYS, anchors=[FileAnchor(anchor)], clock=lambda: 1.79e9 + next(clock) / 1000)
    ) as ledger:
        for n in range(EVENTS):
            said = {"call_id": "abcd"[n % 4], "at_ms": n, "start_ms": n, "end_ms": n}
            if n % 3:
                ledger.append(SpeechHeard(**said, speaker="caller"))
            else:
                ledger.append(CallerSaid(**said, text=f"words {n}", confidence=1))
        FileAnchor(anchor).publish(ledger.log, ledger.checkpoint(), hashes_of(ledger))
        vkey = ledger.vkey
    return Scene(path, anchor, vkey)


def hashes_of(ledger: Ledger) -> Callable[[int, int], list[bytes]]:
    return lambda start, stop: [entry.leaf_hash for entry in ledger.entries(start, stop)]


@pytest.fixture
def scene(untouched: Scene, tmp_path: Path) -> Scene:
    return copied(untouched, tmp_path)


def copied(scene: Scene, folder: Path) -> Scene:
    return Scene(Path(shutil.copy(scene.path, folder)), Path(shutil.copy(scene.anchor, folder)), scene.vkey)


def test_what_nobody_touched_holds(scene: Scene) -> None:
    assert scene.found().ok, scene.found().problems
    found = scene.found(anchored=True)
    assert found.ok, found.problems
    assert (found.events, found.anchored) == (EVENTS, EVENTS)


# -- One event is changed, removed, added or moved ------------------------------------------------------------
def edit(seq: int, **values: object) -> Callable[[Hand], None]:
    """Changes columns of one row and nothing else."""

    def work(hand: Hand) -> None:
        for column, value in values.items():
            hand.do(f"UPDATE entries SET {column} = ? WHERE seq = ?", value, seq)  # noqa: S608

    return work


def rewrite(change: Callable[[list[dict[str, Any]]], object], *, hashed: bool) -> Callable[[Hand], None]:
    """Changes the rows; ``hashed`` makes their hashes fit again, as a careful forger does."""

    def work(hand: Hand) -> None:
        rows = hand.rows()
        change(rows)
        hand.put(rows, hashed=hashed)

    return work


def moved(change: Callable[[list[dict[str, Any]]], object]) -> Callable[[Hand], None]:
    """Changes the order or number of the rows, and makes places, headers and hashes fit again."""

    def work(hand: Hand) -> None:
        rows = hand.rows()
        change(rows)
        hand.put(hand.renumbered(rows))

    return work


def ciphertext(rows: list[dict[str, Any]]) -> None:
    rows[150]["leaf"] = rows[150]["leaf"][:-1] + bytes([rows[150]["leaf"][-1] ^ 1])


def kind(rows: list[dict[str, Any]]) -> None:
    rows[150]["leaf"] = with_header(rows[150]["leaf"], kind="call_ended")


def kind_everywhere(rows: list[dict[str, Any]]) -> None:
    kind(rows)
    rows[150]["kind"] = "call_ended"


def added(rows: list[dict[str, Any]]) -> None:
    rows.insert(150, dict(rows[20]))


def swapped(rows: list[dict[str, Any]]) -> None:
    for column in ("leaf", "leaf_hash", "kind", "call_id", "call_seq"):
        rows[150][column], rows[151][column] = rows[151][column], rows[150][column]


def exchanged(rows: list[dict[str, Any]]) -> None:
    rows[150], rows[151] = rows[151], rows[150]


def removed(rows: list[dict[str, Any]]) -> None:
    del rows[150]


@pytest.mark.parametrize(
    ("work", "exact"),
    [
        (rewrite(ciphertext, hashed=False), True),
        (rewrite(ciphertext, hashed=True), False),
        (rewrite(kind, hashed=False), True),
        (rewrite(kind, hashed=True), True),
        (rewrite(kind_everywhere, hashed=False), True),
        (rewrite(kind_everywhere, hashed=True), False),
        (edit(150, leaf=b""), True),
        (edit(150, leaf="text"), True),
        (edit(150, leaf_hash=bytes(32)), True),
        (edit(150, leaf_hash=b""), True),
        (edit(150, kind="call_ended"), True),
        (edit(150, call_id="z"), True),
        (edit(150, call_seq=1_000), True),
        (rewrite(removed, hashed=False), True),
        (moved(removed), False),
        (rewrite(swapped, hashed=False), True),
        (moved(exchanged), False),
        (moved(added), False),
    ],
    ids=[
        "ciphertext", "ciphertext, hashed", "header", "header, hashed", "header and column",
        "header and column, hashed", "leaf emptied", "leaf as text", "hash", "hash emptied", "kind column",
        "call column", "place column", "removed", "removed, all made to fit", "swapped", "swapped, all made to fit",
        "added, all made to fit",
    ],
)  # fmt: skip
def test_a_bad_event_is_found_and_named(scene: Scene, work: Callable[[Hand], None], exact: bool) -> None:
    """``exact``: the file alone shows which one it is. Otherwise the checkpoints around it do, and anchors exactly."""
    scene.tamper(work)

    found, anchored = scene.found(), scene.found(anchored=True)
    assert not found.ok
    assert not anchored.ok
    assert anchored.first is not None
    assert anchored.first.seq == 150
    assert "event 150" in anchored.sentence
    assert found.first is not None
    if exact:
        assert found.first.seq == 150
    else:
        assert (found.first.seq, found.first.since, found.first.until) == (None, 100, 200), found.problems
        assert "among events 100 to 199" in found.sentence
    assert found.proven == anchored.proven == 100


def test_the_finding_names_call_and_kind(scene: Scene) -> None:
    scene.tamper(rewrite(ciphertext, hashed=True))

    found = scene.found(anchored=True)
    assert found.first is not None
    assert (found.first.call, found.first.kind) == ("c", "caller_said")
    assert "event 150 (call c, caller_said) was changed" in found.sentence
    assert "100 events from the first are as signed" in found.sentence


def test_of_several_bad_events_the_first_is_named(scene: Scene) -> None:
    def work(hand: Hand) -> None:
        for seq in (240, 17, 150):
            hand.do("UPDATE entries SET leaf = leaf || X'00' WHERE seq = ?", seq)

    scene.tamper(work)

    found = scene.found()
    assert found.first is not None
    assert (found.first.seq, found.proven) == (17, 0)
    assert [problem.seq for problem in found.problems] == [17, 150, 240]


def test_what_follows_missing_events_is_not_blamed_for_them(scene: Scene) -> None:
    """They take a kept checkpoint's last events along, whose hashes the anchor has."""
    scene.tamper(lambda hand: hand.do("DELETE FROM entries WHERE seq BETWEEN 95 AND 105"))

    found = scene.found(anchored=True)
    assert [problem.seq for problem in found.problems] == [95, 106, 107, 108, 109], found.problems
    assert all("of its call" in problem.what for problem in found.problems[1:]), (
        "one of each of the four calls"
    )


def test_calls_go_on_after_an_event_that_was_filed_under_another(scene: Scene) -> None:
    scene.tamper(edit(150, call_id="z"))

    assert [problem.seq for problem in scene.found().problems] == [150, 154]


# -- An event is there, and nobody is shown it ----------------------------------------------------------------
@pytest.mark.parametrize(
    "column",
    ["seq", "call_id", "call_seq", "kind", "leaf", "leaf_hash"],
)
def test_a_value_stored_as_another_type_is_found_and_named(scene: Scene, column: str) -> None:
    """SQLite's ``WHERE kind = 'token_revoked'`` does not find ``CAST('token_revoked' AS BLOB)``: nor would Patchbay."""
    other = "TEXT" if column in ("leaf", "leaf_hash") else "BLOB"
    scene.tamper(
        lambda hand: hand.do(
            f"UPDATE entries SET {column} = CAST({column} AS {other}) WHERE seq = 150"  # noqa: S608
        )
    )

    for found in (scene.found(), scene.found(anchored=True)):
        assert found.first is not None
        assert found.first.seq == 150
    if column not in ("seq", "call_seq"):
        assert (found.first.call, found.first.kind) == ("c", "caller_said")


@pytest.mark.parametrize("table", ["entries", "checkpoints", "heads"])
def test_a_view_in_place_of_a_table_is_refused(scene: Scene, table: str) -> None:
    """A view can tell who reads it, by what each sets on its connection."""

    def work(hand: Hand) -> None:
        hand.db.execute(f"ALTER TABLE {table} RENAME TO moved")
        hand.db.execute(
            f"CREATE VIEW {table} AS SELECT * FROM moved WHERE (SELECT secure_delete FROM pragma_secure_delete) = 0"  # noqa: S608
        )

    scene.tamper(work)

    with pytest.raises(VerifierError, match="its tables were replaced"):
        scene.found()
    with pytest.raises(ComplianceError, match="removed or replaced"):
        Ledger.open(scene.path, keys=KEYS, must_exist=True)


def test_a_table_with_a_column_that_is_computed_is_refused(scene: Scene) -> None:
    def work(hand: Hand) -> None:
        hand.db.execute("ALTER TABLE entries RENAME COLUMN kind TO kind_")
        hand.db.execute("ALTER TABLE entries ADD COLUMN kind TEXT AS (CAST(kind_ AS BLOB))")

    scene.tamper(work)

    with pytest.raises(VerifierError, match="its tables were replaced"):
        scene.found()


@pytest.mark.parametrize("column", ["kind", "call_id"])
def test_patchbay_itself_refuses_to_read_past_an_event_stored_as_another_type(
    scene: Scene, column: str
) -> None:
    scene.tamper(
        lambda hand: hand.do(
            f"UPDATE entries SET {column} = CAST({column} AS BLOB) WHERE seq = 150"  # noqa: S608
        )
    )

    with closing(Ledger.open(scene.path, keys=KEYS, must_exist=True)) as ledger:
        for kinds in ((), ("caller_said",)):
            with pytest.raises(ComplianceError, match="Verify the ledger"):
                ledger.events("c", kinds=kinds)
        assert len(ledger.events("a")) == EVENTS // 4


# -- The end is cut, the past put back ------------------------------------------------------------------------
def cut(hand: Hand, size: int) -> None:
    hand.do("DELETE FROM entries WHERE seq >= ?", size)


def test_a_cut_tail_is_found(scene: Scene) -> None:
    scene.tamper(lambda hand: cut(hand, 240))

    for found in (scene.found(), scene.found(anchored=True)):
        assert found.first is not None
        assert found.first.seq == 240
        assert "is missing" in found.sentence


def test_a_tail_cut_with_head_and_checkpoints_is_found_with_an_anchor(scene: Scene) -> None:
    def work(hand: Hand) -> None:
        hand.old_head(200)
        cut(hand, 200)
        hand.db.execute("DELETE FROM checkpoints WHERE size > 200")

    scene.tamper(work)

    assert scene.found().ok, "without an anchor this is a ledger as it once was"
    found = scene.found(anchored=True)
    assert found.first is not None
    assert (found.first.seq, found.proven) == (200, 200)
    assert "they were anchored" in found.sentence


def test_a_cut_tail_is_found_by_the_checkpoint_that_was_left(scene: Scene) -> None:
    def work(hand: Hand) -> None:
        hand.old_head(100)
        cut(hand, 100)

    scene.tamper(work)

    found = scene.found()
    assert found.first is not None
    assert found.first.seq == 100
    assert "there is a checkpoint of 200 events" in found.sentence


def test_a_log_without_events_or_head_is_not_one_that_holds(scene: Scene) -> None:
    scene.tamper(
        lambda hand: [
            hand.do(f"DELETE FROM {table}")  # noqa: S608
            for table in ("entries", "heads", "checkpoints")
        ]
    )

    with pytest.raises(VerifierError, match="it is empty"):
        scene.found()


def test_a_missing_head_is_found(scene: Scene) -> None:
    scene.tamper(lambda hand: hand.do("DELETE FROM heads"))

    assert "no head" in scene.found().sentence


def test_an_old_head_put_back_is_found(scene: Scene) -> None:
    scene.tamper(lambda hand: hand.old_head(200))

    found = scene.found()
    assert found.first is not None
    assert found.first.seq == 200
    assert "an older head was put back" in found.sentence


@pytest.mark.parametrize("where", ["checkpoints WHERE size = 200", "heads"])
def test_a_replayed_checkpoint_is_found(scene: Scene, where: str) -> None:
    table, _, condition = where.partition(" ")

    def work(hand: Hand) -> None:
        hand.do(f"UPDATE {table} SET note = (SELECT note FROM checkpoints WHERE size = 100) {condition}")  # noqa: S608

    scene.tamper(work)

    found = scene.found()
    assert not found.ok
    assert "was replaced by that of 100 events" in found.sentence


def test_a_kept_checkpoint_that_was_removed_is_found(scene: Scene) -> None:
    scene.tamper(lambda hand: hand.do("DELETE FROM checkpoints WHERE size = 100"))

    found = scene.found()
    assert found.first is not None
    assert (found.first.since, found.first.until, found.proven) == (0, 200, EVENTS)
    assert "of the checkpoints before the checkpoint of 200 events one was changed, removed or added" in (
        found.sentence
    )


# -- Whoever holds the keys, or others ------------------------------------------------------------------------
def test_a_swapped_key_is_found(scene: Scene) -> None:
    scene.tamper(lambda hand: (rewrite(ciphertext, hashed=True)(hand), hand.sign(Keyring.new())))

    found, anchored = scene.found(), scene.found(anchored=True)
    assert (found.ok, found.proven) == (False, 0)
    assert "is not signed by the key patchbay.local/ledger/default" in found.sentence
    assert 150 in [problem.seq for problem in anchored.problems]


def test_a_key_swapped_for_the_tail_alone_is_found(scene: Scene) -> None:
    scene.tamper(lambda hand: (rewrite(ciphertext, hashed=True)(hand), hand.sign(Keyring.new(), since=100)))

    found = scene.found()
    assert found.first is not None
    assert (found.first.since, found.first.until, found.proven) == (100, 200, 100)


def test_a_second_history_signed_with_the_true_key_is_found_with_an_anchor(scene: Scene) -> None:
    scene.tamper(lambda hand: (rewrite(ciphertext, hashed=True)(hand), hand.sign()))

    assert scene.found().ok, "without an anchor nothing contradicts it"
    found = scene.found(anchored=True)
    assert found.first is not None
    assert (found.first.seq, found.proven) == (150, 100)
    assert any("two histories were signed" in problem.what for problem in found.problems)


def test_another_tail_signed_with_the_true_key_is_found_with_an_anchor(scene: Scene) -> None:
    def work(hand: Hand) -> None:
        hand.put(hand.renumbered(hand.rows()[:230] + hand.rows()[30:50]))
        hand.sign(since=200)

    scene.tamper(work)

    assert scene.found().ok
    found = scene.found(anchored=True)
    assert found.first is not None
    assert (found.first.seq, found.proven) == (230, 200)


def test_two_histories_in_one_file_contradict_each_other(scene: Scene) -> None:
    """The head is signed over a changed event; a checkpoint over the true one was left."""
    scene.tamper(lambda hand: (rewrite(ciphertext, hashed=True)(hand), hand.sign(since=200)))

    found = scene.found()
    assert found.first is not None
    assert (found.first.since, found.first.until, found.proven) == (100, 200, 100)


def test_a_clock_turned_back_is_found_even_if_all_is_signed(scene: Scene) -> None:
    def back(rows: list[dict[str, Any]]) -> None:
        rows[150]["leaf"] = with_header(rows[150]["leaf"], time_ms=1_600_000_000_000)

    scene.tamper(lambda hand: (rewrite(back, hashed=True)(hand), hand.sign()))

    found = scene.found()
    assert found.first is not None
    assert found.first.seq == 150
    assert "clock that ran backwards" in found.sentence


def test_checkpoints_signed_by_a_clock_turned_back_are_found(scene: Scene) -> None:
    scene.tamper(lambda hand: hand.sign(time_ms=lambda size: 1_900_000_000_000 - size))

    assert "the checkpoint of 200 events was signed by a clock that ran backwards" in scene.found().sentence


def test_calls_whose_keys_were_swapped_are_not_read(scene: Scene) -> None:
    """The record still holds, being of ciphertext; reading says which call's key was changed."""

    def work(hand: Hand) -> None:
        (a,) = hand.db.execute("SELECT wrapped FROM call_keys WHERE call_id = 'a'").fetchone()
        hand.do(
            "UPDATE call_keys SET wrapped = (SELECT wrapped FROM call_keys WHERE call_id = 'b') WHERE call_id = 'a'"
        )
        hand.do("UPDATE call_keys SET wrapped = ? WHERE call_id = 'b'", a)

    scene.tamper(work)

    with closing(Ledger.open(scene.path, keys=KEYS, must_exist=True)) as ledger:
        for call in "ab":
            with pytest.raises(ComplianceError, match=f"call {call}"):
                ledger.events(call)
        assert len(ledger.events("c")) == EVENTS // 4


# -- The anchor itself ----------------------------------------------------------------------------------------
def test_an_anchor_that_was_changed_says_where(scene: Scene) -> None:
    lines = scene.anchor.read_bytes().splitlines(keepends=True)
    told = json.loads(lines[2])
    told["hashes"] = "A" * 43 + "=" + told["hashes"][44:]
    scene.anchor.write_bytes(b"".join([*lines[:2], json.dumps(told).encode() + b"\n", *lines[3:]]))

    found = scene.found(anchored=True)
    assert not found.ok
    assert any(
        "line 4 of the anchor is not what the key signed" in problem.what for problem in found.problems
    )


def test_lines_that_a_crash_cut_short_do_no_harm(scene: Scene) -> None:
    lines = scene.anchor.read_bytes().splitlines(keepends=True)
    scene.anchor.write_bytes(b"".join([*lines[:2], lines[2][:50] + b"\n", b"\n", *lines[2:], lines[0][:70]]))

    assert scene.found(anchored=True).ok


# -- Anything, anywhere ---------------------------------------------------------------------------------------
_PLACES = [
    *(("entries", column) for column in COLUMNS),
    *(("checkpoints", column) for column in ("size", "note")),
    *(("heads", column) for column in ("size", "frontier", "note")),
]


@settings(max_examples=80, deadline=None, suppress_health_check=SHARED)
@given(st.data())
def test_any_damage_to_any_stored_value_is_found(
    untouched: Scene, tmp_path: Path, data: st.DataObject
) -> None:
    table, column = data.draw(st.sampled_from(_PLACES))
    scene = copied(untouched, tmp_path)

    def work(hand: Hand) -> None:
        rows = hand.db.execute(f"SELECT rowid, {column} FROM {table} ORDER BY rowid").fetchall()  # noqa: S608
        rowid, value = rows[data.draw(st.integers(0, len(rows) - 1))]
        match value:
            case _ if data.draw(st.integers(0, 3)) == 0:  # the same, of another type
                changed: object = value.decode("latin-1") if isinstance(value, bytes) else str(value).encode()
            case bytes():
                changed = flipped(value, data.draw(st.integers(0, 8 * len(value) - 1)))
            case str():
                changed = flipped(value.encode(), data.draw(st.integers(0, 8 * len(value.encode()) - 1)))
                changed = changed.decode("latin-1")
            case _:
                changed = value ^ 1 << data.draw(st.integers(0, 62))
        assume(changed != value)
        try:
            hand.do(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", changed, rowid)  # noqa: S608
        except sqlite3.IntegrityError:
            assume(False)

    scene.tamper(work)

    assert not scene.found().ok
    assert not scene.found(anchored=True).ok


@settings(max_examples=25, deadline=None, suppress_health_check=SHARED)
@given(gone=st.sets(st.integers(0, EVENTS - 1), min_size=1, max_size=6))
def test_any_removal_is_found_at_the_first_that_is_gone(
    untouched: Scene, tmp_path: Path, gone: set[int]
) -> None:
    scene = copied(untouched, tmp_path)
    scene.tamper(lambda hand: [hand.do("DELETE FROM entries WHERE seq = ?", seq) for seq in gone])

    for found in (scene.found(), scene.found(anchored=True)):
        assert found.first is not None
        assert found.first.seq == min(gone)


@settings(max_examples=60, deadline=None, suppress_health_check=SHARED)
@given(seed=st.integers(0, 2**32), bytes_=st.integers(1, 400), cut=st.booleans())
def test_a_damaged_file_is_found_or_refused_and_nothing_else_happens(
    untouched: Scene, tmp_path: Path, seed: int, bytes_: int, cut: bool
) -> None:
    """Pages hold more than rows; where the damage misses the rows, what is read is as it was."""
    chance = random.Random(seed)  # noqa: S311 # no secret
    pages = untouched.path.read_bytes()
    damaged = bytearray(pages[: chance.randrange(len(pages))] if cut else pages)
    for _ in range(bytes_ if damaged else 0):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    scene = copied(untouched, tmp_path)
    scene.path.write_bytes(bytes(damaged))
    try:
        found = scene.found(anchored=True)
    except VerifierError:
        return
    if found.ok:
        assert everything(scene.path) == everything(untouched.path)


def everything(path: Path) -> list[list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(path)) as db:
        return [
            db.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY 1").fetchall()  # noqa: S608
            for table, columns in (
                ("entries", COLUMNS),
                ("checkpoints", ("size", "note")),
                ("heads", ("size", "note")),
            )
        ]


def test_other_files_are_refused(tmp_path: Path, untouched: Scene) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "noise").write_bytes(random.Random(1).randbytes(9_000))  # noqa: S311 # no secret
    with closing(sqlite3.connect(tmp_path / "other")) as db:
        db.execute("CREATE TABLE notes (text)")
    with closing(sqlite3.connect(tmp_path / "blobs")) as db:
        for table in ("entries", "heads", "checkpoints"):
            db.execute(f"CREATE TABLE {table} (log)")
            db.execute(f"INSERT INTO {table} VALUES (X'FF'), (7)")  # noqa: S608
        db.commit()
    with closing(sqlite3.connect(tmp_path / "alike")) as db:
        for table in ("entries", "heads", "checkpoints"):
            db.execute(f"CREATE TABLE {table} (log, text)")
    for name in ("empty", "noise", "other", "blobs", "alike", "absent", "."):
        with pytest.raises(VerifierError):
            verify_ledger(tmp_path / name, Key(untouched.vkey))
