"""Experiments: which calls take which arm, and what goes on record."""

from __future__ import annotations

import math
from collections import Counter
from datetime import datetime

import pytest

from router import Decision, Memory, Policy, Signals

pytestmark = pytest.mark.unit

POLICY = """
policy: {name: t, version: 1}
engines: {fast: {}, tool: {fallback: [fast]}, standard: {}, realtime: {fallback: [tool]}}
last_resort: standard
guards:
  - {id: consent, when: '!caller.consent_voice_ai', deny: [realtime], because: so}
rules:
  - {id: upset, when: emotion.upset > 0.5, hold: emotion.upset > 0.3, route: tool, because: upset}
  - {id: otherwise, when: true, route: standard, because: so}
experiments:
  - {id: voice, rule: upset, arms: {control: 1, voice: {weight: 1, route: realtime}}, because: which is better?}
"""
UPSET = {"emotion.upset": 0.9, "caller.consent_voice_ai": True}


def decide(policy: Policy, call: str = "call", **signals: bool | int | float | str) -> Decision:
    given = {name.replace("__", "."): value for name, value in signals.items()}
    return policy.decide(Signals({**UPSET, **given}), Memory.start(call))[0]


def arms(policy: Policy, calls: int = 4000) -> Counter[str | None]:
    found = (decide(policy, f"call-{number}").arms for number in range(calls))
    return Counter(taken.get("voice") for taken in found)


def call_in(policy: Policy, arm: str) -> str:
    """The id of a call that takes the arm."""
    return next(call for call in map(str, range(1000)) if decide(policy, call).arms == {"voice": arm})


def test_calls_take_the_arms_by_weight() -> None:
    policy = Policy.parse(POLICY.replace("control: 1", "third: {weight: 5, route: fast}, control: 3"))
    taken = arms(policy)
    assert sum(taken.values()) == 4000
    for arm, share in {"control": 3 / 9, "voice": 1 / 9, "third": 5 / 9}.items():
        assert abs(taken[arm] / 4000 - share) < 5 * math.sqrt(share * (1 - share) / 4000)


def test_the_order_in_which_arms_are_written_moves_no_call() -> None:
    arm = "voice: {weight: 1, route: realtime}"
    policy, turned = (
        Policy.parse(POLICY),
        Policy.parse(POLICY.replace(f"control: 1, {arm}", f"{arm}, control: 1")),
    )
    assert turned.hash == policy.hash
    assert all(decide(turned, str(call)).arms == decide(policy, str(call)).arms for call in range(100))


def test_an_arm_of_weight_nought_is_taken_by_no_call() -> None:
    assert arms(Policy.parse(POLICY.replace("control: 1", "control: 0")), 300) == {"voice": 300}


def test_an_arm_is_served_and_named_in_the_reason_and_the_control_is_the_rule_as_it_stands() -> None:
    policy = Policy.parse(POLICY)
    served = decide(policy, call_in(policy, "voice"))
    assert (served.engine, served.rule, served.arms) == ("realtime", "upset", {"voice": "voice"})
    assert served.reason == "upset (arm voice of voice)"
    control = decide(policy, call_in(policy, "control"))
    assert (control.engine, control.rule, control.arms) == ("tool", "upset", {"voice": "control"})
    assert control.reason == "upset"


def test_a_call_keeps_its_arm_through_hold_and_change() -> None:
    policy = Policy.parse(POLICY)
    for arm, engine in {"voice": "realtime", "control": "tool"}.items():
        memory, taken = Memory.start(call_in(policy, arm)), []
        for number, upset in enumerate((0.9, 0.4, 0.1, 0.9), 1):
            signals = Signals({**UPSET, "turn.count": number, "emotion.upset": upset})
            decision, memory = policy.decide(signals, memory)
            taken.append((decision.engine, dict(decision.arms)))
        assert taken == [(engine, {"voice": arm})] * 2 + [("standard", {}), (engine, {"voice": arm})]


def test_nothing_is_recorded_when_another_rule_or_a_guard_chose() -> None:
    policy = Policy.parse(POLICY)
    assert decide(policy, emotion__upset=0.1).arms == {}
    forced = POLICY.replace("guards:", "guards:\n  - {id: f, when: true, force: standard, because: so}")
    assert decide(Policy.parse(forced)).arms == {}


def test_nothing_is_recorded_when_dwell_keeps_the_engine_of_another_rule() -> None:
    policy = Policy.parse(POLICY.replace("standard: {}", "standard: {min_turns: 3}"))
    memory = Memory("call", 1, "standard", "otherwise", 1)
    decision, _ = policy.decide(Signals({**UPSET, "turn.count": 2}), memory)
    assert (decision.engine, decision.rule, decision.arms) == ("standard", "otherwise", {})


def test_an_arm_whose_route_is_denied_goes_where_the_rule_goes() -> None:
    policy = Policy.parse(POLICY)
    decision = decide(policy, call_in(policy, "voice"), caller__consent_voice_ai=False)
    assert (decision.engine, decision.arms) == ("tool", {"voice": "voice"})
    assert "realtime" in decision.denied


def test_an_arm_is_served_where_the_route_of_its_rule_is_denied() -> None:
    denied = POLICY.replace("guards:", "guards:\n  - {id: tools-down, when: true, deny: [tool], because: so}")
    policy = Policy.parse(denied)
    assert decide(policy, call_in(policy, "voice")).engine == "realtime"
    passed_over = next(
        decision
        for decision in (decide(policy, str(number)) for number in range(1000))
        if decision.engine != "realtime"
    )
    assert (passed_over.rule, passed_over.engine, passed_over.arms) == ("otherwise", "standard", {})


def test_a_rule_with_an_arm_that_is_passed_over_for_else_route_keeps_the_call_in_its_arm() -> None:
    text = POLICY.replace("route: tool,", "route: tool, else_route: fast,")
    policy = Policy.parse(
        text.replace("guards:", "guards:\n  - {id: tools-down, when: true, deny: [tool], because: so}")
    )
    decision = decide(policy, call_in(policy, "control"))
    assert (decision.engine, decision.arms) == ("fast", {"voice": "control"})


def test_an_unhealthy_arm_is_replaced_by_its_own_fallback_and_stays_on_record() -> None:
    policy = Policy.parse(POLICY)
    decision = decide(policy, call_in(policy, "voice"), provider__realtime_healthy=False)
    assert (decision.engine, decision.arms) == ("tool", {"voice": "voice"})


def test_an_experiment_ends_after_its_last_day_in_utc() -> None:
    policy = Policy.parse(POLICY.replace("rule: upset,", "rule: upset, until: 2026-12-31,"))

    def arms_at(moment: str) -> dict[str, str]:
        unix_s = int(datetime.fromisoformat(moment).timestamp())
        return dict(decide(policy, call_in(Policy.parse(POLICY), "voice"), time__unix_s=unix_s).arms)

    assert arms_at("2026-12-31T23:59:59Z") == {"voice": "voice"}
    assert arms_at("2027-01-01T00:30:00+01:00") == {"voice": "voice"}
    assert arms_at("2027-01-01T00:00:00Z") == {}


def test_an_experiment_with_a_last_day_is_over_when_the_time_is_not_known() -> None:
    policy = Policy.parse(POLICY.replace("rule: upset,", "rule: upset, until: 2026-12-31,"))
    decision = decide(policy, call_in(Policy.parse(POLICY), "voice"))
    assert (decision.engine, decision.arms) == ("tool", {})


def test_a_call_without_the_key_takes_no_arm() -> None:
    assert decide(Policy.parse(POLICY), "").arms == {}
    by_queue = Policy.parse(POLICY.replace("rule: upset,", "rule: upset, by: call.queue,"))
    assert decide(by_queue).arms == {}


def test_calls_sorted_by_a_signal_take_one_arm_whatever_their_ids() -> None:
    policy = Policy.parse(POLICY.replace("rule: upset,", "rule: upset, by: call.queue,"))
    taken = {
        queue: {decide(policy, call, call__queue=queue).arms["voice"] for call in ("a", "b", "c", "d")}
        for queue in (f"queue-{number}" for number in range(40))
    }
    assert all(len(found) == 1 for found in taken.values())
    assert set.union(*taken.values()) == {"control", "voice"}


def test_arms_and_rollouts_of_one_rule_are_sorted_independently() -> None:
    policy = Policy.parse(
        POLICY.replace("route: tool, because", "route: tool, rollout: {percent: 50}, because")
    )
    taken = arms(policy)
    assert abs(taken[None] / 4000 - 0.5) < 5 * math.sqrt(0.25 / 4000)
    inside = 4000 - taken[None]
    assert abs(taken["voice"] / inside - 0.5) < 5 * math.sqrt(0.25 / inside)
