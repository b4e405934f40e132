"""Whether every guard and rule can do what it is there for, and what stands in its way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from router.content import Guard, Rule
from router.lint.answers import Answer
from router.lint.case import Case, listed
from router.lint.parts import shape
from router.lint.report import Finding, Severity
from router.lint.trials import Trial

if TYPE_CHECKING:
    from router.lint.search import Claim

_MOST_EARLIER = 3
"""How many earlier rules are looked for, and named, to which one gives way."""


def impossible(case: Case) -> Iterator[Finding]:
    """Guards that never act, rules that can never be true or are never reached, or only where guards deny."""
    for guard in case.content.guards:
        if case.search.possible(_acts(guard)) is False:
            message = f"guard '{guard.id}' can never be true, so it protects nothing"
            yield case.finding("guard-impossible", Severity.ERROR, (guard.id, guard.when), message)
    reached: list[Rule] = []
    for rule in case.content.rules:
        if case.search.possible(_chooses(rule)) is not False:
            if rule is not case.content.rules[-1]:  # which must be there, whatever comes before it
                yield from _shadowed(case, rule, reached)
            reached.append(rule)
        elif case.search.possible(_true(rule)) is False:
            message = f"rule '{rule.id}' can never be true"
            yield case.finding("rule-impossible", Severity.ERROR, (rule.id, rule.when), message)
        else:
            yield _unreached(case, rule, reached)


def _unreached(case: Case, rule: Rule, earlier: Sequence[Rule]) -> Finding:
    """The rule is never reached: because of its own engine, or the earlier rules and guards that are named."""
    if case.search.possible(_able(rule)) is False:
        denying = list(dict.fromkeys(name for engine in _engines(rule) for name in case.denying(engine)))
        verb = "denies" if len(denying) == 1 else "deny"
        why = f"whenever it is true, {listed(denying)} {verb} {listed(_engines(rule))}"
        message = f"rule '{rule.id}' is never reached: {why}"
    else:
        forcing = [guard for guard in case.content.guards if guard.force]
        blockers = case.search.blockers(
            _able(rule),
            lambda model: (
                {guard.id: model.guards[guard.id].no for guard in forcing}
                | {each.id: model.served.matches[each.id].no for each in earlier}
            ),
        )
        verb = "answers" if len(blockers) == 1 else "together answer"
        message = (
            f"rule '{rule.id}' is never reached: {listed(blockers)} {verb} every turn for which it is true"
        )
    last = rule is case.content.rules[-1]
    if last:
        message += ", which does no harm: the last rule must be there"
    severity = Severity.INFO if last else Severity.ERROR
    return case.finding("rule-unreachable", severity, (rule.id, rule.when), message)


def _shadowed(case: Case, rule: Rule, before: Sequence[Rule]) -> Iterator[Finding]:
    """Only denials let a turn through to a rule when an earlier one is true whenever it is."""
    earlier = {each.id: each for each in before if not each.gated and not same(each, rule)}
    found = case.search.implied(
        _true(rule), lambda model: {name: model.when(each).yes for name, each in earlier.items()}
    )
    for name in found[:1]:
        message = (
            f"rule '{rule.id}' is reached only where guards deny {listed(_engines(earlier[name]))}: '{name}' is true"
            " whenever it is; if that is meant, say it with `else_route` there"
        )
        yield case.finding("rule-shadowed", Severity.WARNING, (rule.id, rule.when), message)


def precedence(case: Case) -> Iterator[Finding]:
    """Rules that an earlier one with another engine takes turns from."""
    for place, rule in enumerate(case.routed()):
        rivals = [each for each in case.content.rules[:place] if each.route != rule.route]
        found: list[Answer] = []
        while rivals and len(found) < _MOST_EARLIER and (answer := _taken(case, rule, rivals)).trials:
            answer = answer if found else answer.simplest()  # the first is shown
            found.append(answer)
            rivals = [rival for rival in rivals if rival.id != answer.trials[0].decision.rule]
        if found:
            takers = {answer.trials[0].decision.rule for answer in found}
            names = listed([each.id for each in case.content.rules if each.id in takers])
            more = " and perhaps more" if rivals and len(found) == _MOST_EARLIER else ""
            message = f"rule '{rule.id}' gives way to {names}{more} where both are true"
            yield case.finding(
                "precedence",
                Severity.INFO,
                (rule.id, rule.when),
                message,
                witnesses=case.witnesses(found[0]),
            )


def _taken(case: Case, rule: Rule, rivals: Sequence[Rule]) -> Answer:
    """A turn for which the rule is true and could answer, and that one of its rivals takes."""
    names = {rival.id for rival in rivals}

    def seen(trial: Trial) -> bool:
        return (
            trial.decision.rule in names
            and rule.route not in trial.decision.denied
            and trial.true(rule.when)
            and case.openings.is_open(rule, trial.point)
        )

    return case.search.find(
        lambda model: [
            model.when(rule).yes,
            model.allowed(rule.route).yes,
            model.either(model.served.rule[rival.id] for rival in rivals),
        ],
        seen,
        about=rule.when.reads.union(*(rival.when.reads for rival in rivals)),
    )


def same(rule: Rule, other: Rule) -> bool:
    """Whether two rules have the same condition, but for how it is laid out."""
    return (written := shape(rule.when.tree)) is not None and written == shape(other.when.tree)


def _acts(guard: Guard) -> Claim:
    return lambda model: [model.guards[guard.id].yes]


def _true(rule: Rule) -> Claim:
    return lambda model: [model.when(rule).yes]


def _able(rule: Rule) -> Claim:
    return lambda model: [model.served.matches[rule.id].yes]


def _chooses(rule: Rule) -> Claim:
    return lambda model: [model.served.rule[rule.id]]


def _engines(rule: Rule) -> list[str]:
    return [rule.route, *([rule.else_route] if rule.else_route else [])]
