"""router.lint: signals whose noise alone moves a call between engines, and what keeps it from doing so."""

from __future__ import annotations

import pytest

from router import Policy
from router.lint import Finding, Severity, lint
from tests.unit.router.lint.written import decided, of, policy, reproduces

pytestmark = pytest.mark.unit
pytest.importorskip("z3", reason="the prover is not installed: it is the extra `proof`")

HEAD = """
policy: {name: t, version: 1}
derived: {upset: {from: emotion.upset, only_if: turn.words >= 2, ewma: 0.6, noise: 0.1}}
engines: {fast: {}, tool: {TOOL}, standard: {}, realtime: {}}
last_resort: standard
stability: {STABILITY}
"""
NEEDED = "{id: needed, when: turn.tool_p >= 0.6, route: tool}"


def of_head(rules: str, *, tool: str = "", stability: str = "", **sections: str) -> Policy:
    return policy(rules, head=HEAD.replace("TOOL", tool).replace("STABILITY", stability), **sections)


def flaps(served: Policy, *, prove: bool = True) -> list[Finding]:
    found = lint(served.content, prove=prove)
    return [*of(found, "flap"), *of(found, "flap-damped")]


@pytest.mark.parametrize("prove", [True, False])
def test_a_threshold_on_a_noisy_signal_is_a_warning_with_both_readings(prove: bool) -> None:
    served = of_head(NEEDED)
    (finding,) = flaps(served, prove=prove)
    assert (finding.code, finding.severity, finding.subject) == ("flap", Severity.WARNING, "needed")
    first, second = finding.witnesses
    assert (first.engine, second.engine) == ("tool", "standard")
    moved = {
        name for name in first.signals | second.signals if first.signals.get(name) != second.signals.get(name)
    }
    assert moved == {"turn.tool_p"}
    assert 0 < float(first.signals["turn.tool_p"]) - float(second.signals["turn.tool_p"]) <= 0.05 + 1e-6
    assert reproduces(served, finding)


def test_the_finding_stands_where_the_signal_is_named() -> None:
    (finding,) = flaps(of_head("{id: needed, when: turn.count > 1 && turn.tool_p >= 0.6, route: tool}"))
    assert (finding.line, finding.column) == (9, 42)


def test_a_threshold_on_an_exact_signal_is_none() -> None:
    assert not flaps(of_head("{id: needed, when: turn.count >= 3 && cost.usd > 0.5, route: tool}"))


def test_a_threshold_beyond_which_the_same_engine_answers_is_none() -> None:
    assert not flaps(of_head(NEEDED, last="{id: otherwise, when: true, route: tool}"))


@pytest.mark.parametrize(
    ("hold", "code", "says"),
    [
        ("turn.tool_p >= 0.5", "flap-damped", "its `hold` keeps the call where it is"),
        ("turn.tool_p >= 0.58", "flap", "does not always cover"),
        ("turn.tool_p >= 0.5 && turn.words > 3", "flap", "does not always cover"),
    ],
)
def test_a_hold_protects_when_it_is_wider_than_the_noise(hold: str, code: str, says: str) -> None:
    served = of_head(f"{NEEDED[:-1]}, hold: {hold}}}")
    (finding,) = flaps(served)
    assert finding.code == code
    assert says in finding.message
    assert reproduces(served, finding)


@pytest.mark.parametrize(
    ("damper", "says"),
    [
        ({"tool": "min_turns: 2"}, "`min_turns` of 'tool'"),
        ({"stability": "cooldown_turns: 1"}, "`cooldown_turns`"),
    ],
)
def test_dwell_and_cooldown_damp_it(damper: dict[str, str], says: str) -> None:
    (finding,) = flaps(of_head(NEEDED, **damper))
    assert (finding.code, finding.severity) == ("flap-damped", Severity.INFO)
    assert says in finding.message


def test_a_dwell_of_one_turn_and_a_limit_on_switches_do_not() -> None:
    assert [
        each.code for each in flaps(of_head(NEEDED, tool="min_turns: 1", stability="max_switches: 4"))
    ] == ["flap"]


def test_a_smoothed_signal_moves_by_its_own_noise_and_by_that_of_its_readings() -> None:
    served = of_head("{id: angry, when: upset >= 0.6, route: realtime}")
    findings = {finding.message.split(" moving")[0]: finding for finding in flaps(served)}
    assert set(findings) == {"upset", "emotion.upset"}
    for finding in findings.values():
        assert reproduces(served, finding)
        first, second = (decided(served, witness).signals["upset"] for witness in finding.witnesses)
        assert 0 < float(first) - float(second) <= 0.1 + 1e-6
    assert findings["upset"].witnesses[0].before != findings["upset"].witnesses[1].before


def test_a_noisy_guard_moves_calls_too() -> None:
    guards = "{id: calm, when: emotion.confidence < 0.5, deny: [realtime]}"
    served = of_head("{id: long, when: turn.count > 3, route: realtime, else_route: tool}", guards=guards)
    (finding,) = flaps(served)
    assert (finding.subject, {witness.engine for witness in finding.witnesses}) == (
        "long",
        {"realtime", "tool"},
    )
    assert reproduces(served, finding)


def test_readings_that_are_not_next_to_the_threshold_are_left_alone() -> None:
    assert not flaps(of_head("{id: needed, when: turn.tool_p >= 0.97 && turn.tool_p < 0.9, route: tool}"))


def test_a_noisy_force_moves_calls_too() -> None:
    served = of_head("", guards="{id: furious, when: emotion.upset > 0.9, force: tool}")
    (finding,) = flaps(served)
    assert (finding.code, finding.subject) == ("flap", "furious")
    assert [witness.rule for witness in finding.witnesses] == ["furious", "otherwise"]
    assert reproduces(served, finding)
