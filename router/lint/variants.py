"""Parts of a policy that never make a difference, and conditions that sometimes have no value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from router.conditions import Condition
from router.content import Experiment, Rule, Shadow
from router.lint.case import Case
from router.lint.report import Finding, Severity
from router.lint.trials import Trial

if TYPE_CHECKING:
    from router.lint.search import Claim
    from router.lint.symbolic import Symbolic
    from router.lint.truth import Term


def inert(case: Case) -> Iterator[Finding]:
    """Holds that are never looser than the rule, experiments and shadow rules that never choose differently."""
    for rule in case.content.rules:
        if rule.hold and case.search.possible(_held(rule, rule.hold)) is False:
            message = f"the `hold` of '{rule.id}' is never true when its `when` is not, so it holds nothing"
            yield case.finding("hold-inert", Severity.WARNING, (rule.id, rule.hold), message)
    for experiment in case.content.experiments:
        if case.search.possible(_arms_differ(experiment)) is False:
            message = (
                f"the arms of experiment '{experiment.id}' never answer by different engines: they name the same one,"
                f" or guards deny the difference whenever '{experiment.rule}' is reached"
            )
            place = experiment.line, experiment.column
            yield case.finding_on("arms-alike", Severity.WARNING, experiment.id, message, *place)
    for shadow in case.content.shadow:
        if case.search.possible(_shadow_differs(shadow)) is False:
            message = f"shadow rule '{shadow.rule.id}' never chooses another engine than is served"
            yield case.finding("shadow-alike", Severity.WARNING, (shadow.rule.id, shadow.rule.when), message)


def failing(case: Case) -> Iterator[Finding]:
    """Guards and rules that fail for some signals, each with such a case."""
    for guard in case.content.guards:
        yield from _failing(case, guard.id, guard.when, counts_as="true")
    for rule in case.content.rules:
        yield from _failing(case, rule.id, rule.when, counts_as="false")


def _failing(case: Case, subject: str, when: Condition, *, counts_as: str) -> Iterator[Finding]:
    begins = f"{subject}: "

    def fails(trial: Trial) -> bool:
        return any(error.startswith(begins) for error in trial.decision.errors)

    answer = case.search.find(
        lambda model: [model.terms.condition(when).fails], fails, about=when.reads
    ).simplest()
    for trial in answer.trials:
        error = next(error for error in trial.decision.errors if error.startswith(begins))
        why = error.removeprefix(begins)
        message = f"'{subject}' has no value for some signals ({why}) and then counts as {counts_as}"
        witnesses = case.witnesses(answer)
        yield case.finding("can-fail", Severity.WARNING, (subject, when), message, witnesses=witnesses)


def _held(rule: Rule, hold: Condition) -> Claim:
    """The hold is true, and the rule is not."""
    return lambda model: [
        model.terms.condition(hold).yes,
        model.terms.condition(rule.when).failing_is_false.no,
    ]


def _arms_differ(experiment: Experiment) -> Claim:
    """The rule is reached and true, and two of its arms choose different engines, or one chooses and one does not."""

    def claim(model: Symbolic) -> list[Term]:
        rule = next(rule for rule in model.content.rules if rule.id == experiment.rule)
        ways = [
            model.engines(model.targets(rule, arm))
            for arm, each in enumerate(experiment.arms)
            if each.weight > 0
        ]
        return [
            model.served.reached[rule.id].yes,
            model.when(rule).yes,
            model.either(model.unlike(ways)),
        ]

    return claim


def _shadow_differs(shadow: Shadow) -> Claim:
    def claim(model: Symbolic) -> list[Term]:
        rules = model.content.rules
        if shadow.replaces is None:
            changed = (shadow.rule, *rules)
        else:  # under the id of the rule in whose place it stands: by that go rollout and experiments
            instead = replace(shadow.rule, id=shadow.replaces)
            changed = tuple(instead if rule.id == shadow.replaces else rule for rule in rules)
        return [model.apart(model.served.engine, model.by(changed).engine)]

    return claim
