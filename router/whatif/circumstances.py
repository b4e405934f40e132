"""What a text does not tell of a call, drawn at random: how the caller sounds, what they agreed to, what is down.

No free corpus labels the emotion of English support callers, so it is overlaid by a stated process, and the
classifier's reading of it is as good as the classifier was measured to be. Whatever rests on this is *simulated*.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from router.signals import Scalar, healthy
from router.whatif.calls import PastCall, PastTurn

_NORMAL = NormalDist()


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

    def reading(
        self, upset: bool, words: int, caller: float, noise: np.random.Generator
    ) -> Mapping[str, Scalar]:
        """The emotion signals of a turn. ``caller`` is the caller's own offset, standard normal."""
        seconds = words / _WORDS_A_SECOND
        if seconds < _FIRST_WINDOW_S:
            return {"emotion.label": "unknown", "emotion.confidence": 0.0, "emotion.upset": 0.5}
        mean = _NORMAL.inv_cdf(self.recall) - (0.0 if upset else math.sqrt(2) * _NORMAL.inv_cdf(self.auroc))
        turn = float(noise.standard_normal())
        score = mean + math.sqrt(self.per_caller) * caller + math.sqrt(1 - self.per_caller) * turn
        probability = 1 / (1 + math.exp(-self.log_odds * score))
        confidence = max(probability, 1 - probability)
        clear = seconds >= _TWO_WINDOWS_S and confidence >= self.confident_at
        label = ("upset" if probability >= 0.5 else "calm") if clear else "unknown"
        return {"emotion.label": label, "emotion.confidence": confidence, "emotion.upset": probability}


_WORDS_A_SECOND = 2.5
_FIRST_WINDOW_S = 1.0
_TWO_WINDOWS_S = 1.5


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How often things are so. All of it is assumed."""

    voice: Voice = Voice()
    upset_calls: float = 0.20
    """Share of callers who get upset."""
    upset_from_the_start: float = 0.30
    """Of those, the share who are from the first turn; the others from any later one."""
    stays_upset: float = 0.90
    """Chance that an upset caller still is in the next turn."""
    consent_voice_ai: float = 0.70
    consent_emotion: float = 0.95
    """Without it the voice is not judged."""
    realtime_down: float = 0.02
    """Share of calls in which it fails from some turn on."""
    realtime_slow: float = 0.03
    """Share of calls in which its 95th percentile is that of a bad hour, :attr:`slow_ms`."""
    slow_ms: int = 4000

    def around(self, call: PastCall, *, seed: int) -> PastCall:
        """``call`` with drawn signals and labels added to what it has. The same seed and call, the same draws."""
        noise = np.random.default_rng([seed, zlib.crc32(call.call_id.encode())])
        turns = len(call.turns)
        upset = list(self._upset(turns, noise))
        caller = float(noise.standard_normal())
        consents = {
            "caller.consent_voice_ai": bool(noise.random() < self.consent_voice_ai),
            "caller.consent_emotion": bool(noise.random() < self.consent_emotion),
        }
        down_from = int(noise.integers(turns)) if noise.random() < self.realtime_down else turns
        slow = {"provider.realtime_p95_ms": self.slow_ms} if noise.random() < self.realtime_slow else {}
        return replace(
            call,
            turns=tuple(
                replace(
                    turn,
                    upset=upset[number],
                    signals={
                        **turn.signals,
                        **consents,
                        **slow,
                        **self._heard(turn, upset[number], caller, noise, listen=consents["caller.consent_emotion"]),
                        healthy("realtime"): number < down_from,
                    },
                )
                for number, turn in enumerate(call.turns)
            ),
        )

    def _upset(self, turns: int, noise: np.random.Generator) -> Iterator[bool]:
        begins = turns
        if noise.random() < self.upset_calls:
            begins = 0 if turns == 1 or noise.random() < self.upset_from_the_start else int(noise.integers(1, turns))
        upset = False
        for number in range(turns):
            upset = number == begins or (upset and bool(noise.random() < self.stays_upset))
            yield upset

    def _heard(
        self, turn: PastTurn, upset: bool, caller: float, noise: np.random.Generator, *, listen: bool
    ) -> Mapping[str, Scalar]:
        if not listen:
            return {}
        return self.voice.reading(upset, int(turn.signals.get("turn.words", 0)), caller, noise)
