"""What holds for every policy, every signal and every memory."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import shipped
from router import Memory, Policy, Signals
from router.conditions import Failed
from tests.random_policies import (
    TENANTS,
    THOROUGH,
    barred,
    check,
    documents,
    facts,
    loaded,
    memories,
    policies,
    turns,
)

pytestmark = pytest.mark.unit

ENGINES = ("fast", "tool", "standard", "realtime")
DEFAULT = Policy.load(shipped("default.yaml"), engines=ENGINES)


@given(policies(), st.lists(st.tuples(turns(), st.integers(0, 5)), min_size=1, max_size=4), memories())
@settings(max_examples=50 * THOROUGH, deadline=None)
def test_no_turn_is_ever_answered_by_an_engine_that_is_denied_whatever_fails(
    policy: Policy, calls: list[tuple[Signals, int]], memory: Memory
) -> None:
    for signals, failures in calls:
        decision, after = policy.decide(signals, memory)
        check(policy, decision, memory, after)
        memory, engine, failed = after, decision.engine, {decision.engine}
        for _ in range(failures):
            following = policy.fallback(engine, {*decision.denied, *failed})
            if following is None:
                break
            assert following in policy.engines
            assert following not in {*barred(policy, dict(decision.signals)), *failed}
            memory = memory.moved_to(following)
            engine = following
            failed.add(following)


@given(
    st.lists(documents(), min_size=2, max_size=2),
    st.lists(st.tuples(turns(), st.integers(0, 1), st.sampled_from(TENANTS)), min_size=2, max_size=4),
)
@settings(max_examples=25 * THOROUGH, deadline=None)
def test_a_reload_and_another_tenants_memory_open_no_way_round_a_guard(
    versions: list[dict[str, object]], steps: list[tuple[Signals, int, str]]
) -> None:
    both = [loaded(version) for version in versions]
    memory = kept = Memory.start("call")
    for signals, version, tenant in steps:
        policy = both[version].for_tenant(tenant)
        decision, after = policy.decide(signals, memory)
        check(policy, decision, memory, after)
        memory = after
        decision, after = both[0].decide(
            signals, kept
        )  # a call in progress keeps the policy that it began with
        check(both[0], decision, kept, after)
        kept = after


@given(policies(), turns(), memories())
@settings(max_examples=50 * THOROUGH, deadline=None)
def test_the_same_turn_is_decided_the_same_also_from_what_is_on_record(
    policy: Policy, signals: Signals, memory: Memory
) -> None:
    first = policy.decide(signals, memory)
    assert policy.decide(signals, memory) == first
    stored = Memory.from_dict(json.loads(json.dumps(memory.as_dict())))
    assert stored == memory
    assert policy.decide(Signals(json.loads(json.dumps(signals.as_dict()))), stored) == first


def turned_round(value: Any) -> Any:
    """The same document with the keys of every mapping in the opposite order."""
    if isinstance(value, dict):
        return {key: turned_round(inner) for key, inner in reversed(value.items())}
    return [turned_round(inner) for inner in value] if isinstance(value, list) else value


@given(documents(), turns(), memories())
@settings(max_examples=25 * THOROUGH, deadline=None)
def test_policies_with_one_hash_decide_the_same(
    document: dict[str, Any], signals: Signals, memory: Memory
) -> None:
    one, other = loaded(document), loaded(turned_round(document))
    assert one.hash == other.hash
    (decision, after), (same, afterwards) = one.decide(signals, memory), other.decide(signals, memory)
    assert replace(decision, errors=()) == replace(same, errors=())
    assert sorted(decision.errors) == sorted(same.errors)
    assert after.as_dict() == afterwards.as_dict()


@given(policies(), turns(), memories())
@settings(max_examples=50 * THOROUGH, deadline=None)
def test_a_guard_that_forces_is_obeyed_while_its_engine_may_and_can_answer(
    policy: Policy, signals: Signals, memory: Memory
) -> None:
    decision, _ = policy.decide(signals, memory)
    seen = facts(policy, dict(decision.signals))
    forced = [
        guard.force
        for guard in policy.content.guards
        if guard.force and guard.when.evaluate(seen) is not False
    ]
    if forced and forced[0] not in decision.denied and seen.get(f"provider.{forced[0]}_healthy", True):
        assert decision.engine == forced[0]


@given(policies(), turns(), memories())
@settings(max_examples=50 * THOROUGH, deadline=None)
def test_an_unhealthy_engine_answers_only_when_nothing_that_may_replace_it_is_healthy(
    policy: Policy, signals: Signals, memory: Memory
) -> None:
    decision, _ = policy.decide(signals, memory)
    sick = {engine for engine in policy.engines if signals.values.get(f"provider.{engine}_healthy") is False}
    if decision.engine in sick:
        assert policy.fallback(decision.engine, {*decision.denied, *sick}) is None


@given(policies(), turns(), memories())
@settings(max_examples=50 * THOROUGH, deadline=None)
def test_an_engine_is_kept_warm_only_where_the_next_turn_could_reach_it(
    policy: Policy, signals: Signals, memory: Memory
) -> None:
    decision, _ = policy.decide(signals, memory)
    seen = facts(policy, dict(decision.signals))
    for name, engine in policy.content.engines.items():
        wanted = engine.warm is not None and engine.warm.evaluate(seen) is True
        assert policy.warm(signals, memory, engine=name) == (wanted and name not in decision.denied)


@given(policies(), turns(), memories())
@settings(max_examples=50 * THOROUGH, deadline=None)
def test_conditions_evaluated_together_have_the_values_they_have_alone(
    policy: Policy, signals: Signals, memory: Memory
) -> None:
    decision, _ = policy.decide(signals, memory)
    seen = facts(policy, dict(decision.signals))
    failing = {
        guard.id for guard in policy.content.guards if isinstance(guard.when.evaluate(seen), Failed)
    } | {each.id for each in policy.content.never if isinstance(each.when.evaluate(seen), Failed)}
    named = {error.split(":")[0] for error in decision.errors}
    assert failing == {name for name in named if name.startswith(("guard-", "their-", "never-"))}


@given(turns(), memories())
@settings(max_examples=200 * THOROUGH, deadline=None)
def test_the_default_policy_never_sends_a_voice_without_consent_to_realtime(
    signals: Signals, memory: Memory
) -> None:
    decision, _ = DEFAULT.decide(signals, memory)
    assert decision.engine != "realtime" or signals["caller.consent_voice_ai"] is True
    assert (
        decision.engine == "standard"
        or signals["call.asked_human"] is False
        or (signals["provider.standard_healthy"] is False)
    )
