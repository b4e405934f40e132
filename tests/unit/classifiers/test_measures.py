import numpy as np
import pytest

from classifiers.measures import (
    auroc,
    average_precision,
    expected_calibration_error,
    fit_temperature,
    softmax,
)

pytestmark = pytest.mark.unit


def test_auroc_counts_pairs_in_order_and_ties_half() -> None:
    scores = np.array([0.1, 0.4, 0.4, 0.8])
    assert auroc(scores, np.array([False, False, True, True])) == pytest.approx((1 + 1 + 1 + 0.5) / 4)


def test_auroc_of_one_class_is_not_a_number() -> None:
    assert np.isnan(auroc(np.array([0.1, 0.2]), np.array([True, True])))


def test_average_precision_of_a_perfect_order_is_one() -> None:
    assert average_precision(np.array([0.9, 0.8, 0.1]), np.array([True, True, False])) == 1.0


def test_calibration_error_is_the_gap_between_stated_and_observed() -> None:
    stated = np.full(10, 0.75)
    assert expected_calibration_error(stated, np.arange(10) < 5) == pytest.approx(0.25)


def test_temperature_undoes_overconfidence() -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(size=(4000, 3))
    targets = np.array([rng.choice(3, p=row) for row in softmax(honest)])
    assert fit_temperature(honest * 2, targets) == pytest.approx(2.0, rel=0.1)
