"""How a decision is reached: guards, rules, hold, dwell, stability, fallback, and what is left behind."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from router import Decision, Memory, MemoryRecordError, Policy, Signals

pytestmark = pytest.mark.unit

BASE = """
policy: {name: t, version: 1}
params: {enter: {value: 0.6}, leave: {value: 0.4}}
derived: {upset: {from: emotion.upset, only_if: emotion.label != "unknown", ewma: 0.5}}
engines:
  fast: {fallback: [standard]}
  tool: {fallback: [fast]}
  standard: {fallback: [fast]}
  realtime: {fallback: [tool, standard], warm: upset > 0.3}
last_resort: standard
"""
CALM_RULES = """
rules:
  - {id: upset, when: emotion.upset >= p.enter, hold: emotion.upset >= p.leave, route: realtime, else_route: tool,
     because: so}
  - {id: tools, when: turn.needs_tools, route: tool, because: the reply needs a tool}
  - {id: otherwise, when: true, route: standard, because: so}
"""
NO_CONSENT = """
guards:
  - {id: consent, when: '!caller.consent_voice_ai', deny: [realtime], because: so}
"""


def play(policy: Policy, *turns: dict[str, bool | int | float | str]) -> list[Decision]:
    """The decisions of a call; each turn gives the signals that differ from the unknown."""
    memory, decisions = Memory.start("call"), []
    for number, turn in enumerate(turns, 1):
        given = {"turn.count": number, "caller.consent_voice_ai": True, "emotion.label": "calm", **turn}
        decision, memory = policy.decide(Signals(given), memory)
        decisions.append(decision)
    return decisions


def engines(policy: Policy, *turns: dict[str, bool | int | float | str]) -> list[str]:
    return [decision.engine for decision in play(policy, *turns)]


def test_the_first_rule_that_matches_chooses_and_says_why() -> None:
    policy = Policy.parse(BASE + CALM_RULES)
    (decision,) = play(policy, {"turn.needs_tools": True})
    assert (decision.engine, decision.rule, decision.reason) == ("tool", "tools", "the reply needs a tool")
    assert decision.tried == (("upset", "no"), ("tools", "matched: tool"))
    assert (decision.policy, decision.policy_version, decision.policy_hash) == ("t", 1, policy.hash)
    assert decision.errors == ()


def test_hold_keeps_a_rule_in_force_until_it_is_false_and_does_not_begin_it() -> None:
    policy = Policy.parse(BASE + CALM_RULES)
    assert engines(
        policy, {"emotion.upset": 0.5}, {"emotion.upset": 0.7}, {"emotion.upset": 0.5}, {"emotion.upset": 0.3}
    ) == ["standard", "realtime", "realtime", "standard"]
    held = play(policy, {"emotion.upset": 0.7}, {"emotion.upset": 0.5})[1]
    assert held.reason == "so (held: emotion.upset >= p.leave)"
    assert held.tried == (("upset", "held: realtime"),)


def test_an_earlier_rule_outranks_a_hold() -> None:
    rules = """
rules:
  - {id: tools, when: turn.needs_tools, route: tool, because: so}
  - {id: upset, when: emotion.upset >= p.enter, hold: emotion.upset >= p.leave, route: realtime, because: so}
  - {id: otherwise, when: true, route: standard, because: so}
"""
    turns = {"emotion.upset": 0.9}, {"emotion.upset": 0.5, "turn.needs_tools": True}, {"emotion.upset": 0.5}
    assert engines(Policy.parse(BASE + rules), *turns) == ["realtime", "tool", "standard"]


def test_a_denied_engine_is_replaced_by_else_route() -> None:
    policy = Policy.parse(BASE + NO_CONSENT + CALM_RULES)
    (decision,) = play(policy, {"emotion.upset": 0.9, "caller.consent_voice_ai": False})
    assert decision.engine == "tool"
    assert decision.denied == {"realtime": "consent"}
    assert decision.reason.endswith("; realtime is denied by consent")
    assert decision.tried == (
        ("consent", "denies realtime"),
        ("upset", "realtime denied by consent, instead tool"),
    )


def test_a_rule_whose_engines_are_all_denied_is_passed_over() -> None:
    guards = "guards:\n  - {id: g, when: true, deny: [realtime, tool], because: so}\n"
    (decision,) = play(
        Policy.parse(BASE + guards + CALM_RULES), {"emotion.upset": 0.9, "turn.needs_tools": True}
    )
    assert (decision.engine, decision.rule) == ("standard", "otherwise")
    assert ("upset", "realtime denied by g") in decision.tried


def test_a_default_rule_whose_engine_is_denied_falls_back_to_one_that_is_not() -> None:
    guards = "guards:\n  - {id: g, when: true, deny: [realtime, tool], because: so}\n"
    rules = "rules:\n  - {id: r, when: true, route: realtime, because: so}\n"
    (decision,) = play(Policy.parse(BASE + guards + rules), {})
    assert decision.engine == "standard"
    assert decision.tried[-1] == ("r", "realtime denied by g, instead standard")


def test_hold_and_dwell_never_outrank_a_guard() -> None:
    text = (BASE + NO_CONSENT + CALM_RULES).replace("realtime: {", "realtime: {min_turns: 9, ")
    turns = {"emotion.upset": 0.9}, {"emotion.upset": 0.9, "caller.consent_voice_ai": False}
    assert engines(Policy.parse(text), *turns) == ["realtime", "tool"]


def test_hold_dwell_and_stability_never_outrank_a_hand_off_to_a_person() -> None:
    guards = (
        "guards:\n  - {id: person, when: call.asked_human, force: standard, because: asked for a person}\n"
    )
    stability = "stability: {max_switches: 0, cooldown_turns: 9}\n"
    text = (BASE + stability + guards + CALM_RULES).replace("realtime: {", "realtime: {min_turns: 9, ")
    decision = play(
        Policy.parse(text), {"emotion.upset": 0.9}, {"emotion.upset": 0.9, "call.asked_human": True}
    )[1]
    assert (decision.engine, decision.rule, decision.reason) == ("standard", "person", "asked for a person")


def test_a_denial_outranks_a_force() -> None:
    guards = """
guards:
  - {id: loud, when: true, force: realtime, because: so}
  - {id: consent, when: true, deny: [realtime, tool], because: so}
"""
    (decision,) = play(Policy.parse(BASE + guards + CALM_RULES), {})
    assert decision.engine == "standard"
    assert decision.tried[-1] == ("loud", "realtime denied by consent, instead standard")


def test_the_first_force_wins_and_the_first_denial_is_named() -> None:
    guards = """
guards:
  - {id: a, when: true, force: fast, deny: [realtime], because: so}
  - {id: b, when: true, force: tool, deny: [realtime], because: so}
"""
    (decision,) = play(Policy.parse(BASE + guards + CALM_RULES), {})
    assert (decision.engine, decision.denied) == ("fast", {"realtime": "a"})


def test_a_guard_that_cannot_be_evaluated_denies() -> None:
    guards = "guards:\n  - {id: g, when: 10 / turn.chars > 20, deny: [realtime], because: so}\n"
    (decision,) = play(Policy.parse(BASE + guards + CALM_RULES), {"emotion.upset": 0.9, "turn.chars": 0})
    assert (decision.engine, decision.denied) == ("tool", {"realtime": "g"})
    assert decision.errors == ("g: INVALID_ARGUMENT: divide by zero",)


def test_a_rule_that_cannot_be_evaluated_does_not_match_and_is_in_the_trace() -> None:
    rules = """
rules:
  - {id: bad, when: 10 / turn.chars > 1, route: realtime, because: so}
  - {id: tools, when: turn.needs_tools, route: tool, because: so}
  - {id: otherwise, when: true, route: standard, because: so}
"""
    (decision,) = play(Policy.parse(BASE + rules), {"turn.chars": 0, "turn.needs_tools": True})
    assert decision.engine == "tool"
    assert decision.tried[0] == ("bad", "failed, counts as false: INVALID_ARGUMENT: divide by zero")
    assert decision.errors == ("bad: INVALID_ARGUMENT: divide by zero",)


def test_a_reading_that_cannot_be_evaluated_leaves_the_smoothed_value_as_it_was() -> None:
    text = (BASE + CALM_RULES).replace("from: emotion.upset,", "from: emotion.upset / double(turn.chars),")
    policy = Policy.parse(
        text.replace("only_if: emotion.label", "only_if: 1 / turn.words > 0 && emotion.label")
    )
    good = {"emotion.upset": 0.8, "turn.chars": 1, "turn.words": 1}
    first, second = play(policy, good, {**good, "turn.words": 0})
    assert (first.signals["upset"], second.signals["upset"]) == (0.4, 0.4)
    assert second.errors == ("upset: INVALID_ARGUMENT: divide by zero",)


def test_a_reading_that_is_not_a_finite_number_does_not_count() -> None:
    text = (BASE + CALM_RULES).replace("from: emotion.upset,", "from: emotion.upset / 0.0,")
    first, second = play(Policy.parse(text), {"emotion.upset": 0.0}, {"emotion.upset": 0.8})
    assert (first.signals["upset"], second.signals["upset"]) == (0.0, 0.0)


def test_smoothing_is_a_moving_average_of_the_readings_that_count() -> None:
    decisions = play(
        Policy.parse(BASE + CALM_RULES),
        {"emotion.upset": 0.8},
        {"emotion.upset": 1.0, "emotion.label": "unknown"},
        {"emotion.upset": 0.4},
    )
    assert [decision.signals["upset"] for decision in decisions] == pytest.approx([0.4, 0.4, 0.4])


def test_an_engine_is_not_left_before_its_dwell() -> None:
    text = (BASE + CALM_RULES).replace("realtime: {", "realtime: {min_turns: 3, ")
    decisions = play(Policy.parse(text), {"emotion.upset": 0.9}, {}, {}, {})
    assert [decision.engine for decision in decisions] == ["realtime", "realtime", "realtime", "standard"]
    assert decisions[1].rule == "upset"
    assert decisions[1].reason == (
        "stays on realtime: it has answered 1 of at least 3 turns; rule otherwise asked for standard"
    )
    assert decisions[1].tried[-1][0] == "dwell"


def test_after_a_switch_rules_wait_for_the_cooldown() -> None:
    policy = Policy.parse(BASE + "stability: {cooldown_turns: 2}\n" + CALM_RULES)
    tools = {"turn.needs_tools": True}
    decisions = play(policy, {}, tools, {}, {}, {})
    assert [decision.engine for decision in decisions] == ["standard", "tool", "tool", "tool", "standard"]
    assert decisions[2].tried[-1] == (
        "stability",
        "keeps tool, not standard: the call was switched at turn 2",
    )


def test_a_call_is_not_switched_more_often_than_allowed() -> None:
    policy = Policy.parse(BASE + "stability: {max_switches: 1}\n" + CALM_RULES)
    tools = {"turn.needs_tools": True}
    decisions = play(policy, {}, tools, {}, tools, {})
    assert [decision.switched for decision in decisions] == [False, True, False, False, False]
    assert decisions[-1].engine == "tool"


def test_an_unhealthy_engine_is_replaced_from_its_fallbacks_and_theirs() -> None:
    policy = Policy.parse(BASE + CALM_RULES)
    loud = {"emotion.upset": 0.9, "provider.realtime_healthy": False}
    assert engines(policy, loud) == ["tool"]
    assert engines(policy, {**loud, "provider.tool_healthy": False}) == ["standard"]
    (decision,) = play(policy, {**loud, "provider.tool_healthy": False, "provider.standard_healthy": False})
    assert decision.engine == "fast"
    assert decision.tried[-1] == ("health", "realtime is unhealthy, instead fast")


def test_dwell_does_not_keep_an_unhealthy_engine() -> None:
    text = (BASE + CALM_RULES).replace("realtime: {", "realtime: {min_turns: 9, ")
    assert engines(Policy.parse(text), {"emotion.upset": 0.9}, {"provider.realtime_healthy": False}) == [
        "realtime",
        "standard",
    ]


def test_when_every_engine_is_unhealthy_the_chosen_one_is_tried_all_the_same() -> None:
    sick = {f"provider.{engine}_healthy": False for engine in ("fast", "tool", "standard", "realtime")}
    (decision,) = play(Policy.parse(BASE + CALM_RULES), {**sick, "turn.needs_tools": True})
    assert decision.engine == "tool"
    assert decision.tried[-1][0] == "health"


def test_a_fallback_for_health_is_never_a_denied_engine() -> None:
    guards = "guards:\n  - {id: g, when: true, deny: [tool, fast], because: so}\n"
    sick = {"provider.realtime_healthy": False, "provider.standard_healthy": False, "emotion.upset": 0.9}
    assert engines(Policy.parse(BASE + guards + CALM_RULES), sick) == ["realtime"]


def test_fallback_walks_the_chain_then_the_last_resort_then_gives_up() -> None:
    policy = Policy.parse(BASE + CALM_RULES)
    assert policy.fallback("realtime", ["realtime"]) == "tool"
    assert policy.fallback("realtime", ["realtime", "tool"]) == "standard"
    assert policy.fallback("realtime", ["realtime", "tool", "standard"]) == "fast"
    assert policy.fallback("realtime", ["realtime", "tool", "standard", "fast"]) is None
    assert policy.fallback("somewhere-else", []) == "standard"
    assert policy.fallback("standard", ["fast"]) is None


def test_warm_follows_the_smoothed_signal_and_not_a_denied_engine() -> None:
    policy = Policy.parse(BASE + NO_CONSENT + CALM_RULES)
    memory = replace(Memory.start("c"), smoothed=(("upset", 0.5),))
    calm = Signals({"caller.consent_voice_ai": True, "emotion.label": "unknown"})
    assert policy.warm(calm, memory)
    assert not policy.warm(calm, Memory.start("c"))
    assert not policy.warm(Signals({"emotion.label": "unknown"}), memory)
    assert not policy.warm(calm, memory, engine="tool")


def test_warm_is_false_when_it_cannot_be_evaluated() -> None:
    text = (BASE + CALM_RULES).replace("warm: upset > 0.3", "warm: 1 / turn.chars > 0")
    assert not Policy.parse(text).warm(Signals({"turn.chars": 0}), Memory.start("c"))


def test_a_decision_on_a_partial_transcript_can_be_thrown_away() -> None:
    policy = Policy.parse(BASE + CALM_RULES)
    memory = Memory.start("c")
    signals = Signals({"emotion.upset": 0.9, "emotion.label": "upset"})
    preview = policy.decide(signals, memory)
    assert memory == Memory.start("c")
    assert policy.decide(signals, memory) == preview


def test_the_decision_keeps_every_signal_so_that_it_can_be_made_again() -> None:
    policy = Policy.parse(BASE + CALM_RULES)
    (decision,) = play(policy, {"emotion.upset": 0.9})
    again = Signals({name: value for name, value in decision.signals.items() if name != "upset"})
    assert policy.decide(again, Memory.start("call"))[0] == decision
    assert decision.signals["upset"] == 0.45
    with pytest.raises(TypeError):
        decision.signals["upset"] = 1.0  # type: ignore[index]


def test_memory_counts_dwell_and_switches() -> None:
    policy = Policy.parse(BASE + CALM_RULES)
    memory = Memory.start("c")
    for number, tools in enumerate((False, False, True, True), 1):
        memory = policy.decide(Signals({"turn.count": number, "turn.needs_tools": tools}), memory)[1]
    assert memory == Memory("c", 4, "tool", "tools", 2, 1, 3, (("upset", 0.0),))


def test_memory_follows_a_call_that_was_moved_because_an_engine_failed() -> None:
    memory = Memory("c", 4, "tool", "tools", 2, 1, 3)
    assert memory.moved_to("fast") == Memory("c", 4, "fast", None, 1, 2, 4)
    assert memory.moved_to("tool") == memory


def test_memory_survives_json() -> None:
    memory = Memory("c", 4, "tool", "tools", 2, 1, 3, (("upset", 0.25),))
    assert Memory.from_dict(json.loads(json.dumps(memory.as_dict()))) == memory


@pytest.mark.parametrize(
    "change",
    [
        {"turn": "4"},
        {"turn": True},
        {"engine": 3},
        {"smoothed": []},
        {"smoothed": {"upset": "high"}},
        {"smoothed": {"upset": True}},
        {"smoothed": {"upset": float("nan")}},
        {"smoothed": {"upset": 10**400}},
    ],
)
def test_a_record_that_is_not_a_memory_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(MemoryRecordError, match="not a routing memory"):
        Memory.from_dict({**Memory.start("c").as_dict(), **change})
    with pytest.raises(MemoryRecordError, match="call_id"):
        Memory.from_dict({})


def test_a_memory_of_another_policy_does_not_confuse_this_one() -> None:
    policy = Policy.parse(BASE + CALM_RULES)
    foreign = Memory("c", 1, "elsewhere", "gone", 1, 0, None, (("mood", 0.9),))
    decision, memory = policy.decide(Signals({"turn.count": 2}), foreign)
    assert (decision.engine, decision.switched) == ("standard", True)
    assert memory.smoothed == (("upset", 0.0),)


def test_the_hash_is_of_what_the_policy_says_not_of_how_it_is_written() -> None:
    text = BASE + CALM_RULES
    assert (
        Policy.parse("# a comment\n" + text.replace("{id: otherwise,", "{  id: 'otherwise',")).hash
        == Policy.parse(text).hash
    )
    assert Policy.parse(text.replace("value: 0.6", "value: 0.61")).hash != Policy.parse(text).hash


def test_conditions_that_together_pass_the_limits_of_cel_are_evaluated_one_by_one() -> None:
    deep = "(" * 30 + "turn.needs_tools" + ")" * 30
    rules = f"""
rules:
  - {{id: deep, when: '{deep}', route: tool, because: so}}
  - {{id: otherwise, when: true, route: fast, because: so}}
"""
    assert engines(Policy.parse(BASE + rules), {"turn.needs_tools": True}, {}) == ["tool", "fast"]


def test_a_comment_in_a_condition_does_not_swallow_the_next() -> None:
    rules = """
rules:
  - {id: a, when: "turn.count > 99 // never", route: tool, because: so}
  - {id: otherwise, when: true, route: fast, because: so}
"""
    assert engines(Policy.parse(BASE + rules), {}) == ["fast"]


def test_an_engine_that_operators_add_is_routed_to_and_has_health() -> None:
    text = (BASE + CALM_RULES).replace("fast: {fallback", "half: {fallback: [tool]}\n  fast: {fallback")
    policy = Policy.parse(
        text.replace("when: emotion.upset >= p.enter", "when: provider.half_p95_ms < 900").replace(
            "realtime, else", "half, else"
        )
    )
    assert policy.engines[0] == "half"
    assert engines(policy, {}, {"provider.half_healthy": False}, {"provider.half_p95_ms": 901}) == [
        "half",
        "tool",
        "standard",
    ]


READS_OUT = """
stability: {cooldown_turns: 1}
guards:
  - {id: person, when: call.asked_human, force: standard, because: so}
rules:
  - {id: digits, when: turn.ends_in_digits, route: tool, else_route: fast, endpointing_ms: 1500, because: so}
  - {id: otherwise, when: true, route: standard, endpointing_ms: 700, because: so}
"""


def test_the_rule_that_chooses_says_how_much_silence_ends_the_turn() -> None:
    first, second, forced = play(
        Policy.parse(BASE + READS_OUT), {"turn.ends_in_digits": True}, {}, {"call.asked_human": True}
    )
    assert (first.rule, first.endpointing_ms) == ("digits", 1500)
    assert (second.rule, second.endpointing_ms) == ("otherwise", 700)
    assert (forced.rule, forced.endpointing_ms) == ("person", None)


def test_the_silence_is_that_of_the_rule_that_matched_though_another_engine_answers() -> None:
    policy = Policy.parse(BASE + READS_OUT)
    (_, second, kept) = play(policy, {}, {"turn.ends_in_digits": True}, {})
    assert (second.engine, second.endpointing_ms) == ("tool", 1500)
    assert (kept.engine, kept.rule, kept.endpointing_ms) == ("tool", "digits", 700)
    (sick,) = play(policy, {"turn.ends_in_digits": True, "provider.tool_healthy": False})
    assert (sick.engine, sick.endpointing_ms) == ("fast", 1500)
    for taken, engine in (("tool", "fast"), ("tool, fast", "standard")):
        text = (BASE + READS_OUT).replace(
            "guards:", f"guards:\n  - {{id: g, when: true, deny: [{taken}], because: so}}"
        )
        (denied,) = play(Policy.parse(text), {"turn.ends_in_digits": True})
        assert (denied.engine, denied.endpointing_ms) == (engine, 1500 if engine == "fast" else 700)


def test_the_last_rule_says_how_much_silence_ends_the_turn_also_when_its_engine_is_denied() -> None:
    text = (BASE + READS_OUT).replace("route: standard, endpointing", "route: realtime, endpointing")
    text = text.replace("guards:", "guards:\n  - {id: g, when: true, deny: [realtime], because: so}")
    (decision,) = play(Policy.parse(text), {})
    assert (decision.engine, decision.rule, decision.endpointing_ms) == ("tool", "otherwise", 700)


def test_signals_of_an_engine_that_the_policy_does_not_know_change_nothing() -> None:
    policy = Policy.parse(BASE + NO_CONSENT + CALM_RULES)
    known, stray = (
        play(policy, {"emotion.upset": 0.9}),
        play(policy, {"emotion.upset": 0.9, "provider.x_healthy": False}),
    )
    assert [(one.engine, one.rule, one.denied, one.errors) for one in stray] == [
        (one.engine, one.rule, one.denied, one.errors) for one in known
    ]


def test_a_boolean_with_an_anchor_is_a_boolean_and_anchors_are_not_in_the_hash() -> None:
    text = BASE + CALM_RULES
    anchored = text.replace("when: true", "when: &always true")
    assert Policy.parse(anchored).hash == Policy.parse(text).hash


@pytest.mark.parametrize("failing", [0, 7, 8, 19])
def test_a_condition_that_fails_leaves_all_others_as_they_are(failing: int) -> None:
    rules = [
        f"  - {{id: r{number}, when: 1 / turn.words > 0, route: realtime, because: so}}\n"
        if number == failing
        else f"  - {{id: r{number}, when: turn.chars == {number}, route: tool, because: so}}\n"
        for number in range(20)
    ]
    last = "  - {id: otherwise, when: true, route: fast, because: so}\n"
    policy = Policy.parse(f"{BASE}rules:\n{''.join(rules)}{last}")
    for number in range(21):
        (decision,) = play(policy, {"turn.chars": number})
        expected = "otherwise" if number in (failing, 20) else f"r{number}"
        assert decision.rule == expected
        assert [error.split(":")[0] for error in decision.errors] == (
            [f"r{failing}"] if number >= failing else []
        )
