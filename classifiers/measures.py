"""Figures of merit: discrimination, calibration, abstention, and how far a figure may be trusted.

NumPy only, so that a model card can be recomputed without the training extra.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

Z_95 = 1.959963984540054  # two-sided 95 % of the normal distribution


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the bounds of its 95 % confidence interval."""

    low: float
    value: float
    high: float

    @property
    def above_zero(self) -> bool:
        """Whether the whole interval lies above zero: for a difference, that it is no accident of the sample."""
        return self.low > 0


@dataclass(frozen=True, slots=True)
class Reliability:
    """What a reliability diagram draws: for each bin that is not empty, ``[bins]`` each.

    Attributes:
        stated: mean probability that was stated.
        observed: how often it was so.
        count: how many were in the bin.
    """

    stated: Floats
    observed: Floats
    count: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """The error among the most certain answers (El-Yaniv and Wiener 2010), ``[n]`` each, coverage rising to 1.

    Attributes:
        coverage: share of the cases that are answered.
        risk: share of wrong answers among them. Cases of equal confidence are answered together or not at all, so
            between them the risk is that of a random choice among equals.
    """

    coverage: Floats
    risk: Floats

    @property
    def area(self) -> float:
        """Mean risk over all coverages: AURC, lower is better."""
        return float(self.risk.mean())

    def accuracy_at(self, coverage: float) -> float:
        """The accuracy when the least certain ``1 - coverage`` are left unanswered."""
        answered = max(1, round(coverage * len(self.risk)))
        return float(1 - self.risk[answered - 1])


def auroc(scores: Floats, positive: Bools) -> float:
    """The chance that a random positive scores above a random negative; ties count half (Mann-Whitney U)."""
    n_pos = int(positive.sum())
    n_neg = len(scores) - n_pos
    if n_pos == 0 or n_neg == 0:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2
    u = mean_rank[inverse][positive].sum() - n_pos * (n_pos + 1) / 2
    return float(u / (n_pos * n_neg))


def average_precision(scores: Floats, positive: Bools) -> float:
    """Precision averaged over the ranks of the positives (area under the precision-recall steps)."""
    hits = positive[np.argsort(-scores, kind="stable")]
    if not hits.any():
        return float("nan")
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())


def unweighted_average_recall(predicted: NDArray[Any], truth: NDArray[Any]) -> float:
    """Recall averaged over the classes that occur in ``truth``: rare emotions count as much as common ones."""
    return float(np.mean([np.mean(predicted[truth == label] == label) for label in np.unique(truth)]))


def reliability(probabilities: Floats, positive: Bools, bins: int = 10) -> Reliability:
    """Stated against observed frequency over equal-width bins."""
    bin_of = np.minimum((probabilities * bins).astype(int), bins - 1)
    count = np.bincount(bin_of, minlength=bins)
    there = count > 0
    stated = np.bincount(bin_of, weights=probabilities, minlength=bins)[there] / count[there]
    observed = np.bincount(bin_of, weights=positive, minlength=bins)[there] / count[there]
    return Reliability(stated, observed, count[there])


def expected_calibration_error(probabilities: Floats, positive: Bools, bins: int = 10) -> float:
    """Mean gap between stated and observed frequency over equal-width bins, weighted by bin size (Guo et al. 2017)."""
    if not len(probabilities):
        return float("nan")
    curve = reliability(probabilities, positive, bins)
    return float(np.average(np.abs(curve.stated - curve.observed), weights=curve.count))


def brier(probabilities: Floats, positive: Bools) -> float:
    """Mean squared distance between what was stated and what was so (Brier 1950): 0 is perfect, .25 is a coin."""
    return float(np.mean(np.square(probabilities - positive)))


def risk_coverage(confidence: Floats, correct: Bools) -> RiskCoverage:
    """The error that remains as the least certain cases are left unanswered."""
    _, inverse, counts = np.unique(-confidence, return_inverse=True, return_counts=True)
    wrong = np.bincount(inverse, weights=~correct) / counts
    answered = np.arange(1, len(confidence) + 1)
    return RiskCoverage(answered / len(confidence), np.cumsum(np.repeat(wrong, counts)) / answered)


def softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """Probabilities of ``[..., labels]`` logits divided by ``temperature``."""
    scaled = logits / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def fit_temperature(logits: Floats, targets: NDArray[np.int64]) -> float:
    """The temperature in .25 to 8 that minimises the negative log likelihood of ``targets`` (golden section)."""

    def loss(log_temperature: float) -> float:
        p = softmax(logits, float(np.exp(log_temperature)))
        return float(-np.log(p[np.arange(len(p)), targets] + 1e-12).mean())

    low, high = np.log(0.25), np.log(8.0)
    ratio = (np.sqrt(5) - 1) / 2
    for _ in range(60):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def bootstrap(
    statistic: Callable[..., float],
    *arrays: NDArray[Any],
    groups: NDArray[Any] | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> Interval:
    """The percentile bootstrap of ``statistic(*arrays)`` (Efron 1979).

    Not for figures that noise can only raise, as a calibration error: drawing again raises them once more.

    Args:
        statistic: of arrays like those given. Draws for which it is no number, as the AUROC of one class, are left out.
        arrays: ``[n, ...]`` each, resampled together: give two models' scores and their difference is paired.
        groups: ``[n]``; whole groups are drawn then, for what one speaker says is not independent. With ten or fewer
            the interval is still somewhat narrow (Cameron, Gelbach and Miller 2008).
        draws: how many resamples.
        seed: the same seed gives the same interval.
    """
    if not (n := len(arrays[0])):
        return Interval(float("nan"), float("nan"), float("nan"))
    rng = np.random.default_rng(seed)
    names, group_of = np.unique(np.arange(n) if groups is None else groups, return_inverse=True)
    members = np.split(np.argsort(group_of, kind="stable"), np.cumsum(np.bincount(group_of))[:-1])
    figures = np.empty(draws)
    for draw in range(draws):
        drawn = rng.integers(len(names), size=len(names))
        rows = drawn if groups is None else np.concatenate([members[i] for i in drawn])
        figures[draw] = statistic(*(array[rows] for array in arrays))
    value = float(statistic(*arrays))
    told = figures[np.isfinite(figures)]
    if not len(told):
        return Interval(float("nan"), value, float("nan"))
    low, high = np.quantile(told, [0.025, 0.975])
    return Interval(float(low), value, float(high))


def wilson(successes: int, trials: int) -> Interval:
    """The score interval of a share (Wilson 1927): sensible for few trials and for shares of 0 and 1."""
    if trials == 0:
        return Interval(0.0, float("nan"), 1.0)
    share = successes / trials
    shrink = 1 + Z_95**2 / trials
    centre = (share + Z_95**2 / (2 * trials)) / shrink
    half = Z_95 / shrink * float(np.sqrt(share * (1 - share) / trials + Z_95**2 / (4 * trials**2)))
    return Interval(max(0.0, centre - half), share, min(1.0, centre + half))
