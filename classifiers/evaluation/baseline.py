"""The judge that a model has to beat: is it loud, is it high? Logistic regression on seven numbers.

Corpora differ in how loud they were recorded, so the baseline is given every chance: as it is; with each recording's
level against its own loudest moment; and with all its numbers measured against the speaker's own habit, which no
service knows of a caller it has just met.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from classifiers.evaluation.pitch import Voiced

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of measuring a voice.

    Attributes:
        name: for tables.
        own_peak: level is measured against the loudest frame of the recording, not against full scale.
        own_habit: every number is measured against the speaker's mean and spread over all their recordings.
    """

    name: str
    own_peak: bool
    own_habit: bool


VARIANTS = (
    Variant("level and pitch", own_peak=False, own_habit=False),
    Variant("level against its own peak", own_peak=True, own_habit=False),
    Variant("level and pitch, speaker known", own_peak=False, own_habit=True),
    Variant("own peak, speaker known", own_peak=True, own_habit=True),
)


def level_and_pitch(voiced: Voiced, *, own_peak: bool) -> Floats:
    """``[7]``: level (mean, spread, range; dB) and F0 (mean, spread, range; semitones over 100 Hz; slope a second).

    Zeros where nothing is voiced: such a recording tells this judge nothing.
    """
    if len(voiced.at_s) < 3:
        return np.zeros(7)
    level = voiced.level_db - (voiced.level_db.max() if own_peak else 0.0)
    pitch = 12 * np.log2(voiced.f0_hz / 100)
    slope = np.polynomial.polynomial.polyfit(voiced.at_s, pitch, 1)[1]
    return np.array(
        [level.mean(), level.std(), _range(level), pitch.mean(), pitch.std(), _range(pitch), slope]
    )


def measured(voices: Sequence[Voiced], speakers: NDArray[np.str_], variant: Variant) -> Floats:
    """``[n, 7]``, each column against the speaker's habit if the variant says so."""
    numbers = np.stack([level_and_pitch(voiced, own_peak=variant.own_peak) for voiced in voices])
    return against_habit(numbers, speakers) if variant.own_habit else numbers


def against_habit(numbers: Floats, speakers: NDArray[np.str_]) -> Floats:
    """``[n, ...]`` standardised within each speaker."""
    out = np.empty_like(numbers)
    for speaker in np.unique(speakers):
        own = speakers == speaker
        out[own] = (numbers[own] - numbers[own].mean(axis=0)) / (numbers[own].std(axis=0) + 1e-9)
    return out


@dataclass(frozen=True, slots=True)
class Baseline:
    """A fitted baseline, for numbers as :func:`measured` gives them."""

    centre: Floats
    scale: Floats
    regression: Any  # sklearn.linear_model.LogisticRegression, which carries no types

    @classmethod
    def fit(cls, numbers: Floats, angry: Bools) -> Self:
        """Needs the extra ``train``."""
        from sklearn.linear_model import LogisticRegression

        centre, scale = numbers.mean(axis=0), numbers.std(axis=0) + 1e-9
        return cls(centre, scale, LogisticRegression(max_iter=1000).fit((numbers - centre) / scale, angry))

    def log_odds(self, numbers: Floats) -> Floats:
        """``[n]`` that the speaker is angry."""
        return np.asarray(self.regression.decision_function((numbers - self.centre) / self.scale))


def _range(values: Floats) -> float:
    low, high = np.quantile(values, [0.05, 0.95])
    return float(high - low)
