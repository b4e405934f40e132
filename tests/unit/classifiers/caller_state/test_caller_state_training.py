"""How the numbers are found: calls are made by the assumptions, and a fit says what they say."""

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from classifiers.caller_state import CallerStateModel, WordCues
from classifiers.caller_state.model import write_folder
from classifiers.caller_state.training.assumptions import Rate, World
from classifiers.caller_state.training.calls import HeardCall, HeardTurn, UnheardModel, hear_calls
from classifiers.caller_state.training.figures import figures, fitted, judge
from classifiers.caller_state.training.fitting import draw, fit, forgetful, upset_of
from classifiers.caller_state.turn import CALMING, VOICE
from classifiers.emotion import EmotionModel, EmotionReading
from classifiers.emotion.training.corpus import Utterance

pytest.importorskip("scipy", reason="training needs the extra `train`")
pytestmark = pytest.mark.unit

UNHEARD = EmotionReading("unknown", 0.0, 0.5, 0)


def made(calls: int = 200, speakers: int = 4, seed: int = 0) -> list[HeardCall]:
    """Calls whose voices are drawn instead of heard: upset ones score higher and are raised more often."""
    rng = np.random.default_rng(seed)
    heard = []
    for call in range(calls):
        upset, turns = bool(rng.random() < 0.2), []
        for _ in range(5):
            upset ^= bool(rng.random() < 0.15)
            p = float(1 / (1 + np.exp(-rng.normal(1 if upset else -2, 1.5))))
            raised = int(rng.integers(0, 4 if upset else 2))
            reading = EmotionReading("upset" if p >= 0.5 else "calm", max(p, 1 - p), p, 6, raised)
            turns.append(HeardTurn(upset, False, reading))
        heard.append(HeardCall(str(call % speakers), "16 kHz", tuple(turns)))
    return heard


def test_the_same_seed_draws_the_same_calls() -> None:
    assert draw(made(), World(), 2, 5) == draw(made(), World(), 2, 5)
    assert draw(made(), World(), 2, 5) != draw(made(), World(), 2, 6)


def test_where_the_voice_may_not_be_judged_none_is_drawn() -> None:
    calls = draw(made(), replace(World(), voice_off=1.0), 1, 5)
    assert {turn.voice for call in calls for turn in call.turns} == {UNHEARD}
    assert {call.condition for call in calls} == {"voice off"}


def test_a_fit_finds_what_the_assumptions_put_in() -> None:
    cues = {**World().cues, "complains": Rate(0.02, 0.6), "repeats": Rate(0.1, 0.1)}
    model = fit(draw(made(), replace(World(), cues=MappingProxyType(cues)), 3, 5))
    assert model.weights["complains"] > 2
    assert model.weights["repeats"] < 0.5
    assert model.weights["voice_upset"] > 0.2
    assert model.weights["raised_voice"] > 0.2
    assert 0.1 < model.becomes_upset < 0.2


def test_a_fit_never_turns_evidence_round() -> None:
    cues = {cue: Rate(0.5, 0.05) for cue in World().cues}
    weights = fit(draw(made(), replace(World(), cues=MappingProxyType(cues)), 2, 5)).weights
    assert all(weight <= 0 if term in CALMING else weight >= 0 for term, weight in weights.items())


def test_a_fit_that_is_deaf_to_the_voice_ignores_it() -> None:
    weights = fit(draw(made(), World(), 2, 5), deaf_to=VOICE).weights
    assert {weights[term] for term in VOICE} == {0.0}


def test_what_is_written_is_what_is_loaded(tmp_path: Path) -> None:
    model = fit(draw(made(), World(), 1, 5))
    write_folder(model, tmp_path)
    assert CallerStateModel.load(tmp_path) == model


def test_memory_helps_where_moods_last() -> None:
    calls = draw(made(), World(), 2, 5)
    left_out = [frozenset("01"), frozenset("23")]
    models = fitted(fit, calls, left_out)
    share = float(np.mean([turn.upset for call in calls for turn in call.turns]))
    without = {names: forgetful(model, share) for names, model in models.items()}
    remembered = figures("with", judge(models, calls), 0.6)
    forgotten = figures("without", judge(without, calls), 0.6)
    assert remembered.log_loss < forgotten.log_loss
    assert remembered.auroc.value > forgotten.auroc.value
    assert remembered.ece < 0.1


def test_a_model_without_memory_says_the_same_whatever_came_before() -> None:
    model = forgetful(fit(draw(made(), World(), 1, 5)), 0.2)
    turn = made(1)[0].turns[0]
    call = draw([HeardCall("0", "16 kHz", (turn,) * 4)], replace(World(), voice_off=0.0), 1, 5)[0]
    same = replace(call, turns=tuple(replace(one, cues=WordCues(9)) for one in call.turns))
    assert upset_of(model, same) == pytest.approx([upset_of(model, same)[0]] * 4)


def test_nobody_is_judged_by_a_model_that_was_fitted_on_them() -> None:
    fits = fitted(fit, draw(made(), World(), 1, 5), [frozenset("01"), frozenset("23")])
    with pytest.raises(StopIteration):
        judge(fits, draw([replace(call, speaker="9") for call in made(2)], World(), 1, 5))


def test_calls_are_heard_through_the_real_stream() -> None:
    class Calm:
        """Stands for a trainer's model: whatever it hears is neutral."""

        temperature = 1.0

        def logits(self, waves: list[np.ndarray]) -> np.ndarray:
            return np.tile([-3.0, -3.0, 3.0, -3.0, -3.0], (len(waves), 1))

    t = np.arange(3 * 16_000) / 16_000
    pitch = 2 * np.pi * (130 * t + 4 * np.sin(2 * np.pi * 3 * t))
    voice = sum(np.sin(k * pitch) / k for k in range(1, 15)) * (1 + np.sin(2 * np.pi * 4 * t))
    utterances = [Utterance(voice.astype(np.float32), "0", emotion) for emotion in ("neutral", "anger")]
    model = UnheardModel(Calm(), EmotionModel.load().settings)  # type: ignore[arg-type]
    calls = hear_calls(model, utterances, World(), calls=2, seed=1)
    assert calls == hear_calls(model, utterances, World(), calls=2, seed=1)
    readings = [turn.voice for call in calls for turn in call.turns if not turn.short]
    assert {reading.label for reading in readings} == {"calm"}
