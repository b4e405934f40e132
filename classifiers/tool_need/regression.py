"""Logistic regression over sparse yes-or-no features, with NumPy alone.

Newton directions from limited memory (L-BFGS: Nocedal & Wright, *Numerical Optimization*, 2nd ed., algorithm 7.4). No
randomness: the same rows give the same weights.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MEMORY = 10
_ITERATIONS = 200
_SHORTEST_STEP = 1e-8


def sigmoid(log_odds: Floats) -> Floats:
    """Probabilities of log-odds, without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * log_odds)))


@dataclass(frozen=True, slots=True)
class Rows:
    """Which features each row has.

    Attributes:
        row: the row of each entry, ascending.
        feature: the feature of each entry.
        count: how many rows.
        features: how many features there are.
    """

    row: Ints
    feature: Ints
    count: int
    features: int

    @classmethod
    def of(cls, rows: Sequence[Iterable[Hashable]], vocabulary: Mapping[Any, int]) -> Self:
        """Rows of features; those outside the vocabulary are left out."""
        at = [sorted({vocabulary[one] for one in row if one in vocabulary}) for row in rows]
        lengths = np.fromiter(map(len, at), dtype=np.int64, count=len(at))
        feature = np.fromiter((one for some in at for one in some), dtype=np.int64, count=int(lengths.sum()))
        return cls(np.repeat(np.arange(len(at)), lengths), feature, len(at), len(vocabulary))

    def dot(self, weights: Floats) -> Floats:
        """The sum of each row's weights, ``[rows]``."""
        return np.bincount(self.row, weights=weights[self.feature], minlength=self.count).astype(
            np.float64, copy=False
        )

    def transposed_dot(self, values: Floats) -> Floats:
        """The sum of the values of the rows that have each feature, ``[features]``."""
        return np.bincount(self.feature, weights=values[self.row], minlength=self.features).astype(
            np.float64, copy=False
        )

    def some(self, chosen: NDArray[np.bool_]) -> Rows:
        """The chosen rows only."""
        new = np.cumsum(chosen) - 1
        keep = chosen[self.row]
        return Rows(new[self.row[keep]], self.feature[keep], int(chosen.sum()), self.features)


def platt(log_odds: Floats, positive: NDArray[np.bool_], counts: Floats) -> tuple[float, float]:
    """Slope and shift that calibrate log-odds (Platt 1999), by Newton's method."""
    inputs = np.stack([log_odds, np.ones_like(log_odds)])

    def loss(at: Floats) -> float:
        z = at @ inputs
        return float((counts * (np.logaddexp(0.0, z) - positive * z)).sum())

    at, now = np.array([1.0, 0.0]), loss(np.array([1.0, 0.0]))
    for _ in range(100):
        chance = sigmoid(at @ inputs)
        slope = inputs @ (counts * (chance - positive))
        bend = (inputs * (counts * chance * (1 - chance))) @ inputs.T + 1e-6 * np.eye(2)
        step, reach = np.linalg.solve(bend, slope), 1.0
        while (tried := loss(at - reach * step)) > now and reach > 1e-6:
            reach *= 0.5
        if now - tried < 1e-9 * max(1.0, now):
            break
        at, now = at - reach * step, tried
    return float(at[0]), float(at[1])


def informed_penalty(rows: Rows, positive: NDArray[np.bool_], counts: Floats, strength: float) -> Floats:
    """A penalty ``[features]`` that lets a feature weigh as much as its counts on both sides differ.

    The same as scaling features by their naive-Bayes log ratio (Wang & Manning 2012, *Baselines and Bigrams*).
    """
    on_positive = rows.transposed_dot(counts * positive) + 1.0
    on_negative = rows.transposed_dot(counts * ~positive) + 1.0
    ratio = np.log(on_positive / ((counts * positive).sum() + 2.0)) - np.log(
        on_negative / ((counts * ~positive).sum() + 2.0)
    )
    return np.asarray(strength / np.maximum(ratio**2, 1e-3))


def fit(
    rows: Rows,
    positive: NDArray[np.bool_],
    counts: Floats,
    penalty: Floats,
    *,
    offset: Floats | float = 0.0,
    start: Floats | None = None,
) -> Floats:
    """Weights ``[features + 1]`` (the bias last) of the regression with an L2 penalty.

    Minimises ``sum(counts * log loss) + sum(penalty * weights ** 2) / 2``; the bias is not punished.

    Args:
        rows: what was seen.
        positive: what it was, ``[rows]``.
        counts: how much each row counts, ``[rows]``.
        penalty: of each feature's weight, ``[features]``.
        offset: log-odds known beforehand, added to each row's.
        start: weights to start from.
    """
    truth = positive.astype(np.float64)
    punished = np.append(penalty, 0.0)

    def log_odds(weights: Floats) -> Floats:
        return np.asarray(rows.dot(weights[:-1]) + weights[-1] + offset)

    def loss(weights: Floats, z: Floats) -> float:
        return float(
            (counts * (np.logaddexp(0.0, z) - truth * z)).sum() + 0.5 * (punished * weights**2).sum()
        )

    def gradient(weights: Floats, z: Floats) -> Floats:
        residual = counts * (sigmoid(z) - truth)
        return np.append(rows.transposed_dot(residual), residual.sum()) + punished * weights

    weights = np.zeros(rows.features + 1) if start is None else start.copy()
    z = log_odds(weights)
    now, slope = loss(weights, z), gradient(weights, z)
    tolerance = 1e-5 * max(1.0, float(counts.sum()))
    chance = sigmoid(z)
    spread = counts * np.maximum(chance * (1 - chance), 0.05)
    scale = 1.0 / (np.append(rows.transposed_dot(spread), spread.sum()) + punished + 1e-9)
    past: deque[tuple[Floats, Floats, float]] = deque(maxlen=_MEMORY)
    for _ in range(_ITERATIONS):
        if np.abs(slope).max() < tolerance:
            break
        step = -_inverse_hessian(slope, past, scale)
        reach, downhill = 1.0, float(slope @ step)
        while reach > _SHORTEST_STEP:
            tried = weights + reach * step
            z = log_odds(tried)
            value = loss(tried, z)
            if value <= now + 1e-4 * reach * downhill:
                break
            reach *= 0.5
        else:
            break
        new_slope = gradient(tried, z)
        moved, turned = tried - weights, new_slope - slope
        if (bent := float(moved @ turned)) > 1e-12:
            past.append((moved, turned, 1.0 / bent))
        weights, slope, now = tried, new_slope, value
    return weights


def _inverse_hessian(slope: Floats, past: deque[tuple[Floats, Floats, float]], scale: Floats) -> Floats:
    direction = slope.copy()
    shares = []
    for moved, turned, inverse in reversed(past):
        share = inverse * float(moved @ direction)
        direction -= share * turned
        shares.append(share)
    direction *= scale
    for (moved, turned, inverse), share in zip(past, reversed(shares), strict=True):
        direction += (share - inverse * float(turned @ direction)) * moved
    return direction
