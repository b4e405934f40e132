"""Appends of several threads share a commit; what is wrong with one of them is that one's alone."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from compliance.errors import ErasedError, LedgerError
from compliance.ledger import Receipt
from compliance.ledger.grouping import Grouped
from tests.unit.compliance.ledger.conftest import Place, heard

pytestmark = pytest.mark.unit


class Work:
    """Work that waits for a sign, then doubles numbers; it refuses odd ones, and all when told to."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.begun = threading.Event()
        self.groups: list[list[int]] = []
        self.error: BaseException | None = None

    def __call__(self, items: list[int]) -> list[int]:
        self.begun.set()
        self.go_on.wait(30)
        self.groups.append(items)
        if self.error is not None:
            raise self.error
        if any(item % 2 for item in items):
            raise ErasedError("odd")
        return [item * 2 for item in items]


def together(work: Work, items: list[int], *, most: int = 100) -> dict[int, object]:
    """The outcome of each item: the first is at work while the others come."""
    grouped = Grouped(work, most=most, apart=(ErasedError,))
    outcomes: dict[int, object] = {}

    def do(item: int) -> None:
        try:
            outcomes[item] = grouped.do(item)
        except BaseException as error:
            outcomes[item] = error

    threads = [threading.Thread(target=do, args=(item,)) for item in items]
    threads[0].start()
    work.begun.wait(30)
    for thread in threads[1:]:
        thread.start()
    while len(grouped._queue) < len(items) - 1:
        pass
    work.go_on.set()
    for thread in threads:
        thread.join(30)
    return outcomes


def test_what_came_while_one_was_at_work_is_done_together() -> None:
    work = Work()
    assert together(work, [2, 4, 6, 8]) == {2: 4, 4: 8, 6: 12, 8: 16}
    assert [sorted(group) for group in work.groups] == [[2], [4, 6, 8]]


def test_no_more_than_so_many_are_done_at_once() -> None:
    work = Work()
    assert len(together(work, [2, 4, 6, 8, 10, 12], most=2)) == 6
    assert max(map(len, work.groups)) == 2


def test_an_error_of_one_is_that_ones_alone() -> None:
    found = together(Work(), [2, 4, 5, 6])
    assert isinstance(found.pop(5), ErasedError)
    assert found == {2: 4, 4: 8, 6: 12}


@pytest.mark.parametrize(
    ("error", "kind"), [(LedgerError("full"), LedgerError), (KeyboardInterrupt(), BaseException)]
)
def test_an_error_of_all_reaches_each(error: BaseException, kind: type[BaseException]) -> None:
    work = Work()
    work.error = error
    found = together(work, [2, 4, 6])
    assert len(found) == 3
    assert all(isinstance(one, kind) for one in found.values())


def test_threads_append_to_one_ledger_without_losing_or_mixing_up_an_event(place: Place) -> None:
    receipts: list[Receipt] = []
    failed: list[Exception] = []

    def append(number: int) -> None:
        for at_ms in range(20):
            try:
                receipts.extend(ledger.append_many([heard(f"call {number}", at_ms), heard("shared", at_ms)]))
            except ErasedError as error:
                failed.append(error)

    with closing(place.open()) as ledger:
        ledger.append(heard("call 3", 0))
        ledger.destroy_key("call 3")
        threads = [threading.Thread(target=append, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        found = ledger.verify()
        hashes = [entry.leaf_hash.hex() for entry in ledger.entries()]

        assert (found.ok, found.events) == (True, 121)
        assert len(failed) == 20
        assert sorted(r.seq for r in receipts) == list(range(1, 121))
        assert all(hashes[r.seq] == r.hash for r in receipts)
        for number in range(3):
            assert [event.at_ms for event in ledger.events(f"call {number}")] == list(range(20))
