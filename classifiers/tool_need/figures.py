"""Figures of merit of weighted turns, with intervals by call.

Turns count by their weight (inverse propensity), and calls, not turns, are drawn again: turns of one call are alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.measures import Interval

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Weighted = Callable[[Floats], float]
"""A figure of fixed turns as a function of their weights."""
Figure = Callable[[Floats, Bools], Weighted]

BINS = 10
_DRAWS = 500


@dataclass(frozen=True, slots=True)
class Compared:
    """A figure before and after, on the same turns. ``gain`` is after less before, paired."""

    before: Interval
    after: Interval
    gain: Interval


@dataclass(frozen=True, slots=True)
class Bin:
    """One column of a reliability diagram: turns said to be as likely as this, and how many were."""

    turns: int
    stated: float
    observed: float


def auroc(probabilities: Floats, positive: Bools) -> Weighted:
    """The chance that a positive scores above a negative, both drawn by weight; ties count half."""
    values, at = np.unique(probabilities, return_inverse=True)

    def figure(weights: Floats) -> float:
        pos = np.bincount(at, weights=weights * positive, minlength=len(values))
        neg = np.bincount(at, weights=weights * ~positive, minlength=len(values))
        pairs = pos.sum() * neg.sum()
        return float((pos * (np.cumsum(neg) - neg / 2)).sum() / pairs) if pairs > 0 else float("nan")

    return figure


def average_precision(probabilities: Floats, positive: Bools) -> Weighted:
    """Precision averaged over the ranks of the positives, by weight."""
    values, at = np.unique(-probabilities, return_inverse=True)

    def figure(weights: Floats) -> float:
        pos = np.bincount(at, weights=weights * positive, minlength=len(values))
        every = np.bincount(at, weights=weights, minlength=len(values))
        if pos.sum() <= 0:
            return float("nan")
        return float((np.cumsum(pos) / np.maximum(np.cumsum(every), 1e-12) * pos).sum() / pos.sum())

    return figure


def calibration_error(probabilities: Floats, positive: Bools) -> Weighted:
    """Mean gap between stated and observed frequency over ten equal-width bins, by weight (Guo et al. 2017)."""
    at = _bins(probabilities)
    gap = probabilities - positive

    def figure(weights: Floats) -> float:
        gaps = np.bincount(at, weights=weights * gap, minlength=BINS)
        return float(np.abs(gaps).sum() / max(float(weights.sum()), 1e-12))

    return figure


def log_loss(probabilities: Floats, positive: Bools) -> Weighted:
    """Mean negative log likelihood, in nats, by weight: low for what is both told apart and calibrated."""
    loss = -np.log(np.clip(np.where(positive, probabilities, 1 - probabilities), 1e-9, 1.0))

    def figure(weights: Floats) -> float:
        return float((weights * loss).sum() / max(float(weights.sum()), 1e-12))

    return figure


def reliability(probabilities: Floats, positive: Bools, weights: Floats) -> tuple[Bin, ...]:
    """The reliability diagram: ten equal-width bins, empty ones left out."""
    at = _bins(probabilities)
    bins = []
    for one in range(BINS):
        inside = at == one
        if weights[inside].sum() > 0:
            stated = float(np.average(probabilities[inside], weights=weights[inside]))
            observed = float(np.average(positive[inside], weights=weights[inside]))
            bins.append(Bin(int(inside.sum()), stated, observed))
    return tuple(bins)


def compared(
    figure: Figure,
    before: Floats,
    after: Floats,
    positive: Bools,
    weights: Floats,
    groups: Sequence[str],
    *,
    seed: int,
) -> Compared:
    """A figure of two models on the same turns, its intervals from drawing groups again (paired)."""
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    count = int(group.max()) + 1
    rng = np.random.default_rng(seed)
    was, now = figure(before, positive), figure(after, positive)
    drawn = np.empty((_DRAWS, 2))
    for draw in range(_DRAWS):
        again = weights * np.bincount(rng.integers(count, size=count), minlength=count)[group]
        drawn[draw] = was(again), now(again)
    return Compared(
        _interval(was(weights), drawn[:, 0]),
        _interval(now(weights), drawn[:, 1]),
        _interval(now(weights) - was(weights), drawn[:, 1] - drawn[:, 0]),
    )


def _bins(probabilities: Floats) -> NDArray[np.int64]:
    return np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)


def _interval(value: float, drawn: Floats) -> Interval:
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return Interval(float("nan"), value, float("nan"))
    low, high = np.quantile(known, [0.025, 0.975])
    return Interval(float(low), value, float(high))
