"""Propensities: what the policy leaves to chance, and how likely that is to lead to an engine with tools."""

from __future__ import annotations

import pytest

from router import Policy
from router.whatif.calls import PastCall
from service.history import past_call
from service.learning.chance import MOST_LOTS, Propensities, lots
from tests.unit.service.learning.lines import ABLE, BLIND, EXPLORING, Said, events_of

pytestmark = pytest.mark.unit

QUICK = Said("the kettle never came", True, 0.1)
SLOW = Said("where is my kettle", True, 0.9)


def a_call(policy: Policy, *turns: Said, call_id: str = "call-1", tenant: str = "") -> PastCall:
    call = past_call(events_of(policy, call_id, turns, tenant=tenant))
    assert call is not None
    return call


def propensities(text: str, *turns: Said, call_id: str = "call-1") -> list[float]:
    policy = Policy.parse(text)
    found = Propensities(policy, ABLE).of(a_call(policy, *turns, call_id=call_id))
    return [found[number] for number in sorted(found)]


def test_a_policy_that_leaves_nothing_to_chance_gives_propensities_of_0_and_1() -> None:
    assert propensities(BLIND, QUICK, SLOW) == [0.0, 1.0]


def test_an_arm_with_tools_is_the_chance_of_the_turns_that_its_rule_sends_elsewhere() -> None:
    assert propensities(EXPLORING, QUICK, SLOW) == pytest.approx([0.1, 1.0])


def test_the_chance_is_the_same_whichever_arm_the_call_drew() -> None:
    policy = Policy.parse(EXPLORING)
    drawn = {lot.call_id for lot in lots(policy)}
    assert len(drawn) == 2
    for call_id in drawn:
        assert propensities(EXPLORING, QUICK, call_id=call_id) == pytest.approx([0.1])


def test_a_rollout_by_call_is_chance_too_and_several_lotteries_multiply() -> None:
    text = EXPLORING.replace(
        "  - {id: quick,",
        "  - {id: new, when: turn.tool_p >= 0.05, route: standard, because: tried, rollout: {percent: 30}}\n"
        "  - {id: quick,",
    )
    # In the rollout: standard, which has tools. Out of it: one call in ten by the experiment.
    assert propensities(text, QUICK) == pytest.approx([0.3 + 0.7 * 0.1])


def test_what_is_sorted_by_something_other_than_the_call_is_no_chance() -> None:
    text = EXPLORING.replace("rule: quick, arms", "rule: quick, by: call.queue, arms")
    assert len(lots(Policy.parse(text))) == 1
    assert set(propensities(text, QUICK)) <= {0.0, 1.0}


def test_what_sticks_is_replayed_from_the_first_turn() -> None:
    text = EXPLORING.replace("tool: {fallback: [standard]}", "tool: {fallback: [standard], min_turns: 2}")
    # Turn 2 would be fast in every lot, but the tool engine, once chosen, answers two turns at least.
    assert propensities(text, SLOW, QUICK, QUICK) == pytest.approx([1.0, 1.0, 0.1])


def test_a_tenants_calls_have_the_chances_of_the_tenants_policy() -> None:
    text = EXPLORING + "overlays:\n  acme: {disable: [tools]}\n"
    policy = Policy.parse(text)
    call = a_call(policy, SLOW, tenant="acme")
    assert Propensities(policy.for_tenant("acme"), ABLE).of(call) == pytest.approx({1: 0.1})


def test_nothing_is_said_of_turns_from_where_replaying_differs_from_the_record() -> None:
    policy = Policy.parse(EXPLORING)
    call = a_call(policy, SLOW, SLOW, SLOW)
    other = Policy.parse(EXPLORING.replace("turn.tool_p >= 0.5", "turn.tool_p >= 0.5 && turn.count != 2"))
    assert Propensities(other, ABLE).of(call) == {1: 1.0}


def test_the_chances_of_lots_sum_to_1_and_each_id_falls_where_it_should() -> None:
    lotteries = lots(
        Policy.parse(EXPLORING.replace("as-ever: 90", "a: 1, b: {weight: 2, route: standard}, c: 0, d: 7"))
    )
    assert sum(lot.chance for lot in lotteries) == pytest.approx(1)
    assert sorted(lot.chance for lot in lotteries) == pytest.approx([0.05, 0.1, 0.35, 0.5])


def test_more_lotteries_than_can_be_listed_are_drawn() -> None:
    rules = "".join(
        f"  - {{id: r{n}, when: false, route: fast, because: never, rollout: {{percent: 50}}}}\n"
        for n in range(9)
    )
    text = EXPLORING.replace("  - {id: tools", rules + "  - {id: tools")
    assert len(lots(Policy.parse(text))) == MOST_LOTS
    assert propensities(text, QUICK) == pytest.approx([0.1], abs=0.06)


def test_propensities_are_how_often_calls_really_reach_an_engine_with_tools() -> None:
    policy = Policy.parse(
        EXPLORING.replace(
            "  - {id: quick,",
            "  - {id: new, when: turn.count == 2, route: standard, because: tried, rollout: {percent: 25}}\n"
            "  - {id: quick,",
        )
    )
    turns = (QUICK, QUICK, SLOW, QUICK)
    expected = Propensities(policy, ABLE).of(a_call(policy, *turns))
    calls = [a_call(policy, *turns, call_id=f"caller-{n}") for n in range(2_000)]
    for number, chance in expected.items():
        often = sum(call.turns[number - 1].engine in ABLE for call in calls) / len(calls)
        assert often == pytest.approx(chance, abs=0.035)  # four standard errors at most
