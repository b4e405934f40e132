"""Calculations as terms of the solver: whole numbers with overflow and division by zero, doubles with rounding.

Only what is linear is told to the solver for proofs, as it can decide that; the product of two signals, or the
quotient, may be anything within its bounds. Where only an example is wanted, it is told those too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import z3

from router.checked import Name, Tree, walk
from router.lint.parts import shape
from router.lint.ranges import INT_HIGH, INT_LOW, Range
from router.lint.truth import FALSE, Term, some
from router.lint.unknowns import Unknowns

_EXACT_INTS = 2**53


class UnreadableError(Exception):
    """The value of a part cannot be told, so the smallest condition around it may be true or false."""


@dataclass(frozen=True, slots=True, eq=False)
class Number:
    """A number, where it lies, and when it has no value."""

    term: Term
    range: Range
    fails: Term = FALSE


def calculated(
    function: str, parts: Sequence[Number], bounds: Range, tree: Tree, unknowns: Unknowns
) -> Number:
    """The result of ``function``, which lies within ``bounds``, where ``tree`` is what is written.

    Raises:
        UnreadableError: it cannot be told.
    """
    of = _whole if bounds.whole else _real
    found = of(function, parts, bounds, tree, unknowns)
    return Number(found.term, bounds, some([*(part.fails for part in parts), found.fails]))


def names(tree: Tree) -> frozenset[str]:
    """Every name in a tree."""
    return frozenset(part.name for part in walk(tree) if isinstance(part, Name))


def _real(function: str, parts: Sequence[Number], bounds: Range, tree: Tree, unknowns: Unknowns) -> Number:
    magnitude = sum(part.range.most for part in parts)
    linear = any(_fixed(part) for part in parts) or bool(unknowns.margin)
    match function, [part.term for part in parts]:
        case "-_", [one]:
            return Number(-one, bounds)
        case "double", [one] if not parts[0].range.whole:
            return Number(one, bounds)
        case "double", [one]:
            exact = z3.ToReal(one)
            if magnitude < _EXACT_INTS:
                return Number(exact, bounds)
        case "_+_", [left, right]:
            exact = left + right
        case "_-_", [left, right]:
            exact = left - right
        case "_*_", [left, right] if linear:
            exact, magnitude = left * right, bounds.most
        case "_/_", [left, right] if _fixed(parts[1]) or unknowns.margin:
            exact, magnitude = left / right, bounds.most
        case _:
            anything = unknowns.helper(shape(tree), z3.RealSort(), names(tree))
            return Number(unknowns.within(anything, bounds), bounds)
    return Number(exact + unknowns.error(shape(tree), magnitude, names(tree)), bounds)


def _whole(function: str, parts: Sequence[Number], bounds: Range, tree: Tree, unknowns: Unknowns) -> Number:
    terms, last = [part.term for part in parts], parts[-1]
    by_zero = terms[-1] == 0 if function in ("_/_", "_%_") and last.range.holds(0) else FALSE
    linear = any(_fixed(part) for part in parts) or bool(unknowns.margin)
    match function, terms:
        case "-_", [one]:
            term = -one
        case "_+_", [left, right]:
            term = left + right
        case "_-_", [left, right]:
            term = left - right
        case "_*_", [left, right] if linear:
            term = left * right
        case "_/_" | "_%_", [left, right] if (_fixed(last) and by_zero is FALSE) or unknowns.margin:
            quotient = _toward_zero(left, right)
            term = quotient if function == "_/_" else left - quotient * right
        case "int", [one] if parts[0].range.whole:
            term = one
        case "int", [one] if bounds.most < _EXACT_INTS:
            term = z3.If(one >= 0, z3.ToInt(one), -z3.ToInt(-one))
        case "int", _:
            raise UnreadableError  # doubles near the largest whole number are a matter of rounding
        case _:
            anything = unknowns.helper(shape(tree), z3.IntSort(), names(tree))
            term = unknowns.within(anything, bounds)
    overflows = bounds.low < INT_LOW or bounds.high > INT_HIGH
    outside = z3.Or(term < INT_LOW, term > INT_HIGH) if overflows else FALSE
    return Number(term, bounds, some([by_zero, outside]))


def _fixed(part: Number) -> bool:
    return part.range.low == part.range.high


def _toward_zero(term: Term, divisor: Term) -> Term:
    """Division as CEL has it; the solver rounds so that what remains is not negative."""
    size = z3.If(divisor > 0, divisor, -divisor)
    quotient = z3.If(term >= 0, term / size, -((-term) / size))
    return z3.If(divisor > 0, quotient, -quotient)
