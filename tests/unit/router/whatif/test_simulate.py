"""Simulation: what policies do with made-up calls, and a referee who does not take their word for it."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from policies import DocumentError, shipped
from router import Decision, Memory, Policy, Signals
from router.whatif.assumptions import Assumptions
from router.whatif.calls import walk
from router.whatif.drawing import draw
from router.whatif.mix import Mix
from router.whatif.simulate import Referee, Simulated, simulate, simulate_block

pytestmark = pytest.mark.unit

MIX = Mix.load(shipped("mix.yaml"))
TABLE = Assumptions.load(shipped("assumptions.yaml"))
DEFAULT, REFERENCE = Policy.load(shipped("default.yaml")), Policy.load(shipped("reference.yaml"))
CALLS = draw(MIX, 250)
STRICT = Policy.parse(
    """
policy: {name: strict, version: 1}
engines: {standard: {}, tool: {}, realtime: {}}
last_resort: standard
guards:
  - {id: consent, when: '!caller.consent_voice_ai', deny: [realtime], because: no consent}
  - {id: person, when: call.asked_human, force: standard, because: a person was asked for}
rules:
  - {id: angry, when: emotion.upset > 0.5, route: realtime, else_route: tool, because: angry}
  - {id: at-night, when: time.hour == 3 && time.hour == 4, route: tool, because: it cannot be}
  - {id: rest, when: true, route: standard, because: nothing else}
never:
  - {id: never-without, when: '!caller.consent_voice_ai', route: realtime, because: the law}
"""
)


def decided(policy: Policy, **signals: bool | float) -> Decision:
    values = {name.replace("__", "."): value for name, value in signals.items()}
    return policy.decide(Signals(values), Memory.start("a"))[0]


def test_the_shipped_policy_breaks_no_guard_and_every_turn_is_counted_once() -> None:
    (found,) = simulate([DEFAULT], CALLS, TABLE)
    turns = sum(len(call.turns) for call in CALLS)
    assert (found.violations, found.outcomes.violations.sum(), found.against_first) == ((), 0, 0)
    assert sum(found.turns.values()) == sum(found.rules.values()) == found.outcomes.turns.sum() == turns
    assert found.failures == {}
    assert found.denials["no-consent"] > 0


def test_it_routes_as_walking_the_calls_does() -> None:
    (found,) = simulate([DEFAULT], CALLS[:40], TABLE)
    walked = [[decision for _, decision in walk(DEFAULT, call)] for call in CALLS[:40]]
    assert list(found.outcomes.switches) == [sum(one.switched for one in decisions) for decisions in walked]
    for engine, turns in found.turns.items():
        assert turns == sum(one.engine == engine for decisions in walked for one in decisions)


def test_a_rule_that_cannot_fire_is_not_among_those_that_did() -> None:
    (found,) = simulate([STRICT], CALLS, TABLE)
    assert set(found.rules) == {"angry", "rest", "person"}


def test_two_policies_answer_the_same_calls_and_the_second_is_held_to_the_guards_of_the_first_too() -> None:
    first, second = simulate([DEFAULT, REFERENCE], CALLS, TABLE)
    assert first.outcomes.call_ids == second.outcomes.call_ids
    assert second.outcomes.violations.sum() == 0  # it has no guards of its own
    assert first.against_first == 0
    assert second.against_first > 0
    (alone,) = simulate([REFERENCE], CALLS, TABLE)
    assert list(alone.outcomes.utility) == list(second.outcomes.utility)


def test_lots_joined_are_the_whole() -> None:
    lots = [
        simulate_block([DEFAULT], MIX, TABLE, number, size=size)[0] for number, size in ((0, 250), (1, 50))
    ]
    joined = Simulated.joined(lots)
    (whole,) = simulate([DEFAULT], draw(MIX, 300), TABLE)
    assert list(joined.outcomes.utility) == list(whole.outcomes.utility)
    assert (joined.turns, joined.rules, joined.denials) == (whole.turns, whole.rules, whole.denials)


def test_a_tenants_calls_are_routed_by_its_overlay() -> None:
    policy = Policy.parse(
        """
policy: {name: with-tenant, version: 1}
engines: {standard: {}, tool: {}}
rules:
  - {id: tools, when: turn.needs_tools, route: tool, because: tools}
  - {id: rest, when: true, route: standard, because: nothing else}
overlays: {acme: {disable: [tools]}}
"""
    )
    (found,) = simulate_block([policy], MIX, TABLE, 0, size=50, tenant="acme")
    assert set(found.rules) == {"rest"}
    (others,) = simulate_block([policy], MIX, TABLE, 0, size=50)
    assert set(others.rules) == {"rest", "tools"}


def test_a_warm_engine_is_switched_to_faster_than_a_cold_one() -> None:
    text = """
policy: {name: warmth, version: 1}
engines: {standard: {}, realtime: {%s}}
last_resort: standard
rules:
  - {id: angry, when: emotion.upset > 0.5, route: realtime, because: angry}
  - {id: rest, when: true, route: standard, because: nothing else}
"""
    (cold,) = simulate([Policy.parse(text % "")], CALLS, TABLE)
    (warm,) = simulate([Policy.parse(text % "warm: emotion.upset > 0.1")], CALLS, TABLE)
    assert cold.turns == warm.turns
    assert cold.outcomes.late_s.sum() > warm.outcomes.late_s.sum()
    realtime = TABLE.engines["realtime"]
    priced = replace(realtime, switch=replace(realtime.switch, warm_usd=0.001))
    table = replace(TABLE, engines={**TABLE.engines, "realtime": priced})
    (kept,) = simulate([Policy.parse(text % "warm: emotion.upset > 0.1")], CALLS, table)
    assert kept.outcomes.usd.sum() > warm.outcomes.usd.sum()
    assert kept.outcomes.late_s == pytest.approx(warm.outcomes.late_s)


def test_a_condition_that_fails_is_counted() -> None:
    policy = Policy.parse(
        """
policy: {name: fails, version: 1}
engines: {standard: {}, tool: {}}
rules:
  - {id: divides, when: 10 / call.tool_failures > 1, route: tool, because: it fails}
  - {id: rest, when: true, route: standard, because: nothing else}
"""
    )
    (found,) = simulate([policy], CALLS[:20], TABLE)
    assert sum(found.failures.values()) > 0
    assert all("divides" in failure for failure in found.failures)


def test_an_engine_of_which_nothing_is_assumed_stops_it_with_a_name() -> None:
    policy = Policy.parse(
        "policy: {name: a, version: 1}\nengines: {robot: {}}\n"
        "rules: [{id: rest, when: true, route: robot, because: nothing else}]\n"
    )
    with pytest.raises(DocumentError, match="says nothing of robot"):
        simulate([policy], CALLS[:1], TABLE)


# -- the referee ----------------------------------------------------------------------------------------------
REFEREE = Referee(STRICT.content)


def test_the_referee_has_nothing_to_say_of_an_honest_decision() -> None:
    for consent in (True, False):
        for asked in (True, False):
            decision = decided(
                STRICT, caller__consent_voice_ai=consent, call__asked_human=asked, emotion__upset=0.9
            )
            assert REFEREE.objection(decision) is None


def test_the_referee_objects_to_an_engine_that_a_guard_denies() -> None:
    honest = decided(STRICT, emotion__upset=0.9)
    assert honest.engine == "tool"
    assert REFEREE.objection(replace(honest, engine="realtime", denied={})) == "consent"


def test_the_referee_objects_to_what_must_never_be_even_without_a_guard() -> None:
    unguarded = Referee(replace(STRICT.content, guards=()))
    honest = decided(STRICT, emotion__upset=0.9)
    assert unguarded.objection(replace(honest, engine="realtime")) == "never-without"


def test_the_referee_objects_when_another_engine_answers_than_the_one_that_is_forced() -> None:
    honest = decided(STRICT, call__asked_human=True, caller__consent_voice_ai=True)
    assert honest.engine == "standard"
    assert REFEREE.objection(replace(honest, engine="tool")) == "person"
    sick = {**honest.signals, "provider.standard_healthy": False}
    assert REFEREE.objection(replace(honest, engine="tool", signals=MappingProxyType(sick))) is None


def test_the_referee_counts_a_guard_that_cannot_be_evaluated_as_true() -> None:
    policy = Policy.parse(
        """
policy: {name: fails-closed, version: 1}
engines: {standard: {}, realtime: {}}
last_resort: standard
guards:
  - {id: divides, when: 10 / call.tool_failures > 99, deny: [realtime], because: it fails}
rules:
  - {id: rest, when: true, route: realtime, because: nothing else}
"""
    )
    honest = decided(policy)
    assert honest.engine == "standard"
    assert Referee(policy.content).objection(replace(honest, engine="realtime")) == "divides"


class Careless(Policy):
    """A policy whose last stage is broken."""

    def decide(self, signals: Signals, memory: Memory) -> tuple[Decision, Memory]:
        decision, after = super().decide(signals, memory)
        return replace(decision, engine="realtime"), after


def test_violations_are_counted_listed_and_cost_utility() -> None:
    (honest,) = simulate([STRICT], CALLS, TABLE)
    (found,) = simulate([Careless(STRICT.content)], CALLS, TABLE)
    without = sum(not turn.signals["caller.consent_voice_ai"] for call in CALLS for turn in call.turns)
    assert found.outcomes.violations.sum() >= without > 0
    assert len(found.violations) == 20
    assert found.violations[0].engine == "realtime"
    assert found.outcomes.utility.mean() < honest.outcomes.utility.mean() - 0.1
