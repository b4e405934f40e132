"""What the ledger refuses is kept in order, given back once, and never more of it in memory than is allowed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from compliance.backlog import Backlog
from compliance.events import Event, SpeechHeard

pytestmark = pytest.mark.unit


def heard(at_ms: float) -> SpeechHeard:
    return SpeechHeard(call_id="c", at_ms=at_ms, speaker="caller", start_ms=0, end_ms=at_ms)


class Disk:
    """A spool in memory that has room for ``room`` events."""

    name = "the spool"

    def __init__(self, room: int) -> None:
        self.room = room
        self.kept: list[Event] = []

    def write(self, events: Sequence[Event]) -> None:
        if len(self.kept) + len(events) > self.room:
            raise OSError("full")
        self.kept.extend(events)

    def read(self) -> Sequence[Event]:
        return tuple(self.kept)

    def remove(self) -> None:
        self.kept.clear()

    def close(self) -> None: ...


class Taker:
    """A ledger that takes ``most`` more events."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken: list[float] = []

    def append(self, events: Sequence[Event]) -> None:
        if len(self.taken) + len(events) > self.most:
            raise RuntimeError
        self.taken += [event.at_ms for event in events]


def test_what_is_on_disk_and_what_is_in_memory_is_given_back_in_order() -> None:
    backlog, taker = Backlog(Disk(room=2)), Taker(10)
    assert backlog.add([heard(1), heard(2)]) is None
    assert backlog.is_safe
    assert isinstance(backlog.add([heard(3)]), OSError)
    assert not backlog.is_safe
    backlog.drain(taker.append)

    assert taker.taken == [1, 2, 3]
    assert not backlog


def test_what_was_taken_before_the_ledger_refused_again_is_not_given_twice() -> None:
    disk = Disk(room=1000)
    backlog, taker = Backlog(disk), Taker(300)
    backlog.add([heard(i) for i in range(600)])
    with pytest.raises(RuntimeError):
        backlog.drain(taker.append)
    assert len(taker.taken) == 256
    backlog.add([heard(600)])
    taker.most = 1000
    backlog.drain(taker.append)

    assert taker.taken == list(range(601))
    assert disk.kept == []


def test_without_room_anywhere_the_newest_are_lost_and_counted() -> None:
    backlog, taker = Backlog(Disk(room=0), most_held=3), Taker(10)
    for i in range(5):
        backlog.add([heard(i)])

    assert (backlog.lost, backlog.is_safe) == (2, False)
    backlog.drain(taker.append)
    assert taker.taken == [0, 1, 2]
