"""Turns that the policy really decides: what lint shows was decided by it, not by the solver."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from router.checked import Name
from router.conditions import Condition
from router.content import Content
from router.decision import Decision
from router.lint.ranges import Ranges
from router.lint.report import Witness
from router.memory import Memory
from router.policy import Policy
from router.signals import Kind, Scalar, Signals, Spec

_ROUNDS = 3
_PLACES = (1, 2, 3)
"""Decimal places that are tried, fewest first, to write a number shorter."""


@dataclass(frozen=True, slots=True)
class Point:
    """One turn: its signals, and what the call brings along."""

    signals: Mapping[str, Scalar]
    before: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, Scalar] = field(default_factory=dict)
    """Those that are not at their value."""
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """A turn that was decided."""

    point: Point
    decision: Decision
    facts: Mapping[str, Scalar]
    telling: frozenset[str] = frozenset()
    """Signals that are not known, where it matters that they are not otherwise."""

    def true(self, condition: Condition) -> bool:
        return condition.evaluate(self.facts) is True

    def false(self, condition: Condition) -> bool:
        return condition.evaluate(self.facts) is False


class Bench:
    """Decides points by the policy itself, each as the first turn that the router sees of a call."""

    def __init__(self, content: Content, *, enforced: bool = True) -> None:
        self.content = content
        self.enforced = enforced
        """Whether the policy's properties deny what they forbid."""
        self._policy = Policy(replace(content, shadow=(), never=content.never if enforced else ()))
        self._ranges = Ranges(content, free=True)
        self._unknown = {name: self.signal(name).unknown for name in self.signals}
        self._resting = {each.name: each.unknown for each in content.derived}

    @property
    def signals(self) -> list[str]:
        """Everything that a caller of the router may set."""
        made = {each.name for each in self.content.derived} | set(self.content.params)
        return [name for name in self.content.variables if name not in made]

    def signal(self, name: str) -> Spec:
        return self.content.variables[name]

    def run(self, point: Point) -> Trial:
        policy = self._policy.with_params(point.params) if point.params else self._policy
        memory = replace(Memory.start(point.call_id), smoothed=tuple(point.before.items()))
        decision, _ = policy.decide(Signals(point.signals), memory)
        values = {param.name: param.value for param in policy.content.params.values()}
        return Trial(point, decision, {**values, **decision.signals})

    def simplified(self, point: Point, shows: Callable[[Point], bool]) -> Point:
        """The point with as much of it not known, and as little of the rest in detail, as still ``shows``."""
        for _ in range(_ROUNDS):
            before = point
            for option in (self._without, self._shorter):
                point = option(point, shows)
            if point == before:
                break
        return point

    def _without(self, point: Point, shows: Callable[[Point], bool]) -> Point:
        """Everything that need not be known is not."""
        for name in point.params:
            without = {other: value for other, value in point.params.items() if other != name}
            point = _first(shows, point, replace(point, params=without))
        for name, resting in self._resting.items():
            if point.before.get(name, resting) != resting:
                point = _first(shows, point, replace(point, before={**point.before, name: resting}))
        for name, unknown in self._unknown.items():
            if point.signals.get(name, unknown) != unknown:
                point = _first(shows, point, replace(point, signals={**point.signals, name: unknown}))
        return _first(shows, point, replace(point, call_id="")) if point.call_id else point

    def _shorter(self, point: Point, shows: Callable[[Point], bool]) -> Point:
        """Numbers have as few decimal places as will do."""
        for name, value in point.signals.items():
            if isinstance(value, float):
                options = [replace(point, signals={**point.signals, name: short}) for short in near(value)]
                point = _first(shows, point, *(option for option in options if self._fits(name, option)))
        for name, average in point.before.items():
            point = _first(
                shows,
                point,
                *(replace(point, before={**point.before, name: short}) for short in near(average)),
            )
        return point

    def telling(self, point: Point, names: Collection[str], shows: Callable[[Point], bool]) -> frozenset[str]:
        """Those of the signals not known that must not be just anything for the point to show the same."""
        return frozenset(
            name
            for name in names
            if name in self._unknown
            and point.signals.get(name, self._unknown[name]) == self._unknown[name]
            and not all(
                shows(replace(point, signals={**point.signals, name: other})) for other in self._others(name)
            )
        )

    def witness(self, trial: Trial) -> Witness:
        """The trial for people: what is not known is left out, unless it tells."""
        point = trial.point
        signals = {name: point.signals.get(name, unknown) for name, unknown in self._unknown.items()}
        return Witness(
            signals={
                name: value
                for name, value in signals.items()
                if value != self._unknown[name] or name in trial.telling
            },
            before={name: value for name, value in point.before.items() if value != self._resting[name]},
            params=dict(point.params),
            call_id=point.call_id,
            rule=trial.decision.rule,
            engine=trial.decision.engine,
        )

    def _others(self, name: str) -> list[Scalar]:
        """Values of a signal that are unlike "not known"."""
        spec, bounds = self.signal(name), self._ranges.of(Name(name, 0))
        if spec.kind is Kind.BOOL:
            return [not spec.unknown]
        if bounds is None:
            return [choice for choice in spec.choices if choice != spec.unknown] or ["other"]
        ends = [bounds.low, bounds.high]
        return [int(end) if bounds.whole else float(end) for end in ends if end != spec.unknown]

    def _fits(self, name: str, point: Point) -> bool:
        bounds = self._ranges.of(Name(name, 0))
        value = point.signals[name]
        return bounds is None or isinstance(value, str) or bounds.holds(value)


def _first(shows: Callable[[Point], bool], otherwise: Point, *options: Point) -> Point:
    return next((option for option in options if shows(option)), otherwise)


def near(value: float) -> list[float]:
    """The number with few decimal places, the fewest first; without those that change nothing."""
    return [round(value, places) for places in _PLACES if round(value, places) != value]
