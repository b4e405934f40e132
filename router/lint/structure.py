"""What is declared and never used, and gates that never open: read off the policy, no prover needed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from router.conditions import Condition
from router.content import Content, Rule
from router.gates import DAYS, Schedule
from router.lint.case import Case, listed
from router.lint.reach import same
from router.lint.report import Finding, Severity

_WEEK = 7


def unused(case: Case) -> Iterator[Finding]:
    """What nothing reads, and engines that nothing chooses; neither here nor for a tenant."""
    content = case.content
    if content.tenant:
        return
    read = case.reads.union(*(condition.reads for condition in _of_tenants(content)))
    for param in content.params.values():
        if param.name not in read:
            message = f"no condition reads the param '{param.name.removeprefix('p.')}'"
            place = param.line, param.column
            yield case.finding_on("param-unused", Severity.WARNING, param.name, message, *place)
    for each in content.derived:
        if each.name not in read:
            message = f"no condition reads the derived signal '{each.name}'"
            place = case.places.key("derived", each.name)
            yield case.finding_on("signal-unused", Severity.WARNING, each.name, message, *place)
    for question in content.questions.values():
        if question.spec.name not in read:
            message = f"no condition reads '{question.spec.name}', and every answer costs money"
            place = case.places.key("questions", question.name)
            yield case.finding_on("question-unused", Severity.WARNING, question.name, message, *place)
    chosen = _chosen(case)
    for engine in content.engines:
        if engine not in chosen:
            message = f"no rule, guard, experiment or fallback can choose the engine '{engine}'"
            place = case.places.key("engines", engine)
            yield case.finding_on("engine-unused", Severity.WARNING, engine, message, *place)


def _of_tenants(content: Content) -> Iterator[Condition]:
    """The conditions that only tenants have."""
    for overlay in content.overlays.values():
        yield from (guard.when for guard in overlay.guards)
        for _, rule in overlay.insert:
            yield rule.when
            if rule.hold:
                yield rule.hold


def _chosen(case: Case) -> set[str]:
    """Every engine that can answer: chosen, or in the place of one that is."""
    content = case.content
    inserted = (rule for overlay in content.overlays.values() for _, rule in overlay.insert)
    added = (guard for overlay in content.overlays.values() for guard in overlay.guards)
    rules = [*content.rules, *inserted, *(shadow.rule for shadow in content.shadow)]
    names = {engine for rule in rules for engine in (rule.route, rule.else_route) if engine}
    names |= {guard.force for guard in (*content.guards, *added) if guard.force}
    names |= {arm.route for experiment in content.experiments for arm in experiment.arms if arm.route}
    names.add(content.last_resort)
    while more := {other for name in names for other in content.engines[name].fallback} - names:
        names |= more
    return names


def gates(case: Case) -> Iterator[Finding]:
    """Schedules and rollouts that never let their rule be, arms to which no call falls."""
    for rule in (*case.content.rules, *(shadow.rule for shadow in case.content.shadow)):
        if rule.schedule and not _ever_begins(rule.schedule):
            days = ", ".join(DAYS[day] for day in sorted(rule.schedule.days)) or "no day"
            message = f"the schedule of '{rule.id}' covers no moment: {days} does not fall between its dates"
            yield _on_rule(case, "schedule-empty", Severity.ERROR, rule, message)
        if rule.rollout and rule.rollout.percent == 0:
            message = f"rule '{rule.id}' is rolled out to 0 % of calls, so it is never there"
            yield _on_rule(case, "rollout-empty", Severity.WARNING, rule, message)


def twins(case: Case) -> Iterator[Finding]:
    """Rules with the condition of an earlier one, which is there for all calls and hours."""
    for place, rule in enumerate(case.routed()):
        first = next(
            (each for each in case.content.rules[:place] if not each.gated and same(each, rule)), None
        )
        if first:
            message = f"rule '{rule.id}' has the same condition as '{first.id}' in line {first.when.line}"
            yield case.finding("same-condition", Severity.WARNING, (rule.id, rule.when), message)


def default(case: Case) -> Iterator[Finding]:
    """A last rule whose engine can be denied, with nothing said of what answers then."""
    last = case.content.rules[-1]
    denying = case.denying(last.route)
    if denying and not last.else_route and not case.content.engines[last.route].fallback:
        message = (
            f"{listed(denying)} can deny '{last.route}', the engine of the last rule, and it has"
            f" neither `else_route` nor fallback: such turns go to the last resort, '{case.content.last_resort}'"
        )
        yield _on_rule(case, "default-deniable", Severity.WARNING, last, message)


def _ever_begins(schedule: Schedule) -> bool:
    """Whether one of its days falls between its dates."""
    since, until = schedule.since, schedule.until
    if not schedule.days or since is None or until is None:
        return bool(schedule.days)
    span = min((until - since).days + 1, _WEEK)
    return any((since + timedelta(days=step)).weekday() in schedule.days for step in range(span))


def _on_rule(case: Case, code: str, severity: Severity, rule: Rule, message: str) -> Finding:
    return case.finding_on(code, severity, rule.id, message, rule.line, rule.column)
