"""Moves the params of a policy inside their declared ranges towards a better objective, and says what that is worth.

Three steps, all on calls that the result is not judged on. A *search*: a Latin hypercube over the ranges, thinned
out by successive halving (Jamieson and Talwalkar 2016) on ever more calls, then one param at a time around the best,
in steps that halve. A *clean-up*: a param whose change does not clearly help goes back to what it was, so that an
operator reads few changes and each has a reason. The *judgement* is then made on calls held out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from router.conditions import Condition
from router.content import Content, Param
from router.errors import ParamError
from router.policy import Policy
from router.signals import Scalar
from router.whatif.assumptions import Assumptions
from router.whatif.calls import PastCall
from router.whatif.frontier import Course
from router.whatif.score import Floats, Outcomes
from router.whatif.statistics import Interval

_THINNED = (8, 2)
"""The first rungs see every eighth call and every second; the last sees all."""
_KEPT = 4
"""One in so many goes on to the next rung."""
_STEPS = (1 / 8, 1 / 16, 1 / 32)
"""Of a param's range, around the best so far."""
Values = Mapping[str, Scalar]


class Objective(StrEnum):
    """What is made better; all by call."""

    UTILITY = "utility"
    QUALITY = "quality"
    COST = "cost"

    def of(self, outcomes: Outcomes) -> Floats:
        """More is better."""
        match self:
            case Objective.UTILITY:
                return outcomes.utility
            case Objective.QUALITY:
                return outcomes.quality
            case Objective.COST:
                return -outcomes.usd


@dataclass(frozen=True, slots=True)
class Limits:
    """What a tuned policy must keep to, on the calls it is tuned on and on those it is judged on."""

    switches_median: float = 1.0
    """Per call."""
    violations: int = 0

    def kept(self, outcomes: Outcomes) -> bool:
        return bool(
            np.median(outcomes.switches) <= self.switches_median
            and outcomes.violations.sum() <= self.violations
        )


@dataclass(frozen=True, slots=True)
class Trial:
    """One set of params on one set of calls."""

    values: Values
    objective: float
    allowed: bool
    """It keeps to the limits."""
    calls: int


@dataclass(frozen=True, slots=True)
class Change:
    """A param that was moved."""

    name: str
    old: Scalar
    new: Scalar
    worth: Interval
    """What it adds to the objective on the calls held out: the tuned policy less the same with this one put back."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """What tuning found."""

    policy: Policy
    changes: tuple[Change, ...]
    before: Interval
    """The objective on the calls held out."""
    after: Interval
    gain: Interval
    """After less before, call by call."""
    gain_when_tuned: float
    """The same on the calls it was tuned on: always looks better than it is."""
    switches_median: float
    """Per call, on the calls held out."""
    violations: int
    keeps_limits: bool
    trials: int

    @property
    def recommended(self) -> bool:
        """The gain is clear of zero on calls held out, and the limits are kept there."""
        return bool(self.changes) and self.keeps_limits and self.gain.low is not None and self.gain.low > 0


def tunable(content: Content) -> tuple[str, ...]:
    """The params that ``tune`` may move: with both bounds, read by something that routes, and by no guard.

    Guards are promises, not preferences: a search would loosen them as soon as that pays.
    """
    guarded = _guarded(content)
    read = frozenset[str]().union(*(condition.reads for condition in _choosing(content)))
    return tuple(name for name, param in content.params.items() if name in read - guarded and _bounded(param))


def of_emotion(content: Content) -> frozenset[str]:
    """The params that stand in a condition with the caller's emotion: nothing tunes them where no turn is labelled."""
    heard = {name for name in content.variables if name.startswith("emotion.")}
    for derived in content.derived:
        of = derived.reading.reads | (derived.only_if.reads if derived.only_if else frozenset())
        if of & heard:
            heard.add(derived.name)
    found = (condition.reads for condition in _choosing(content) if condition.reads & heard)
    return frozenset[str]().union(*found) & frozenset(content.params)


def chosen(content: Content, names: Sequence[str]) -> tuple[str, ...]:
    """The params of these names, with or without the ``p.``. Raises :class:`router.ParamError` for one that stays."""
    wanted = [name if name.startswith("p.") else f"p.{name}" for name in names]
    may, guarded, problems = tunable(content), _guarded(content), []
    for name in wanted:
        param = content.params.get(name)
        if name in may:
            continue
        if param is None:
            known = ", ".join(each.removeprefix("p.") for each in may)
            problems.append(f"{name}: no such param; tune may move {known}")
        elif name in guarded:
            problems.append(f"{name}: a guard or a `never` reads it, and those are not tuned")
        elif not _bounded(param):
            problems.append(f"{name}: give it `min` and `max`, between which it may be moved")
        else:
            problems.append(f"{name}: no rule reads it")
    if problems:
        raise ParamError(problems)
    return tuple(wanted)


def tune(
    policy: Policy,
    assumptions: Assumptions,
    calls: Sequence[PastCall],
    held_out: Sequence[PastCall],
    *,
    names: Sequence[str],
    objective: Objective = Objective.UTILITY,
    limits: Limits = Limits(),
    trials: int = 200,
    seed: int = 0,
    tried: Callable[[Trial], None] = lambda trial: None,
) -> Tuned:
    """Tune ``names`` of ``policy`` on ``calls`` and judge the result on ``held_out``.

    Args:
        policy: where the search begins; its guards hold for whatever is tried.
        assumptions: of the engines.
        calls: with labels.
        held_out: other calls, with labels.
        names: params, as :func:`tunable` or :func:`chosen` gives them.
        objective: what is made better.
        limits: what the result must keep to.
        trials: sets of params to try, on few calls or all.
        seed: the same seed gives the same result.
        tried: is told of every trial.
    """
    search = _Search(policy, assumptions, calls, objective, limits, tried)
    values = search.cleaned(search.run(names, trials, seed))
    return _judged(policy, values, Course(assumptions, held_out, policy), search, objective, limits)


class _Search:
    """Tries sets of params on one set of calls."""

    def __init__(
        self,
        policy: Policy,
        assumptions: Assumptions,
        calls: Sequence[PastCall],
        objective: Objective,
        limits: Limits,
        tried: Callable[[Trial], None],
    ) -> None:
        self._policy = policy
        self._objective = objective
        self._limits = limits
        self._tried = tried
        self._full = Course(assumptions, calls, policy)
        self._thinned = [Course(assumptions, calls[::every], policy) for every in _THINNED]
        self.trials = 0

    def run(self, names: Sequence[str], trials: int, seed: int) -> Values:
        """The best values found for ``names``."""
        params = [self._policy.content.params[name] for name in names]
        candidates: list[Values] = [{}, *_hypercube(params, trials // 2, seed)]
        for course in self._thinned:
            ranked = sorted((self._try(values, course) for values in candidates), key=_rank, reverse=True)
            best_of = ranked[: max(2, len(ranked) // _KEPT)]
            candidates = [{}, *(trial.values for trial in best_of if trial.values)]
        best = max((self._try(values, self._full) for values in candidates), key=_rank)
        for step in _STEPS:
            for param in params:
                for value in _beside(param, best.values.get(param.name, param.value), step):
                    if self.trials < trials:
                        best = max(best, self._try({**best.values, param.name: value}, self._full), key=_rank)
        return self._moved(best.values)

    def cleaned(self, values: Values) -> Values:
        """``values`` without the changes that do not clearly help: the least useful goes first."""
        while values:
            own = self._figures(values)
            worths = [
                (self._full.interval(own - self._figures(fewer)), fewer)
                for fewer in (_without(values, name) for name in values)
                if self._keeps_limits(fewer)
            ]
            if not worths:
                break
            worth, fewer = min(worths, key=lambda pair: pair[0].value)
            if worth.low is not None and worth.low > 0:
                break
            values = fewer
        return values

    def gain(self, values: Values) -> float:
        """What ``values`` add to the objective on these calls."""
        return float((self._figures(values) - self._figures({})).mean())

    def _moved(self, values: Values) -> Values:
        params = self._policy.content.params
        return {name: value for name, value in values.items() if value != params[name].value}

    def _keeps_limits(self, values: Values) -> bool:
        return self._limits.kept(_outcomes(self._policy, values, self._full))

    def _figures(self, values: Values) -> Floats:
        return self._objective.of(_outcomes(self._policy, values, self._full))

    def _try(self, values: Values, course: Course) -> Trial:
        outcomes = _outcomes(self._policy, values, course)
        objective = float(self._objective.of(outcomes).mean())
        trial = Trial(values, objective, self._limits.kept(outcomes), len(course.scorer.calls))
        self.trials += 1
        self._tried(trial)
        return trial


def _judged(
    policy: Policy, values: Values, course: Course, search: _Search, objective: Objective, limits: Limits
) -> Tuned:
    outcomes = _outcomes(policy, values, course)
    before, after = objective.of(_outcomes(policy, {}, course)), objective.of(outcomes)
    changes = (
        Change(
            name,
            policy.content.params[name].value,
            values[name],
            course.interval(after - objective.of(_outcomes(policy, _without(values, name), course))),
        )
        for name in policy.content.params
        if name in values
    )
    return Tuned(
        policy=policy.with_params(values),
        changes=tuple(changes),
        before=course.interval(before),
        after=course.interval(after),
        gain=course.interval(after - before),
        gain_when_tuned=search.gain(values),
        switches_median=float(np.median(outcomes.switches)),
        violations=int(outcomes.violations.sum()),
        keeps_limits=limits.kept(outcomes),
        trials=search.trials,
    )


def _outcomes(policy: Policy, values: Values, course: Course) -> Outcomes:
    return course.run(course.policy(policy.with_params(values))).outcomes


def _rank(trial: Trial) -> tuple[bool, float]:
    return trial.allowed, trial.objective


def _without(values: Values, name: str) -> Values:
    return {other: value for other, value in values.items() if other != name}


# -- values of params -----------------------------------------------------------------------------------------
def _guarded(content: Content) -> frozenset[str]:
    """The names that guards and properties read, those of tenants too."""
    guards = [*content.guards, *(guard for overlay in content.overlays.values() for guard in overlay.guards)]
    conditions = [guard.when for guard in guards] + [each.when for each in content.never]
    return frozenset[str]().union(*(condition.reads for condition in conditions))


def _choosing(content: Content) -> list[Condition]:
    """The conditions that choose an engine, or have one ready."""
    routing = [rule.when for rule in content.rules] + [rule.hold for rule in content.rules if rule.hold]
    return routing + [engine.warm for engine in content.engines.values() if engine.warm]


def _bounded(param: Param) -> bool:
    return math.isfinite(param.low) and math.isfinite(param.high) and param.low < param.high


def _hypercube(params: Sequence[Param], count: int, seed: int) -> Iterator[Values]:
    """Sets of values such that each param's are spread evenly over its range (McKay et al. 1979)."""
    noise = np.random.default_rng(seed)
    columns = [(noise.permutation(count) + noise.random(count)) / max(count, 1) for _ in params]
    for row in range(count):
        yield {
            param.name: _rounded(param, param.low + float(column[row]) * (param.high - param.low))
            for param, column in zip(params, columns, strict=True)
        }


def _beside(param: Param, value: Scalar, step: float) -> Iterator[Scalar]:
    """The values a step below and above."""
    for by in (-step, step):
        beside = _rounded(param, float(value) + by * (param.high - param.low))
        if beside != value:
            yield beside


def _rounded(param: Param, value: float) -> Scalar:
    """The nearest value of the param's type and range that is short to write."""
    decimals = (
        max(0, 2 - math.ceil(math.log10(param.high - param.low))) if isinstance(param.value, float) else 0
    )
    within = min(max(round(value, decimals), param.low), param.high)
    return within if isinstance(param.value, float) else int(within)
