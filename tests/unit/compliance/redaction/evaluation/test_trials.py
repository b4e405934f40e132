"""The trials of a part: every measure has some, they are the same each time, and no part judges what another learnt."""

from pathlib import Path

import pytest

pytest.importorskip("faker", reason="needs the extra `train`")

from compliance.redaction.evaluation.floors import PROMISES
from compliance.redaction.evaluation.trial import Measure, Trial
from compliance.redaction.evaluation.trials import Part, trials
from tests.unit.compliance.redaction.corpora_for_tests import NAMES, write_corpora

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpora(tmp_path_factory.mktemp("data"))


def real_names(every: list[Trial]) -> set[str]:
    return {
        line.text[mark.start : mark.end]
        for trial in every
        if trial.measure is Measure.NAMES and trial.part == "restaurant8k"
        for line in trial.lines
        for mark in line.marks
    }


@pytest.mark.parametrize("part", ["dev", "test", "all"])
def test_every_promise_has_something_to_be_judged_by(data: Path, part: Part) -> None:
    measured = {trial.measure for trial in trials(data, part, 700)}
    assert measured >= {promise.measure for promise in PROMISES}


def test_the_parts_are_the_same_each_time_and_share_no_name(data: Path) -> None:
    dev, test, both = (list(trials(data, part, 300)) for part in ("dev", "test", "all"))  # type: ignore[arg-type]
    assert test == list(trials(data, "test", 300))
    assert not real_names(dev) & real_names(test)
    assert real_names(both) == set(NAMES)


def test_what_must_be_masked_is_a_callers_and_what_is_kept_has_no_marks(data: Path) -> None:
    for trial in trials(data, "test", 300):
        judged = [line for line in trial.lines if line.marks or line.keep]
        assert judged
        assert all(line.speaker == "caller" and bool(line.marks) != line.keep for line in judged)


def test_breaths_of_a_number_are_lines_of_one_call(data: Path) -> None:
    calls = [trial for trial in trials(data, "test", 700) if trial.measure is Measure.BREATHS]
    assert calls
    assert all(2 <= sum(bool(line.marks) for line in trial.lines) <= 3 for trial in calls)
