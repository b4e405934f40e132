"""Runs a test of a policy, and says where what it decided is not what was expected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from router.cases.reading import Scenario, Turn
from router.decision import Decision
from router.memory import Memory
from router.policy import Policy
from router.signals import Scalar, Signals


@dataclass(frozen=True, slots=True)
class Wrong:
    """An expectation that was not met."""

    what: str
    """The key in the test file."""
    expected: str
    got: str


@dataclass(frozen=True, slots=True)
class Played:
    """A turn as the policy decided it."""

    turn: Turn
    decision: Decision
    answered_by: str | None
    """The engine that answered in the end; ``None`` when all that may answer have failed."""
    before: Mapping[str, Scalar] | None
    """The signals of the decision before; ``None`` at the first turn."""
    wrong: tuple[Wrong, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """A test that was run."""

    scenario: Scenario
    policy: Policy
    """The one that decided: the tenant's, with the params of the test."""
    turns: tuple[Played, ...]

    @property
    def passed(self) -> bool:
        return not any(played.wrong for played in self.turns)


def run(policy: Policy, scenario: Scenario) -> Result:
    """Decide every turn of a scenario in order, each with the memory that the one before left behind."""
    served = policy.for_tenant(scenario.tenant)
    if scenario.params:
        served = served.with_params(scenario.params)
    return Result(scenario, served, tuple(_play(served, scenario)))


def _play(policy: Policy, scenario: Scenario) -> Iterator[Played]:
    memory, before = Memory.start(scenario.call_id), None
    for turn in scenario.turns:
        signals = Signals(turn.signals)
        decision, memory = policy.decide(signals, memory)
        engine: str | None = decision.engine
        failed: list[str] = []
        while engine is not None and engine in turn.fails:
            failed.append(engine)
            engine = policy.fallback(engine, {*decision.denied, *failed})
            memory = memory.moved_to(engine) if engine else memory
        outcome = _Outcome(decision, engine, policy.judges_voice(signals))
        wrong = tuple(_wrong(turn, outcome, failed))
        yield Played(turn, decision, engine, before, wrong)
        before = decision.signals


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a turn came to."""

    decision: Decision
    answered_by: str | None
    voice_judged: bool


def _wrong(turn: Turn, outcome: _Outcome, failed: Iterable[str]) -> Iterator[Wrong]:
    for engine in turn.fails:
        if engine not in failed:
            yield Wrong("fails", f"{engine} is asked to answer, and fails", f"{engine} is not asked")
    for what, expected in turn.expects.items():
        got = _got(what, expected, outcome)
        if got != expected:
            yield Wrong(what, _words(expected), _words(got))


def _got(what: str, expected: Any, outcome: _Outcome) -> Any:
    """What the turn came to, in the form in which ``expected`` is given."""
    decision = outcome.decision
    match what:
        case "moved_to":
            return outcome.answered_by
        case "voice_judged":
            return outcome.voice_judged
        case "denied":
            return dict(decision.denied) if isinstance(expected, dict) else frozenset(decision.denied)
        case "arm":
            return {name: decision.arms.get(name) for name in expected}
        case "shadow":
            return {name: decision.shadow.get(name) for name in expected}
    return getattr(decision, what)


def _words(value: Any) -> str:
    """A value as the test file would write it."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case dict():
            return "{" + ", ".join(f"{key}: {_words(one)}" for key, one in sorted(value.items())) + "}"
        case frozenset():
            return "[" + ", ".join(sorted(value)) + "]"
    return str(value)
