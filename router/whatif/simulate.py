"""Policies over made-up calls: what they route where, how that turns out, and whether a guard was ever passed over.

Calls are drawn and decided in blocks, which know nothing of one another: any of them may be worked on anywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from router.conditions import Condition
from router.content import Content
from router.decision import Decision
from router.memory import Memory
from router.policy import Policy
from router.signals import Scalar, Signals, healthy
from router.whatif.assumptions import Assumptions
from router.whatif.calls import PastCall
from router.whatif.drawing import draw_block
from router.whatif.mix import Mix
from router.whatif.score import Flags, Ints, Outcomes, Scorer

_KEPT = 20  # violations and failures that are told one by one


@dataclass(frozen=True, slots=True)
class Violation:
    """A turn answered by an engine that a guard or a ``never`` denies, or not by the one that a guard forces."""

    call_id: str
    turn: int
    engine: str
    guard: str


@dataclass(frozen=True, slots=True)
class Simulated:
    """What one policy did with a lot of calls."""

    outcomes: Outcomes
    turns: Mapping[str, int]
    """Turns that each engine answered."""
    rules: Mapping[str, int]
    """Turns for which each rule, or forcing guard, put the engine in charge."""
    denials: Mapping[str, int]
    """Turns in which each guard was the first to deny an engine."""
    failures: Mapping[str, int]
    """Conditions that could not be evaluated, with the reason, and in how many turns."""
    violations: tuple[Violation, ...]
    """The first of them; the outcomes count them all."""
    against_first: int
    """Turns answered by an engine that the first policy's guards deny in that turn, or not by the one they force."""

    @classmethod
    def joined(cls, parts: Sequence[Simulated]) -> Simulated:
        """Several lots as one; at least one is needed."""

        def total(name: str) -> Mapping[str, int]:
            return sum((Counter(getattr(part, name)) for part in parts), Counter[str]())

        return cls(
            outcomes=Outcomes.joined([part.outcomes for part in parts]),
            turns=total("turns"),
            rules=total("rules"),
            denials=total("denials"),
            failures=total("failures"),
            violations=tuple(each for part in parts for each in part.violations)[:_KEPT],
            against_first=sum(part.against_first for part in parts),
        )


def simulate_block(
    policies: Sequence[Policy],
    mix: Mix,
    assumptions: Assumptions,
    number: int,
    *,
    size: int,
    seed: int = 0,
    tenant: str = "",
) -> tuple[Simulated, ...]:
    """Each policy over the same calls: the first ``size`` of one block of those drawn with ``seed``."""
    return simulate(policies, draw_block(mix, number, seed=seed, tenant=tenant)[:size], assumptions)


def simulate(
    policies: Sequence[Policy], calls: Sequence[PastCall], assumptions: Assumptions
) -> tuple[Simulated, ...]:
    """Each policy over the same labelled calls.

    Raises:
        policies.DocumentError: a policy may choose an engine of which nothing is assumed.
    """
    engines = dict.fromkeys(engine for policy in policies for engine in policy.engines)
    scorer = Scorer(assumptions, calls, engines=tuple(engines))
    drives = [_Drive(policy, scorer) for policy in policies]
    return tuple(drive.simulated(drives[0].denied) for drive in drives)


class _Drive:
    """Decides call after call, and writes down what came of it."""

    def __init__(self, policy: Policy, scorer: Scorer) -> None:
        shape = (len(scorer.need), len(scorer.engines))
        self.denied: Flags = np.zeros(shape, np.bool_)
        """Turns x engines: a guard denies it, or forces another."""
        self._policy, self._scorer, self._index = policy, scorer, scorer.index
        self._routes: Ints = np.zeros(shape[0], np.intp)
        self._passed_over: Flags = np.zeros(shape[0], np.bool_)
        self._warm: Flags = np.zeros(shape, np.bool_)
        self._rules: Counter[str] = Counter()
        self._denials: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._violations: list[Violation] = []
        self._warmable = {engine.name for engine in policy.content.engines.values() if engine.warm}
        table = scorer.assumptions.engines
        self._paid = [name for name in self._warmable if table[name].switch.warm_usd]
        self._at = 0
        rules: dict[str, tuple[Policy, Referee, frozenset[str]]] = {}
        for call in scorer.calls:
            if call.tenant not in rules:
                own = policy.for_tenant(call.tenant)
                forcing = frozenset(guard.id for guard in own.content.guards if guard.force)
                rules[call.tenant] = own, Referee(own.content), forcing
            self._call(call, *rules[call.tenant])

    def simulated(self, denied_by_first: Flags) -> Simulated:
        """All of it, scored. ``denied_by_first`` is :attr:`denied` of the first policy."""
        at = np.arange(len(self._routes))
        broken = np.zeros(self.denied.shape, np.bool_)
        broken[at, self._routes] = self._passed_over
        counts = np.bincount(self._routes, minlength=len(self._index))
        return Simulated(
            outcomes=self._scorer.score(self._routes, denied=broken, warm=self._warm),
            turns={name: int(counts[column]) for name, column in self._index.items() if counts[column]},
            rules=self._rules,
            denials=self._denials,
            failures=self._failures,
            violations=tuple(self._violations),
            against_first=int(denied_by_first[at, self._routes].sum()),
        )

    def _call(self, call: PastCall, policy: Policy, referee: Referee, forcing: frozenset[str]) -> None:
        memory = Memory.start(call.call_id)
        for turn in call.turns:
            if not turn.routed:
                continue
            signals = Signals(turn.signals)
            decision, after = policy.decide(signals, memory)
            # The service asks while the caller speaks, so what is heard in the turn itself counts.
            for name in self._paid:
                self._warm[self._at, self._index[name]] = policy.warm(signals, memory, engine=name)
            if decision.switched and decision.engine in self._warmable and decision.engine not in self._paid:
                self._warm[self._at, self._index[decision.engine]] = policy.warm(
                    signals, memory, engine=decision.engine
                )
            self._note(call, decision, referee, forced=decision.rule in forcing)
            memory = after
            self._at += 1

    def _note(self, call: PastCall, decision: Decision, referee: Referee, *, forced: bool) -> None:
        at, column = self._at, self._index[decision.engine]
        self._routes[at] = column
        self._rules[decision.rule] += 1
        if forced:
            self.denied[at] = True
            self.denied[at, column] = False
        if decision.denied:
            self._denials.update(set(decision.denied.values()))
            self.denied[at, [self._index[name] for name in decision.denied]] = True
        if decision.errors:
            self._failures.update(decision.errors)
        guard = referee.objection(decision)
        if guard is not None:
            self._passed_over[at] = True
            if len(self._violations) < _KEPT:
                self._violations.append(Violation(call.call_id, decision.turn, decision.engine, guard))


class Referee:
    """Judges decisions by a policy's guards and ``never``, one by one and apart from how they were decided."""

    def __init__(self, content: Content) -> None:
        params = {param.name: param.value for param in content.params.values()}
        self._against: dict[str, list[tuple[str, _Remembered]]] = {name: [] for name in content.engines}
        self._forcing = []
        for guard in content.guards:
            when = _Remembered(guard.when, params)
            for engine in guard.deny:
                self._against[engine].append((guard.id, when))
            if guard.force:
                self._forcing.append((guard.id, guard.force, when))
        for never in content.never:
            when = _Remembered(never.when, params)
            for engine in never.routes:
                self._against[engine].append((never.id, when))

    def objection(self, decision: Decision) -> str | None:
        """The guard or ``never`` that the decision passes over; a condition that fails counts as true."""
        signals = decision.signals
        for name, condition in self._against[decision.engine]:
            if condition.holds(signals):
                return name
        for name, engine, condition in self._forcing:
            if condition.holds(signals):
                excused = engine == decision.engine or self._cannot(engine, signals)
                return None if excused else name  # the first that forces decides
        return None

    def _cannot(self, engine: str, signals: Mapping[str, Scalar]) -> bool:
        """Whether the engine that is forced may not or cannot answer, so that another has to."""
        if signals.get(healthy(engine)) is False:
            return True
        return any(condition.holds(signals) for _, condition in self._against[engine])


class _Remembered:
    """A condition that is evaluated once for the same values of the signals that it reads."""

    _MOST = 4096

    def __init__(self, condition: Condition, params: Mapping[str, Scalar]) -> None:
        self._condition = condition
        self._params = {name: value for name, value in params.items() if name in condition.reads}
        self._reads = tuple(condition.reads - set(params))
        self._known: dict[tuple[Scalar | None, ...], bool] = {}

    def holds(self, signals: Mapping[str, Scalar]) -> bool:
        """Whether it is anything but false."""
        key = tuple([signals.get(name) for name in self._reads])
        found = self._known.get(key)
        if found is None:
            read = {name: signals[name] for name in self._reads if name in signals}
            found = self._condition.evaluate(read | self._params) is not False
            if len(self._known) < self._MOST:
                self._known[key] = found
        return found
