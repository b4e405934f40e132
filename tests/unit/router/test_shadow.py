"""Shadow rules: evaluated and logged as if they were in force, and never served."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from router import Decision, Memory, Policy, Signals
from tests.random_policies import THOROUGH, Document, documents, loaded, memories, turns

pytestmark = pytest.mark.unit

POLICY = """
policy: {name: t, version: 1}
engines: {fast: {fallback: [standard]}, tool: {}, standard: {}, realtime: {fallback: [tool]}}
last_resort: standard
guards:
  - {id: consent, when: '!caller.consent_voice_ai', deny: [realtime], because: so}
rules:
  - {id: tools, when: turn.tool_p >= 0.6, route: tool, because: so}
  - {id: otherwise, when: true, route: standard, because: so}
shadow:
  - {id: try, SHADOW, because: so}
"""
READY = {"caller.consent_voice_ai": True}


def decide(shadow: str, *turns: dict[str, Any], policy: str = POLICY) -> list[Decision]:
    served, memory, decisions = Policy.parse(policy.replace("SHADOW", shadow)), Memory.start("call"), []
    for number, turn in enumerate(turns or ({},), 1):
        decision, memory = served.decide(Signals({**READY, "turn.count": number, **turn}), memory)
        decisions.append(decision)
    return decisions


def logged(shadow: str, *turns: dict[str, Any], policy: str = POLICY) -> list[str]:
    return [decision.shadow["try"] for decision in decide(shadow, *turns, policy=policy)]


def test_a_shadow_rule_is_logged_and_changes_nothing_else() -> None:
    (shadowed,) = decide("replaces: tools, when: turn.tool_p >= 0.3, route: fast", {"turn.tool_p": 0.4})
    (plain,) = decide("replaces: tools, when: false, route: fast", {"turn.tool_p": 0.4})
    assert (shadowed.engine, shadowed.shadow) == ("standard", {"try": "fast"})
    assert (plain.engine, plain.shadow) == ("standard", {"try": "standard"})
    assert (shadowed.rule, shadowed.reason, shadowed.tried) == (plain.rule, plain.reason, plain.tried)


def test_a_shadow_rule_that_replaces_none_stands_before_all() -> None:
    turns = {"turn.tool_p": 0.9}, {"turn.tool_p": 0.9, "call.queue": "vip"}
    assert logged('when: call.queue == "vip", route: fast', *turns) == ["tool", "fast"]


def test_a_shadow_rule_stands_in_the_place_of_the_one_that_it_replaces() -> None:
    (vip,) = logged('replaces: tools, when: call.queue == "vip", route: fast', {"turn.tool_p": 0.9})
    assert vip == "standard"  # the rule that it replaces is not asked


def test_guards_hold_for_shadow_rules_too() -> None:
    assert logged("when: true, route: realtime", {"caller.consent_voice_ai": False}) == ["standard"]
    assert logged("when: true, route: realtime, else_route: fast", {"caller.consent_voice_ai": False}) == [
        "fast"
    ]
    forced = POLICY.replace("guards:", "guards:\n  - {id: f, when: true, force: tool, because: so}")
    assert logged("when: true, route: fast", policy=forced) == ["tool"]


def test_dwell_and_health_hold_for_shadow_rules_too() -> None:
    dwell = POLICY.replace("standard: {}", "standard: {min_turns: 2}")
    assert logged("when: turn.count > 1, route: fast", {}, {}, {}, policy=dwell) == [
        "standard",
        "standard",
        "fast",
    ]
    assert logged("when: true, route: fast", {"provider.fast_healthy": False}) == ["standard"]


def test_a_shadow_rule_that_cannot_be_evaluated_is_passed_over_and_in_no_list_of_errors() -> None:
    (decision,) = decide("when: 1 / turn.words > 0, route: fast", {"turn.words": 0})
    assert (decision.shadow, decision.errors) == ({"try": "standard"}, ())


def test_a_shadow_rule_holds_when_the_rule_whose_place_it_has_was_in_charge() -> None:
    shadow = "replaces: tools, when: turn.tool_p >= 0.6, hold: turn.tool_p >= 0.2, route: tool"
    (_, second) = decide(shadow, {"turn.tool_p": 0.9}, {"turn.tool_p": 0.3})
    assert (second.engine, second.shadow) == ("standard", {"try": "tool"})


def test_a_default_that_is_replaced_answers_what_no_other_rule_does_even_when_it_is_denied() -> None:
    shadow = "replaces: otherwise, when: true, route: realtime"
    assert logged(shadow) == ["realtime"]
    assert logged(shadow, {"caller.consent_voice_ai": False}) == ["tool"]  # realtime's fallback, not standard


def test_a_shadow_rule_has_gates_as_a_rule_has() -> None:
    assert logged("when: true, route: fast, rollout: {percent: 0}") == ["standard"]
    assert logged("when: true, route: fast, schedule: {tz: UTC}") == ["standard"]
    assert logged("when: true, route: fast, schedule: {tz: UTC}", {"time.unix_s": 1}) == ["fast"]


def with_rule(document: Document, shadow: Document) -> Policy:
    """The policy in which the shadow rule is in force, in the place of the one that it replaces."""
    rule = {key: value for key, value in shadow.items() if key != "replaces"}
    rules = document["rules"]
    if "replaces" in shadow:
        rules = [{**rule, "id": one["id"]} if one["id"] == shadow["replaces"] else one for one in rules]
    else:
        rules = [rule, *rules]
    return loaded({**document, "rules": rules, "shadow": []})


@given(documents(), turns(), memories())
@settings(max_examples=25 * THOROUGH, deadline=None)
def test_what_is_logged_is_what_the_policy_with_that_rule_would_have_served(
    document: Document, signals: Signals, memory: Memory
) -> None:
    decision, _ = loaded(document).decide(signals, memory)
    for shadow in document["shadow"]:
        served, _ = with_rule(document, shadow).decide(signals, memory)
        assert decision.shadow[shadow["id"]] == served.engine
    assert set(decision.shadow) == {shadow["id"] for shadow in document["shadow"]}
