"""Tuning: the search, what it may not touch, and what is said of the result."""

from __future__ import annotations

import math

import numpy as np
import pytest

from policies import shipped
from router import ParamError, Policy
from router.whatif.assumptions import Assumptions
from router.whatif.drawing import draw
from router.whatif.frontier import Course
from router.whatif.mix import Mix
from router.whatif.tune import Limits, Objective, Trial, Tuned, chosen, of_emotion, tunable, tune

pytestmark = pytest.mark.unit

TABLE = Assumptions.load(shipped("assumptions.yaml"))
MIX = Mix.load(shipped("mix.yaml"))
CALLS, HELD_OUT = draw(MIX, 240, seed=1), draw(MIX, 240, seed=2)

ENGINES = """
engines:
  fast: {fallback: [standard]}
  tool: {fallback: [standard]}
  standard: {fallback: [fast]}
  realtime: {fallback: [standard]}
last_resort: standard
"""
GUARD = """
guards:
  - {id: no-consent, when: '!caller.consent_voice_ai', deny: [realtime], because: no consent}
  - {id: slow, when: provider.realtime_p95_ms > p.slow_ms, deny: [realtime], because: too slow}
"""


def policy(params: str, rules: str) -> Policy:
    return Policy.parse(
        f"policy: {{name: toy, version: 1}}\nparams:\n{params}"
        "  slow_ms: {value: 2500, min: 500, max: 5000}\n"
        f"{ENGINES}{GUARD}rules:\n{rules}"
        "  - {id: otherwise, when: true, route: standard, because: nothing else applies}\n"
    )


# Far too eager: whoever may be without need of a tool gets an engine without tools.
EAGER = policy(
    "  plain_p: {value: 0.95, min: 0.0, max: 1.0}\n  chars: {value: 500, min: 1, max: 500}\n",
    "  - {id: quick, when: turn.tool_p < p.plain_p && turn.chars < p.chars, route: fast, because: a small thing}\n",
)


def tuned(subject: Policy, *, trials: int = 40, **options: object) -> Tuned:
    names = tunable(subject.content)
    return tune(subject, TABLE, CALLS, HELD_OUT, names=names, trials=trials, **options)  # type: ignore[arg-type]


def test_a_threshold_that_is_far_off_is_moved_and_the_gain_is_clear_on_calls_held_out() -> None:
    found = tuned(EAGER)
    assert found.recommended
    assert found.gain.low is not None
    assert found.gain.low > 0
    assert found.after.value == pytest.approx(found.before.value + found.gain.value)
    assert {change.name for change in found.changes} <= {"p.plain_p", "p.chars"}


def test_every_change_that_is_left_is_worth_something_where_it_was_tuned() -> None:
    found = tuned(EAGER)
    course = Course(TABLE, CALLS, EAGER)
    values = {change.name: change.new for change in found.changes}
    own = course.run(course.policy(EAGER.with_params(values))).outcomes.utility
    for change in found.changes:
        fewer = {name: value for name, value in values.items() if name != change.name}
        without = course.run(course.policy(EAGER.with_params(fewer))).outcomes.utility
        worth = course.interval(own - without)
        assert worth.low is not None
        assert worth.low > 0


def test_the_same_seed_gives_the_same_result() -> None:
    assert tuned(EAGER, seed=5).changes == tuned(EAGER, seed=5).changes


def test_what_is_as_good_as_it_gets_is_left_alone() -> None:
    best = EAGER.with_params({change.name: change.new for change in tuned(EAGER).changes})
    again = tuned(best)
    assert again.changes == ()
    assert not again.recommended
    assert again.gain.value == 0.0


def test_values_stay_in_their_range_and_of_their_type_and_are_short_to_write() -> None:
    tried: list[Trial] = []
    tuned(EAGER, tried=tried.append)
    assert len(tried) <= 40
    params = EAGER.content.params
    for trial in tried:
        for name, value in trial.values.items():
            assert params[name].allows(value)
            assert isinstance(value, int) or round(value, 2) == value


def test_most_trials_are_made_on_few_calls() -> None:
    tried: list[Trial] = []
    tuned(EAGER, tried=tried.append)
    sizes = [trial.calls for trial in tried]
    assert sizes.count(min(sizes)) > sizes.count(max(sizes))
    assert max(sizes) == len(CALLS)


def test_a_result_that_switches_more_than_allowed_is_not_recommended() -> None:
    found = tuned(EAGER, limits=Limits(switches_median=-1.0))
    assert not found.keeps_limits
    assert not found.recommended


def test_the_search_prefers_what_keeps_to_the_limits() -> None:
    jumpy = policy(
        "  jump_p: {value: 0.5, min: 0.0, max: 1.0}\n",
        "  - {id: jump, when: turn.tool_p >= p.jump_p, route: tool, because: tools}\n",
    )
    assert np.median([len(call.turns) for call in CALLS]) > 3
    free = tuned(jumpy, limits=Limits(switches_median=math.inf))
    bound = tuned(jumpy, limits=Limits(switches_median=0.0))
    assert bound.switches_median == 0.0
    assert bound.switches_median <= free.switches_median


def test_another_objective_moves_another_way() -> None:
    cheaper = tuned(EAGER, objective=Objective.COST)
    better = tuned(EAGER, objective=Objective.QUALITY)
    assert cheaper.gain.value >= 0
    assert {change.name: change.new for change in cheaper.changes} != {
        change.name: change.new for change in better.changes
    }


# -- what may be tuned ----------------------------------------------------------------------------------------
def test_params_of_guards_are_no_matter_for_a_search() -> None:
    assert tunable(EAGER.content) == ("p.plain_p", "p.chars")
    with pytest.raises(ParamError, match=r"p\.slow_ms: a guard or a `never` reads it"):
        chosen(EAGER.content, ["slow_ms"])


def test_params_are_named_with_or_without_their_prefix() -> None:
    assert chosen(EAGER.content, ["chars", "p.plain_p"]) == ("p.chars", "p.plain_p")


@pytest.mark.parametrize(
    ("params", "rule", "complaint"),
    [
        ("  a: {value: 0.5}\n", "turn.tool_p > p.a", "give it `min` and `max`"),
        ("  a: {value: 0.5, min: 0.0, max: 1.0}\n", "turn.tool_p > 0.5", "no rule reads it"),
        ("  b: {value: 0.5, min: 0.0, max: 1.0}\n", "turn.tool_p > p.b", "no such param; tune may move b"),
    ],
)
def test_a_param_that_cannot_be_tuned_says_why(params: str, rule: str, complaint: str) -> None:
    odd = policy(params, f"  - {{id: r, when: {rule}, route: tool, because: tools}}\n")
    with pytest.raises(ParamError, match=complaint):
        chosen(odd.content, ["a"])


def test_what_stands_with_emotion_is_known_through_derived_signals_too() -> None:
    content = Policy.load(shipped("default.yaml")).content
    heard = of_emotion(content)
    assert {"p.upset_enter", "p.upset_leave", "p.upset_warm"} <= heard
    assert "p.tool_enter" not in heard
    assert of_emotion(EAGER.content) == frozenset()
