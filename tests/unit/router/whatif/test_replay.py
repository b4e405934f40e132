"""Policies over past calls: what is reproduced, what changes, and what is estimated of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from router import Memory, Policy, Scalar, Signals
from router.whatif.assumptions import Assumptions
from router.whatif.calls import PastCall, PastTurn
from router.whatif.estimates import Estimate, as_assumed, from_record, recorded_means
from router.whatif.replay import Comparison, Route, compare, mismatches

pytestmark = pytest.mark.unit

TEXT = """
policy: {name: t, version: 1}
params: {tool_p: {value: 0.6, min: 0.1, max: 0.9}}
derived: {upset: {from: emotion.upset, ewma: 0.5}}
engines:
  fast: {fallback: [standard]}
  tool: {fallback: [standard]}
  standard: {fallback: [fast]}
  realtime: {fallback: [standard], min_turns: 2}
guards:
  - {id: no-consent, when: '!caller.consent_voice_ai', deny: [realtime], because: no voice leaves without consent}
rules:
  - {id: angry, when: upset > 0.5, hold: upset > 0.2, route: realtime, because: the caller sounds upset}
  - {id: tools, when: turn.tool_p >= p.tool_p, route: tool, because: the reply needs a tool}
  - {id: otherwise, when: true, route: standard, because: nothing else applies}
"""
POLICY = Policy.parse(TEXT)
EAGER = Policy.parse(TEXT.replace("value: 0.6", "value: 0.2").replace("version: 1", "version: 2"))
COST_USD = {"fast": 0.001, "standard": 0.002, "tool": 0.01, "realtime": 0.02}
HEARD_MS = {"fast": 400.0, "standard": 600.0, "tool": 1200.0, "realtime": 300.0}

NEEDS_NOTHING: Mapping[str, Scalar] = {"turn.tool_p": 0.0}
PERHAPS: Mapping[str, Scalar] = {"turn.tool_p": 0.3}
NEEDS_TOOLS: Mapping[str, Scalar] = {"turn.tool_p": 0.9}
UPSET: Mapping[str, Scalar] = {"emotion.upset": 1.0}


def played(
    name: str,
    *turns: Mapping[str, Scalar],
    policy: Policy = POLICY,
    moved: Mapping[int, str] | None = None,
    unrouted: int = 0,
) -> PastCall:
    """A call as ``policy`` routed it. ``moved`` says which turns another engine took over after a failure,
    ``unrouted`` on which turn routing itself failed."""
    memory, past = Memory.start(name), []
    for number, given in enumerate(turns, 1):
        if number == unrouted:
            past.append(PastTurn({}, engine="standard", routed=False, rule="default-engine"))
            continue
        signals = {"turn.count": number, "caller.consent_voice_ai": True, **given}
        decision, memory = policy.decide(Signals(signals), memory)
        to = (moved or {}).get(number)
        answered = to or decision.engine
        past.append(
            PastTurn(
                signals,
                engine=decision.engine,
                rule=decision.rule,
                moved=(to,) if to else (),
                denied=tuple(decision.denied),
                cost_usd=COST_USD[answered],
                heard_ms=HEARD_MS[answered] + (3000 if to else 0),
            )
        )
        memory = memory.moved_to(answered)
    return PastCall(name, tuple(past), policy_hash=policy.hash)


def replayed(*calls: PastCall, after: Policy = EAGER, before: Policy | None = None) -> Comparison:
    return compare(calls, before, after, from_record(recorded_means(calls)))


# -- the same policy -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "call",
    [
        played("plain", NEEDS_NOTHING, NEEDS_TOOLS, PERHAPS),
        played("sticky", UPSET, UPSET, NEEDS_NOTHING, NEEDS_TOOLS, NEEDS_TOOLS),
        played("moved", UPSET, UPSET, NEEDS_TOOLS, NEEDS_TOOLS, moved={2: "fast", 4: "standard"}),
        played("unrouted", UPSET, UPSET, NEEDS_TOOLS, NEEDS_TOOLS, unrouted=3),
    ],
    ids=lambda call: call.call_id,
)
def test_the_policy_that_routed_a_call_reproduces_it(call: PastCall) -> None:
    assert list(mismatches(POLICY, call)) == []
    found = replayed(call, after=POLICY)
    assert found.changed == ()
    assert found.cost_usd.before == found.cost_usd.after
    assert found.heard_ms.estimated == 0


def test_a_route_that_the_policy_would_not_have_taken_is_a_mismatch() -> None:
    call = played("c", NEEDS_NOTHING, NEEDS_TOOLS)
    forged = replace(call, turns=(call.turns[0], replace(call.turns[1], engine="realtime", rule="angry")))
    [found] = mismatches(POLICY, forged)
    assert (found.call_id, found.turn) == ("c", 2)
    assert (found.logged, found.replayed) == (Route("realtime", "angry"), Route("tool", "tools"))
    assert found.reason == "the reply needs a tool"


def test_the_right_engine_by_the_wrong_rule_is_a_mismatch() -> None:
    call = played("c", NEEDS_TOOLS)
    forged = replace(call, turns=(replace(call.turns[0], rule="otherwise"),))
    assert len(list(mismatches(POLICY, forged))) == 1


# -- another policy --------------------------------------------------------------------------------------------
def test_every_changed_turn_is_listed_with_the_values_that_decided() -> None:
    found = replayed(played("a", NEEDS_NOTHING, PERHAPS), played("b", NEEDS_TOOLS))
    [changed] = found.changed
    assert (changed.call_id, changed.turn) == ("a", 2)
    assert str(changed.before) == "standard by otherwise"
    assert str(changed.after) == "tool by tools"
    assert changed.reason == "the reply needs a tool"
    assert changed.values == {"turn.tool_p": 0.3, "p.tool_p": 0.2}
    assert (found.calls, found.calls_affected, found.turns) == (2, 1, 3)
    assert found.share_changed is not None
    assert found.share_changed.value == pytest.approx(1 / 3)
    assert found.routes_before == {"standard": 2, "tool": 1}
    assert found.routes_after == {"tool": 2, "standard": 1}


def test_what_the_rule_before_read_is_known_from_the_policy_that_routed_the_call() -> None:
    calm = Policy.parse(TEXT.replace("id: angry, when: upset > 0.5", "id: furious, when: upset > 0.9"))
    call = played("c", UPSET, UPSET)
    estimate = from_record(recorded_means([call]))
    [changed] = compare([call], None, calm, estimate, routed_by=lambda call: POLICY).changed
    assert changed.before == Route("realtime", "angry")
    assert changed.values == {"upset": 0.75}
    [without] = compare([call], None, calm, estimate).changed
    assert without.values == {}


def test_what_sticks_builds_up_as_it_would_have() -> None:
    call = played("c", UPSET, UPSET, NEEDS_TOOLS, NEEDS_TOOLS)
    assert [turn.engine for turn in call.turns] == ["standard", "realtime", "realtime", "tool"]
    found = replayed(call, after=Policy.parse(TEXT.replace("upset > 0.5", "upset > 0.9")))
    assert [(each.turn, each.before.engine, each.after.engine) for each in found.changed] == [
        (2, "realtime", "standard"),
        (3, "realtime", "tool"),
    ]


def test_turns_that_stay_keep_what_was_measured_and_others_get_the_mean_of_their_engine() -> None:
    found = replayed(played("a", NEEDS_NOTHING, PERHAPS), played("b", NEEDS_TOOLS))
    cost, heard = found.cost_usd, found.heard_ms
    assert cost.before is not None
    assert cost.after is not None
    assert cost.difference is not None
    assert heard.difference is not None
    assert cost.before.value == pytest.approx((0.002 + 0.002 + 0.01) / 2)
    assert cost.after.value == pytest.approx((0.002 + 0.01 + 0.01) / 2)
    assert cost.difference.value == pytest.approx(0.004)
    assert heard.difference.value == pytest.approx(600 / 3)
    assert (cost.turns, cost.estimated) == (3, 1)


def test_a_turn_that_failed_counts_as_it_went_but_makes_no_estimate() -> None:
    calls = played("a", NEEDS_TOOLS, moved={1: "standard"}), played("b", NEEDS_TOOLS, PERHAPS)
    assert recorded_means(calls) == {
        "standard": Estimate(0.002, 600.0),
        "tool": Estimate(0.01, 1200.0),
    }
    heard = replayed(*calls).heard_ms
    assert heard.before is not None
    assert heard.before.value == pytest.approx((3600 + 1200 + 600) / 3)


def test_an_engine_of_which_nothing_is_known_leaves_its_turns_out_and_says_so() -> None:
    fast = Policy.parse(TEXT.replace("when: true, route: standard", "when: true, route: fast"))
    found = replayed(played("a", NEEDS_NOTHING, NEEDS_TOOLS), after=fast)
    assert found.without_estimate == {"fast": 1}
    assert (found.cost_usd.turns, found.heard_ms.turns) == (1, 1)
    assert found.cost_usd.difference is not None
    assert found.cost_usd.difference.value == 0


def test_assumptions_fill_in_what_the_record_does_not_know() -> None:
    known = from_record({"tool": Estimate(0.01, None)}, lambda engine, turn: Estimate(0.5, 700.0))
    assert known("tool", PastTurn({})) == Estimate(0.01, 700.0)
    assert known("fast", PastTurn({})) == Estimate(0.5, 700.0)


def test_assumed_costs_go_by_the_turn() -> None:
    estimate = as_assumed(Assumptions.parse(TABLE))
    short, long = (
        PastTurn({"turn.words": 15, "turn.count": 1}),
        PastTurn({"turn.words": 150, "turn.count": 4}),
    )
    assert estimate("fast", short).cost_usd == pytest.approx(0.1 + 0.1 * 6 + 10 / 60 * 6)
    assert estimate("fast", long).cost_usd == pytest.approx(0.1 + 1.0 * 6 + 10 / 60 * 6 + 3 * 0.01)
    tools = PastTurn({"turn.needs_tools": True, "turn.words": 15})
    assert estimate("fast", tools).cost_usd == pytest.approx(0.1 + 2 + 0.1 * 6 + 10 / 60 * 6)
    assert estimate("fast", short).heard_ms == pytest.approx(500.0)
    assert estimate("fast", tools).heard_ms == pytest.approx(900.0)
    assert estimate("unheard-of", short) == Estimate()


def test_switches_are_those_that_the_caller_hears() -> None:
    moved = played("a", NEEDS_TOOLS, NEEDS_TOOLS, moved={1: "standard"})
    found = replayed(moved, after=POLICY).switches
    assert found.before is not None
    assert found.before.value == 1
    assert found.before == found.after


def test_two_policies_can_be_compared_over_the_same_calls() -> None:
    lazy = Policy.parse(TEXT.replace("value: 0.6", "value: 0.9"))
    calls = played("a", {"turn.tool_p": 0.7}), played("b", PERHAPS)
    found = replayed(*calls, before=lazy, after=EAGER)
    assert [(each.call_id, each.before, each.after) for each in found.changed] == [
        ("a", Route("standard", "otherwise"), Route("tool", "tools")),
        ("b", Route("standard", "otherwise"), Route("tool", "tools")),
    ]
    assert found.cost_usd.estimated == 2


# -- guards ----------------------------------------------------------------------------------------------------
def test_routes_against_a_guard_are_counted_on_either_side() -> None:
    allowed = played("a", UPSET, UPSET)
    assert "realtime" in [turn.engine for turn in allowed.turns]
    without = replace(allowed, turns=tuple(replace(turn, denied=("realtime",)) for turn in allowed.turns))
    assert replayed(allowed).violations_before == 0
    found = replayed(without)
    assert found.violations_before == sum(turn.engine == "realtime" for turn in without.turns)
    assert found.violations_after == 0


def test_an_engine_that_took_over_although_it_was_denied_is_counted() -> None:
    call = played("a", {"caller.consent_voice_ai": False}, moved={1: "realtime"})
    found = replayed(call, after=POLICY)
    assert (found.violations_before, found.violations_after) == (1, 0)


def test_routes_that_new_guards_refuse_are_counted() -> None:
    strict = Policy.parse(TEXT.replace("'!caller.consent_voice_ai'", "'true'"))
    found = replayed(played("a", UPSET, UPSET), after=strict)
    assert found.refused == found.routes_before["realtime"]
    assert "realtime" not in found.routes_after


def test_a_turn_on_which_routing_failed_stays_as_it_was() -> None:
    found = replayed(played("a", PERHAPS, PERHAPS, unrouted=1))
    assert [changed.turn for changed in found.changed] == [2]


TABLE = """
version: 1
speech: {words_per_minute: 150, reply_s: 10, source: a test}
value: {usd: 1, late_s: 0.1, late_over_ms: 500, switch: 0, violation: 1, assumed: a test}
down: {wait_ms: {p50: 100, p99: 100, source: a test}, quality: {any: 0.5, assumed: a test}}
engines:
  fast:
    wait_ms: {p50: 500, p99: 500, source: a test}
    wait_with_tools_ms: {p50: 900, p99: 900, source: a test}
    usd: {turn: 0.1, tools: 2, caller_minute: 6, agent_minute: 6, context_turn: 0.01, source: a test}
    switch: {ms: 0, cold_ms: 0, usd: 0, usd_context_turn: 0, warm_usd: 0, source: a test}
    quality: {plain: 1, needs_tools: 1, upset: 1, both: 1, assumed: a test}
"""
