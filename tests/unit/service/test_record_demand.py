"""A call that may not go on without a record ends politely; any other goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from compliance.keeping import Keeping
from service.record_demand import RecordDemand, ends_in_s
from tests.virtual_time import VirtualLoop

pytestmark = pytest.mark.unit

GRACE_S = 30.0


@pytest.mark.parametrize(
    ("keeping", "fail_open", "ends"),
    [
        (Keeping.LEDGER, False, None),
        (Keeping.SPOOL, False, GRACE_S),
        (Keeping.MEMORY, False, 0.0),
        (Keeping.LEDGER, True, None),
        (Keeping.SPOOL, True, None),
        (Keeping.MEMORY, True, None),
    ],
)
def test_a_call_ends_only_where_a_record_is_demanded(
    keeping: Keeping, fail_open: bool, ends: float | None
) -> None:
    assert ends_in_s(keeping, fail_open=fail_open, grace_s=GRACE_S) == ends


class Line:
    """A call's end, and a ledger that is asked again. Times are virtual."""

    def __init__(self, *, back: bool = False) -> None:
        self.ended_s: list[float] = []
        self.asked_again = 0
        self._back = back
        self.demand = RecordDemand(fail_open=False, grace_s=GRACE_S, retry=self._retry, end=self._end)

    async def _retry(self) -> None:
        self.asked_again += 1
        if self._back:
            self.demand.kept_in(Keeping.LEDGER)
            await asyncio.sleep(0)

    async def _end(self) -> None:
        self.ended_s.append(asyncio.get_running_loop().time())


def lived(line: Line, *happens: tuple[float, Callable[[], None]]) -> Line:
    """What became of a line to which all that happened, each at its time in seconds."""

    async def live() -> None:
        for at_s, happen in happens:
            asyncio.get_running_loop().call_at(at_s, happen)
        await asyncio.sleep(1000)
        await line.demand.aclose()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(live())
    return line


def test_the_disk_may_stand_in_for_the_ledger_for_a_while() -> None:
    line = Line()
    lived(line, (5, lambda: line.demand.kept_in(Keeping.SPOOL)))
    assert (line.ended_s, line.asked_again) == ([5 + GRACE_S], 1)


def test_without_ledger_and_disk_a_call_ends_at_once() -> None:
    line = Line()
    lived(
        line,
        (5, lambda: line.demand.kept_in(Keeping.SPOOL)),
        (6, lambda: line.demand.kept_in(Keeping.MEMORY)),
    )
    assert line.ended_s == [6]


def test_a_ledger_that_is_back_in_time_ends_no_call() -> None:
    line = Line()
    lived(
        line,
        (5, lambda: line.demand.kept_in(Keeping.SPOOL)),
        (6, lambda: line.demand.kept_in(Keeping.LEDGER)),
    )
    assert (line.ended_s, line.asked_again) == ([], 0)


def test_a_ledger_that_is_back_when_it_is_asked_once_more_ends_no_call() -> None:
    line = Line(back=True)
    lived(line, (5, lambda: line.demand.kept_in(Keeping.SPOOL)))
    assert (line.ended_s, line.asked_again) == ([], 1)


def test_a_call_that_is_over_is_not_ended_again() -> None:
    line = Line()

    async def live() -> None:
        line.demand.kept_in(Keeping.SPOOL)
        await line.demand.aclose()
        line.demand.kept_in(Keeping.MEMORY)
        await asyncio.sleep(1000)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(live())
    assert line.ended_s == []
