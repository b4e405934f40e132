"""Drawn calls -> the numbers of the model."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from classifiers.caller_state.model import CallerStateModel
from classifiers.caller_state.state import CallerState
from classifiers.caller_state.training.assumptions import World
from classifiers.caller_state.training.calls import UNHEARD, HeardCall, draw_cues
from classifiers.caller_state.turn import CALMING, TERMS, Turn, WordCues
from classifiers.emotion.stream import EmotionReading

Floats = NDArray[np.float64]

PENALTY = 1e-3
UPSET_AT, CONFIDENT_AT = 0.5, 0.6  # upset from .6, calm up to .4, unknown between
MATERIAL = 0.3  # log-odds: seven points of probability at most
NEUTRAL_VOICES = (-2.0, -1.5, -1.0, -0.5, 0.0)


@dataclass(frozen=True, slots=True)
class DrawnTurn:
    upset: bool
    voice: EmotionReading
    cues: WordCues


@dataclass(frozen=True, slots=True)
class DrawnCall:
    """A heard call with words, or the same with a voice that may not be judged."""

    speaker: str
    condition: str
    turns: tuple[DrawnTurn, ...]


def draw(calls: Sequence[HeardCall], world: World, times: int, seed: int) -> list[DrawnCall]:
    """Every call ``times`` times with other words; in some the voice may not be judged."""
    drawn = []
    for index, call in enumerate(calls):
        for time in range(times):
            rng = np.random.default_rng([seed, index, time])
            off = bool(rng.random() < world.voice_off)
            turns = tuple(
                DrawnTurn(turn.upset, UNHEARD if off else turn.voice, draw_cues(turn, world, rng))
                for turn in call.turns
            )
            drawn.append(DrawnCall(call.speaker, "voice off" if off else call.condition, turns))
    return drawn


def fit(calls: Sequence[DrawnCall], *, deaf_to: Collection[str] = ()) -> CallerStateModel:
    """Moods counted from the calls; weights of evidence from single turns.

    A turn alone gives ``log-odds of upset = log-odds of upset turns in general + weights * terms``: logistic
    regression with a fixed bias, so that nothing heard and nothing said adds nothing, and every weight held to its
    sign (L-BFGS-B, Byrd et al. 1995). The neutral point of the voice is the candidate that explains most.
    """
    turns = [turn for call in calls for turn in call.turns]
    upset = np.array([turn.upset for turn in turns], dtype=np.float64)
    best, weights, neutral = np.inf, np.zeros(len(TERMS)), 0.0
    for candidate in NEUTRAL_VOICES:
        terms = [Turn.of(turn.voice, turn.cues, neutral_log_odds=candidate).terms for turn in turns]
        inputs = np.array([[values[term] for term in TERMS] for values in terms])
        loss, found = _weights(inputs, upset, deaf_to)
        if loss < best:
            best, weights, neutral = loss, found, candidate
    pairs = [(a.upset, b.upset) for call in calls for a, b in zip(call.turns, call.turns[1:], strict=False)]
    return CallerStateModel(
        starts_upset=round(float(np.mean([call.turns[0].upset for call in calls])), 3),
        becomes_upset=round(float(np.mean([after for before, after in pairs if not before])), 3),
        calms_down=round(float(np.mean([not after for before, after in pairs if before])), 3),
        neutral_log_odds=neutral,
        weights={term: round(float(weight), 3) for term, weight in zip(TERMS, weights, strict=True)},
        upset_at=UPSET_AT,
        confident_at=CONFIDENT_AT,
        material=MATERIAL,
    )


def _weights(inputs: Floats, upset: Floats, deaf_to: Collection[str]) -> tuple[float, Floats]:
    """``[turns, terms]`` and ``[turns]`` -> the penalised loss and a weight per term."""
    from scipy.optimize import minimize  # training only

    share = float(upset.mean())
    bias = np.log(share / (1 - share))
    scale = np.maximum(inputs.std(axis=0), 1e-6)
    scaled = inputs / scale

    def loss(values: Floats) -> tuple[float, Floats]:
        log_odds = bias + scaled @ values
        error = 1 / (1 + np.exp(-log_odds)) - upset
        value = float(np.mean(np.logaddexp(0, log_odds) - upset * log_odds)) + PENALTY * float(
            values @ values
        )
        return value, scaled.T @ error / len(error) + 2 * PENALTY * values

    bounds = [
        (0.0, 0.0) if term in deaf_to else (None, 0.0) if term in CALMING else (0.0, None) for term in TERMS
    ]
    found = minimize(loss, np.zeros(len(TERMS)), jac=True, bounds=bounds, method="L-BFGS-B")
    return float(found.fun), np.asarray(found.x / scale)


def forgetful(model: CallerStateModel, share_upset: float) -> CallerStateModel:
    """The model without memory: every turn begins at the share of turns that are upset."""
    return replace(model, starts_upset=share_upset, becomes_upset=share_upset, calms_down=1 - share_upset)


def upset_of(model: CallerStateModel, call: DrawnCall) -> list[float]:
    """The probability at the end of each turn, through the real :class:`CallerState`."""
    state = CallerState(model)
    return [state.turn_ended(turn.voice, turn.cues).upset for turn in call.turns]
