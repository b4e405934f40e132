"""Signals that move by no more than their noise, and move a call between engines in doing so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.checked import Name, Tree, walk
from router.conditions import Condition
from router.lint.answers import Answer
from router.lint.case import Case, listed
from router.lint.parts import sources
from router.lint.readings import Readings, Seen
from router.lint.report import Finding, Severity
from router.lint.trials import Trial

if TYPE_CHECKING:
    from router.lint.search import Shift
    from router.lint.symbolic import Symbolic
    from router.lint.truth import Term


@dataclass(frozen=True, slots=True)
class _Chooser:
    """A rule or forcing guard, and what may answer when it no longer does."""

    id: str
    when: Condition
    hold: Condition | None
    deciding: tuple[Condition, ...]
    """The conditions that decide whether it answers, once its turn has come, and by which engine."""
    after: frozenset[str]
    """The rules to which a turn may go instead."""


def flaps(case: Case) -> Iterator[Finding]:
    """A finding for each rule or force that a noisy signal can put a call in and out of, from turn to turn."""
    noises = {name: spec.noise for name, spec in case.content.variables.items() if spec.noise > 0}
    for chooser in _choosers(case):
        for name, noise in noises.items():
            if any(name in sources(case.content, condition) for condition in chooser.deciding):
                yield from _flap(case, chooser, Readings(case.bench, name, noise))


def _choosers(case: Case) -> Iterator[_Chooser]:
    content = case.content
    names = [rule.id for rule in content.rules]
    for guard in content.guards:
        if guard.force:
            yield _Chooser(guard.id, guard.when, None, (guard.when,), frozenset(names))
    for place, rule in enumerate(case.routed()):
        engines = {rule.route, rule.else_route}
        denying = (guard.when for guard in content.guards if engines & set(guard.deny))
        yield _Chooser(rule.id, rule.when, rule.hold, (rule.when, *denying), frozenset(names[place:]))


def _flap(case: Case, chooser: _Chooser, readings: Readings) -> Iterator[Finding]:
    answer = _moves(case, chooser, readings, hold=None)
    if not answer.trials:
        return
    loose = _moves(case, chooser, readings, hold=chooser.hold) if chooser.hold else answer
    example = (loose if loose.trials else answer).simplest()
    first, second = example.trials
    moves = (
        f"{readings.name} moving by its noise of {readings.noise:g} moves a call between"
        f" {first.decision.engine} ('{chooser.id}') and {second.decision.engine} ('{second.decision.rule}')"
    )
    protection = _protection(case, first, second)
    code, severity = "flap-damped", Severity.INFO
    if chooser.hold and not loose.trials:
        sure = "" if loose.impossible else ", in every case that was tried"
        message = f"{moves}; its `hold` keeps the call where it is{sure}"
    elif protection:
        hold = ", which its `hold` does not always cover" if chooser.hold else ""
        message = f"{moves}{hold}; damped by {protection}"
    else:
        code, severity = "flap", Severity.WARNING
        hold = "its `hold` does not always cover that, and " if chooser.hold else ""
        message = f"{moves}, and back at the next turn: {hold}there is no `min_turns` or `cooldown_turns`"
    yield case.finding(
        code,
        severity,
        (chooser.id, chooser.when),
        message,
        at=_mention(case, chooser.when, readings.name),
        witnesses=case.witnesses(example),
    )


def _moves(case: Case, chooser: _Chooser, readings: Readings, *, hold: Condition | None) -> Answer:
    """Two readings of which one is answered by the chooser, and the other by another engine of it or what comes after.

    The second is one that ``hold`` does not keep, if it is given.
    """

    def claim(model: Symbolic, shift: Shift) -> list[Term]:
        second = {engine: shift(term) for engine, term in model.served.engine.items()}
        let_go = [] if hold is None else [shift(model.terms.condition(hold).failing_is_false.no)]
        return [
            model.chooses(chooser.id),
            shift(model.either(model.chooses(name) for name in chooser.after)),
            model.apart(model.served.engine, second),
            *let_go,
        ]

    def both(first: Trial, second: Trial) -> bool:
        return (
            second.decision.rule in chooser.after
            and first.decision.engine != second.decision.engine
            and (hold is None or not second.true(hold))
        )

    seen = Seen(lambda first: first.decision.rule == chooser.id, both)
    return case.search.find_pair(readings, claim, seen)


def _protection(case: Case, first: Trial, second: Trial) -> str:
    """What slows switching between the two engines down; nothing if nothing does."""
    found = []
    dwelling = [
        engine
        for engine in (first.decision.engine, second.decision.engine)
        if case.content.engines[engine].min_turns > 1
    ]
    if dwelling:
        found.append(f"`min_turns` of {listed(dwelling)}")
    if case.content.stability.cooldown_turns > 0:
        found.append("`cooldown_turns`")
    return " and ".join(found)


def _mention(case: Case, when: Condition, name: str) -> Tree | None:
    """Where the condition speaks of the signal, or of what is made of it."""
    made = {each.name for each in case.content.derived if name in sources(case.content, each.reading)}
    names = (part for part in walk(when.tree) if isinstance(part, Name))
    return next((part for part in names if part.name == name or part.name in made), None)
