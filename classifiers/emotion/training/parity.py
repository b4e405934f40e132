"""Sounds that anyone can make again, to hold the exported graph to what its trainer said of them.

An export that merely resembles its model is common: one published model agreed with its trainer on 90.5 % of clips.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classifiers.emotion.training.frontend import SAMPLE_RATE_HZ

PARITY = 1e-4  # largest difference of any logit that may ship
SECONDS = 3.0


def waveforms() -> dict[str, NDArray[np.float32]]:
    """A buzz with vibrato, noise and a chirp, mono at 16 kHz."""
    t = np.arange(round(SECONDS * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    harmonics = [
        np.sin(2 * np.pi * 140 * k * t + 3 * k * np.sin(2 * np.pi * 5 * t)) / k for k in range(1, 20)
    ]
    waves = {
        "buzz": 0.1 * np.sum(harmonics, axis=0) * (1 + np.sin(2 * np.pi * 3 * t)),
        "noise": 0.05 * np.random.default_rng(11).standard_normal(len(t)),
        "chirp": 0.3 * np.sin(2 * np.pi * (200 * t + 600 * t**2)),
    }
    return {name: wave.astype(np.float32) for name, wave in waves.items()}
