"""Truth as conditions have it, in the solver's terms: yes, no, or no value at all because evaluation failed.

The two sides are kept apart because they may leave room between them: a comparison that must hold with a margin
is neither definitely true nor definitely false close to its threshold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import z3

Term: TypeAlias = Any
"""An expression of the solver, ``z3.ExprRef``: z3 has no types of its own."""

TRUE, FALSE = z3.BoolVal(True), z3.BoolVal(False)


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """When something is true, when it is false, and when it fails. Two of these never hold together."""

    yes: Term
    no: Term
    fails: Term = FALSE

    @staticmethod
    def of(term: Term) -> Truth:
        """What is true exactly when ``term`` is."""
        return Truth(term, opposite(term))

    @property
    def failing_is_true(self) -> Truth:
        """As guards count it."""
        return Truth(some([self.yes, self.fails]), self.no)

    @property
    def failing_is_false(self) -> Truth:
        """As rules count it."""
        return Truth(self.yes, some([self.no, self.fails]))

    def unless(self, failed: Term) -> Truth:
        """The same where ``failed`` is false, and failing where it is true."""
        if failed is FALSE:
            return self
        fine = opposite(failed)
        return Truth(every([self.yes, fine]), every([self.no, fine]), some([self.fails, failed]))

    def __invert__(self) -> Truth:
        return Truth(self.no, self.yes, self.fails)

    def __and__(self, other: Truth) -> Truth:
        """CEL's ``&&``: false if either is, whether or not the other fails."""
        fails = some(
            [
                every([self.fails, some([other.yes, other.fails])]),
                every([other.fails, some([self.yes, self.fails])]),
            ]
        )
        return Truth(every([self.yes, other.yes]), some([self.no, other.no]), fails)

    def __or__(self, other: Truth) -> Truth:
        """CEL's ``||``: true if either is, whether or not the other fails."""
        return ~(~self & ~other)


ALWAYS, NEVER = Truth(TRUE, FALSE), Truth(FALSE, TRUE)


def choice(condition: Truth, yes: Truth, no: Truth) -> Truth:
    """CEL's ``condition ? yes : no``."""
    return Truth(
        some([every([condition.yes, yes.yes]), every([condition.no, no.yes])]),
        some([every([condition.yes, yes.no]), every([condition.no, no.no])]),
        some([condition.fails, every([condition.yes, yes.fails]), every([condition.no, no.fails])]),
    )


def every(terms: Iterable[Term]) -> Term:
    """The conjunction, without what is plainly true."""
    parts = [term for term in terms if term is not TRUE]
    if any(part is FALSE for part in parts):
        return FALSE
    return z3.And(parts) if len(parts) > 1 else parts[0] if parts else TRUE


def some(terms: Iterable[Term]) -> Term:
    """The disjunction, without what is plainly false."""
    parts = [term for term in terms if term is not FALSE]
    if any(part is TRUE for part in parts):
        return TRUE
    return z3.Or(parts) if len(parts) > 1 else parts[0] if parts else FALSE


def opposite(term: Term) -> Term:
    if term is TRUE or term is FALSE:
        return FALSE if term is TRUE else TRUE
    return term.arg(0) if z3.is_not(term) else z3.Not(term)


def all_of(truths: Iterable[Truth]) -> Truth:
    """The conjunction of truths that do not fail."""
    parts = list(truths)
    return Truth(every(part.yes for part in parts), some(part.no for part in parts))


def any_of(truths: Iterable[Truth]) -> Truth:
    """The disjunction of truths that do not fail."""
    return ~all_of(~truth for truth in truths)
