"""How well a voice classifier hears that a caller is upset."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

_NORMAL = NormalDist()
_WORDS_A_SECOND = 2.5
_FIRST_WINDOW_S = 1.0
_TWO_WINDOWS_S = 1.5


@dataclass(frozen=True, slots=True)
class Voice:
    """How well a voice classifier hears an upset caller: two normal distributions of one spread.

    Its readings follow the shipped one's rules: under a second of speech nothing is read, under one and a half the
    label is unknown, and so it is when the answer is not clear.
    """

    auroc: float = 0.938
    """Upset turns against the rest; as measured on speakers left out, through 8 kHz µ-law."""
    recall: float = 0.74
    """Share of upset turns read above .5."""
    per_caller: float = 0.4
    """Share of the noise's variance that stays with a caller: a bright headset raises every score of a calm one."""
    log_odds: float = 2.2
    """Log-odds that one standard deviation is worth, as calibrated on those speakers."""
    confident_at: float = 0.6

    def readings(
        self, upset: Array, words: Array, caller: Array, noise: np.random.Generator
    ) -> tuple[Array, Array, Array]:
        """Label, confidence and p(upset) of many turns.

        Args:
            upset: whether the caller is, by turn.
            words: that were said, by turn.
            caller: the offset of each turn's caller, standard normal.
            noise: for what differs from turn to turn.
        """
        seconds = words / _WORDS_A_SECOND
        lower = math.sqrt(2) * _NORMAL.inv_cdf(self.auroc)
        mean = _NORMAL.inv_cdf(self.recall) - np.where(upset, 0.0, lower)
        turn = noise.standard_normal(len(words))
        score = mean + math.sqrt(self.per_caller) * caller + math.sqrt(1 - self.per_caller) * turn
        read = seconds >= _FIRST_WINDOW_S
        probability = np.where(read, 1 / (1 + np.exp(-self.log_odds * score)), 0.5)
        confidence = np.where(read, np.maximum(probability, 1 - probability), 0.0)
        clear = read & (seconds >= _TWO_WINDOWS_S) & (confidence >= self.confident_at)
        label = np.where(clear, np.where(probability >= 0.5, "upset", "calm"), "unknown")
        return label, confidence, probability
