"""Confidence intervals by call."""

from __future__ import annotations

import numpy as np
import pytest

from router.whatif.statistics import Interval, Resampled

pytestmark = pytest.mark.unit

DRAWN = np.random.default_rng(5).normal(3.0, 2.0, 400)


def test_a_mean_comes_with_the_interval_that_theory_gives() -> None:
    found = Resampled(400).mean(DRAWN)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    half = 1.96 * DRAWN.std() / 20
    assert found.value == pytest.approx(DRAWN.mean())
    assert (found.value - found.low) == pytest.approx(half, rel=0.15)
    assert (found.high - found.value) == pytest.approx(half, rel=0.15)


def test_the_same_seed_gives_the_same_interval_and_another_seed_nearly_the_same() -> None:
    first, again, other = (Resampled(400, seed=seed).mean(DRAWN) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert first is not None
    assert other is not None
    assert first.low == pytest.approx(other.low, rel=0.02)


def test_a_ratio_weighs_calls_by_their_turns() -> None:
    found = Resampled(3).ratio([1, 0, 0], [1, 4, 5])
    assert found is not None
    assert found.value == pytest.approx(0.1)


def test_turns_of_one_call_that_go_together_widen_the_interval() -> None:
    chance = np.random.default_rng(0)
    together = np.repeat(chance.random(40) < 0.5, 1) * 10.0  # in each call, all ten turns or none
    apart = chance.binomial(10, 0.5, 40).astype(np.float64)
    wide, narrow = (Resampled(40).ratio(changed, np.full(40, 10.0)) for changed in (together, apart))
    assert wide is not None
    assert narrow is not None
    assert wide.high is not None
    assert narrow.high is not None
    assert wide.high - wide.value > 2 * (narrow.high - narrow.value)


def test_a_difference_pairs_the_calls() -> None:
    ones = np.ones(400)
    found = Resampled(400).difference((DRAWN + 0.1, ones), (DRAWN, ones))
    assert found is not None
    assert found.low == pytest.approx(0.1)
    assert found.high == pytest.approx(0.1)
    assert found.clear_of_zero


@pytest.mark.parametrize(
    ("interval", "clear"),
    [
        (Interval(1.0, 0.5, 1.5), True),
        (Interval(-1.0, -1.5, -0.5), True),
        (Interval(1.0, -0.5, 1.5), False),
        (Interval(1.0), False),
    ],
)
def test_an_interval_is_clear_of_zero_when_it_lies_on_one_side(interval: Interval, clear: bool) -> None:
    assert interval.clear_of_zero is clear


def test_too_few_calls_give_no_interval_rather_than_a_narrow_one() -> None:
    assert Resampled(1).mean([2.0]) == Interval(2.0)
    assert Resampled(0).mean([]) is None
    assert Resampled(2).ratio([1, 1], [0, 0]) is None


def test_draws_without_any_turn_that_counts_are_left_out() -> None:
    found = Resampled(2).ratio([1.0, 0.0], [1.0, 0.0])
    assert found == Interval(1.0, 1.0, 1.0)


def test_there_must_be_a_figure_for_every_call() -> None:
    with pytest.raises(ValueError, match="3 calls"):
        Resampled(3).mean([1.0])
