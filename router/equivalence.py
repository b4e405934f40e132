"""Whether two policies can ever decide differently, and an example when they can.

They cannot when all that a decision reads says the same, or is proved to come to the same. Where that fails, calls
are searched for an example: by the solver for a first turn, then at random, near every threshold of both policies.
An example is one only if both policies, asked turn by turn, really answer differently. What remains without proof
and without example is not known.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from router.conditions import Condition
from router.content import Content
from router.decision import Decision
from router.inlining import inlined, meaning
from router.lint.openings import Openings
from router.lint.parts import sources
from router.lint.samples import Samples
from router.lint.trials import Bench
from router.policy import Policy
from router.signals import Scalar, Signals, spec_of
from router.whatif.calls import PastCall, PastTurn, walk

try:
    from router.lint.pair import Pair
except ImportError:  # the solver is an extra
    PROVER = ""
else:
    PROVER = Pair.prover

_CALLS, _TURNS = 1_000, 12
"""How many calls are drawn at random, and of how many turns."""
_CHANGES, _BARRING_CHANGES = (0.1, 0.2, 0.6), 0.01
"""How often a signal changes from a turn to the next, in one call or another; the second if guards read it."""
_CALL_IDS = 20
"""Calls that a first turn is tried with, for rollouts and experiments."""

_Said = Mapping[tuple[object, ...], object]
_Turns = tuple[Mapping[str, Scalar], ...]


class Verdict(StrEnum):
    """What is known of all decisions of two policies."""

    SAME = "same"
    """None can differ."""
    DIFFERS = "differs"
    """One differs: there is an example."""
    UNKNOWN = "unknown"
    """None was found to differ, but nothing proves that none does."""


@dataclass(frozen=True, slots=True)
class Example:
    """A call of which the last turn is answered differently."""

    tenant: str
    call_id: str
    turns: _Turns
    """Per turn, the signals that are not at their unknown value."""
    before: Decision
    after: Decision


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Whether decisions differ, in the engine or in the silence that ends the turn."""

    verdict: Verdict
    proved: bool = False
    """The solver was needed; else both policies say the same."""
    example: Example | None = None
    turns_tried: int = 0


def equivalence(before: Policy, after: Policy) -> Equivalence:
    """Whether ``before`` and ``after`` decide every turn of every call of every tenant alike."""
    proved, tried, open_tenants = False, 0, False
    for tenant in dict.fromkeys(("", *before.tenants, *after.tenants)):
        one, other = before.for_tenant(tenant), after.for_tenant(tenant)
        left = _left_to_prove(one.content, other.content)
        if left == []:
            continue
        pair = Pair(one.content, other.content) if PROVER else None
        if left and pair is not None and all(pair.same(*conditions) for conditions in left):
            proved = True
            continue
        open_tenants = True
        search = _Search(one, other, tenant)
        example = search.example(pair.first_turns() if pair else ())
        tried += search.tried
        if example is not None:
            return Equivalence(Verdict.DIFFERS, example=example, turns_tried=tried)
    if open_tenants:
        return Equivalence(Verdict.UNKNOWN, turns_tried=tried)
    return Equivalence(Verdict.SAME, proved)


def same_outcome(before: Content, after: Content, one: Condition, other: Condition) -> bool:
    """Whether ``one``, of ``before``, comes to what ``other``, of ``after``, comes to, for any turn."""
    first, second = inlined(one, before.params), inlined(other, after.params)
    if not _same_derived(before, after, first.reads | second.reads):
        return False
    if meaning(first) == meaning(second):
        return True
    return bool(PROVER) and Pair(before, after).same(one, other)


# -- what is said ---------------------------------------------------------------------------------------------
def _left_to_prove(before: Content, after: Content) -> list[tuple[Condition, Condition]] | None:
    """The pairs of conditions that must come to the same for no decision to differ; ``None`` when more differs."""
    old, new = dict(_decisive(before)), dict(_decisive(after))
    if old.keys() != new.keys():
        return None
    left = []
    for place, one in old.items():
        other = new[place]
        if isinstance(one, Condition) and isinstance(other, Condition):
            if meaning(inlined(one, before.params)) != meaning(inlined(other, after.params)):
                if not _same_derived(before, after, one.reads | other.reads):
                    return None
                left.append((one, other))
        elif one != other:
            return None
    return left


def _decisive(content: Content) -> Iterator[tuple[tuple[object, ...], object]]:
    """Everything that decides, by its place. Ids count only where calls are sorted by them."""
    yield ("last resort",), content.last_resort
    yield ("stability",), content.stability
    for engine in content.engines.values():
        yield ("engine", engine.name), (engine.fallback, engine.min_turns)
    conditions = []
    for number, guard in enumerate(content.guards):
        yield ("guard", number), (frozenset(guard.deny), guard.force)
        conditions.append((("guard", number, "when"), guard.when))
    for number, each in enumerate(content.never):
        yield ("never", number), frozenset(each.routes)
        conditions.append((("never", number, "when"), each.when))
    experiments = {experiment.rule: experiment for experiment in content.experiments}
    sorted_by = False
    for number, rule in enumerate(content.rules):
        yield ("rule", number), (rule.route, rule.else_route, rule.schedule, rule.endpointing_ms)
        conditions.append((("rule", number, "when"), rule.when))
        if rule.hold:
            conditions.append((("rule", number, "hold"), rule.hold))
        if rule.rollout:
            yield ("rollout", number), (rule.id, rule.rollout)
        if experiment := experiments.get(rule.id):
            yield ("experiment", number), (experiment.id, experiment.by, experiment.arms, experiment.until)
        sorted_by = sorted_by or rule.rollout is not None or experiment is not None
    if sorted_by:
        yield ("salt",), content.salt
    yield from conditions
    reads = frozenset(chain.from_iterable(condition.reads for _, condition in conditions))
    for derived in content.derived:
        if derived.name in reads:
            yield ("derived", derived.name), _derived(content, derived.name)
            reads |= derived.reading.reads | (derived.only_if.reads if derived.only_if else frozenset())
    for question in content.questions.values():
        if question.spec.name in reads:
            yield ("question", question.name), question.spec.unknown


def _same_derived(before: Content, after: Content, reads: frozenset[str]) -> bool:
    return all(_derived(before, name) == _derived(after, name) for name in reads)


def _derived(content: Content, name: str) -> object:
    """What a derived signal is made from; ``None`` for any other name."""
    each = next((each for each in content.derived if each.name == name), None)
    if each is None:
        return None
    only_if = meaning(inlined(each.only_if, content.params)) if each.only_if else ""
    return meaning(inlined(each.reading, content.params)), only_if, each.ewma, each.unknown


# -- what is found --------------------------------------------------------------------------------------------
class _Search:
    """Looks for a call that two policies answer differently."""

    def __init__(self, before: Policy, after: Policy, tenant: str) -> None:
        self._before = before
        self._after = after
        self._tenant = tenant
        self.tried = 0

    def example(self, first_turns: Sequence[Mapping[str, Scalar]]) -> Example | None:
        """The simplest example around the first call that differs, trying ``first_turns`` before drawn ones."""
        for turns, call_id in chain(self._by_solver(first_turns), self._drawn()):
            self.tried += len(turns)
            found = self._differing(turns, call_id)
            if found is not None:
                return self._simplest(turns[: found + 1], call_id)
        return None

    def _by_solver(self, first_turns: Sequence[Mapping[str, Scalar]]) -> Iterator[tuple[_Turns, str]]:
        for signals in first_turns:
            for moment in ({}, *({"time.unix_s": at} for at in self._moments())):
                for number in range(_CALL_IDS):
                    yield ({**signals, **moment},), f"call-{number}"

    def _moments(self) -> tuple[int, ...]:
        return (*Openings(self._before.content).moments, *Openings(self._after.content).moments)

    def _drawn(self) -> Iterator[tuple[_Turns, str]]:
        """Single turns first, then calls in which little changes from turn to turn."""
        trials = []
        for policy in (self._before, self._after):
            for trial in Samples(Bench(policy.content), Openings(policy.content)):
                trials.append(trial)
                yield (trial.point.signals,), trial.point.call_id
        chance = random.Random(0)  # noqa: S311 - the same calls each time, no secrets
        barring = self._barring()
        begins = [trial for trial in trials if not trial.decision.denied] or trials
        for number in range(_CALLS):
            signals = dict(chance.choice(begins).point.signals)
            turns, changes = [], chance.choice(_CHANGES)
            for turn in range(1, _TURNS + 1):
                other = chance.choice(trials).point.signals
                for name in signals.keys() & other.keys():
                    if chance.random() < (_BARRING_CHANGES if name in barring else changes):
                        signals[name] = other[name]
                turns.append({**signals, "turn.count": turn})
            yield tuple(turns), f"call-{number}"

    def _barring(self) -> frozenset[str]:
        """What guards and properties read: where it changes, little else can be seen."""
        found: set[str] = set()
        for content in (self._before.content, self._after.content):
            when = [*(guard.when for guard in content.guards), *(each.when for each in content.never)]
            found.update(*(sources(content, condition) for condition in when))
        return frozenset(found)

    def _differing(self, turns: _Turns, call_id: str) -> int | None:
        """The index of the first turn that is answered differently."""
        call = PastCall(call_id, tuple(PastTurn(signals) for signals in turns))
        pairs = zip(walk(self._before, call), walk(self._after, call), strict=True)
        for index, ((_, one), (_, other)) in enumerate(pairs):
            if (one.engine, one.endpointing_ms) != (other.engine, other.endpointing_ms):
                return index
        return None

    def _simplest(self, turns: _Turns, call_id: str) -> Example:
        """The example with as few turns, and as little in them, as still shows the difference in its last turn."""

        def shows(fewer: _Turns) -> bool:
            return self._differing(fewer, call_id) == len(fewer) - 1

        for index in range(len(turns) - 2, -1, -1):
            if shows(fewer := (*turns[:index], *turns[index + 1 :])):
                turns = fewer
        for index, signals in enumerate(turns):
            families = {name.split(".")[0] + "." for name in signals}  # two may only be left out together
            for begins in (*sorted(families), *signals):
                less = {name: value for name, value in turns[index].items() if not name.startswith(begins)}
                if shows(fewer := (*turns[:index], less, *turns[index + 1 :])):
                    turns = fewer
        for simpler in (_numbered, _rounded):
            if shows(simplified := simpler(turns)):
                turns = simplified
        call = PastCall(call_id, tuple(PastTurn(signals) for signals in turns))
        *_, (_, before) = walk(self._before, call)
        *_, (_, after) = walk(self._after, call)
        return Example(self._tenant, call_id, tuple(map(_told, turns)), before, after)


def _numbered(turns: _Turns) -> _Turns:
    """The turns counted from 1."""
    return tuple({**signals, "turn.count": number} for number, signals in enumerate(turns, 1))


def _rounded(turns: _Turns) -> _Turns:
    return tuple(
        {name: round(value, 2) if isinstance(value, float) else value for name, value in signals.items()}
        for signals in turns
    )


def _told(signals: Mapping[str, Scalar]) -> Mapping[str, Scalar]:
    """The signals that say something."""
    typed = Signals(signals)
    return {
        name: typed[name]
        for name in signals
        if (spec := spec_of(name)) is None or typed[name] != spec.unknown
    }
