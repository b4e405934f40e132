"""Whole calls with a faulty provider, a few of those that ``python -m lab.bench faults`` makes two hundred of."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from lab.bench.fault_calls import run
from lab.bench.fault_rows import Row
from lab.bench.fault_verdicts import Verdict
from lab.bench.faults import verified
from tests.patience import without_limits
from tests.whole_call import PATIENT, without_settings

pytestmark = [pytest.mark.adversarial, pytest.mark.alone]

ROWS = (
    Row("openai", "refuse"),
    Row("openai.chat", "hang"),
    Row("elevenlabs", "refuse"),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Verdict], bool]]:
    """A caller in each row, for the first of whom the fault begins in mid-call; and the log's verdict."""
    with pytest.MonkeyPatch.context() as patch:
        without_settings(patch)
        without_limits(patch)
        found: list[Verdict] = []
        folder = tmp_path_factory.mktemp("faults")
        asyncio.run(
            run(
                [(ROWS[0], (1,)), (ROWS[1], (0,)), (ROWS[2], (0,))],
                folder,
                at_once=3,
                commit="here",
                keep=found.append,
                manners=PATIENT,
            )
        )
        yield found, verified(folder)


def of(made: tuple[list[Verdict], bool], row: Row) -> list[Verdict]:
    return [one for one in made[0] if (one.provider, one.fault) == (row.provider, row.fault)]


def test_every_caller_is_answered_and_every_promise_is_kept(made: tuple[list[Verdict], bool]) -> None:
    assert [one.in_mid_call for row in ROWS for one in of(made, row)] == [True, False, False]
    assert [sentence for one in made[0] for sentence in one.broken] == []
    assert [(one.said, one.unanswered) for one in made[0]] == [(2, 0)] * 3


def test_the_log_verifies(made: tuple[list[Verdict], bool]) -> None:
    assert made[1]


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_failures_are_on_record(made: tuple[list[Verdict], bool], row: Row) -> None:
    assert sum(one.failures for one in of(made, row)) > 0


def test_what_hung_is_taken_over_and_paid_for(made: tuple[list[Verdict], bool]) -> None:
    hung = of(made, Row("openai.chat", "hang"))
    assert any(over.error == "TimeoutError" for one in hung for over in one.take_overs)
    assert sum(one.estimated_usd for one in hung) > 0
