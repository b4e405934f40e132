"""A ledger keeps what it is given, in order, on every store, and nobody reads what was erased."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.errors import ErasedError, LedgerError, LedgerKeysError, UnstorableEventError
from compliance.events import CallEnded, CallerSaid, Event
from compliance.ledger import Entry, Ledger
from compliance.ledger.checkpoint import Checkpoint
from compliance.ledger.head import KEEP_EVENTS
from compliance.ledger.keys import Keyring, key_file
from compliance.ledger.merkle import Frontier, leaf_hash
from compliance.ledger.verifier import Key, included
from compliance.oversight import Accessed
from tests.one_fixture import SHARED
from tests.unit.compliance.ledger.conftest import Place, heard, tool

pytestmark = pytest.mark.unit


def accessed(call_id: str) -> Accessed:
    return Accessed(
        call_id=call_id, at="2026-11-21T18:00:00Z", actor="local:ada", role="auditor", what="search", events=2
    )


def said(call_id: str, text: str) -> CallerSaid:
    return CallerSaid(call_id=call_id, at_ms=0, start_ms=0, end_ms=1, text=text, confidence=1)


# -- Adding and reading ---------------------------------------------------------------------------------------
def test_events_come_back_as_they_were_in_the_order_they_were_appended(ledger: Ledger) -> None:
    events: list[Event] = [
        heard("a", 1),
        tool("a", {"é": [1, 2.5, None, "ü\u2028\x00"]}),
        CallEnded(call_id="a", at_ms=9, reason="hang-up", turns=1, cost_usd=0.01),
    ]

    receipts = ledger.append_many(events)

    assert ledger.events("a") == tuple(events)
    assert [r.seq for r in receipts] == [0, 1, 2]
    assert [r.hash for r in receipts] == [entry.leaf_hash.hex() for entry in ledger.entries()]
    assert ledger.verify().ok


def test_a_reopened_ledger_goes_on_where_it_was(place: Place) -> None:
    for number in range(3):
        with closing(place.open()) as ledger:
            assert ledger.append(heard("a", number)).seq == number
    with closing(place.open(must_exist=True)) as ledger:
        assert len(ledger.events("a")) == 3
        found = ledger.verify()

    assert (found.ok, found.events) == (True, 3)


def test_calls_are_listed_in_the_order_they_began(two_calls: Ledger) -> None:
    assert two_calls.calls() == ("a", "b")
    assert [e.at_ms for e in two_calls.events("b")] == [1, 3, 5]
    assert two_calls.events("unknown") == ()


def test_only_events_of_the_kinds_asked_for_are_read(ledger: Ledger) -> None:
    ledger.append_many([heard("a", 1), tool("a", 1), heard("a", 2)])

    assert [e.at_ms for e in ledger.events("a", kinds=["speech_heard"])] == [1, 2]


def test_events_about_the_record_are_in_the_log_but_not_among_a_calls(two_calls: Ledger) -> None:
    events = [accessed("a"), accessed("")]
    two_calls.append_many([events[0], heard("a", 9), events[1]])

    assert two_calls.oversight() == tuple(events)
    assert {e.kind for e in two_calls.events("a")} == {"speech_heard"}
    assert two_calls.calls() == ("a", "b")
    assert two_calls.events("") == ()
    assert two_calls.verify().ok


def test_raw_entries_are_read_a_part_at_a_time_and_say_nothing_in_the_clear(ledger: Ledger) -> None:
    ledger.append_many([said("a", "my name is Ada Lovelace") for _ in range(600)])

    assert [entry.seq for entry in ledger.entries()] == list(range(600))
    assert [entry.seq for entry in ledger.entries(590, 595)] == [590, 591, 592, 593, 594]
    assert not list(ledger.entries(600))
    assert all(leaf_hash(e.leaf) == e.leaf_hash and b"Lovelace" not in e.leaf for e in ledger.entries())
    assert len({entry.leaf_hash for entry in ledger.entries()}) == 600  # the same event, another leaf
    (entry,) = ledger.entries(7, 8)
    assert ledger.event(entry) == said("a", "my name is Ada Lovelace")
    assert '"text":"my name is Ada Lovelace"' in ledger.body(entry)
    assert len(ledger.call_entries("a")) == 600


def test_an_entry_commits_to_its_event_with_a_key_of_its_own(two_calls: Ledger) -> None:
    import hmac

    from compliance.ledger.leaf import header_of

    for entry in two_calls.entries():
        opening = two_calls.derived_key(entry.call_id, f"opening {entry.seq}")
        told = hmac.digest(opening, two_calls.body(entry).encode(), "sha256").hex()
        assert header_of(entry.leaf).commit == told


def test_a_policy_is_kept_once_under_its_hash_and_is_no_event(ledger: Ledger, place: Place) -> None:
    assert ledger.policy("ab" * 32) is None
    for text in ("# as it was\nrules: []\n", "rules: []"):  # the same policy, laid out otherwise
        ledger.keep_policy("ab" * 32, "support", 14, text)
    with closing(place.open(must_exist=True)) as reopened:
        assert reopened.policy("ab" * 32) == "# as it was\nrules: []\n"
        assert reopened.policy("cd" * 32) is None
        assert reopened.verify().ok
        assert reopened.calls() == ()


def test_an_event_that_is_not_json_is_refused_and_nothing_is_written(ledger: Ledger) -> None:
    for event in (tool("a", 2**60), tool("a", "\ud800"), heard("", 1), heard("a\x00", 1)):
        with pytest.raises(UnstorableEventError, match="event of call"):
            ledger.append_many([heard("a", 1), event])

    assert ledger.calls() == ()
    assert ledger.append_many([]) == ()


def test_an_utterance_of_a_megabyte_is_kept(ledger: Ledger) -> None:
    event = said("a", "Grüße " * 150_000)
    ledger.append(event)

    assert ledger.events("a") == (event,)
    assert ledger.verify().ok


_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_number = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-(2.0**53), 2.0**53)
_json = st.recursive(
    st.none() | st.booleans() | _number | _text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=40, deadline=None, suppress_health_check=SHARED)
@given(st.lists(st.tuples(_text, _json), max_size=5))
def test_whatever_is_appended_comes_back(ledger: Ledger, items: list[tuple[str, object]]) -> None:
    events = [tool(f"call {call_id}".replace("\x00", ""), value) for call_id, value in items]
    before = {event.call_id: ledger.events(event.call_id) for event in events}
    ledger.append_many(events)
    for call_id, earlier in before.items():
        assert ledger.events(call_id) == (*earlier, *(e for e in events if e.call_id == call_id))


# -- Tenants --------------------------------------------------------------------------------------------------
def test_each_tenant_has_a_log_and_keys_of_its_own(place: Place) -> None:
    with closing(place.open(tenant="acme")) as acme, closing(place.open(tenant="Straße & Co")) as other:
        acme.append(heard("a", 1))
        other.append_many([heard("a", 2), heard("b", 3)])

        assert (acme.calls(), other.calls()) == (("a",), ("a", "b"))
        assert acme.derived_key("a", "x") != other.derived_key("a", "x")
        assert acme.vkey.split("+")[2] != other.vkey.split("+")[2]
        assert other.origin == "patchbay.local/ledger/Stra%C3%9Fe%20%26%20Co"
        assert acme.verify().ok
        assert other.verify().ok
    with pytest.raises(LedgerError, match=r"no log 'nobody' in it\. It has: Straße & Co, acme"):
        place.open(tenant="nobody", must_exist=True)


def test_a_log_keeps_the_name_that_it_began_with(place: Place) -> None:
    place.open(origin="record.example.com").close()
    with closing(place.open(origin="elsewhere.example.com")) as ledger:
        assert ledger.origin == "record.example.com/default"
        assert ledger.verify().ok


# -- Checkpoints and proofs -----------------------------------------------------------------------------------
def test_every_commit_is_signed_for_everybody_to_verify(ledger: Ledger) -> None:
    for size in range(4):
        note = ledger.checkpoint()
        text, _, signature = note.partition("\n\n— ")
        name, encoded = signature.split()
        origin, key_id, public = ledger.vkey.split("+", 2)
        raw = base64.b64decode(encoded)
        read = Checkpoint.read(note)

        assert (name, raw[:4].hex()) == (origin, key_id)
        Ed25519PublicKey.from_public_bytes(base64.b64decode(public)[1:]).verify(raw[4:], f"{text}\n".encode())
        assert read.size == size
        assert read.root == Frontier().extended(e.leaf_hash for e in ledger.entries())[0].root
        ledger.append(heard("a", size))


def test_checkpoints_are_kept_every_hundred_events_every_second_and_at_the_end_of_a_call(
    place: Place,
) -> None:
    now_s = [1_000.0]
    with closing(place.open(clock=lambda: now_s[0])) as ledger:
        ledger.append(heard("a", 1))
        assert place.execute("SELECT size FROM checkpoints") == []
        ledger.append(CallEnded(call_id="a", at_ms=9, reason="hang-up", turns=1, cost_usd=0))
        ledger.append(heard("b", 1))
        now_s[0] += 1
        ledger.append(heard("b", 2))
        ledger.append_many([heard("b", 3)] * (KEEP_EVENTS - 1))
        ledger.append(heard("b", 4))
        kept = [(size,) for size in (2, 4, 4 + KEEP_EVENTS)]
        assert [tuple(row) for row in place.execute("SELECT size FROM checkpoints ORDER BY size")] == kept
        assert ledger.verify().ok


def test_a_clock_that_goes_back_does_not_take_the_log_with_it(place: Place) -> None:
    times_s = iter([3_000.0, 2_000.0, 1_000.0, 4_000.0])
    with closing(place.open(clock=lambda: next(times_s))) as ledger:
        signed_ms = [Checkpoint.read(ledger.checkpoint()).time_ms]
        for number in range(3):
            ledger.append(heard("a", number))
            signed_ms.append(Checkpoint.read(ledger.checkpoint()).time_ms)

        assert signed_ms == [3_000_000, 3_000_000, 3_000_000, 4_000_000]
        assert ledger.verify().ok


def test_every_entry_is_proved_to_be_in_the_log_and_every_size_to_be_its_beginning(ledger: Ledger) -> None:
    ledger.append_many([heard("a", i) for i in range(300)])
    first = Checkpoint.read(ledger.checkpoint())
    ledger.append_many([heard("b", i) for i in range(300)])
    head = Checkpoint.read(ledger.checkpoint())
    hashes = [entry.leaf_hash for entry in ledger.entries()]

    for seq in (0, 1, 255, 256, 257, 299, 300, 511, 512, 599):
        proof = list(ledger.inclusion_proof(seq, head.size))
        assert included(hashes[seq], seq, head.size, proof, head.root)
    assert included(hashes[5], 5, 300, list(ledger.inclusion_proof(5, 300)), first.root)
    assert ledger.consistency_proof(300, 600)
    asked: tuple[Callable[[], object], ...] = (
        lambda: ledger.inclusion_proof(600, 600),
        lambda: ledger.inclusion_proof(0, 601),
        lambda: ledger.consistency_proof(600, 601),
        lambda: ledger.consistency_proof(2, 1),
    )
    for call in asked:
        with pytest.raises(LedgerError):
            call()


def test_another_text_is_signed_only_where_it_is_no_checkpoint(ledger: Ledger) -> None:
    text = f"{ledger.origin}/export\nabc  calls.jsonl\n"
    assert Key(ledger.vkey).opened(ledger.sign(text).encode()) == text.encode()
    for wrong in (f"{ledger.origin}\n7\n", "no end"):
        with pytest.raises(LedgerError, match="no checkpoint"):
            ledger.sign(wrong)


# -- Erasing --------------------------------------------------------------------------------------------------
def test_an_erased_call_cannot_be_read_or_added_to_and_the_log_verifies(
    two_calls: Ledger, place: Place
) -> None:
    with closing(place.open()) as other:  # a process that has the key in memory
        assert len(other.events("a")) == 3
        assert two_calls.destroy_key("a")
        assert not two_calls.destroy_key("a")

        for ledger in (two_calls, other):
            for use in (
                lambda: ledger.events("a"),  # noqa: B023 # used at once
                lambda: ledger.append_many([heard("b", 9), heard("a", 9)]),  # noqa: B023
                lambda: ledger.derived_key("a", "recording"),  # noqa: B023
                lambda: ledger.event(ledger.call_entries("a")[0]),  # noqa: B023
            ):
                with pytest.raises(ErasedError, match="call a was erased"):
                    use()
        assert len(two_calls.events("b")) == 3
        assert two_calls.calls() == ("a", "b")
        assert two_calls.verify().ok


def test_calls_that_cannot_be_read_any_more_are_told(two_calls: Ledger, place: Place) -> None:
    first, second = two_calls.calls()
    assert two_calls.calls_without_key() == ()
    two_calls.destroy_key(second)
    assert two_calls.calls_without_key() == (second,)
    place.tamper(f"DELETE FROM call_keys WHERE call_id = '{first}'")  # noqa: S608
    assert two_calls.calls_without_key() == (first, second)


def test_what_is_about_the_record_cannot_be_erased(two_calls: Ledger) -> None:
    with pytest.raises(LedgerError, match="never erased"):
        two_calls.destroy_key("")
    assert not two_calls.destroy_key("unknown")


def test_keys_are_derived_for_a_purpose_also_before_the_first_event_of_a_call(
    ledger: Ledger, place: Place
) -> None:
    key = ledger.derived_key("a", "recording")
    ledger.append(heard("a", 1))
    with closing(place.open()) as other:
        assert other.derived_key("a", "recording") == key
    assert len({key, ledger.derived_key("a", "peaks"), ledger.derived_key("b", "recording")}) == 3
    assert len(key) == 32
    assert ledger.calls() == ("a",)


def test_a_destroyed_key_is_nowhere_in_the_file_nor_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with closing(Ledger.open(path)) as ledger:
        ledger.append_many([heard(call, 1) for call in ("a", "b")])
        with closing(sqlite3.connect(path)) as db:
            wrapped = dict(db.execute("SELECT call_id, wrapped FROM call_keys"))

        def bytes_kept() -> bytes:
            return b"".join(file.read_bytes() for file in tmp_path.iterdir())

        assert wrapped["a"] in bytes_kept()
        ledger.destroy_key("a")
        assert wrapped["a"] not in bytes_kept()
        assert wrapped["b"] in bytes_kept()


# -- What somebody changed ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET kind = 'call_ended' WHERE seq = 2",
        "DELETE FROM entries WHERE seq = 5",
        "UPDATE heads SET size = 1",
        "DELETE FROM heads",
        "UPDATE checkpoints SET note = ''",
        "DELETE FROM checkpoints",
        "DELETE FROM call_keys",
        "UPDATE call_keys SET wrapped = leaf_hash FROM entries",
        "UPDATE policies SET text = 'rules: []'",
        "DELETE FROM policies",
    ],
)
def test_the_database_refuses_to_change_or_remove_rows(
    two_calls: Ledger, place: Place, statement: str
) -> None:
    two_calls.keep_policy("ab" * 32, "support", 1, "policy: {name: support}")
    two_calls.append(CallEnded(call_id="a", at_ms=9, reason="hang-up", turns=1, cost_usd=0.01))

    with pytest.raises(Exception, match="append-only"):
        place.execute(statement)


def test_postgresql_refuses_to_empty_a_table(place: Place, two_calls: Ledger) -> None:
    if place.is_file:
        pytest.skip("SQLite has no TRUNCATE")
    with pytest.raises(Exception, match="append-only"):
        place.execute("TRUNCATE entries")


@pytest.mark.parametrize(
    "change",
    [
        "kind = 'call_ended'",
        "call_id = 'b', call_seq = 17",
        "call_seq = 17",
        "seq = 99",
        "leaf = {zeros}",
        "leaf = {shorter}",
        "leaf = {moved}",
    ],
)
def test_reading_a_changed_entry_names_it(two_calls: Ledger, place: Place, change: str) -> None:
    change = change.format(
        zeros="zeroblob(200)" if place.is_file else "decode(repeat('00', 200), 'hex')",
        shorter="substr(leaf, 1, length(leaf) - 1)",
        moved="(SELECT leaf FROM entries WHERE seq = 2)",
    )
    place.tamper(f"UPDATE entries SET {change} WHERE seq = 4")  # noqa: S608

    with pytest.raises(LedgerError, match=r"entry (4|99) of log 'default' cannot be read"):
        two_calls.events("b" if "'b'" in change else "a")
    assert not two_calls.verify().ok


def test_a_key_that_was_removed_or_changed_is_told(two_calls: Ledger, place: Place) -> None:
    place.tamper(
        "DELETE FROM call_keys WHERE call_id = 'a'",
        "UPDATE call_keys SET wrapped = (SELECT leaf_hash FROM entries WHERE seq = 1) WHERE call_id = 'b'",
    )
    with pytest.raises(LedgerError, match="key of call a was removed"):
        two_calls.events("a")
    with pytest.raises(LedgerKeysError, match="call b: a wrapped key does not open"):
        two_calls.events("b")


def test_a_head_that_was_changed_stops_the_adding_and_not_the_reading(
    two_calls: Ledger, place: Place
) -> None:
    place.tamper(
        "UPDATE heads SET note = 'nonsense', frontier = leaf_hash FROM entries WHERE entries.seq = 0"
    )
    with closing(place.open()) as reopened:
        with pytest.raises(LedgerError, match="head of log 'default' was changed"):
            reopened.append(heard("a", 9))
        assert len(reopened.events("a")) == 3
        assert not reopened.verify().ok


# -- Keys -----------------------------------------------------------------------------------------------------
def test_other_keys_do_not_open_a_ledger(two_calls: Ledger, place: Place) -> None:
    with pytest.raises(LedgerKeysError, match="signed with other keys"):
        place.open(keys=Keyring.new())


def test_a_ledger_whose_key_file_is_gone_gets_no_new_one(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with closing(Ledger.open(path)) as ledger:
        ledger.append(heard("a", 1))
    key_file(path).unlink()

    with pytest.raises(LedgerKeysError, match="cannot be read or continued"):
        Ledger.open(path)
    assert not key_file(path).exists()


def test_entries_are_what_the_package_says_they_are(two_calls: Ledger) -> None:
    first = next(two_calls.entries())
    assert isinstance(first, Entry)
    assert (first.seq, first.call_id, first.call_seq, first.kind) == (0, "a", 0, "speech_heard")
