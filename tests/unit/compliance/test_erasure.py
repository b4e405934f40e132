from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest

from compliance.access import DeniedError, Permission, Principal
from compliance.erasure import Due, ErasureError, erase
from compliance.errors import ErasedError
from compliance.events import CallEnded
from compliance.holding import HoldError, hold, release
from compliance.ledger import Ledger
from compliance.oversight import Accessed, Erased, ErasureOrdered, OversightEvent, Retained
from compliance.reveal import SealedValues, sealing_key
from compliance.standing import Standing
from tests.unit.compliance.overseen import (
    ADMIN,
    AUDITOR,
    OFFICER,
    SERVICE,
    Recordings,
    overseer,
    record_call,
)

pytestmark = pytest.mark.unit


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger.open(tmp_path / "ledger.sqlite")
    for name in ("first", "second", "third"):
        record_call(ledger, name, sealed=(("PERSON", "Jane Miller"),))
    yield ledger
    ledger.close()


@pytest.fixture
def recordings(tmp_path: Path) -> Recordings:
    folder = tmp_path / "recordings"
    folder.mkdir()
    found = Recordings(folder)
    for name in ("first", "second"):
        found.add(name)
    return found


def kinds(ledger: Ledger) -> list[str]:
    return [event.kind for event in ledger.oversight() if not isinstance(event, Accessed)]


# -- what erasing does --------------------------------------------------------------------------------------
def test_an_erased_call_can_be_read_by_nobody_and_the_record_verifies(
    ledger: Ledger, recordings: Recordings
) -> None:
    before = ledger.verify()
    recording_key = ledger.derived_key("first", "recording")
    (gone,) = erase(overseer(ledger, OFFICER), [Due("first", reason="asked for")], [recordings])
    assert (gone.call_id, gone.what, gone.items) == ("first", "call", 2)
    with pytest.raises(ErasedError):
        ledger.events("first")
    with pytest.raises(ErasedError):
        ledger.derived_key("first", "recording")
    with pytest.raises(ErasedError):
        ledger.append(CallEnded(call_id="first", at_ms=1, reason="", turns=0, cost_usd=0))
    assert not recordings.keeps("first")
    assert recording_key != ledger.derived_key("second", "recording")
    after = ledger.verify()
    assert after.ok
    assert after.events == before.events + 2  # the order and the tombstone


def test_other_calls_are_as_they_were(ledger: Ledger, recordings: Recordings) -> None:
    before = ledger.events("second")
    list(erase(overseer(ledger, OFFICER), [Due("first", reason="asked for")], [recordings]))
    assert ledger.events("second") == before
    assert recordings.keeps("second")


def test_the_tombstone_says_who_and_stays_readable(ledger: Ledger) -> None:
    list(erase(overseer(ledger, OFFICER), [Due("first", reason="the caller asked for it")], []))
    order, tombstone = ledger.oversight()
    assert isinstance(order, ErasureOrdered)
    assert isinstance(tombstone, Erased)
    assert order.reason == "the caller asked for it"
    assert (tombstone.actor, tombstone.role, tombstone.call_id) == ("token:pia", "privacy_officer", "first")


def test_no_byte_of_the_key_is_left_in_the_database(ledger: Ledger) -> None:
    assert ledger.path
    query = "SELECT wrapped FROM call_keys WHERE call_id LIKE 'first%'"
    with closing(sqlite3.connect(ledger.path)) as database:
        wrapped = [row[0] for row in database.execute(query)]
    assert len(wrapped) == 2  # of the call, and of its sealed values
    list(erase(overseer(ledger, OFFICER), [Due("first", reason="asked for")], [SealedValues(ledger)]))
    files = b"".join(
        file.read_bytes() for file in ledger.path.parent.glob(f"{ledger.path.name}*") if file.is_file()
    )
    assert not [key for key in wrapped if key in files]


def test_a_recording_can_be_erased_alone(ledger: Ledger, recordings: Recordings) -> None:
    list(
        erase(
            overseer(ledger, OFFICER),
            [Due("first", "recording", "asked for")],
            [recordings, SealedValues(ledger)],
        )
    )
    assert not recordings.keeps("first")
    assert ledger.events("first")
    assert sealing_key(ledger, "first")


@pytest.mark.parametrize("somebody", [AUDITOR, ADMIN, SERVICE], ids=lambda one: one.actor)
def test_only_a_privacy_officer_erases(ledger: Ledger, somebody: Principal) -> None:
    with pytest.raises(DeniedError):
        list(erase(overseer(ledger, somebody), [Due("first", reason="asked for")], []))
    assert kinds(ledger) == ["access_refused"]
    assert ledger.events("first")


# -- again, and from where it stopped -----------------------------------------------------------------------
def test_to_erase_what_is_erased_does_nothing(ledger: Ledger, recordings: Recordings) -> None:
    desk = overseer(ledger, OFFICER)
    list(erase(desk, [Due("first", reason="asked for")], [recordings]))
    assert list(erase(desk, [Due("first", reason="again")], [recordings])) == []
    assert kinds(ledger) == ["erasure_ordered", "erased"]


def test_the_same_call_twice_is_erased_once(ledger: Ledger) -> None:
    desk = overseer(ledger, OFFICER)
    gone = list(erase(desk, [Due("first", reason="one"), Due("first", reason="two")], []))
    assert len(gone) == 1


def test_a_run_that_was_cut_short_is_finished_by_the_next(ledger: Ledger, recordings: Recordings) -> None:
    running = erase(
        overseer(ledger, OFFICER),
        [Due("first", reason="asked for"), Due("second", reason="asked for")],
        [recordings],
    )
    assert next(running).call_id == "first"
    running.close()
    assert ledger.events("second")
    gone = list(erase(overseer(ledger, SERVICE), [], [recordings], permission=Permission.RETAIN))
    assert [one.call_id for one in gone] == ["second"]
    with pytest.raises(ErasedError):
        ledger.events("second")


def test_what_could_not_be_destroyed_is_said_and_tried_again(ledger: Ledger, recordings: Recordings) -> None:
    (recordings.folder / "third").mkdir()  # not a file: it cannot be unlinked
    desk = overseer(ledger, OFFICER)
    with pytest.raises(ErasureError, match="call third: its call could not be destroyed"):
        list(erase(desk, [Due("third", reason="asked for")], [recordings]))
    with pytest.raises(ErasedError):  # what could be destroyed is
        ledger.events("third")
    assert kinds(ledger) == ["erasure_ordered"]
    (recordings.folder / "third").rmdir()
    assert [one.call_id for one in erase(desk, [], [recordings])] == ["third"]
    assert kinds(ledger) == ["erasure_ordered", "erased"]


def test_many_calls_are_erased_in_their_order_some_at_once(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "many.sqlite")
    names = [f"call-{n}" for n in range(25)]
    ledger.append_many([CallEnded(call_id=name, at_ms=1, reason="", turns=0, cost_usd=0) for name in names])
    dues = [Due(name, rule="calls", policy="default 1") for name in names]
    gone = list(erase(overseer(ledger, SERVICE), dues, [], permission=Permission.RETAIN, at_once=10))
    assert [one.call_id for one in gone] == names
    assert [event.call_id for event in ledger.oversight() if isinstance(event, Retained)] == names
    assert ledger.verify().ok
    ledger.close()


# -- holds --------------------------------------------------------------------------------------------------
def test_a_held_call_is_passed_over_by_whoever_erases(ledger: Ledger, recordings: Recordings) -> None:
    desk = overseer(ledger, OFFICER)
    hold(desk, ["first"], reason="matter 7")
    dues = [Due("first", reason="asked for"), Due("first", "recording"), Due("second", reason="asked for")]
    assert [one.call_id for one in erase(desk, dues, [recordings])] == ["second"]
    assert ledger.events("first")
    assert recordings.keeps("first")


def test_a_call_that_is_held_for_two_matters_stays_until_both_are_over(ledger: Ledger) -> None:
    desk = overseer(ledger, OFFICER)
    one, other = (hold(desk, ["first"], reason=f"matter {n}")[0] for n in (7, 8))
    release(desk, [one.hold], reason="settled")
    assert list(erase(desk, [Due("first", reason="asked for")], [])) == []
    release(desk, [other.hold], reason="settled, too")
    assert len(list(erase(desk, [Due("first", reason="asked for")], []))) == 1


class Meanwhile(Ledger):
    """A ledger to which somebody else appends just before an event of ``kind``."""

    kind = ""
    event: OversightEvent | None = None

    def append_many(self, events):  # type: ignore[no-untyped-def]
        if self.event and any(event.kind == self.kind for event in events):
            first, self.event = self.event, None
            super().append_many([first])
        return super().append_many(events)


@pytest.fixture
def meanwhile(ledger: Ledger) -> Iterator[Meanwhile]:
    assert ledger.path
    other = Meanwhile.open(ledger.path, must_exist=True)
    assert isinstance(other, Meanwhile)
    yield other
    other.close()


def test_a_hold_that_comes_just_before_the_order_wins(ledger: Ledger, meanwhile: Meanwhile) -> None:
    (placed,) = hold(overseer(ledger, OFFICER), ["second"], reason="matter 7")
    meanwhile.kind, meanwhile.event = (
        "erasure_ordered",
        placed.model_copy(update={"call_id": "first", "hold": "h"}),
    )
    assert list(erase(overseer(meanwhile, OFFICER), [Due("first", reason="asked for")], [])) == []
    assert ledger.events("first")
    assert ("first", "call") not in Standing.of(ledger.oversight()).ordered


def test_a_hold_that_comes_after_the_order_is_told_that_it_is_too_late(
    ledger: Ledger, meanwhile: Meanwhile
) -> None:
    order = ErasureOrdered(
        call_id="first",
        at="2026-11-20T12:00:00Z",
        actor="token:pia",
        role="privacy_officer",
        what="call",
        reason="asked for",
    )
    meanwhile.kind, meanwhile.event = "hold_placed", order
    with pytest.raises(HoldError, match="too late to hold call first"):
        hold(overseer(meanwhile, OFFICER), ["first", "second"], reason="matter 7")
    standing = Standing.of(ledger.oversight())
    assert set(standing.holds) == {"second"}
    assert [one.call_id for one in erase(overseer(ledger, OFFICER), [], [])] == ["first"]


def test_a_hold_takes_a_reason_and_a_release_one_in_force(ledger: Ledger) -> None:
    desk = overseer(ledger, OFFICER)
    with pytest.raises(HoldError, match="takes a reason"):
        hold(desk, ["first"], reason=" ")
    with pytest.raises(HoldError, match="no hold h is in force"):
        release(desk, ["h"], reason="settled")


# -- at the same moment, for real ---------------------------------------------------------------------------
@pytest.fixture
def another(ledger: Ledger) -> Iterator[Ledger]:
    """The same ledger, as another process has it open."""
    assert ledger.path
    other = Ledger.open(ledger.path, must_exist=True)
    yield other
    other.close()


def test_two_that_erase_the_same_calls_destroy_each_key_once(ledger: Ledger, another: Ledger) -> None:
    dues = [Due(name, reason="asked for") for name in ledger.calls()]
    with ThreadPoolExecutor(2) as pool:
        both = [
            pool.submit(lambda at: list(erase(at, dues, [])), overseer(at, OFFICER))
            for at in (ledger, another)
        ]
        gone = [one for each in both for one in each.result()]
    assert sum(one.items for one in gone) == 3
    standing = Standing.of(ledger.oversight())
    assert {call for call, _ in standing.gone} == set(ledger.calls())
    assert not standing.ordered
    assert ledger.verify().ok


@pytest.mark.parametrize("attempt", range(5))
def test_a_call_that_is_held_and_erased_at_once_is_one_of_both(
    ledger: Ledger, another: Ledger, attempt: int
) -> None:
    start = Barrier(2)

    def holding() -> bool:
        start.wait()
        try:
            hold(overseer(ledger, OFFICER), ["first"], reason="matter 7")
        except HoldError:
            return False
        return True

    def erasing() -> bool:
        start.wait()
        return bool(list(erase(overseer(another, OFFICER), [Due("first", reason="asked for")], [])))

    with ThreadPoolExecutor(2) as pool:
        held, erased = (one.result() for one in (pool.submit(holding), pool.submit(erasing)))
    assert held != erased
    if held:
        assert ledger.events("first")
    else:
        with pytest.raises(ErasedError):
            ledger.events("first")
