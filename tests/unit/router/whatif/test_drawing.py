"""Made-up calls: the truth is as the mix says, and the signals tell of it as badly as the classifiers were measured."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from policies import shipped
from router import Signals
from router.signals import CATALOGUE
from router.whatif.calls import PastTurn
from router.whatif.drawing import BLOCK, blocks, draw, draw_block, kind_of
from router.whatif.mix import Mix

pytestmark = pytest.mark.unit

MIX = Mix.load(shipped("mix.yaml"))
CALLS = draw(MIX, 3000, seed=7)
TURNS = [turn for call in CALLS for turn in call.turns]


def column(name: str, turns: list[PastTurn] = TURNS) -> np.ndarray:
    return np.array([turn.signals[name] for turn in turns])


NEEDS_TOOLS = np.array([turn.needs_tools for turn in TURNS])
UPSET = np.array([turn.upset for turn in TURNS])


def auroc(score: np.ndarray, label: np.ndarray) -> float:
    """The chance that a turn with the label scores above one without; ties count half."""
    _, rank, counts = np.unique(score, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2
    ranks = middle[rank]
    positive = int(label.sum())
    negative = len(label) - positive
    return float((ranks[label].sum() - positive * (positive + 1) / 2) / (positive * negative))


def test_the_same_seed_gives_the_same_calls_and_another_gives_others() -> None:
    assert draw(MIX, 300, seed=7) == CALLS[:300]
    assert draw(MIX, 300, seed=8) != CALLS[:300]


def test_blocks_can_be_drawn_anywhere_and_in_any_order() -> None:
    assert blocks(2 * BLOCK + 10) == [BLOCK, BLOCK, 10]
    assert draw_block(MIX, 2, seed=7) == CALLS[2 * BLOCK : 3 * BLOCK]
    assert len(draw(MIX, BLOCK + 1)) == BLOCK + 1


def test_every_signal_of_the_catalogue_is_drawn_and_is_one_that_a_policy_may_see() -> None:
    assert set(TURNS[0].signals) == set(CATALOGUE)
    for turn in TURNS[:2000]:
        Signals(turn.signals)


def test_no_two_calls_have_one_id_and_each_names_its_kind_of_caller() -> None:
    assert len({call.call_id for call in CALLS}) == len(CALLS)
    shares = Counter(kind_of(call.call_id) for call in CALLS)
    for caller in MIX.callers:
        assert shares[caller.name] / len(CALLS) == pytest.approx(caller.share, abs=0.03)


def test_calls_are_as_long_as_their_kind_of_caller_makes_them() -> None:
    for caller in MIX.callers:
        turns = [len(call.turns) for call in CALLS if kind_of(call.call_id) == caller.name]
        assert caller.least_turns <= min(turns)
        assert max(turns) <= caller.most_turns
        assert np.mean(turns) == pytest.approx(caller.mean_turns, rel=0.12)


def test_the_furious_are_upset_from_the_first_word_and_the_calm_become_so_later() -> None:
    first = {caller.name: [] for caller in MIX.callers}
    later = {caller.name: [] for caller in MIX.callers}
    for call in CALLS:
        first[kind_of(call.call_id)].append(call.turns[0].upset)
        later[kind_of(call.call_id)] += [turn.upset for turn in call.turns[1:]]
    assert all(first["furious"])
    assert not any(first["calm-then-furious"])
    assert np.mean(later["calm-then-furious"]) > 0.5
    assert not any(later["quick-question"])


def test_tool_need_is_heard_as_well_as_the_mix_says_and_its_probability_means_what_it_says() -> None:
    tool_p, spoken = column("turn.tool_p"), column("turn.words") > 0
    assert auroc(tool_p[spoken], NEEDS_TOOLS[spoken]) == pytest.approx(MIX.tool_need.auroc, abs=0.015)
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        among = spoken & (tool_p >= low) & (tool_p < low + 0.2)
        assert NEEDS_TOOLS[among].mean() == pytest.approx(tool_p[among].mean(), abs=0.06)
    assert np.array_equal(column("turn.needs_tools"), tool_p >= 0.5)


def test_upset_is_heard_as_well_as_the_mix_says_where_there_is_enough_to_hear() -> None:
    heard = (column("emotion.confidence") > 0) & (column("turn.words") >= 4)
    upset = column("emotion.upset")
    assert auroc(upset[heard], UPSET[heard]) == pytest.approx(MIX.voice.auroc, abs=0.015)
    assert (upset[heard & UPSET] > 0.5).mean() == pytest.approx(MIX.voice.recall, abs=0.05)


def test_short_turns_and_callers_who_did_not_agree_are_not_judged_for_emotion() -> None:
    label, words = column("emotion.label"), column("turn.words")
    refused = ~column("caller.consent_emotion")
    assert set(label[words < 3]) == {"unknown"}
    assert set(label[refused]) == {"unknown"}
    assert not column("emotion.upset")[refused].any()
    assert {"calm", "upset"} <= set(label[~refused & (words > 6)])


def test_what_a_call_adds_up_never_goes_back() -> None:
    for call in CALLS[:500]:
        assert [turn.signals["turn.count"] for turn in call.turns] == list(range(1, len(call.turns) + 1))
        for before, after in pairwise(call.turns):
            for name in ("call.asked_human", "call.repeats", "call.tool_failures", "cost.usd", "time.unix_s"):
                assert before.signals[name] <= after.signals[name]  # type: ignore[operator]
            for name in ("caller.consent_voice_ai", "caller.region", "call.queue", "cost.budget_usd"):
                assert before.signals[name] == after.signals[name]
        assert call.turns[0].signals["cost.usd"] == 0


def test_a_silent_turn_has_no_words_and_needs_no_tools() -> None:
    silent = column("turn.words") == 0
    assert silent.any()
    assert not column("turn.chars")[silent].any()
    assert not NEEDS_TOOLS[silent].any()
    assert (column("call.silence_ms")[silent] > 5000).all()


def test_providers_go_down_for_a_while_and_come_back() -> None:
    histories = [[turn.signals["provider.realtime_healthy"] for turn in call.turns] for call in CALLS]
    assert any(history[0] and not all(history) for history in histories)
    assert any(not all(history) and history[-1] for history in histories)
    assert np.mean([not all(history) for history in histories]) == pytest.approx(0.02, abs=0.012)


def test_the_hour_and_the_day_of_the_week_are_those_of_the_line() -> None:
    hours = Counter(int(hour) for hour in column("time.hour"))
    assert hours[10] > hours[20] > hours[3]
    assert set(column("time.weekday")) == set(range(1, 8))
    offset = MIX.line.utc_offset_h * 3600
    unix, hour = column("time.unix_s"), column("time.hour")
    assert np.array_equal((unix + offset) // 3600 % 24, hour)


def test_the_shares_of_consent_transport_and_queue_are_those_of_the_mix() -> None:
    firsts = [call.turns[0] for call in CALLS]
    assert column("caller.consent_voice_ai", firsts).mean() == pytest.approx(0.70, abs=0.04)
    assert (column("call.transport", firsts) == "sip").mean() == pytest.approx(0.70, abs=0.04)
    assert (column("call.codec_hz", firsts) == 8000).mean() == (
        column("call.transport", firsts) == "sip"
    ).mean()
    assert (column("call.queue", firsts) == "vip").mean() == pytest.approx(0.15, abs=0.04)


def test_calls_can_be_a_tenants() -> None:
    assert {call.tenant for call in draw(MIX, 5, tenant="acme")} == {"acme"}
