"""Figures of merit: by hand where that is possible, against scikit-learn where it knows them, and their laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.measures import (
    auroc,
    average_precision,
    bootstrap,
    brier,
    expected_calibration_error,
    fit_temperature,
    reliability,
    risk_coverage,
    softmax,
    unweighted_average_recall,
    wilson,
)

pytestmark = pytest.mark.unit

Scored = tuple[np.ndarray, np.ndarray]
few_examples = settings(max_examples=60, deadline=None)  # the clock of a busy machine is no finding


@st.composite
def scored(draw: st.DrawFn, *, ties: bool = True) -> Scored:
    """Scores in 0 to 1 and truths, both classes present."""
    size = draw(st.integers(2, 40))
    steps = st.integers(0, 8 if ties else 1000)
    scores = np.array(draw(st.lists(steps, min_size=size, max_size=size, unique=not ties))) / (
        8 if ties else 1000
    )
    positive = np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    positive[0], positive[1] = True, False
    return scores, positive


# -- discrimination -------------------------------------------------------------------------------------------
def test_auroc_counts_pairs_in_order_and_ties_half() -> None:
    scores = np.array([0.1, 0.4, 0.4, 0.8])
    assert auroc(scores, np.array([False, False, True, True])) == pytest.approx((1 + 1 + 1 + 0.5) / 4)


def test_auroc_of_one_class_is_not_a_number() -> None:
    assert np.isnan(auroc(np.array([0.1, 0.2]), np.array([True, True])))


@few_examples
@given(scored())
def test_auroc_is_what_scikit_learn_says(case: Scored) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    assert auroc(*case) == pytest.approx(metrics.roc_auc_score(case[1], case[0]))


@few_examples
@given(scored())
def test_turning_the_scores_round_turns_auroc_round(case: Scored) -> None:
    scores, positive = case
    assert auroc(-scores, positive) == pytest.approx(1 - auroc(scores, positive))


def test_average_precision_of_a_perfect_order_is_one() -> None:
    assert average_precision(np.array([0.9, 0.8, 0.1]), np.array([True, True, False])) == 1.0


@few_examples
@given(scored(ties=False))
def test_average_precision_is_what_scikit_learn_says(case: Scored) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    assert average_precision(*case) == pytest.approx(metrics.average_precision_score(case[1], case[0]))


@few_examples
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_unweighted_average_recall_is_the_mean_recall_of_the_classes_there_are(
    pairs: list[tuple[int, int]],
) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    predicted, truth = np.array(pairs).T
    expected = metrics.recall_score(truth, predicted, labels=np.unique(truth), average="macro")
    assert unweighted_average_recall(predicted, truth) == pytest.approx(expected)


def test_a_rare_class_counts_as_much_as_a_common_one() -> None:
    truth = np.array(["calm"] * 98 + ["angry"] * 2)
    assert unweighted_average_recall(np.full(100, "calm"), truth) == 0.5


# -- calibration ----------------------------------------------------------------------------------------------
def test_calibration_error_is_the_gap_between_stated_and_observed() -> None:
    stated = np.full(10, 0.75)
    assert expected_calibration_error(stated, np.arange(10) < 5) == pytest.approx(0.25)


def test_calibration_error_of_nothing_is_not_a_number() -> None:
    assert np.isnan(expected_calibration_error(np.zeros(0), np.zeros(0, dtype=bool)))


@few_examples
@given(scored())
def test_the_bins_of_a_reliability_diagram_hold_everything_once(case: Scored) -> None:
    probabilities, positive = case
    curve = reliability(probabilities, positive)
    assert curve.count.sum() == len(positive)
    assert (curve.count > 0).all()
    assert (curve.stated * curve.count).sum() == pytest.approx(probabilities.sum())
    assert (curve.observed * curve.count).sum() == pytest.approx(positive.sum())


def test_certainty_stands_in_the_last_bin() -> None:
    curve = reliability(np.array([0.95, 1.0]), np.array([True, True]))
    assert curve.count.tolist() == [2]


@few_examples
@given(scored())
def test_brier_is_what_scikit_learn_says(case: Scored) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    assert brier(*case) == pytest.approx(metrics.brier_score_loss(case[1], case[0]))


def test_temperature_undoes_overconfidence() -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(size=(4000, 3))
    targets = np.array([rng.choice(3, p=row) for row in softmax(honest)])
    assert fit_temperature(honest * 2, targets) == pytest.approx(2.0, rel=0.1)


# -- abstention -----------------------------------------------------------------------------------------------
def test_the_surest_answers_come_first() -> None:
    curve = risk_coverage(np.array([0.6, 0.9, 0.7, 0.8]), np.array([False, True, False, True]))
    assert curve.coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert curve.risk.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 2])
    assert curve.accuracy_at(0.5) == 1.0
    assert curve.area == pytest.approx((1 / 3 + 1 / 2) / 4)


@few_examples
@given(scored())
def test_answering_everything_is_as_wrong_as_it_is(case: Scored) -> None:
    confidence, correct = case
    curve = risk_coverage(confidence, correct)
    assert curve.accuracy_at(1.0) == pytest.approx(correct.mean())
    assert ((curve.risk >= -1e-9) & (curve.risk <= 1 + 1e-9)).all()


@few_examples
@given(scored(), st.integers(0, 5))
def test_the_order_of_equally_sure_answers_does_not_matter(case: Scored, seed: int) -> None:
    confidence, correct = case
    shuffled = np.random.default_rng(seed).permutation(len(correct))
    again = risk_coverage(confidence[shuffled], correct[shuffled])
    assert again.risk == pytest.approx(risk_coverage(confidence, correct).risk)


# -- intervals ------------------------------------------------------------------------------------------------
def mean(values: np.ndarray) -> float:
    return float(values.mean())


def test_the_same_seed_gives_the_same_interval_and_another_seed_nearly() -> None:
    values = np.random.default_rng(1).normal(size=100)
    first, again, other = (bootstrap(mean, values, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert first.low == pytest.approx(other.low, abs=0.05)


def test_a_mean_is_held_as_textbooks_hold_it() -> None:
    values = np.random.default_rng(1).normal(size=400)
    held = bootstrap(mean, values)
    half = 1.96 * values.std() / 20
    assert held.value == values.mean()
    assert held.low == pytest.approx(values.mean() - half, abs=0.015)
    assert held.high == pytest.approx(values.mean() + half, abs=0.015)


def test_what_one_speaker_says_is_drawn_together() -> None:
    speakers = np.repeat(np.arange(8), 50)
    values = np.random.default_rng(2).normal(size=8)[speakers]
    alone, together = bootstrap(mean, values), bootstrap(mean, values, groups=speakers)
    assert together.high - together.low > 4 * (alone.high - alone.low)


def test_a_paired_difference_is_known_better_than_its_parts() -> None:
    rng = np.random.default_rng(3)
    hard = 3 * rng.normal(size=300)
    difference = bootstrap(lambda a, b: float((a - b).mean()), hard + 0.1, hard)
    assert difference.above_zero
    assert not bootstrap(mean, hard + 0.1).above_zero


def test_draws_that_tell_nothing_are_left_out() -> None:
    held = bootstrap(auroc, np.array([0.1, 0.9]), np.array([False, True]), draws=50)
    assert (held.low, held.value, held.high) == (1.0, 1.0, 1.0)
    one_class = bootstrap(auroc, np.array([0.1, 0.9]), np.array([True, True]), draws=50)
    assert np.isnan([one_class.low, one_class.value, one_class.high]).all()


def test_of_nothing_no_interval_is_known() -> None:
    held = bootstrap(mean, np.zeros(0), groups=np.zeros(0))
    assert np.isnan([held.low, held.value, held.high]).all()


def test_a_share_of_none_is_not_known_to_be_none() -> None:
    none = wilson(0, 20)
    assert none.low == 0.0
    assert none.value == 0.0
    assert none.high == pytest.approx(0.161, abs=0.001)  # Wilson 1927, as in every table


@few_examples
@given(st.integers(1, 500), st.data())
def test_a_share_lies_in_its_interval(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    held = wilson(successes, trials)
    assert 0 <= held.low <= held.value + 1e-12
    assert held.value - 1e-12 <= held.high <= 1
    turned = wilson(trials - successes, trials)
    assert (1 - turned.high, 1 - turned.low) == pytest.approx((held.low, held.high))
