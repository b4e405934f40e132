"""Conditions as terms of the solver.

The translation never rules out what can happen: what it cannot read becomes a value that may be anything, and
rounding becomes a small error that may be anything, so what cannot be in the solver cannot be in a call. Numbers
with a point are reals there, each taken for the decimal that it is written as; texts are numbers, one for each
literal in the policy and any other for the texts that the policy does not mention.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import z3

from router.checked import Call, Constant, Listing, Name, Tree, walk
from router.conditions import Condition
from router.content import Content, Derived
from router.lint.arithmetic import Number, UnreadableError, calculated, names
from router.lint.parts import shape, sources
from router.lint.ranges import TEXT_LENGTH, Range, Ranges
from router.lint.texts import PREDICATES, holds
from router.lint.truth import ALWAYS, NEVER, Term, Truth, any_of, choice, every, opposite, some
from router.lint.unknowns import Unknowns, decimal, rational
from router.signals import Kind, Scalar, Spec

_MAGNITUDES = ("_<_", "_<=_", "_>_", "_>=_")


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """The number that stands for a text."""

    code: Term


Value = Truth | Number | Text


class Terms:
    """Translates the conditions of one policy.

    Args:
        content: the policy.
        margin: by how much a comparison of numbers with a point must be clear to count. 0 to prove; above it to
            find cases that do not hang on the last digit.
        free: params may be anything that they are declared to be, and not just their values.
    """

    def __init__(self, content: Content, *, margin: Fraction = Fraction(0), free: bool = False) -> None:
        self.content = content
        self.variables: dict[str, Term] = {}
        """Signals, and params when they are free, by name."""
        self.before: dict[str, Term] = {}
        """Derived signals as they stood before the turn."""
        self.texts: tuple[str, ...] = tuple(_texts(content))
        """The texts that the policy mentions; each is coded by its place."""
        self._codes = {text: z3.IntVal(code) for code, text in enumerate(self.texts)}
        self._unknowns = Unknowns(margin)
        self.constraints = self._unknowns.constraints
        """What holds of the variables whatever happens."""
        self._free = free
        self._ranges = Ranges(content, free=free)
        self._derived = {each.name: each for each in content.derived}
        self._smoothed: dict[str, Term] = {}
        self._conditions: dict[int, Truth] = {}
        self._functions: dict[str, Term] = {}

    def condition(self, condition: Condition) -> Truth:
        """When a condition is true, false, or fails."""
        known = self._conditions.get(id(condition))
        if known is None:
            known = self._conditions[id(condition)] = self._truth(condition.tree)
        return known

    def signal(self, name: str) -> Term:
        """The variable of a signal or free param."""
        if name not in self.variables:
            self.variables[name] = self._variable(name, self.content.variables[name])
        return self.variables[name]

    def scalar(self, name: str, value: Any) -> Scalar:
        """What a value in a model of the solver stands for, as the signal or param holds it."""
        match self.content.variables[name].kind:
            case Kind.BOOL:
                return bool(z3.is_true(value))
            case Kind.INT:
                return int(value.as_long())
            case Kind.DOUBLE:
                return float(value.as_fraction())
            case Kind.ENUM | Kind.TEXT:
                code = int(value.as_long())
                return self.texts[code] if code < len(self.texts) else f"other-{code}"[:TEXT_LENGTH]

    def smoothed(self, name: str) -> Term:
        """A derived signal in this turn."""
        if name not in self._smoothed:
            self._smoothed[name] = self._average(self._derived[name])
        return self._smoothed[name]

    def moved(self, name: str, noise: float) -> tuple[list[tuple[Term, Term]], list[Term]]:
        """A second reading that differs only by the ``noise`` of a signal or derived signal.

        Returns what to substitute in the terms of the first, and what holds between the two.
        """
        derived = name in self._derived
        first = self.smoothed(name) if derived else self.signal(name)
        source = self.before[name] if derived else first
        touched = {name} | {
            each.name
            for each in self.content.derived
            if name in sources(self.content, each.reading)
            or (each.only_if and name in sources(self.content, each.only_if))
        }
        pairs = [(source, z3.Const(f"{source}'", source.sort()))]
        pairs += [
            (helper, z3.Const(f"{helper}'", helper.sort())) for helper in self._unknowns.dependent(touched)
        ]
        second = z3.substitute(first, pairs)
        limit = decimal(noise)
        apart = [first - second <= limit, second - first <= limit]
        return pairs, [*apart, z3.substitute(z3.And(self.constraints), pairs)]

    # -- variables ----------------------------------------------------------------------------------------
    def _variable(self, name: str, spec: Spec) -> Term:
        match spec.kind:
            case Kind.BOOL:
                return z3.Bool(name)
            case Kind.ENUM:
                variable = z3.Int(name)
                self.constraints.append(z3.Or([variable == self._codes[value] for value in spec.choices]))
                return variable
            case Kind.TEXT:
                variable = z3.Int(name)
                self.constraints.append(variable >= 0)
                too_long = [self._codes[text] for text in self.texts if len(text) > TEXT_LENGTH]
                self.constraints += [variable != code for code in too_long]
                if self._unknowns.margin:
                    # An example is wanted, and of other texts only what functions say of them is known.
                    self.constraints.append(variable < len(self.texts))
                return variable
            case Kind.INT | Kind.DOUBLE:
                found = self._ranges.of(Name(name, 0))
                return self._unknowns.within(z3.Int(name) if spec.kind is Kind.INT else z3.Real(name), found)

    def _average(self, each: Derived) -> Term:
        """A turn's moving average: a reading that counts moves it, another leaves it as it was."""
        bounds = self._ranges.of(Name(each.name, 0))
        before = self.before[each.name] = self._unknowns.within(z3.Real(f"{each.name} before"), bounds)
        reads = frozenset([each.name]) | each.reading.reads
        try:
            reading = self._number(each.reading.tree)
        except UnreadableError:
            return self._unknowns.within(self._unknowns.helper(None, z3.RealSort(), reads), bounds)
        counts = self.condition(each.only_if) if each.only_if else ALWAYS
        weight = decimal(each.ewma)
        average = weight * reading.term + decimal(1.0 - each.ewma) * before
        average += self._unknowns.error(None, reading.range.most + (bounds.most if bounds else 0.0), reads)
        counted = every([counts.yes, opposite(reading.fails)])
        return self._unknowns.within(z3.If(counted, average, before), bounds)

    # -- what is true or false ----------------------------------------------------------------------------
    def _truth(self, tree: Tree) -> Truth:
        """Reads what it can, and takes the rest for something that may be true, false, or fail."""
        match tree:
            case Call("_&&_", (left, right)):
                return self._truth(left) & self._truth(right)
            case Call("_||_", (left, right)):
                return self._truth(left) | self._truth(right)
            case Call("!_", (inner,)):
                return ~self._truth(inner)
            case Call("_?_:_", (condition, yes, no)):
                return choice(self._truth(condition), self._truth(yes), self._truth(no))
        try:
            match tree:
                case Constant(bool(value)):
                    return ALWAYS if value else NEVER
                case Name(name) if self._kind(name) is Kind.BOOL:
                    return Truth.of(self.signal(name))
                case Call("_==_" | "_!=_" as function, (left, right)):
                    equal = self._equal(self._value(left), self._value(right))
                    return equal if function == "_==_" else ~equal
                case Call(function, (left, right)) if function in _MAGNITUDES:
                    return self._compare(function, self._number(left), self._number(right))
                case Call("@in", (one, Listing(elements))):
                    return self._among(self._value(one), [self._value(element) for element in elements])
                case Call(function, (left, Constant(str(literal)))) if function in PREDICATES:
                    return self._predicate(function, self._text(left), literal)
        except UnreadableError:
            pass
        key, reads = shape(tree), names(tree)
        value = self._unknowns.helper(key, z3.BoolSort(), reads)
        failed = self._unknowns.helper(key and f"failure of {key}", z3.BoolSort(), reads)
        return Truth.of(value).unless(failed)

    def _equal(self, left: Value, right: Value) -> Truth:
        match left, right:
            case Truth(), Truth():
                return choice(left, right, ~right).unless(some([left.fails, right.fails]))
            case Text(), Text():
                return Truth.of(left.code == right.code)
            case Number(), Number():
                return self._compare("_==_", left, right)
            case _:
                raise UnreadableError

    def _compare(self, function: str, left: Number, right: Number) -> Truth:
        if left.range.whole != right.range.whole:
            raise UnreadableError  # only values of a dynamic type can be compared like this
        a, b, clear = left.term, right.term, rational(self._unknowns.margin)
        strict = not self._unknowns.margin or left.range.whole
        match function:
            case "_==_":
                truth = Truth.of(a == b) if strict else Truth(a == b, z3.Or(a < b - clear, a > b + clear))
            case "_<_":
                truth = Truth.of(a < b) if strict else Truth(a < b - clear, a > b + clear)
            case "_<=_":
                truth = Truth.of(a <= b) if strict else Truth(a < b - clear, a > b + clear)
            case "_>_":
                truth = Truth.of(a > b) if strict else Truth(a > b + clear, a < b - clear)
            case _:
                truth = Truth.of(a >= b) if strict else Truth(a > b + clear, a < b - clear)
        return truth.unless(some([left.fails, right.fails]))

    def _among(self, one: Value, elements: list[Value]) -> Truth:
        """A list that holds something that fails fails as a whole."""
        failed = some(part.fails for part in (one, *elements) if not isinstance(part, Text))
        equal = [self._equal(one, element) for element in elements]
        return any_of(Truth(each.yes, each.no) for each in equal).unless(failed)

    def _predicate(self, function: str, text: Text, literal: str) -> Truth:
        """Known for the texts that the policy mentions, and anything for others."""
        key = f"{function}({literal})"
        if key not in self._functions:
            relation = self._functions[key] = z3.Function(key, z3.IntSort(), z3.BoolSort())
            for known, code in self._codes.items():
                self.constraints.append(relation(code) == holds(function, known, literal))
        return Truth.of(self._functions[key](text.code))

    # -- what is a number or a text -----------------------------------------------------------------------
    def _value(self, tree: Tree) -> Value:
        match tree:
            case Constant(bool()):
                return self._truth(tree)
            case Constant(str()):
                return self._text(tree)
            case Name(name) if self._kind(name) in (Kind.TEXT, Kind.ENUM):
                return self._text(tree)
            case Name(name) if self._kind(name) is Kind.BOOL:
                return self._truth(tree)
            case Call("_&&_" | "_||_" | "!_" | "_==_" | "_!=_" | "@in", _):
                return self._truth(tree)
            case Call(function, _) if function in (*_MAGNITUDES, *PREDICATES):
                return self._truth(tree)
            case _:
                return self._number(tree)

    def _text(self, tree: Tree) -> Text:
        match tree:
            case Constant(str(value)):
                return Text(self._codes[value])
            case Name(name) if self._kind(name) in (Kind.TEXT, Kind.ENUM):
                return Text(self.signal(name))
            case _:
                raise UnreadableError

    def _number(self, tree: Tree) -> Number:
        bounds = self._ranges.of(tree)
        if bounds is None:
            raise UnreadableError
        match tree:
            case Constant(int() | float() as value):
                return Number(decimal(value), bounds)
            case Name(name):
                return Number(self._named(name, bounds), bounds)
            case Call("size", (inner,)):
                return Number(self._size(self._text(inner), bounds), bounds)
            case Call("_?_:_", (condition, yes, no)):
                when, a, b = self._truth(condition), self._number(yes), self._number(no)
                fails = [when.fails, every([when.yes, a.fails]), every([when.no, b.fails])]
                return Number(z3.If(when.yes, a.term, b.term), bounds, some(fails))
            case Call(function, arguments) if bounds.bounded:
                parts = [self._number(argument) for argument in arguments]
                return calculated(function, parts, bounds, tree, self._unknowns)
            case _:
                raise UnreadableError

    def _named(self, name: str, bounds: Range) -> Term:
        if name in self._derived:
            return self.smoothed(name)
        if name in self.content.params and not self._free:
            return decimal(bounds.low)
        return self.signal(name)

    def _size(self, text: Text, bounds: Range) -> Term:
        known = "size" in self._functions
        size = self._functions.setdefault("size", z3.Function("size", z3.IntSort(), z3.IntSort()))
        if not known:
            self.constraints += [size(code) == len(literal) for literal, code in self._codes.items()]
        return self._unknowns.within(size(text.code), bounds)

    def _kind(self, name: str) -> Kind | None:
        spec: Spec | None = self.content.variables.get(name)
        return spec.kind if spec else None


def _texts(content: Content) -> Iterator[str]:
    """Every text that conditions or declarations mention, and what their functions tell from it; each once."""
    found = [value for spec in content.variables.values() for value in (*spec.choices, spec.unknown)]
    for _, condition in content.conditions():
        for part in walk(condition.tree):
            match part:
                case Constant(str(text)):
                    found.append(text)
                case Call(function, (_, Constant(str(text)))) if function in PREDICATES:
                    found += [f"{text}x", f"x{text}", f"x{text}x"]
                case Call(function, (Call("size", _), Constant(int(length)))) if function in _MAGNITUDES:
                    found += [
                        "x" * size for size in (length - 1, length, length + 1) if 0 < size <= TEXT_LENGTH
                    ]
    yield from dict.fromkeys(text for text in found if isinstance(text, str))
