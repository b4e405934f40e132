"""router.lint: what is declared in vain, what decides nothing, and what does not mean what it seems to."""

from __future__ import annotations

import pytest

from router import Memory, Policy, Signals
from router.lint import CODES, Severity, lint
from tests.unit.router.lint.written import HEAD, LAST, USES, of, one, policy, report, reproduces

pytestmark = pytest.mark.unit
pytest.importorskip("z3", reason="the prover is not installed: it is the extra `proof`")

NO_CONSENT = "{id: no-consent, when: '!caller.consent_voice_ai', deny: [realtime]}"


def test_a_policy_with_nothing_wrong_has_neither_errors_nor_warnings() -> None:
    rules = "{id: short, when: turn.chars < 20, route: fast}"
    found = report(rules, head=HEAD + "stability: {cooldown_turns: 1}\n")
    assert [finding for finding in found.findings if finding.severity is not Severity.INFO] == []
    assert found.ok


# -- declared in vain ----------------------------------------------------------------------------------------
def test_params_and_derived_signals_that_nothing_reads_are_named_at_their_declaration() -> None:
    found = lint(policy("", head=HEAD).content)
    assert [(each.subject, each.line) for each in of(found, "param-unused")] == [
        ("p.tool_p", 3),
        ("p.slow_ms", 3),
    ]
    derived = one(found, "signal-unused")
    assert (derived.subject, derived.line, derived.column) == ("upset", 4, 11)


def test_what_only_a_hold_a_property_or_a_tenants_rule_reads_is_used() -> None:
    rules = "{id: a, when: turn.words > 3, hold: upset > 0.1, route: tool}"
    never = "{id: n, route: realtime, when: turn.tool_p >= p.tool_p}"
    overlay = "acme: {insert: [{before: otherwise, id: own, when: turn.chars > p.slow_ms, route: fast, because: so}]}"
    found = lint(policy(rules, never=never, overlays=overlay).content)
    assert not of(found, "signal-unused")
    assert not of(found, "param-unused", "p.tool_p")
    assert not of(found, "param-unused", "p.slow_ms")


def test_an_engine_that_nothing_can_choose_is_named() -> None:
    found = lint(policy("{id: a, when: turn.words > 3, route: tool}").content)
    assert {each.subject for each in of(found, "engine-unused")} == {"fast", "realtime"}
    used = lint(
        policy(
            "{id: a, when: turn.words > 3, route: realtime}", guards="{id: g, when: false, force: fast}"
        ).content
    )
    assert not of(used, "engine-unused")  # tool is what realtime falls back to


def test_a_last_rule_that_can_be_denied_says_what_answers_instead() -> None:
    guards = "{id: slow, when: provider.fast_p95_ms > 900, deny: [fast, realtime]}"
    finding = one(report(guards=guards, last="{id: otherwise, when: true, route: fast}"), "default-deniable")
    assert finding.severity is Severity.WARNING
    assert "'standard'" in finding.message
    for last in ("route: realtime", "route: fast, else_route: tool"):
        assert not of(
            report(guards=guards, last=f"{{id: otherwise, when: true, {last}}}"), "default-deniable"
        )


def test_a_schedule_whose_days_do_not_fall_between_its_dates_covers_nothing() -> None:
    gate = "schedule: {tz: UTC, days: sat, since: 2026-11-23, until: UNTIL}"
    rule = f"{{id: a, when: turn.words > 3, route: tool, {gate}}}"
    finding = one(report(rule.replace("UNTIL", "2026-11-27")), "schedule-empty")
    assert finding.severity is Severity.ERROR
    assert not of(report(rule.replace("UNTIL", "2026-11-28")), "schedule-empty")


def test_a_rollout_to_nobody_is_a_warning() -> None:
    rule = "{id: a, when: turn.words > 3, route: tool, rollout: {percent: SHARE}}"
    assert one(report(rule.replace("SHARE", "0")), "rollout-empty").subject == "a"
    assert not of(report(rule.replace("SHARE", "1")), "rollout-empty")


# -- decides nothing -----------------------------------------------------------------------------------------
def test_two_rules_with_the_same_condition_are_named_together() -> None:
    rules = """
        {id: a, when: turn.words > 3 && turn.needs_tools, route: realtime}
        {id: b, when: 'turn.words  >  3 && turn.needs_tools', route: tool}
    """
    finding = one(report(rules, guards=NO_CONSENT), "same-condition")
    assert (finding.subject, "'a'" in finding.message) == ("b", True)


def test_a_hold_that_is_never_looser_than_the_rule_holds_nothing() -> None:
    rule = "{id: a, when: turn.words > 3, hold: HOLD, route: tool}"
    assert one(report(rule.replace("HOLD", "turn.words > 5")), "hold-inert").subject == "a"
    assert not of(report(rule.replace("HOLD", "turn.words > 2")), "hold-inert")


@pytest.mark.parametrize(
    ("arms", "alike"),
    [
        ("{control: 50, other: {weight: 50, route: fast}}", False),
        ("{control: 50, other: {weight: 50, route: tool}}", True),
        ("{control: 50, other: {weight: 0, route: fast}}", True),
        ("{one: {weight: 1, route: fast}, two: {weight: 1, route: fast}}", True),
        ("{control: 50, other: {weight: 50, route: realtime}}", True),
    ],
)
def test_arms_that_can_never_differ_make_no_experiment(arms: str, alike: bool) -> None:
    guards = "{id: g, when: turn.words > 2, deny: [realtime]}"
    experiments = f"{{id: x, rule: a, arms: {arms}}}"
    found = report("{id: a, when: turn.words > 3, route: tool}", guards=guards, experiments=experiments)
    assert bool(of(found, "arms-alike")) is alike


@pytest.mark.parametrize(
    ("shadow", "alike"),
    [
        ("replaces: a, when: turn.words > 3, route: tool", True),
        ("replaces: a, when: turn.words > 2, route: tool", False),
        ("replaces: a, when: turn.words > 3, route: realtime", False),
        ("replaces: a, when: turn.words > 3, route: tool, rollout: {percent: 10}", False),
        ("when: turn.words > 4 && turn.words < 3, route: fast", True),
        ("when: turn.words > 4, route: fast", False),
    ],
)
def test_a_shadow_rule_that_never_chooses_otherwise_shows_nothing(shadow: str, alike: bool) -> None:
    found = lint(policy("{id: a, when: turn.words > 3, route: tool}", shadow=f"{{id: s, {shadow}}}").content)
    assert bool(of(found, "shadow-alike")) is alike


def test_a_shadow_rule_with_another_rollout_than_the_rule_it_replaces_may_differ() -> None:
    rule = "{id: a, when: turn.words > 3, route: tool, rollout: {percent: 10}}"
    shadow = "{id: s, replaces: a, when: turn.words > 3, route: tool, rollout: {percent: SHARE}}"
    assert not of(lint(policy(rule, shadow=shadow.replace("SHARE", "20")).content), "shadow-alike")
    assert of(lint(policy(rule, shadow=shadow.replace("SHARE", "10")).content), "shadow-alike")


# -- comparisons ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("condition", "code", "column"),
    [
        ("turn.needs_tools && emotion.upset > 1.0", "always-false", 40),
        ("turn.count >= 1 && turn.needs_tools", "always-true", 20),
        ("turn.count != 0 && turn.needs_tools", "always-true", 20),
        ("turn.needs_tools && 24 <= time.hour", "always-false", 46),
        ("turn.needs_tools && upset >= 0.0", "always-true", 40),
        ("turn.needs_tools && turn.count + turn.words < 1", "always-false", 40),
        ("turn.needs_tools && turn.count in [0, -1]", "always-false", 40),
        ('turn.needs_tools && call.transport in ["sip", "webrtc", "in_process"]', "always-true", 40),
        ('turn.needs_tools && emotion.label.startsWith("Ups")', "always-false", 40),
        ("turn.needs_tools && turn.count == p.slow_ms * 10", "always-false", 40),
    ],
)
def test_a_comparison_that_no_value_changes_is_named_at_its_place(
    condition: str, code: str, column: int
) -> None:
    finding = one(report(f"{{id: a, when: '{condition}', route: tool}}"), code)
    assert finding.severity is Severity.WARNING
    assert (finding.line, finding.column) == (11, column)


@pytest.mark.parametrize(
    "condition",
    [
        "turn.count > 1",
        "emotion.upset >= 1.0",
        "upset > 0.0",
        "turn.count in [0, 1]",
        'emotion.label in ["calm", "upset"]',
        'emotion.label.startsWith("u")',
        'call.queue.startsWith("u")',
        "turn.tool_p < p.tool_p",
        "true",
    ],
)
def test_a_comparison_that_some_value_changes_is_not(condition: str) -> None:
    found = report(f"{{id: a, when: '{condition}', route: tool}}")
    assert not of(found, "always-true")
    assert not of(found, "always-false")


def test_a_whole_number_divided_by_another_is_a_trap_and_one_that_may_be_zero_fails_in_a_turn_that_is_shown() -> (
    None
):
    rules = "{id: a, when: turn.chars / turn.words > 5, route: tool}"
    found = report(rules)
    assert one(found, "integer-division").severity is Severity.WARNING
    finding = one(found, "can-fail")
    assert "counts as false" in finding.message
    assert reproduces(policy(USES + rules), finding)
    (witness,) = finding.witnesses
    decision, _ = policy(USES + rules).decide(Signals(witness.signals), Memory.start("c"))
    assert any(error.startswith("a: ") for error in decision.errors)
    safe = report(
        "{id: a, when: turn.words > 0 && double(turn.chars) / double(turn.words) > 5.0, route: tool}"
    )
    assert not of(safe, "can-fail")
    assert not of(safe, "integer-division")


def test_a_guard_that_can_fail_is_said_to_count_as_true() -> None:
    found = report(guards="{id: g, when: turn.chars % turn.words == 1, deny: [tool]}")
    assert "counts as true" in one(found, "can-fail").message


def test_a_guard_that_may_divide_nought_by_nought_is_said_not_to_act_then() -> None:
    guard = "{id: dear, when: cost.usd / cost.budget_usd >= 1.0, deny: [tool]}"
    found = one(report(guards=guard), "not-a-number")
    assert (found.subject, found.severity) == ("dear", Severity.WARNING)
    nothing = Signals({"cost.usd": 0.0, "cost.budget_usd": 0.0})
    assert "tool" not in policy(USES, guards=guard).decide(nothing, Memory.start("c"))[0].denied
    for safe in ("cost.usd >= cost.budget_usd", "cost.usd / 2.0 >= 1.0"):
        assert not of(report(guards=guard.replace("cost.usd / cost.budget_usd >= 1.0", safe)), "not-a-number")


def test_equality_of_a_measured_number_is_a_trap() -> None:
    assert one(report("{id: a, when: emotion.upset == 0.5, route: tool}"), "measured-equality").subject == "a"
    assert one(report("{id: a, when: p.tool_p != turn.tool_p, route: tool}"), "measured-equality")
    assert not of(report("{id: a, when: turn.count == 3, route: tool}"), "measured-equality")


@pytest.mark.parametrize(
    ("pattern", "everything"), [(".*", True), ("", True), ("x?", True), ("^vip$", False), (".", False)]
)
def test_a_pattern_that_matches_every_text_is_a_trap(pattern: str, everything: bool) -> None:
    found = report(f"{{id: a, when: 'call.queue.matches(\"{pattern}\")', route: tool}}")
    assert bool(of(found, "regex-matches-all")) is everything


# -- what reading a policy already refuses -------------------------------------------------------------------
@pytest.mark.parametrize(
    "condition",
    [
        'emotion.label == "frustated"',
        'emotion.label in ["calm", "angry"]',
        '"warm" != emotion.label',
        'call.queue.matches("(")',
        "emotion.upset > 1",
        "turn.count > 1.0",
        "turn.count / 0 > 1",
    ],
)
def test_mistyped_choices_bad_patterns_and_mixed_numbers_never_reach_lint(condition: str) -> None:
    with pytest.raises(ValueError, match=r"t\.yaml:\d+:\d+: "):
        policy(f"{{id: a, when: '{condition}', route: tool}}")


# -- the report ----------------------------------------------------------------------------------------------
def test_every_code_that_is_reported_is_explained() -> None:
    assert all(code == code.lower() and meaning for code, meaning in CODES.items())
    found = report("{id: a, when: turn.count < 1, route: tool}")
    assert {finding.code for finding in found.findings} <= set(CODES)


def test_a_report_is_json_values_with_what_is_needed_to_decide_a_witness_again() -> None:
    value = report("{id: a, when: turn.words > 3, route: fast}").as_dict()
    assert (value["file"], value["ok"]) == ("t.yaml", True)
    precedence = next(each for each in value["findings"] if each["code"] == "precedence")
    assert set(precedence) == {
        "code",
        "severity",
        "subject",
        "message",
        "line",
        "column",
        "witnesses",
        "tenants",
    }
    assert set(precedence["witnesses"][0]) == {"signals", "before", "params", "call_id", "rule", "engine"}


def test_findings_stand_in_the_order_of_the_file() -> None:
    found = report(
        """
        {id: a, when: turn.count < 1, route: fast}
        {id: b, when: turn.count < 1, route: tool}
        """
    )
    places = [(finding.line, finding.column) for finding in found.findings]
    assert places == sorted(places)
    assert len(places) > 3


def test_places_inside_quoted_and_folded_conditions_are_those_of_the_file() -> None:
    text = """policy: {name: t, version: 1}
engines: {fast: {}, standard: {}}
rules:
  - id: a
    when: >-
      turn.needs_tools
      && (turn.words > 3
        || emotion.upset > 1.0)
    route: fast
    because: so
  - id: b
    when: 'call.queue == "it''s" && time.hour > 23'
    route: fast
    because: so
  - {id: otherwise, when: true, route: standard, because: so}
"""
    findings = of(lint(Policy.parse(text).content), "always-false")
    assert [(finding.line, finding.column) for finding in findings] == [(8, 12), (12, 37)]


def test_the_last_rule_alone_is_a_policy_without_errors() -> None:
    assert lint(policy("", last=LAST).content).ok
