"""router.lint: what can never be, what is never reached and by whose doing, and what gives way to what."""

from __future__ import annotations

import pytest

from policies import shipped
from router import Policy
from router.lint import Severity, lint
from tests.unit.router.lint.written import HEAD, decided, of, one, policy, report, reproduces

pytestmark = pytest.mark.unit
pytest.importorskip("z3", reason="the prover is not installed: it is the extra `proof`")

NO_CONSENT = "{id: no-consent, when: '!caller.consent_voice_ai', deny: [realtime]}"


def test_a_rule_that_contradicts_itself_is_an_error_at_its_condition() -> None:
    finding = one(report("{id: odd, when: turn.count > 5 && turn.count < 3, route: fast}"), "rule-impossible")
    assert (finding.severity, finding.subject) == (Severity.ERROR, "odd")
    assert finding.at("t.yaml") == "t.yaml:11:21: error: rule 'odd' can never be true [rule-impossible]"


def test_a_guard_that_contradicts_itself_is_an_error() -> None:
    found = report(guards="{id: g, when: call.asked_human && !call.asked_human, deny: [fast]}")
    assert one(found, "guard-impossible").severity is Severity.ERROR
    assert not of(report(guards=NO_CONSENT), "guard-impossible")


def test_a_guard_that_is_never_true_but_can_fail_still_acts() -> None:
    found = report(guards="{id: g, when: 1 / (turn.words - turn.words) > 0, deny: [fast]}")
    assert not of(found, "guard-impossible")


def test_a_rule_that_is_never_reached_names_the_fewest_rules_that_answer_before_it() -> None:
    found = report(
        """
        {id: early, when: turn.count < 4, route: fast}
        {id: sips, when: call.transport == "sip", route: fast}
        {id: late, when: turn.count >= 4 && turn.chars >= 0, route: tool}
        {id: lost, when: turn.needs_tools, route: tool}
        """
    )
    lost = one(found, "rule-unreachable", "lost")
    assert lost.severity is Severity.ERROR
    assert lost.message == (
        "rule 'lost' is never reached: 'early' and 'late' together answer every turn for which it is true"
    )
    last = one(found, "rule-unreachable", "otherwise")
    assert last.severity is Severity.INFO
    assert not of(found, "rule-unreachable", "late")


def test_a_forcing_guard_may_be_what_stands_before_a_rule() -> None:
    found = report(
        "{id: person, when: call.asked_human && turn.count > 2, route: tool}",
        guards="{id: hand, when: call.asked_human, force: standard}",
    )
    assert "'hand' answers every turn" in one(found, "rule-unreachable", "person").message


def test_a_rule_whose_engine_is_denied_whenever_it_is_true_is_never_reached() -> None:
    found = report(
        "{id: silent, when: '!caller.consent_voice_ai && turn.needs_tools', route: realtime}",
        guards=NO_CONSENT,
    )
    message = one(found, "rule-unreachable", "silent").message
    assert message == "rule 'silent' is never reached: whenever it is true, 'no-consent' denies 'realtime'"


def test_an_earlier_rule_that_a_guard_may_skip_does_not_make_a_later_one_unreachable_but_shadows_it() -> None:
    rules = """
        {id: loud, when: emotion.upset > 0.5, route: realtime}
        {id: louder, when: emotion.upset > 0.8, route: tool}
    """
    finding = one(report(rules, guards=NO_CONSENT), "rule-shadowed")
    assert (finding.severity, finding.subject) == (Severity.WARNING, "louder")
    assert "'loud' is true whenever it is" in finding.message
    assert one(report(rules), "rule-unreachable", "louder").severity is Severity.ERROR


def test_a_rule_behind_one_that_is_not_there_for_all_calls_or_hours_is_reached() -> None:
    for gate in ("rollout: {percent: 50}", "schedule: {tz: UTC, days: mon-fri}"):
        found = report(
            f"""
            {{id: some, when: turn.needs_tools, route: fast, {gate}}}
            {{id: others, when: turn.needs_tools, route: tool}}
            """
        )
        assert not of(found, "rule-unreachable")
        assert not of(found, "rule-shadowed")
        assert not of(found, "same-condition")


def test_params_count_at_the_values_that_a_tenant_gives_them() -> None:
    found = report(
        "{id: sure, when: turn.tool_p < 0.5 && turn.tool_p >= p.tool_p, route: fast}",
        overlays="acme: {params: {tool_p: 0.4}}",
    )
    finding = one(found, "rule-impossible", "sure")
    assert finding.tenants == ("",)


def test_a_rule_that_only_a_tenant_has_is_looked_into_for_that_tenant() -> None:
    overlay = """
    acme: {insert: [{before: otherwise, id: own, when: turn.count < 1, route: fast, because: so}]}
    beta: {disable: [voice]}
    """
    found = report(overlays=overlay)
    finding = one(found, "rule-impossible", "own")
    assert (finding.tenants, finding.line) == (("acme",), 13)
    assert one(report(overlays=overlay, tenant="acme"), "rule-impossible", "own")
    assert not of(report(overlays=overlay, tenant=""), "rule-impossible")


def test_text_that_the_policy_does_not_mention_is_a_possibility_too() -> None:
    found = report(
        """
        {id: vip, when: call.queue == "vip", route: fast}
        {id: rest, when: call.queue != "vip" && call.queue != "shop" && call.queue != "", route: tool}
        """
    )
    assert not of(found, "rule-unreachable")
    assert not of(found, "rule-impossible")


def test_a_function_that_cannot_be_read_is_never_held_against_a_rule() -> None:
    found = report(
        """
        {id: odd, when: 'string(turn.count).endsWith("7")', route: fast}
        {id: odder, when: '[1, 2].exists(x, x == turn.count) && turn.count > 2', route: tool}
        """
    )
    assert not of(found, "rule-unreachable")
    assert not of(found, "rule-impossible")


def test_the_published_logic_lets_the_opening_take_angry_callers_and_tool_requests() -> None:
    served = Policy.load(shipped("reference.yaml"))
    found = lint(served.content)
    assert found.ok
    for subject, taker in (("tools", "opening"), ("upset", "opening")):
        finding = one(found, "precedence", subject)
        assert finding.severity is Severity.INFO
        assert f"'{subject}' gives way to '{taker}'" in finding.message
        assert reproduces(served, finding)
        decision = decided(served, finding.witnesses[0])
        assert (decision.rule, decision.engine) == (taker, "fast")


def test_the_default_policy_has_neither_errors_nor_warnings_and_its_properties_are_proved() -> None:
    served = Policy.load(shipped("default.yaml"))
    found = lint(served.content)
    assert (found.count(Severity.ERROR), found.count(Severity.WARNING)) == (0, 0)
    assert len(of(found, "never-proved")) == len(served.content.never) > 0
    assert all(reproduces(served, finding) for finding in found.findings if finding.witnesses)


def test_a_rule_that_wants_the_same_engine_gives_way_to_nobody() -> None:
    found = report(
        """
        {id: a, when: turn.needs_tools, route: tool}
        {id: b, when: turn.words > 3, route: tool}
        """
    )
    assert "'a'" not in one(found, "precedence", "b").message


def test_a_precedence_witness_opens_the_gates_that_it_needs() -> None:
    rules = """
        {id: evening, when: turn.needs_tools, route: fast,
          schedule: {tz: Europe/Berlin, days: mon-fri, from: "18:00", to: "22:00"}, rollout: {percent: 5}}
    """.replace("\n          ", " ")
    served = policy(rules + "{id: tools, when: turn.needs_tools, route: tool}", head=HEAD)
    found = lint(served.content)
    finding = one(found, "precedence", "tools")
    assert finding.witnesses[0].rule == "evening"
    assert finding.witnesses[0].call_id
    assert finding.witnesses[0].signals["time.unix_s"]
    assert reproduces(served, finding)


def test_the_last_rule_may_repeat_what_an_earlier_one_says() -> None:
    found = report("{id: voice-first, when: true, route: realtime}", guards=NO_CONSENT)
    assert not of(found, "same-condition")
    assert not of(found, "rule-shadowed", "otherwise")


def test_a_property_may_be_what_keeps_a_rule_from_being_reached() -> None:
    found = report(
        "{id: silent, when: '!caller.consent_voice_ai && turn.needs_tools', route: realtime}",
        never="{id: consent, route: realtime, when: '!caller.consent_voice_ai'}",
    )
    assert "'consent' denies 'realtime'" in one(found, "rule-unreachable", "silent").message
