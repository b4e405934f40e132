"""Trains the band extension on the shipped callers: ``python -m lab.hearing.train_band_extension`` (seconds).

The telephone is simulated from the wideband recordings: 8 kHz, µ-law (ITU-T G.711), at three levels.
"""

from __future__ import annotations

import numpy as np

from lab.callers import load_pcm, recorded_calls
from lab.hearing.bandwidth import RATE_HZ, Regression, Samples
from service.audio import resample

_TELEPHONE_HZ = 8_000
_LEVELS = (1.0, 0.5, 0.25)
_MU = 255


def through_a_telephone(samples: Samples) -> Samples:
    """16 kHz speech as it sounds after a telephone call, at 16 kHz, sample by sample."""
    narrow = resample(samples, from_hz=RATE_HZ, to_hz=_TELEPHONE_HZ) / 32_768
    companded = np.sign(narrow) * np.log1p(_MU * np.abs(narrow)) / np.log1p(_MU)
    companded = np.round(companded * 127) / 127
    narrow = np.sign(companded) * np.expm1(np.abs(companded) * np.log1p(_MU)) / _MU
    wide = resample((narrow * 32_767).astype(np.int16), from_hz=_TELEPHONE_HZ, to_hz=RATE_HZ)
    return np.pad(wide, (0, max(0, len(samples) - len(wide))))[: len(samples)]


def training_pairs(*, without_call: str = "") -> list[tuple[Samples, Samples]]:
    """The callers' speech, wideband and through a telephone; one call can be left out."""
    turns = [
        load_pcm(turn.path, sample_rate_hz=RATE_HZ)
        for call in recorded_calls()
        for turn in call.turns
        if turn.text and call.name != without_call
    ]
    speech = [(pcm * level).astype(np.int16) for pcm in turns for level in _LEVELS]
    return [(pcm, through_a_telephone(pcm)) for pcm in speech]


if __name__ == "__main__":
    Regression.trained(training_pairs()).save()
