"""router.lint on ``never``: proved, proved in part, refuted by a turn, or said to be neither."""

from __future__ import annotations

import pytest

from router import lint as lint_package
from router.lint import Severity, lint
from router.lint import case as case_module
from router.lint.report import Finding
from tests.unit.router.lint.written import USES, decided, one, policy, report, reproduces

pytestmark = pytest.mark.unit
pytest.importorskip("z3", reason="the prover is not installed: it is the extra `proof`")

NO_CONSENT = "{id: no-consent, when: '!caller.consent_voice_ai', deny: [realtime]}"
CONSENT = "{id: consent, route: realtime, when: '!caller.consent_voice_ai'}"


def codes(*findings: Finding) -> list[str]:
    return [finding.code for finding in findings if finding.code.startswith("never")]


def test_what_guards_alone_deny_is_proved_whatever_sticks_or_fails() -> None:
    finding = one(report(guards=NO_CONSENT, never=CONSENT), "never-proved")
    assert (finding.severity, finding.subject) == (Severity.INFO, "consent")
    assert "the guards alone" in finding.message
    assert not finding.witnesses


def test_guards_may_imply_a_property_together_and_by_more_than_their_wording() -> None:
    guards = """
        {id: many, when: turn.count > 3, deny: [realtime, tool]}
        {id: few, when: turn.count <= 3 && cost.usd >= 0.5, deny: [realtime]}
    """
    found = report(guards=guards, never="{id: dear, route: realtime, when: cost.usd > 0.5}")
    assert codes(*found.findings) == ["never-proved"]
    found = report(guards=guards, never="{id: dear, route: [realtime, tool], when: cost.usd > 0.5}")
    assert codes(*found.findings) == ["never-violated"]


def test_what_only_guards_and_rules_assure_is_proved_in_part_and_says_what_is_not_covered() -> None:
    found = report(
        "{id: first, when: turn.count < 3, route: fast}",
        never="{id: patience, route: fast, when: turn.count >= 3 && provider.tool_healthy}",
    )
    finding = one(found, "never-proved-in-part")
    assert finding.severity is Severity.INFO
    assert all(word in finding.message for word in ("holds", "dwell", "cooldown", "run time"))


def test_a_fallback_from_an_unhealthy_engine_can_break_a_property_that_no_rule_does() -> None:
    rules = "{id: first, when: turn.count < 3, route: fast}"
    head = """
policy: {name: t, version: 1}
params: {tool_p: {value: 0.6, min: 0.3, max: 0.95}, slow_ms: {value: 2500, min: 500, max: 5000}}
derived: {upset: {from: emotion.upset, ewma: 0.6, noise: 0.1}}
engines: {fast: {}, tool: {fallback: [fast]}, standard: {}, realtime: {}}
last_resort: standard
"""
    found = report(rules, head=head, never="{id: patience, route: fast, when: turn.count >= 3}")
    (witness,) = one(found, "never-violated").witnesses
    assert witness.signals["provider.tool_healthy"] is False
    assert witness.rule == "uses"


def test_a_property_that_does_not_hold_is_shown_by_a_turn_that_breaks_it_when_it_is_not_enforced() -> None:
    rules, never = "{id: angry, when: emotion.upset > 0.9, route: realtime}", CONSENT
    finding = one(report(rules, never=never), "never-violated")
    assert finding.severity is Severity.ERROR
    assert finding.witnesses[0].signals["caller.consent_voice_ai"] is False
    unenforced = policy(USES + rules)
    assert reproduces(unenforced, finding)
    assert decided(unenforced, finding.witnesses[0]).engine == "realtime"
    enforced = policy(USES + rules, never=never)
    assert decided(enforced, finding.witnesses[0]).engine != "realtime"


def test_an_arm_of_an_experiment_can_break_a_property() -> None:
    rules = "{id: hard, when: turn.count > 7, route: tool}"
    experiments = "{id: try, rule: hard, arms: {control: 95, voice: {weight: 5, route: realtime}}}"
    never = "{id: long, route: realtime, when: turn.count > 7 && emotion.upset < 0.1 && upset < 0.1}"
    assert codes(*report(rules, never=never).findings) == ["never-proved-in-part"]
    finding = one(report(rules, never=never, experiments=experiments), "never-violated")
    assert finding.witnesses[0].call_id
    assert reproduces(policy(USES + rules, experiments=experiments), finding)


def test_a_condition_that_fails_counts_as_true() -> None:
    never = "{id: pace, route: realtime, when: turn.chars / turn.words > 9}"
    finding = one(
        report(guards="{id: g, when: turn.words > 0, deny: [realtime]}", never=never), "never-violated"
    )
    assert finding.witnesses[0].signals.get("turn.words", 0) == 0


def test_a_property_is_judged_for_every_tenant_with_the_tenants_own_params_and_rules() -> None:
    guards = "{id: slow, when: provider.realtime_p95_ms > p.slow_ms, deny: [realtime]}"
    never = "{id: slowly, route: realtime, when: provider.realtime_p95_ms > 3000}"
    found = report(guards=guards, never=never, overlays="acme: {params: {slow_ms: 4000}}\nbeta: {}")
    assert one(found, "never-proved").tenants == ("", "beta")
    finding = one(found, "never-violated")
    assert finding.tenants == ("acme",)
    tenants = policy(USES, guards=guards, overlays="acme: {params: {slow_ms: 4000}}")
    assert reproduces(tenants.for_tenant("acme"), finding)
    assert 3000 < int(finding.witnesses[0].signals["provider.realtime_p95_ms"]) <= 4000


def test_a_property_that_holds_at_the_params_values_only_is_said_to() -> None:
    guards = "{id: slow, when: provider.realtime_p95_ms > p.slow_ms, deny: [realtime]}"
    never = "{id: slowly, route: realtime, when: provider.realtime_p95_ms > 3000}"
    found = report(guards=guards, never=never)
    assert codes(*found.findings) == ["never-proved", "never-depends"]
    finding = one(found, "never-depends")
    assert finding.severity is Severity.INFO
    assert 3000 < int(finding.witnesses[0].params["p.slow_ms"]) <= 5000
    assert reproduces(policy(USES, guards=guards), finding)
    wide = "{id: slowly, route: realtime, when: provider.realtime_p95_ms > 5000}"
    assert codes(*report(guards=guards, never=wide).findings) == ["never-proved"]


def test_without_a_prover_nothing_is_called_proved_and_samples_still_refute() -> None:
    found = report(guards=NO_CONSENT, never=CONSENT, prove=False)
    assert one(found, "never-unproved").severity is Severity.WARNING
    assert (found.prover, found.ok) == ("", True)
    assert any("properties" in sentence for sentence in found.unproved)
    finding = one(report(never=CONSENT, prove=False), "never-violated")
    assert reproduces(policy(USES), finding)


def test_a_proof_that_was_asked_for_and_not_had_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(case_module, "can_prove", lambda: False)
    monkeypatch.setattr(lint_package, "can_prove", lambda: False)
    found = report(guards=NO_CONSENT, never=CONSENT)
    finding = one(found, "never-unproved")
    assert (finding.severity, found.ok) == (Severity.ERROR, False)
    assert "not installed" in finding.message


def test_a_solver_that_gives_up_proves_nothing_and_the_report_says_so() -> None:
    names = ("turn.words", "turn.chars", "call.silence_ms", "call.duration_ms")
    tangle = " && ".join(
        " + ".join(f"{name} % {prime}" for name, prime in zip(names, primes, strict=True))
        + f" == {sum(primes) // 2}"
        for primes in (
            (89, 9973, 7919, 6007),
            (79, 8017, 6791, 5003),
            (73, 7001, 5501, 4507),
            (67, 6007, 4001, 3001),
        )
    )
    found = lint(
        policy(USES, never=f"{{id: tangled, route: realtime, when: '{tangle}'}}").content, timeout_ms=1
    )
    finding = one(found, "never-unproved")
    assert finding.severity is Severity.ERROR
    assert "gave up" in finding.message
    assert found.unproved
