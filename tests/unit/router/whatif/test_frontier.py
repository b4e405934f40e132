"""What routing is worth: contenders on one course, the oracles, and how far assumptions may move."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import shipped
from router import Policy, RouterError
from router.whatif import oracle
from router.whatif.assumptions import Assumptions
from router.whatif.calls import PastCall
from router.whatif.drawing import draw
from router.whatif.frontier import Course, Kind, groups, rivals, standings
from router.whatif.mix import Mix
from router.whatif.score import WARM, Scorer
from router.whatif.sensitivity import Verdict, figures

pytestmark = pytest.mark.unit

TABLE = Assumptions.load(shipped("assumptions.yaml"))
DEFAULT = Policy.load(shipped("default.yaml"))
CALLS = draw(Mix.load(shipped("mix.yaml")), 150, seed=3)
COURSE = Course(TABLE, CALLS, DEFAULT)


def total(course: Course, routes: np.ndarray) -> float:
    """The worth of routes, every engine warm, added up from the scorer's own matrices."""
    scorer, at = course.scorer, np.arange(len(routes))
    switched = ~scorer.first & (routes != np.roll(routes, 1))
    return float((scorer.worth[at, routes] + switched * scorer.switch_worth[WARM][at, routes]).sum())


def test_the_optimal_oracle_is_at_least_as_good_as_the_greedy_one_and_every_guarded_engine() -> None:
    best = total(COURSE, COURSE.optimal().routes)
    others = [COURSE.greedy(), *(COURSE.guarded(engine) for engine in COURSE.scorer.engines)]
    assert all(best >= total(COURSE, other.routes) - 1e-9 for other in others)


@given(st.integers(0, len(CALLS) - 1))
def test_the_optimal_oracle_finds_what_trying_every_route_finds(number: int) -> None:
    call = CALLS[number]
    course = Course(TABLE, [replace(call, turns=call.turns[:4])], DEFAULT)
    allowed = [np.flatnonzero(~denied) for denied in course.denied]
    best = max(total(course, np.array(routes)) for routes in product(*allowed))
    assert total(course, course.optimal().routes) == pytest.approx(best)


def test_nobody_who_keeps_the_guards_passes_one_over() -> None:
    keeping = [COURSE.policy(DEFAULT), COURSE.greedy(), COURSE.optimal(), COURSE.guarded("realtime")]
    assert all(not COURSE.run(contender).outcomes.violations.any() for contender in keeping)


def test_a_fixed_engine_shows_every_turn_that_a_guard_denies_it() -> None:
    without_consent = sum(
        turn.signals["caller.consent_voice_ai"] is False for call in CALLS for turn in call.turns
    )
    found = int(COURSE.run(COURSE.fixed("realtime")).outcomes.violations.sum())
    assert found >= without_consent > 0


def test_where_a_guard_forces_an_engine_all_others_are_denied() -> None:
    turns = [turn for call in CALLS for turn in call.turns]
    asked = np.array([turn.signals["call.asked_human"] is True for turn in turns])
    standard = COURSE.scorer.index["standard"]
    up = np.array([turn.signals["provider.standard_healthy"] is True for turn in turns])
    rest = [column for column in range(len(COURSE.scorer.engines)) if column != standard]
    assert asked.any()
    assert COURSE.denied[asked & up][:, rest].all()
    assert not COURSE.denied[asked & up, standard].any()


def test_a_lead_is_the_difference_of_two_utilities_and_nobody_leads_themselves() -> None:
    subject, twin = (COURSE.run(COURSE.policy(DEFAULT)) for _ in range(2))
    tool = COURSE.run(COURSE.fixed("tool"))
    first, same, other = standings(COURSE, subject, [twin, tool])
    assert first.lead is None
    assert same.lead is not None
    assert (same.lead.value, same.lead.low, same.lead.high) == (0.0, 0.0, 0.0)
    assert other.lead is not None
    assert other.lead.value == pytest.approx(first.utility.value - other.utility.value)
    assert other.kind is Kind.ENGINE
    assert first.kind is Kind.POLICY


def test_rivals_are_every_engine_its_guarded_twin_where_guards_matter_and_two_oracles() -> None:
    names = [contender.name for contender in rivals(COURSE)]
    assert {f"always {engine}" for engine in TABLE.engines} <= set(names)
    assert "realtime + guards" in names
    assert names[-2:] == ["oracle, greedy", "oracle"]


def test_calls_are_also_judged_group_by_group_against_the_best_rival_of_each() -> None:
    names = ["short" if len(call.turns) < 5 else "long" for call in CALLS]
    subject, *others = (COURSE.run(one) for one in (COURSE.policy(DEFAULT), *rivals(COURSE)))
    found = {group.name: group for group in groups(subject, others, names)}
    assert sum(group.calls for group in found.values()) == len(CALLS)
    assert sum(group.turns for group in found.values()) == len(COURSE.scorer.need)
    for group in found.values():
        of_group = np.array([name == group.name for name in names])
        best = max(
            float(run.outcomes.utility[of_group].mean())
            for run in others
            if run.contender.kind is not Kind.ORACLE
        )
        assert group.lead.value == pytest.approx(group.utility.value - best)
        assert group.to_oracle.value >= 0


def test_an_engine_is_warm_at_a_switch_whose_signals_asked_for_it() -> None:
    realtime = COURSE.scorer.index["realtime"]
    contender = COURSE.policy(DEFAULT)
    switched = (
        ~COURSE.scorer.first & (contender.routes == realtime) & (np.roll(contender.routes, 1) != realtime)
    )
    assert switched.any()
    assert contender.warm[switched, realtime].all()  # what sends a call there is above what warms it


def test_a_course_without_calls_is_refused() -> None:
    with pytest.raises(RouterError, match="no labelled calls"):
        Course(TABLE, [PastCall("empty", ())], DEFAULT)


# -- how far assumptions may move -----------------------------------------------------------------------------
def verdict() -> Verdict:
    return Verdict(COURSE, COURSE.policy(DEFAULT), [COURSE.fixed("tool"), COURSE.fixed("fast")])


def test_the_lead_is_over_the_nearest_rival() -> None:
    lead = verdict().lead(TABLE)
    utilities = {
        name: COURSE.run(COURSE.fixed(name.removeprefix("always "))).outcomes.utility.mean()
        for name in ("always tool", "always fast")
    }
    assert lead.rival == max(utilities, key=lambda name: utilities[name])


def test_an_engine_that_gets_better_and_better_wins_at_the_factor_that_is_told() -> None:
    moved = dict(figures(TABLE))["tool: quality"]
    judged = Verdict(COURSE, COURSE.guarded("realtime"), [COURSE.guarded("tool"), COURSE.guarded("fast")])
    found = judged.sensitivity("tool: quality", moved)
    assert found.flips_above is not None
    assert found.flips_below is None
    assert judged.lead(moved(found.flips_above)).by.value < 0
    assert judged.lead(moved(found.flips_above - 0.05)).by.value > 0
    assert judged.lead(moved(found.flips_above)).rival == "tool + guards"


def test_a_figure_that_no_route_rests_on_flips_nothing() -> None:
    fast_and_tool = [COURSE.fixed("tool"), COURSE.fixed("fast")]
    found = Verdict(COURSE, COURSE.fixed("standard"), fast_and_tool).sensitivity(
        "realtime: quality", dict(figures(TABLE))["realtime: quality"]
    )
    assert (found.flips_below, found.flips_above) == (None, None)
    assert found.lower == found.higher


def test_every_engine_and_every_weight_is_moved_and_by_a_factor_of_one_nothing_is() -> None:
    for name, moved in figures(TABLE):
        same, other = moved(1.0), moved(1.2)
        assert same.engines == TABLE.engines, name
        assert same.value == TABLE.value, name
        assert (other.engines, other.value) != (TABLE.engines, TABLE.value), name


def test_quality_stays_a_probability_however_far_it_is_moved() -> None:
    for name, moved in figures(TABLE):
        if name.endswith("quality"):
            qualities = [quality for engine in moved(2.0).engines.values() for quality in engine.quality]
            assert max(qualities) <= 1.0
            Scorer(moved(2.0), CALLS[:2])


def test_an_oracle_never_takes_a_denied_engine_even_where_it_would_be_best() -> None:
    scorer = COURSE.scorer
    realtime = scorer.index["realtime"]
    everywhere = np.zeros(COURSE.denied.shape, np.bool_)
    everywhere[:, realtime] = True
    assert (oracle.optimal(scorer, COURSE.denied) == realtime).any()
    assert not (oracle.optimal(scorer, everywhere) == realtime).any()
    assert not (oracle.greedy(scorer, everywhere) == realtime).any()
