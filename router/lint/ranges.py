"""Between which bounds numbers in conditions lie: interval arithmetic over the bounds of signals and params.

Bounds are never too narrow: those of doubles are moved outward by what rounding may add.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from policies.document import LARGEST
from router.checked import Call, Constant, Name, Tree
from router.content import Content
from router.signals import Kind, Spec

INT_LOW, INT_HIGH = -(2**63), 2**63 - 1
TEXT_LENGTH = 64
"""The longest text that a signal may hold."""
_WIDER = 1e-9


@dataclass(frozen=True, slots=True)
class Range:
    """All numbers from ``low`` to ``high``; only the whole ones when ``whole``."""

    low: float
    high: float
    whole: bool

    @property
    def bounded(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def most(self) -> float:
        """The largest absolute value."""
        return max(abs(self.low), abs(self.high))

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high

    def hull(self, other: Range) -> Range:
        return Range(min(self.low, other.low), max(self.high, other.high), self.whole and other.whole)


class Ranges:
    """The range of every numeric variable and expression of a policy.

    With ``free`` params, each may be anything that its declaration allows, not just its value.
    """

    def __init__(self, content: Content, *, free: bool = False) -> None:
        self._content = content
        self._free = free
        self._variables: dict[str, Range] = {}
        for name, spec in content.variables.items():
            if (found := self._declared(name, spec)) is not None:
                self._variables[name] = found
        for each in content.derived:
            self._variables[each.name] = _smoothed(self.of(each.reading.tree), each.unknown)

    def of(self, tree: Tree) -> Range | None:
        """Where the value of ``tree`` lies; ``None`` when it is no number or cannot be told."""
        match tree:
            case Constant(bool()):
                return None
            case Constant(int() | float() as value):
                return Range(value, value, isinstance(value, int))
            case Name(name):
                return self._variables.get(name)
            case Call("size", (Constant(str(text)),)):
                return Range(len(text), len(text), whole=True)
            case Call("size", (inner,)):
                return Range(0, TEXT_LENGTH, whole=True) if self._is_short(inner) else None
            case Call("_?_:_", (_, yes, no)):
                left, right = self.of(yes), self.of(no)
                return left.hull(right) if left and right else None
            case Call(function, arguments):
                parts = [self.of(argument) for argument in arguments]
                ranges = [part for part in parts if part is not None]
                return _result(function, ranges) if len(ranges) == len(parts) else None
            case _:
                return None

    def _declared(self, name: str, spec: Spec) -> Range | None:
        if spec.kind not in (Kind.INT, Kind.DOUBLE):
            return None
        whole = spec.kind is Kind.INT
        param = self._content.params.get(name)
        if param is None:
            low, high = spec.low, spec.high
        elif self._free:
            low, high = max(param.low, -LARGEST), min(param.high, LARGEST)
        else:
            low = high = float(param.value) if not whole else int(param.value)
        if whole:
            low = max(math.ceil(low), INT_LOW) if math.isfinite(low) else INT_LOW
            high = min(math.floor(high), INT_HIGH) if math.isfinite(high) else INT_HIGH
        return Range(low, high, whole)

    def _is_short(self, tree: Tree) -> bool:
        spec: Spec | None = self._content.variables.get(tree.name) if isinstance(tree, Name) else None
        return spec is not None and spec.kind in (Kind.TEXT, Kind.ENUM)


def _smoothed(reading: Range | None, unknown: float) -> Range:
    """Where the moving average of readings lies: between the least and the greatest, and where it began."""
    if reading is None:
        return Range(-math.inf, math.inf, whole=False)
    hull = reading.hull(Range(unknown, unknown, whole=False))

    def outward(bound: float, sign: int) -> float:
        # Of readings from 0 to 1, as nearly all are, rounding makes no average that is not.
        return bound if bound in (-1, 0, 1) else bound + sign * _WIDER * max(1.0, abs(bound))

    return Range(outward(hull.low, -1), outward(hull.high, 1), whole=False)


def _result(function: str, parts: list[Range]) -> Range | None:
    match function, parts:
        case "-_", [one]:
            return Range(-one.high, -one.low, one.whole)
        case "double", [one]:
            return Range(float(one.low), float(one.high), whole=False)
        case "int", [one] if one.bounded:
            return Range(math.trunc(one.low), math.trunc(one.high), whole=True)
        case "_+_", [left, right]:
            return _outward(left.low + right.low, left.high + right.high, parts)
        case "_-_", [left, right]:
            return _outward(left.low - right.high, left.high - right.low, parts)
        case "_*_", [left, right] if left.bounded and right.bounded:
            corners = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
            return _outward(min(corners), max(corners), parts)
        case "_/_", [left, right] if left.bounded and right.bounded and not right.holds(0):
            corners = [
                _quotient(a, b, left.whole) for a in (left.low, left.high) for b in (right.low, right.high)
            ]
            return _outward(min(corners), max(corners), parts)
        case "_/_", [left, Range(whole=True)]:  # what divides by zero has no value; else at least by one
            return Range(-left.most, left.most, whole=True)
        case "_%_", [left, right]:
            most = min(left.most, right.most)
            return Range(-most if left.low < 0 else 0, most, whole=True)
        case _:
            return None


def _quotient(left: float, right: float, whole: bool) -> float:
    if not whole:
        return left / right
    size = abs(int(left)) // abs(int(right))
    return size if (left < 0) == (right < 0) else -size


def _outward(low: float, high: float, parts: list[Range]) -> Range:
    if all(part.whole for part in parts):
        return Range(low, high, whole=True)
    return Range(math.nextafter(low, -math.inf), math.nextafter(high, math.inf), whole=False)
