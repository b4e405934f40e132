"""Scores: what becomes of calls under stated assumptions, worked out rather than drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import DocumentError, shipped
from router import RouterError, Scalar
from router.whatif.assumptions import Assumptions, Need
from router.whatif.calls import PastCall, PastTurn
from router.whatif.score import COLD, WARM, Outcomes, Scorer

pytestmark = pytest.mark.unit

TABLE = Assumptions.load(shipped("assumptions.yaml"))
_GRID = np.linspace(-6, 6, 20_001)
_REACHED = np.cumsum(np.exp(-(_GRID**2) / 2))
QUANTILES = np.interp((np.arange(20_000) + 0.5) / 20_000, _REACHED / _REACHED[-1], _GRID)
"""Of the standard normal distribution, evenly spread."""


def turn(number: int, *, needs_tools: bool = False, upset: bool = False, **signals: Scalar) -> PastTurn:
    said: dict[str, Scalar] = {"turn.count": number, "turn.words": 10}
    said |= {name.replace("__", "."): value for name, value in signals.items()}
    return PastTurn(said, needs_tools=needs_tools, upset=upset)


def call(*turns: PastTurn, name: str = "a") -> PastCall:
    return PastCall(name, turns)


PLAIN = call(turn(1), turn(2), turn(3))
MIXED = call(
    turn(1), turn(2, needs_tools=True), turn(3, upset=True), turn(4, needs_tools=True, upset=True), name="b"
)


def routed(scorer: Scorer, *engines: str) -> Outcomes:
    return scorer.score(scorer.routes([engines]))


def test_quality_is_the_mean_of_what_each_turn_needed() -> None:
    scorer = Scorer(TABLE, [MIXED])
    for engine in scorer.engines:
        outcome = scorer.score(scorer.fixed(engine))[0]
        assert outcome.quality == pytest.approx(sum(TABLE.engines[engine].quality) / 4)
        assert (outcome.switches, outcome.violations, outcome.turns) == (0, 0, 4)


def test_the_utility_is_the_sum_that_it_is_documented_to_be() -> None:
    scorer = Scorer(TABLE, [MIXED])
    denied = np.zeros((4, len(scorer.engines)), np.bool_)
    denied[2, scorer.index["realtime"]] = True
    routes = scorer.routes([["fast", "tool", "realtime", "realtime"]])
    outcome = scorer.score(routes, denied=denied)[0]
    value = TABLE.value
    assert (outcome.switches, outcome.violations) == (2, 1)
    assert outcome.utility == pytest.approx(
        outcome.quality
        - value.usd * outcome.usd / 4
        - value.late_s * outcome.late_s
        - value.switch * 2 / 4
        - value.violation * 1 / 4
    )


def test_the_worth_of_turns_and_switches_adds_up_to_the_utility() -> None:
    scorer = Scorer(TABLE, [MIXED, PLAIN])
    routes = scorer.routes([["standard", "tool", "tool", "realtime"], ["fast", "standard", "standard"]])
    at = np.arange(len(routes))
    worth = scorer.worth[at, routes]
    for turn_index, warm in ((1, COLD), (3, COLD), (5, COLD)):
        worth[turn_index] += scorer.switch_worth[warm, turn_index, routes[turn_index]]
    outcomes = scorer.score(routes)
    assert outcomes.utility == pytest.approx([worth[:4].mean(), worth[4:].mean()])


def test_the_first_turn_of_a_call_is_no_switch_from_the_call_before() -> None:
    scorer = Scorer(TABLE, [PLAIN, replace(PLAIN, call_id="b")])
    outcomes = scorer.score(scorer.routes([["fast"] * 3, ["tool"] * 3]))
    assert list(outcomes.switches) == [0, 0]


def test_a_cold_switch_to_realtime_takes_longer_than_a_warm_one_and_costs_more_than_staying() -> None:
    scorer = Scorer(TABLE, [PLAIN])
    routes = scorer.routes([["standard", "standard", "realtime"]])
    warm = np.zeros((3, len(scorer.engines)), np.bool_)
    warm[2, scorer.index["realtime"]] = True
    cold, ready = scorer.score(routes), scorer.score(routes, warm=warm)
    assert cold.late_s[0] > ready.late_s[0]
    assert cold.heard_ms(0.95) > ready.heard_ms(0.95)
    stay, go = TABLE.engines["standard"].usd, TABLE.engines["realtime"].switch
    assert cold.usd[0] == ready.usd[0]
    assert (
        cold.usd[0] - routed(scorer, "standard", "standard", "standard").usd[0]
        > go.usd + 2 * go.usd_context_turn - stay.turn
    )
    assert (
        scorer.switch_worth[COLD, 2, scorer.index["realtime"]]
        < scorer.switch_worth[WARM, 2, scorer.index["realtime"]]
    )


def test_keeping_an_engine_warm_that_does_not_answer_costs_what_the_table_says() -> None:
    realtime = TABLE.engines["realtime"]
    priced = replace(realtime, switch=replace(realtime.switch, warm_usd=0.01))
    table = replace(TABLE, engines={**TABLE.engines, "realtime": priced})
    scorer = Scorer(table, [PLAIN])
    routes = scorer.routes([["standard", "standard", "realtime"]])
    warm = np.zeros((3, len(scorer.engines)), np.bool_)
    warm[:, scorer.index["realtime"]] = True
    kept, cold = scorer.score(routes, warm=warm), scorer.score(routes)
    assert kept.usd[0] - cold.usd[0] == pytest.approx(0.02)


def test_later_turns_cost_more_because_the_call_so_far_goes_along() -> None:
    scorer = Scorer(TABLE, [PLAIN])
    column = scorer.usd[:, scorer.index["tool"]]
    assert np.diff(column) == pytest.approx(TABLE.engines["tool"].usd.context_turn)


@given(st.floats(-200, 2000), st.integers(0, 3), st.booleans())
def test_the_mean_excess_of_a_wait_is_what_integrating_it_gives(
    added_ms: float, column: int, tools: bool
) -> None:
    engine = list(TABLE.engines.values())[column]
    wait = engine.wait_with_tools if tools else engine.wait
    moved = replace(engine, switch=replace(engine.switch, cold_ms=max(0.0, added_ms)))
    table = replace(TABLE, engines={engine.name: moved, "other": engine})
    scorer = Scorer(table, [call(turn(1), turn(2, needs_tools=tools))])
    late_s = (
        scorer.score(scorer.routes([["other", engine.name]])).late_s[0] * 2
        - scorer.score(scorer.routes([["other", "other"]]), denied=None).late_s[0] * 2
    )
    drawn = np.exp(wait.mu + wait.sigma * QUANTILES)
    over = TABLE.value.late_over_ms
    expected = np.maximum(drawn + max(0.0, added_ms) - over, 0).mean() - np.maximum(drawn - over, 0).mean()
    assert late_s == pytest.approx(expected / 1000, abs=2e-3)


def test_percentiles_of_one_engine_are_those_of_its_wait() -> None:
    scorer = Scorer(TABLE, [PLAIN])
    outcomes, wait = scorer.score(scorer.fixed("fast")), TABLE.engines["fast"].wait
    assert outcomes.heard_ms(0.50) == pytest.approx(wait.p50_ms)
    assert outcomes.heard_ms(0.95) == pytest.approx(wait.p95_ms)
    assert outcomes.heard_ms(0.99) == pytest.approx(wait.p99_ms)
    assert outcomes[0].heard_p95_ms == pytest.approx(wait.p95_ms)


def test_percentiles_over_several_engines_lie_between_theirs() -> None:
    scorer = Scorer(TABLE, [MIXED])
    each = [scorer.score(scorer.fixed(engine)).heard_ms(0.95) for engine in ("fast", "tool")]
    both = routed(scorer, "fast", "tool", "tool", "fast").heard_ms(0.95)
    assert min(each) < both < max(each)


def test_an_engine_that_is_down_answers_late_and_badly() -> None:
    scorer = Scorer(TABLE, [call(turn(1, provider__fast_healthy=False))])
    outcomes = scorer.score(scorer.fixed("fast"))
    assert outcomes.quality[0] == TABLE.down.quality
    assert outcomes.heard_ms(0.5) == pytest.approx(TABLE.down.wait.p50_ms)
    assert scorer.score(scorer.fixed("tool")).quality[0] == TABLE.engines["tool"].quality[Need.PLAIN]


def test_an_engine_that_is_slow_of_late_is_as_much_slower() -> None:
    assumed = TABLE.engines["fast"].wait_with_tools.p95_ms
    slow = call(turn(1, provider__fast_p95_ms=round(3 * assumed)))
    quick = call(turn(1, provider__fast_p95_ms=round(assumed / 3)))
    for past, factor in ((slow, 3.0), (quick, 1.0)):
        scorer = Scorer(TABLE, [past])
        heard = scorer.score(scorer.fixed("fast")).heard_ms(0.5)
        assert heard == pytest.approx(factor * TABLE.engines["fast"].wait.p50_ms, rel=1e-3)


def test_turns_that_were_never_routed_are_left_out() -> None:
    scorer = Scorer(TABLE, [call(turn(1), replace(turn(2), routed=False), turn(3))])
    assert scorer.score(scorer.fixed("fast"))[0].turns == 2


def test_a_turn_without_any_label_is_refused_by_name() -> None:
    with pytest.raises(RouterError, match="call a, turn 7 has no label"):
        Scorer(TABLE, [call(PastTurn({"turn.count": 7}))])


def test_a_label_that_is_not_known_beside_one_that_is_counts_as_no() -> None:
    scorer = Scorer(TABLE, [call(PastTurn({}, needs_tools=True))])
    assert list(scorer.need) == [Need.NEEDS_TOOLS]


def test_an_engine_of_which_nothing_is_assumed_is_refused() -> None:
    with pytest.raises(DocumentError, match="says nothing of robot"):
        Scorer(TABLE, [PLAIN], engines=["fast", "robot"])


def test_joined_outcomes_are_those_of_all_calls_together() -> None:
    together = Scorer(TABLE, [PLAIN, MIXED])
    whole = together.score(together.fixed("tool"))
    lots = [Scorer(TABLE, [each]) for each in (PLAIN, MIXED)]
    joined = Outcomes.joined([lot.score(lot.fixed("tool")) for lot in lots])
    assert list(joined.utility) == list(whole.utility)
    assert joined.heard_ms(0.95) == whole.heard_ms(0.95)
    assert joined[1] == whole[1]


def test_no_calls_have_no_outcomes() -> None:
    scorer = Scorer(TABLE, [])
    outcomes = scorer.score(scorer.fixed("fast"))
    assert (len(outcomes), outcomes.heard_ms(0.5)) == (0, 0.0)
