"""What is drawn around a caller's words."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from classifiers.measures import auroc
from policies import shipped
from router import Signals
from router.whatif.calls import PastCall, PastTurn
from router.whatif.circumstances import around
from router.whatif.mix import Mix
from router.whatif.voice import Voice

pytestmark = pytest.mark.unit

MIX = Mix.load(shipped("mix.yaml"))


def said(name: str, turns: int = 8, words: int = 12) -> PastCall:
    one = {"turn.words": words, "turn.chars": 5 * words}
    return PastCall(
        name, tuple(PastTurn({"turn.count": n, **one}, needs_tools=n % 2 == 0) for n in range(1, turns + 1))
    )


CALLS = tuple(around(said(f"call-{number}"), MIX) for number in range(800))


def test_the_same_call_has_the_same_circumstances_whatever_other_calls_there_are() -> None:
    assert around(said("call-17"), MIX) == CALLS[17]
    assert around(said("call-17"), MIX, seed=1) != CALLS[17]


def test_what_was_said_and_needed_is_left_as_it_is_and_the_rest_are_signals_of_the_catalogue() -> None:
    for call in CALLS[:50]:
        for before, after in zip(said(call.call_id).turns, call.turns, strict=True):
            assert before.signals.items() <= after.signals.items()
            assert after.needs_tools == before.needs_tools
            assert after.upset is not None
            Signals(after.signals)


def test_consents_are_given_as_often_as_the_mix_says_and_for_the_whole_call() -> None:
    given = [{turn.signals["caller.consent_voice_ai"] for turn in call.turns} for call in CALLS]
    assert all(len(one) == 1 for one in given)
    assert np.mean([one == {True} for one in given]) == pytest.approx(MIX.line.consent_voice_ai, abs=0.05)


def test_a_caller_who_does_not_consent_is_not_judged_for_emotion() -> None:
    unheard = [
        turn.signals
        for call in CALLS
        for turn in call.turns
        if turn.signals["caller.consent_emotion"] is False
    ]
    assert unheard
    assert not any(name.startswith("emotion.") for signals in unheard for name in signals)


def test_callers_stay_upset_more_often_than_they_get_upset() -> None:
    pairs = [
        (before.upset, after.upset)
        for call in CALLS
        for before, after in zip(call.turns, call.turns[1:], strict=False)
    ]
    stay = np.mean([after for before, after in pairs if before])
    begin = np.mean([after for before, after in pairs if not before])
    assert stay > 0.6 > 0.1 > begin > 0


def test_nobody_is_upset_in_a_mix_without_upset_callers() -> None:
    calm = replace(MIX, callers=tuple(one for one in MIX.callers if one.name == "quick-question"))
    calls = (around(said(f"call-{number}"), calm) for number in range(50))
    assert not any(turn.upset for call in calls for turn in call.turns)


def test_an_engine_that_goes_down_was_up_or_it_is_the_first_turn_and_comes_back() -> None:
    always = replace(MIX, providers=tuple(replace(one, down=1.0, down_turns=2.0) for one in MIX.providers))
    calls = [around(said(f"call-{number}", turns=12), always) for number in range(60)]
    for name in ("fast", "realtime"):
        up = [[bool(turn.signals[f"provider.{name}_healthy"]) for turn in call.turns] for call in calls]
        assert all(not all(one) for one in up)
        changes = [sum(a != b for a, b in itertools.pairwise(one)) for one in up]
        assert max(changes) <= 2
        assert any(one[-1] for one in up)


def test_the_cost_so_far_begins_at_nothing_and_grows() -> None:
    for call in CALLS[:20]:
        spent = [float(turn.signals["cost.usd"]) for turn in call.turns]
        assert spent[0] == 0.0
        assert all(a < b for a, b in itertools.pairwise(spent))


# -- the voice ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("voice", [Voice(), Voice(auroc=0.68, recall=0.17)])
def test_an_upset_caller_is_heard_as_well_as_was_measured(voice: Voice) -> None:
    noise = np.random.default_rng(0)
    upset = np.arange(40_000) % 2 == 1
    words = np.full(len(upset), 10)
    label, _, probability = voice.readings(upset, words, noise.standard_normal(len(upset)), noise)
    assert auroc(probability, upset) == pytest.approx(voice.auroc, abs=0.01)
    assert np.mean(probability[upset] > 0.5) == pytest.approx(voice.recall, abs=0.01)
    assert set(label) == {"calm", "upset", "unknown"}


def test_a_word_or_two_is_no_evidence() -> None:
    noise = np.random.default_rng(0)
    upset = np.ones(3, np.bool_)
    label, confidence, probability = Voice().readings(upset, np.array([1, 2, 3]), np.zeros(3), noise)
    assert label.tolist() == ["unknown"] * 3
    assert confidence[:2].tolist() == [0.0, 0.0]
    assert probability[:2].tolist() == [0.5, 0.5]


def test_a_callers_own_offset_is_shared_by_the_turns_of_a_call() -> None:
    noise = np.random.default_rng(0)
    calm, words = np.zeros(4000, np.bool_), np.full(4000, 10)
    loud, soft = (Voice().readings(calm, words, np.full(4000, at), noise)[2].mean() for at in (2.0, -2.0))
    assert loud > 2 * soft
