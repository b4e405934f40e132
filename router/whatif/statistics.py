"""Figures over calls with confidence intervals: bootstrap by call, because the turns of a call resemble each other.

Calls are drawn with replacement, whole (the cluster bootstrap; Efron and Tibshirani, *An Introduction to the
Bootstrap*, 1993, chapter 13: percentile intervals). Turns drawn one by one would make intervals far too narrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

_Floats = np.ndarray[Any, np.dtype[np.float64]]
_Counts = np.ndarray[Any, np.dtype[np.uint8]]
_CHUNK = 1 << 22  # draws times calls that are drawn and multiplied at once


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its confidence interval; the bounds are ``None`` when there are too few calls for one."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def clear_of_zero(self) -> bool:
        """Whether the whole interval lies on one side of zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


class Resampled:
    """The calls of a sample, drawn again and again. One set of draws serves all figures, so differences pair.

    Args:
        calls: how many there are. Every sequence given later has an entry for each, in one order.
        draws: resamples.
        seed: the same seed gives the same intervals.
        level: of confidence.
    """

    def __init__(self, calls: int, *, draws: int = 1000, seed: int = 0, level: float = 0.95) -> None:
        self.calls = calls
        self._draws = draws
        self._seed = seed
        self._tails = (50.0 * (1 - level), 50.0 * (1 + level))

    def mean(self, per_call: Sequence[float] | _Floats) -> Interval | None:
        """The mean over calls; for a paired difference, give the differences. ``None`` without calls."""
        return self.ratio(per_call, np.ones(self.calls))

    def ratio(self, parts: Sequence[float] | _Floats, wholes: Sequence[float] | _Floats) -> Interval | None:
        """``sum(parts) / sum(wholes)``, such as changed turns per turn. ``None`` when the wholes sum to 0."""
        over, under = np.asarray(parts, np.float64), np.asarray(wholes, np.float64)
        self._same_length(over, under)
        whole = float(under.sum())
        if not whole:
            return None
        drawn_over, drawn_under = self._drawn(over), self._drawn(under)
        some = drawn_under != 0  # few calls with a whole, and a draw may hold none of them
        return self._interval(float(over.sum()) / whole, drawn_over[some] / drawn_under[some])

    def difference(
        self,
        after: tuple[Sequence[float] | _Floats, Sequence[float] | _Floats],
        before: tuple[Sequence[float] | _Floats, Sequence[float] | _Floats],
    ) -> Interval | None:
        """One ratio less another over the same draws; each is given as parts and wholes."""
        sums = [np.asarray(each, np.float64) for pair in (after, before) for each in pair]
        self._same_length(*sums)
        wholes = float(sums[1].sum()), float(sums[3].sum())
        if not all(wholes):
            return None
        a, b, c, d = (self._drawn(each) for each in sums)
        some = (b != 0) & (d != 0)
        value = float(sums[0].sum()) / wholes[0] - float(sums[2].sum()) / wholes[1]
        return self._interval(value, a[some] / b[some] - c[some] / d[some])

    def _interval(self, value: float, drawn: _Floats) -> Interval:
        if self.calls < 2 or not len(drawn):
            return Interval(value)
        low, high = np.percentile(drawn, self._tails)
        return Interval(value, float(low), float(high))

    def _drawn(self, per_call: _Floats) -> _Floats:
        """The sum of ``per_call`` in each resample."""
        return np.concatenate([counts.astype(np.float64) @ per_call for counts in self._counts])

    @cached_property
    def _counts(self) -> list[_Counts]:
        """How often each call is in each resample: draws x calls, in pieces."""
        if not self.calls:
            return [np.zeros((self._draws, 0), np.uint8)]
        random = np.random.default_rng(self._seed)
        rows = max(1, _CHUNK // self.calls)
        shares = np.full(self.calls, 1 / self.calls)
        sizes = [min(rows, self._draws - done) for done in range(0, self._draws, rows)]
        return [random.multinomial(self.calls, shares, size=size).astype(np.uint8) for size in sizes]

    def _same_length(self, *arrays: _Floats) -> None:
        if any(array.shape != (self.calls,) for array in arrays):
            raise ValueError(
                f"one figure per call is needed: {self.calls} calls, {[a.shape for a in arrays]}"
            )
