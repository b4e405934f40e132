"""Comparisons that decide nothing or not what they seem to: read off the condition, no prover needed."""

from __future__ import annotations

from collections.abc import Iterator

from router.checked import Call, Constant, Listing, Name, Tree, walk
from router.conditions import Condition
from router.lint.case import Case
from router.lint.ranges import Range, Ranges
from router.lint.report import Finding, Severity
from router.lint.texts import PREDICATES, holds, matches_all
from router.signals import Kind

_OPPOSITE = {"_<_": "_>_", "_<=_": "_>=_", "_>_": "_<_", "_>=_": "_<=_"}


def comparisons(case: Case) -> Iterator[Finding]:
    """Findings on the comparisons in every condition."""
    ranges = Ranges(case.content)
    for subject, condition in case.content.conditions():
        for part in walk(condition.tree):
            if isinstance(part, Call):
                yield from _vacuous(case, ranges, (subject, condition), part)
                yield from _traps(case, ranges, (subject, condition), part)
    protecting = [(guard.id, guard.when) for guard in case.content.guards]
    protecting += [(never.id, never.when) for never in case.content.never]
    for about in protecting:
        for part in walk(about[1].tree):
            if isinstance(part, Call):
                yield from _nought_by_nought(case, ranges, about, part)


def _vacuous(case: Case, ranges: Ranges, about: tuple[str, Condition], part: Call) -> Iterator[Finding]:
    """A comparison that is the same for every value of its signals."""
    outcome = _outcome(case, ranges, part)
    if outcome is None or not any(isinstance(inside, Name) for inside in walk(part)):
        return
    names = [inside for inside in walk(part) if isinstance(inside, Name)]
    known = dict.fromkeys(each.name for each in names)
    domains = "; ".join(f"{name} is {_domain(case, ranges, name)}" for name in known)
    word = "always" if outcome else "never"
    code = f"always-{str(outcome).lower()}"
    at = min(names, key=lambda each: each.offset)
    yield case.finding(code, Severity.WARNING, about, f"this comparison is {word} true: {domains}", at=at)


def _traps(case: Case, ranges: Ranges, about: tuple[str, Condition], part: Call) -> Iterator[Finding]:
    match part:
        case Call("_/_", (left, right)) if _is_whole(ranges, left) and _is_whole(ranges, right):
            message = "a whole number divided by a whole number loses what is behind the point: write double(…) on both"
            yield case.finding("integer-division", Severity.WARNING, about, message, at=left)
        case Call("_==_" | "_!=_", (left, right)):
            for one, other in ((left, right), (right, left)):
                if isinstance(one, Name) and _is_measured(case, one) and isinstance(other, Constant | Name):
                    message = f"{one.name} is measured, and hardly ever exactly this: compare with <= or >="
                    yield case.finding("measured-equality", Severity.WARNING, about, message, at=one)
                    return
        case Call("matches", (_, Constant(str(pattern)) as literal)) if matches_all(pattern):
            message = f"'{pattern}' matches every text that it was tried on: anchor it with ^ and $, or leave it out"
            yield case.finding("regex-matches-all", Severity.WARNING, about, message, at=literal)
        case _:
            pass


def _nought_by_nought(
    case: Case, ranges: Ranges, about: tuple[str, Condition], part: Call
) -> Iterator[Finding]:
    """A division of doubles that gives no number rather than an error, so that what protects does not act."""
    match part:
        case Call("_/_", (left, right)) if not (_is_whole(ranges, left) and _is_whole(ranges, right)):
            both = (ranges.of(left), ranges.of(right))
            if all(bounds is None or bounds.holds(0.0) for bounds in both):
                message = (
                    "nought divided by nought is no number, of which every comparison is false, so this would not"
                    " act: multiply instead, `a >= b * c` for `a / b >= c`"
                )
                yield case.finding("not-a-number", Severity.WARNING, about, message, at=left)
        case _:
            pass


def _outcome(case: Case, ranges: Ranges, part: Call) -> bool | None:
    """What the comparison always is; ``None`` when that depends."""
    match part:
        case Call(("_<_" | "_<=_" | "_>_" | "_>=_" | "_==_" | "_!=_") as function, (left, right)):
            a, b = ranges.of(left), ranges.of(right)
            return _magnitude(function, a, b) if a and b else None
        case Call("@in", (Name(name), Listing(elements))):
            return _membership(case, ranges, name, elements)
        case Call(function, (Name(name), Constant(str(literal)))) if function in PREDICATES:
            choices = case.content.variables[name].choices if name in case.content.variables else ()
            found = {holds(function, choice, literal) for choice in choices}
            return found.pop() if len(found) == 1 else None
        case _:
            return None


def _magnitude(function: str, a: Range, b: Range) -> bool | None:
    match function:
        case "_<_":
            return True if a.high < b.low else False if a.low >= b.high else None
        case "_<=_":
            return True if a.high <= b.low else False if a.low > b.high else None
        case "_>_" | "_>=_":
            return _magnitude(_OPPOSITE[function], b, a)
        case _:
            apart = a.high < b.low or a.low > b.high
            one = a.low == a.high == b.low == b.high
            equal = False if apart else True if one else None
            return equal if equal is None or function == "_==_" else not equal


def _membership(case: Case, ranges: Ranges, name: str, elements: tuple[Tree, ...]) -> bool | None:
    """Whether a signal is always, or never, one of the literals listed."""
    values = [element.value for element in elements if isinstance(element, Constant)]
    spec = case.content.variables.get(name)
    if spec is None or len(values) != len(elements):
        return None
    if not values:
        return False
    if spec.kind is Kind.ENUM:
        return True if set(spec.choices) <= set(values) else None
    bounds = ranges.of(Name(name, 0))
    numbers = [value for value in values if isinstance(value, int | float)]
    return False if bounds and numbers and not any(bounds.holds(number) for number in numbers) else None


def _domain(case: Case, ranges: Ranges, name: str) -> str:
    bounds = ranges.of(Name(name, 0))
    if bounds is None:
        return "one of " + ", ".join(case.content.variables[name].choices)
    return (
        f"{bounds.low:g}" if bounds.low == bounds.high else f"from {bounds.low:,.10g} to {bounds.high:,.10g}"
    )


def _is_whole(ranges: Ranges, tree: Tree) -> bool:
    found = ranges.of(tree)
    return found is not None and found.whole


def _is_measured(case: Case, name: Name) -> bool:
    spec = case.content.variables.get(name.name)
    return spec is not None and spec.noise > 0
