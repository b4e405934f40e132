"""What the solver is not told, and may take for anything: signals, what cannot be read, and rounding."""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction

import z3

from router.lint.ranges import Range
from router.lint.truth import Term

_ROUNDING = Fraction(1, 2**50)
"""More than one operation on doubles, and writing them as decimals, can be off by, relative to the operands."""


class Unknowns:
    """Keeps the unknown values of one policy, and what holds of them whatever happens.

    Args:
        margin: by how much a comparison of numbers with a point must be clear to count.
    """

    def __init__(self, margin: Fraction) -> None:
        self.margin = margin
        self.constraints: list[Term] = []
        self._helpers: dict[str, Term] = {}
        self._reads: dict[str, frozenset[str]] = {}

    def within(self, variable: Term, bounds: Range | None) -> Term:
        """The variable, which lies within the bounds as far as there are any."""
        if bounds is not None and bounds.low > float("-inf"):
            self.constraints.append(variable >= decimal(bounds.low))
        if bounds is not None and bounds.high < float("inf"):
            self.constraints.append(variable <= decimal(bounds.high))
        return variable

    def helper(self, key: str | None, sort: Term, reads: frozenset[str]) -> Term:
        """A value that depends on what it ``reads`` in some way; the same one for what has the same ``key``."""
        name = key if key is not None else f"#{len(self._helpers)}"
        if name not in self._helpers:
            self._helpers[name] = z3.Const(f"? {name}", sort)
            self._reads[name] = reads
        return self._helpers[name]

    def error(self, key: str | None, magnitude: float, reads: frozenset[str]) -> Term:
        """What rounding may add to numbers of that ``magnitude``. Any margin is far larger."""
        if self.margin:
            return z3.RealVal(0)
        limit = _ROUNDING * Fraction(max(1.0, magnitude))
        error = self.helper(key and f"rounding of {key}", z3.RealSort(), reads)
        self.constraints += [error <= rational(limit), error >= rational(-limit)]
        return error

    def dependent(self, names: Collection[str]) -> list[Term]:
        """The values that depend on one of the names."""
        return [helper for key, helper in self._helpers.items() if not self._reads[key].isdisjoint(names)]


def decimal(value: float) -> Term:
    """A number as it is written: 0.6 is six tenths, whatever a double makes of it."""
    return z3.IntVal(value) if isinstance(value, int) else rational(Fraction(repr(value)))


def rational(value: Fraction) -> Term:
    return z3.Q(value.numerator, value.denominator)
