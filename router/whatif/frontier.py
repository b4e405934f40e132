"""Policies beside every fixed engine and an oracle, on labelled calls: what routing is worth.

All contenders answer the same calls under the same assumptions, so they differ by their routes alone, and the
difference of two is an average over calls with a confidence interval of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from router.errors import RouterError
from router.memory import Memory
from router.policy import Policy
from router.signals import Signals
from router.whatif import oracle
from router.whatif.assumptions import Assumptions
from router.whatif.calls import PastCall
from router.whatif.score import Flags, Floats, Ints, Outcomes, Scorer
from router.whatif.statistics import Interval, Resampled


class Kind(StrEnum):
    """What a contender is."""

    ENGINE = "engine"
    """One engine for every turn, whatever the guards say: its violations show."""
    GUARDED = "engine with guards"
    """One engine, and where a guard denies it the policy's fallback."""
    POLICY = "policy"
    ORACLE = "oracle"
    """Sees the labels."""


@dataclass(frozen=True, slots=True)
class Contender:
    """Somebody's routes through the calls of a :class:`Course`."""

    name: str
    kind: Kind
    routes: Ints
    """The index of the engine that answers each turn."""
    warm: Flags
    """Turns x engines: kept warm when the turn is answered."""


@dataclass(frozen=True, slots=True)
class Run:
    """A contender, and what became of the calls."""

    contender: Contender
    outcomes: Outcomes


@dataclass(frozen=True, slots=True)
class Standing:
    """How a contender did. Intervals are of 95 %, by call."""

    name: str
    kind: Kind
    quality: Interval
    """Mean by call of the probability that a turn is answered well."""
    usd: Interval
    """Per call."""
    heard_p50_ms: float
    heard_p95_ms: float
    heard_p99_ms: float
    switches_median: float
    """Per call."""
    switches_mean: float
    violations_per_1k: float
    """Turns, of 1,000, that an engine answered although a guard denies it."""
    utility: Interval
    lead: Interval | None
    """By how much the policy that is judged is better than this one, call by call; ``None`` of itself."""


@dataclass(frozen=True, slots=True)
class Group:
    """How the policy that is judged did on some of the calls."""

    name: str
    calls: int
    turns: int
    utility: Interval
    rival: str
    """The contender, oracles aside, that is best on these calls."""
    lead: Interval
    """Over that rival."""
    to_oracle: Interval
    """What the oracle is better by."""
    switches_median: float


class Course:
    """Labelled calls, and what may not be done in them.

    Args:
        assumptions: what each engine would make of each turn.
        calls: with labels.
        guards: the policy whose guards everybody is held to.
        seed: of the intervals.

    Raises:
        router.RouterError: no calls, or a turn without a label.
        policies.DocumentError: an engine of which nothing is assumed.
    """

    def __init__(
        self, assumptions: Assumptions, calls: Sequence[PastCall], guards: Policy, *, seed: int = 0
    ) -> None:
        if not any(turn.routed for call in calls for turn in call.turns):
            raise RouterError("there are no labelled calls to judge on")
        assumptions.require(guards.engines)
        self.scorer = Scorer(assumptions, calls)
        self._guards = guards
        self._resampled = Resampled(len(self.scorer.calls), seed=seed)
        self._signals = [
            (call, [Signals(turn.signals) for turn in call.turns if turn.routed])
            for call in self.scorer.calls
        ]
        self.denied: Flags = self._denied()
        """Turns x engines: a guard denies it, or forces another."""

    def policy(self, policy: Policy, name: str = "") -> Contender:
        """The routes of a policy.

        An engine is warm in a turn whose signals ask for it: the service asks while the caller speaks. That is looked
        up only where it matters, which is at a switch, and everywhere when warmth is paid for by the turn.
        """
        scorer = self.scorer
        scorer.assumptions.require(policy.engines)
        routes = np.zeros(len(scorer.need), np.intp)
        warm = np.zeros((len(scorer.need), len(scorer.engines)), np.bool_)
        warmable = {engine.name for engine in policy.content.engines.values() if engine.warm}
        paid = {other for other in warmable if scorer.assumptions.engines[other].switch.warm_usd}
        at = 0
        for call, turns in self._signals:
            routed = policy.for_tenant(call.tenant)
            memory = Memory.start(call.call_id)
            for signals in turns:
                decision, after = routed.decide(signals, memory)
                engine = decision.engine
                for other in paid | (warmable & {engine} if decision.switched else set()):
                    warm[at, scorer.index[other]] = routed.warm(signals, memory, engine=other)
                routes[at] = scorer.index[engine]
                memory, at = after, at + 1
        return Contender(name or policy.name, Kind.POLICY, routes, warm)

    def fixed(self, engine: str) -> Contender:
        """One engine for every turn."""
        return self._prepared(f"always {engine}", Kind.ENGINE, self.scorer.fixed(engine))

    def guarded(self, engine: str) -> Contender:
        """One engine for every turn that the guards leave to it."""
        scorer = self.scorer
        routes = scorer.fixed(engine)
        for turn in np.flatnonzero(self.denied[:, scorer.index[engine]]):
            denied = {name for column, name in enumerate(scorer.engines) if self.denied[turn, column]}
            instead = self._guards.fallback(engine, denied) or self._guards.default_engine
            routes[turn] = scorer.index[instead]
        return self._prepared(f"{engine} + guards", Kind.GUARDED, routes)

    def greedy(self) -> Contender:
        return self._prepared("oracle, greedy", Kind.ORACLE, oracle.greedy(self.scorer, self.denied))

    def optimal(self) -> Contender:
        return self._prepared("oracle", Kind.ORACLE, oracle.optimal(self.scorer, self.denied))

    def interval(self, per_call: Floats) -> Interval:
        """The mean of a figure, or of a difference, over the calls, with its interval of 95 %."""
        return _interval(self._resampled, per_call)

    def run(self, contender: Contender) -> Run:
        """What becomes of the calls."""
        outcomes = self.scorer.score(contender.routes, denied=self.denied, warm=contender.warm)
        return Run(contender, outcomes)

    def _prepared(self, name: str, kind: Kind, routes: Ints) -> Contender:
        """A contender that knows its routes beforehand, so every engine is warm when it is needed and not before."""
        warm = np.zeros(self.denied.shape, np.bool_)
        warm[np.arange(len(routes)), routes] = True
        return Contender(name, kind, routes, warm)

    def _denied(self) -> Flags:
        scorer = self.scorer
        denied = np.zeros((len(scorer.need), len(scorer.engines)), np.bool_)
        at = 0
        for call, turns in self._signals:
            policy = self._guards.for_tenant(call.tenant)
            forced = {guard.id: guard.force for guard in policy.content.guards if guard.force}
            memory = Memory.start(call.call_id)
            for signals in turns:
                decision, memory = policy.decide(signals, memory)
                if decision.rule in forced:
                    denied[at] = True
                    denied[at, scorer.index[decision.engine]] = False
                denied[at, [scorer.index[engine] for engine in decision.denied]] = True
                at += 1
        return denied


def rivals(course: Course) -> Iterator[Contender]:
    """Every fixed engine with and without guards, and the oracles. Where guards change nothing, only without."""
    for engine in course.scorer.engines:
        fixed, guarded = course.fixed(engine), course.guarded(engine)
        yield fixed
        if (fixed.routes != guarded.routes).any():
            yield guarded
    yield course.greedy()
    yield course.optimal()


def standings(course: Course, subject: Run, others: Sequence[Run]) -> tuple[Standing, ...]:
    """How ``subject`` and the others did, ``subject`` first."""
    return tuple(_standing(course, run, subject) for run in (subject, *others))


def _standing(course: Course, run: Run, subject: Run) -> Standing:
    outcomes = run.outcomes
    return Standing(
        name=run.contender.name,
        kind=run.contender.kind,
        quality=course.interval(outcomes.quality),
        usd=course.interval(outcomes.usd),
        heard_p50_ms=outcomes.heard_ms(0.50),
        heard_p95_ms=outcomes.heard_ms(0.95),
        heard_p99_ms=outcomes.heard_ms(0.99),
        switches_median=float(np.median(outcomes.switches)),
        switches_mean=float(outcomes.switches.mean()),
        violations_per_1k=1000 * float(outcomes.violations.sum() / outcomes.turns.sum()),
        utility=course.interval(outcomes.utility),
        lead=None if run is subject else course.interval(subject.outcomes.utility - outcomes.utility),
    )


def groups(subject: Run, others: Sequence[Run], names: Sequence[str], *, seed: int = 0) -> tuple[Group, ...]:
    """The same by group of calls: ``names`` has the group of each call. An oracle must be among the others."""
    of_call = np.array(names)
    return tuple(_group(name, of_call == name, subject, others, seed) for name in dict.fromkeys(names))


def _group(name: str, calls: Flags, subject: Run, others: Sequence[Run], seed: int) -> Group:
    def by_call(run: Run) -> Floats:
        return run.outcomes.utility[calls]

    rivals = [run for run in others if run.contender.kind is not Kind.ORACLE]
    oracles = [run for run in others if run.contender.kind is Kind.ORACLE]
    best, oracle = (max(runs, key=lambda run: float(by_call(run).mean())) for runs in (rivals, oracles))
    resampled = Resampled(int(calls.sum()), seed=seed)
    return Group(
        name=name,
        calls=int(calls.sum()),
        turns=int(subject.outcomes.turns[calls].sum()),
        utility=_interval(resampled, by_call(subject)),
        rival=best.contender.name,
        lead=_interval(resampled, by_call(subject) - by_call(best)),
        to_oracle=_interval(resampled, by_call(oracle) - by_call(subject)),
        switches_median=float(np.median(subject.outcomes.switches[calls])),
    )


def _interval(resampled: Resampled, per_call: Floats) -> Interval:
    found = resampled.mean(per_call)
    assert found is not None  # noqa: S101 — there is at least one call
    return found
