"""Why a turn was answered as it was: the trace of a decision beside what the policy says and the values it read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from router.conditions import Condition, Failed
from router.content import Content, Guard, Never, Rule
from router.decision import Decision
from router.gates import BY_CALL, share
from router.keys import STAGES
from router.policy import Policy
from router.signals import Scalar, spec_of

Kind = Literal["guard", "never", "rule", "stage", "unknown"]


@dataclass(frozen=True, slots=True)
class Clause:
    """A condition at that turn: its text, what it came to, and the values it was computed from."""

    label: str
    """What it is for: ``when`` or ``hold``."""
    source: str
    outcome: Scalar | Failed
    values: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class Step:
    """Something that was tried, with its outcome."""

    id: str
    kind: Kind
    """``unknown`` where only the record is there to tell."""
    outcome: str
    because: str = ""
    clauses: tuple[Clause, ...] = ()
    gates: tuple[str, ...] = ()
    """Its schedule, rollout and experiment, and where this call stands in them."""


@dataclass(frozen=True, slots=True)
class Smoothed:
    """A derived signal before and after the turn."""

    name: str
    before: float | None
    after: float
    counted: bool | None
    """Whether the turn's reading counted; ``None`` when only the record is there to tell."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One decision explained."""

    decision: Decision
    steps: tuple[Step, ...]
    """In the order tried."""
    not_tried: tuple[str, ...]
    """Rules that come after the one that chose."""
    kept_by: tuple[str, ...]
    """What kept the engine in charge: ``dwell``, ``stability``, or a rule's ``hold``."""
    smoothed: tuple[Smoothed, ...]


def explain(
    decision: Decision, policy: Policy | None, *, call_id: str, before: Mapping[str, Scalar] | None
) -> Explanation:
    """Explain a decision by its own trace and, where it is at hand, by the policy that took it.

    Args:
        decision: taken now, or as it was recorded.
        policy: the one that decided, for the tenant of the call.
        call_id: sorts the call into rollouts and experiments.
        before: the signals of the decision before; ``None`` at the first turn.
    """
    content = policy.content if policy else None
    facts = {**_params(content), **_unknown(content), **decision.signals}
    tried = {name for name, _ in decision.tried}
    forced = content is not None and decision.rule in {guard.id for guard in content.guards}
    return Explanation(
        decision=decision,
        steps=tuple(_step(name, outcome, content, facts, call_id) for name, outcome in decision.tried),
        not_tried=tuple(rule.id for rule in content.rules if rule.id not in tried)
        if content and not forced
        else (),
        kept_by=tuple(_kept_by(decision)),
        smoothed=tuple(_smoothed(decision, content, facts, before)),
    )


def deciding_values(policy: Policy, decision: Decision, ids: Iterable[str]) -> dict[str, Scalar]:
    """The signals and params that the guards and rules ``ids`` read, with their values at that decision."""
    content = policy.content
    facts = {**_params(content), **_unknown(content), **decision.signals}
    return {
        name: facts[name]
        for each in dict.fromkeys(ids)
        for condition in _conditions(_named(content, each))
        for name in _reads(condition)
        if name in facts
    }


# -- what was tried -----------------------------------------------------------------------------------------
def _step(
    name: str, outcome: str, content: Content | None, facts: Mapping[str, Scalar], call_id: str
) -> Step:
    if name in STAGES:
        return Step(name, "stage", outcome)
    named = _named(content, name) if content else None
    if content is None or named is None:
        return Step(name, "unknown", outcome)
    kind: Kind = "guard" if isinstance(named, Guard) else "never" if isinstance(named, Never) else "rule"
    return Step(
        name,
        kind,
        outcome,
        named.because,
        tuple(
            Clause(label, condition.source, condition.evaluate(facts), _values(condition, facts))
            for label, condition in zip(("when", "hold"), _conditions(named), strict=False)
        ),
        tuple(_gates(named, content, facts, call_id)) if isinstance(named, Rule) else (),
    )


def _gates(rule: Rule, content: Content, facts: Mapping[str, Scalar], call_id: str) -> Iterator[str]:
    """The gates of a rule in words: what they are, and where the call stands."""

    def at(name: str, by: str) -> str:
        key = call_id if by == BY_CALL else str(facts.get(by, ""))
        return f"{by} falls at {share(content.salt, name, key):.2%}" if key else f"{by} is empty"

    if (schedule := rule.schedule) is not None:
        within = schedule.covers(int(facts.get("time.unix_s", 0)))
        yield f"schedule in {schedule.zone}: {'within' if within else 'outside'} its hours"
    if (rollout := rule.rollout) is not None:
        yield f"rollout to {rollout.percent:g} %: {at(rule.id, rollout.by)}"
    for experiment in content.experiments:
        if experiment.rule == rule.id:
            yield f"experiment {experiment.id}: {at(experiment.id, experiment.by)}"


def _kept_by(decision: Decision) -> Iterator[str]:
    for name, outcome in decision.tried:
        if name in ("dwell", "stability") or outcome.startswith("held: "):
            yield f"{name}: {outcome}"


# -- what it read -------------------------------------------------------------------------------------------
def _smoothed(
    decision: Decision,
    content: Content | None,
    facts: Mapping[str, Scalar],
    before: Mapping[str, Scalar] | None,
) -> Iterator[Smoothed]:
    start = {each.name: each for each in content.derived} if content else {}
    for name, value in decision.signals.items():
        if spec_of(name) is not None or isinstance(value, bool | str):
            continue
        derived = start.get(name)
        earlier = before.get(name) if before is not None else derived.unknown if derived else None
        counted = None
        if derived is not None:
            counted = derived.only_if is None or derived.only_if.evaluate(facts) is True
        yield Smoothed(name, None if earlier is None else float(earlier), float(value), counted)


def _named(content: Content, name: str) -> Guard | Never | Rule | None:
    everything: tuple[Guard | Never | Rule, ...] = (*content.guards, *content.never, *content.rules)
    return next((each for each in everything if each.id == name), None)


def _conditions(named: Guard | Never | Rule | None) -> tuple[Condition, ...]:
    if named is None:
        return ()
    hold = named.hold if isinstance(named, Rule) else None
    return (named.when, hold) if hold else (named.when,)


def _reads(condition: Condition) -> list[str]:
    """In the order of the text."""
    return sorted(condition.reads, key=lambda name: (condition.source.find(name), name))


def _values(condition: Condition, facts: Mapping[str, Scalar]) -> dict[str, Scalar]:
    return {name: facts[name] for name in _reads(condition) if name in facts}


def _params(content: Content | None) -> dict[str, Scalar]:
    return {param.name: param.value for param in content.params.values()} if content else {}


def _unknown(content: Content | None) -> dict[str, Scalar]:
    """Signals that an older record does not have, at the value that stands for not knowing."""
    if content is None:
        return {}
    return {name: spec.unknown for name, spec in content.variables.items() if not name.startswith("p.")}
