"""router.lint on policies drawn at random: what it says can never be never is, and what it shows really happens."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from router import Decision, Memory, Policy, Signals
from router.content import Content
from router.lint import CODES, Report, lint
from router.lint.openings import Openings
from router.lint.samples import Samples
from router.lint.trials import Bench
from tests.unit.router.lint.conditions import CONDITIONS, DECLARED
from tests.unit.router.lint.generated import Drawn
from tests.unit.router.lint.written import reproduces

pytestmark = pytest.mark.unit
pytest.importorskip("z3", reason="the prover is not installed: it is the extra `proof`")

CALLS, TURNS = 150, 5
POLICIES = st.builds(
    lambda seed, rules: Policy.parse(Drawn(seed, few=True).policy(rules)),
    st.integers(0, 10**6),
    st.integers(2, 7),
)


def without_properties(policy: Policy) -> Policy:
    return Policy(replace(policy.content, never=()))


def calls(policy: Policy, seed: int) -> Iterator[tuple[int, Decision]]:
    """Calls of several turns near the policy's thresholds, each turn with its place in the call."""
    content, chance = policy.content, random.Random(seed)  # noqa: S311 - the same calls each time
    points = [trial.point.signals for trial in Samples(Bench(content), Openings(content))]
    for number in range(CALLS):
        memory = Memory.start(f"call-{number}")
        for turn in range(TURNS):
            decision, memory = policy.decide(Signals(chance.choice(points)), memory)
            yield turn, decision


def subjects(report: Report, *codes: str) -> set[str]:
    assert set(codes) <= set(CODES)
    return {finding.subject for finding in report.findings if finding.code in codes}


def facts(content: Content, decision: Decision) -> dict[str, bool | int | float | str]:
    return {param.name: param.value for param in content.params.values()} | dict(decision.signals)


ODD = """
policy: {name: t, version: 1}
DECLARED
engines: {fast: {}, standard: {}, half_cascade: {fallback: [fast], min_turns: 3}}
guards:
  - {id: guard, when: 'FIRST', deny: [fast], because: so}
rules:
  - {id: one, when: 'SECOND', hold: 'FIRST', route: fast, else_route: half_cascade, because: so,
     schedule: {tz: Europe/Berlin, SINCE}, rollout: {percent: 30, by: call.queue}}
  - {id: two, when: 'THIRD', route: half_cascade, because: so}
  - {id: otherwise, when: true, route: standard, because: so}
never:
  - {id: never, route: [fast, half_cascade], when: 'THIRD', because: so}
shadow:
  - {id: shade, replaces: one, when: 'FIRST', route: fast, because: so}
experiments:
  - {id: trial, rule: two, by: caller.region, arms: {a: 1, b: {weight: 1, route: fast}}, UNTIL, because: so}
overlays:
  acme: {params: {share: 0.9}, guards: [{id: own, when: 'SECOND', deny: [half_cascade], because: so}]}
"""
SINCE = st.sampled_from(
    ["days: mon", "since: 9999-12-01", "until: 1900-01-01", "since: 2300-01-01, until: 2301-01-01"]
)
UNTIL = st.sampled_from(["until: 9999-12-31", "until: 1000-01-01", "until: 2026-12-31"])


@given(st.data())
@settings(max_examples=15, deadline=None)
def test_whatever_a_policy_says_lint_has_an_answer_and_its_witnesses_reproduce(data: st.DataObject) -> None:
    text = ODD.replace(
        "DECLARED", data.draw(st.sampled_from([DECLARED, DECLARED.replace(", min: 0, max: 90", "")]))
    )
    for place in ("FIRST", "SECOND", "THIRD"):
        text = text.replace(place, data.draw(CONDITIONS | st.just(f'call.queue != "{"q" * 70}"')))
    text = text.replace("SINCE", data.draw(SINCE)).replace("UNTIL", data.draw(UNTIL))
    try:
        policy = Policy.parse(text)
    except ValueError:
        reject()  # CEL does not take one of the conditions
    for prove in (True, False):
        for finding in lint(policy.content, prove=prove, timeout_ms=100).findings:
            if finding.witnesses and not finding.code.startswith("never"):
                assert reproduces(policy.for_tenant(finding.tenants[0]), finding), finding


@given(POLICIES)
@settings(max_examples=12, deadline=None)
def test_what_is_said_never_to_happen_does_not_and_every_witness_reproduces(policy: Policy) -> None:
    content = policy.content
    report = lint(content)
    idle = subjects(report, "rule-unreachable", "rule-impossible")
    asleep = subjects(report, "guard-impossible")
    inert = [rule for rule in content.rules if rule.id in subjects(report, "hold-inert")]
    same = subjects(report, "shadow-alike")
    for turn, decision in calls(policy, 1):
        assert decision.rule not in idle
        assert not [step for step in decision.tried if step[0] in asleep and step[1] != "no"]
        known = facts(content, decision)
        for rule in inert:
            assert rule.hold is not None
            assert not (rule.hold.evaluate(known) is True and rule.when.evaluate(known) is False)
        if turn == 0:
            assert all(decision.shadow[shadow] == decision.engine for shadow in same)
    served, unenforced = policy, without_properties(policy)
    for finding in report.findings:
        if finding.witnesses:
            assert reproduces(unenforced if finding.code.startswith("never") else served, finding), finding


@given(POLICIES)
@settings(max_examples=12, deadline=None)
def test_a_proved_property_holds_through_all_that_sticks_even_when_it_is_not_enforced(policy: Policy) -> None:
    content = policy.content
    report = lint(content)
    proved, in_part = subjects(report, "never-proved"), subjects(report, "never-proved-in-part")
    broken = {finding.subject: finding for finding in report.findings if finding.code == "never-violated"}
    unread = subjects(report, "never-unproved")  # there are functions that the prover does not follow
    assert proved | in_part | set(broken) | unread == {each.id for each in content.never}
    assert not unread & {"voice", "asked-and-fast"}
    for turn, decision in calls(without_properties(policy), 2):
        known = facts(content, decision)
        for each in content.never:
            if each.when.evaluate(known) is not False and (
                each.id in proved or (each.id in in_part and turn == 0)
            ):
                assert decision.engine not in each.routes
    for finding in broken.values():
        (witness,) = finding.witnesses
        routes = next(each.routes for each in content.never if each.id == finding.subject)
        assert witness.engine in routes


@given(POLICIES)
@settings(max_examples=6, deadline=None)
def test_without_the_prover_the_same_witnesses_are_honest_and_no_verdict_is_given(policy: Policy) -> None:
    report = lint(policy.content, prove=False)
    assert not subjects(report, "rule-unreachable", "rule-impossible", "guard-impossible", "never-proved")
    served, unenforced = policy, without_properties(policy)
    for finding in report.findings:
        if finding.witnesses:
            assert reproduces(unenforced if finding.code.startswith("never") else served, finding), finding
