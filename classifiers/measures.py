"""Figures of merit for probabilities: AUROC, average precision, calibration error, temperature.

NumPy only, so that a model card can be recomputed without the training extra.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def auroc(scores: Floats, positive: Bools) -> float:
    """The chance that a random positive scores above a random negative; ties count half (Mann-Whitney U)."""
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(1, len(scores) + 1)
    values, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank = np.bincount(inverse, weights=ranks, minlength=len(values)) / counts
    n_pos = int(positive.sum())
    n_neg = len(scores) - n_pos
    if n_pos == 0 or n_neg == 0:
        return float("nan")
    u = mean_rank[inverse][positive].sum() - n_pos * (n_pos + 1) / 2
    return float(u / (n_pos * n_neg))


def average_precision(scores: Floats, positive: Bools) -> float:
    """Precision averaged over the ranks of the positives (area under the precision-recall steps)."""
    hits = positive[np.argsort(-scores, kind="stable")]
    if not hits.any():
        return float("nan")
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())


def expected_calibration_error(probabilities: Floats, positive: Bools, bins: int = 10) -> float:
    """Mean gap between stated and observed frequency over equal-width bins, weighted by bin size (Guo et al. 2017)."""
    bin_of = np.minimum((probabilities * bins).astype(int), bins - 1)
    gap = 0.0
    for b in range(bins):
        inside = bin_of == b
        if inside.any():
            gap += inside.mean() * abs(probabilities[inside].mean() - positive[inside].mean())
    return float(gap)


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
