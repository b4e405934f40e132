"""Level and fundamental frequency of a voice, frame by frame: all that the simplest judge of an upset voice would hear.

F0 by YIN (de Cheveigné and Kawahara, JASA 2002): the lag at which the signal differs least from itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SAMPLE_RATE_HZ = 16_000
HOP_SAMPLES = 160  # 10 ms
COMPARED_SAMPLES = 480  # 30 ms: two periods of a 67 Hz voice
SHORTEST_LAG, LONGEST_LAG = 27, 240  # 593 Hz down to 67 Hz
DIPS_BELOW = 0.15  # the first dip below this is the period; YIN's authors take .1 to .15
VOICED_BELOW = 0.25
BELOW_PEAK_DB = 35.0


@dataclass(frozen=True, slots=True)
class Voiced:
    """The voiced frames of a recording, ``[frames]`` each, in order.

    Attributes:
        at_s: when.
        level_db: root mean square, against full scale.
        f0_hz: fundamental frequency.
    """

    at_s: Floats
    level_db: Floats
    f0_hz: Floats


def voiced_frames(wave: NDArray[np.float32]) -> Voiced:
    """The frames of mono 16 kHz audio that are loud enough, against its loudest, and periodic."""
    frames = _frames(wave)
    level_db = 10 * np.log10(np.mean(np.square(frames[:, :COMPARED_SAMPLES]), axis=1) + 1e-12)
    difference = _normalised_difference(frames)
    period, depth = _period(difference)
    voiced = (level_db > level_db.max() - BELOW_PEAK_DB) & (depth < VOICED_BELOW)
    at_s = np.arange(len(frames)) * HOP_SAMPLES / SAMPLE_RATE_HZ
    return Voiced(at_s[voiced], level_db[voiced], SAMPLE_RATE_HZ / period[voiced])


def _frames(wave: NDArray[np.float32]) -> Floats:
    length = COMPARED_SAMPLES + LONGEST_LAG
    whole = np.pad(wave.astype(np.float64), (0, max(0, length - len(wave))))
    return np.lib.stride_tricks.sliding_window_view(whole, length)[::HOP_SAMPLES]


def _normalised_difference(frames: Floats) -> Floats:
    """YIN's cumulative mean normalised difference, ``[frames, LONGEST_LAG]``; lag 0 is 1."""
    size = 1024  # no less than a frame and the compared part together would need no wrapping
    spectrum = np.fft.rfft(frames, size)
    compared = np.fft.rfft(frames[:, :COMPARED_SAMPLES], size)
    correlation = np.fft.irfft(spectrum * compared.conj(), size)[:, :LONGEST_LAG]
    power = np.cumsum(np.pad(np.square(frames), ((0, 0), (1, 0))), axis=1)
    energy = power[:, COMPARED_SAMPLES : COMPARED_SAMPLES + LONGEST_LAG] - power[:, :LONGEST_LAG]
    difference = np.maximum(energy[:, :1] + energy - 2 * correlation, 0.0)
    lags = np.arange(1, LONGEST_LAG)
    running = np.cumsum(difference[:, 1:], axis=1) / lags
    return np.concatenate([np.ones((len(frames), 1)), difference[:, 1:] / (running + 1e-12)], axis=1)


def _period(difference: Floats) -> tuple[Floats, Floats]:
    """Each frame's period in samples, between samples by a parabola, and the depth of its dip."""
    inside = difference[:, SHORTEST_LAG:-1]
    dip = (inside <= difference[:, SHORTEST_LAG - 1 : -2]) & (inside < difference[:, SHORTEST_LAG + 1 :])
    deep = dip & (inside < DIPS_BELOW)
    lag = np.where(deep.any(axis=1), deep.argmax(axis=1), inside.argmin(axis=1)) + SHORTEST_LAG
    rows = np.arange(len(difference))
    before, here, after = (difference[rows, np.minimum(lag + step, LONGEST_LAG - 1)] for step in (-1, 0, 1))
    bend = before - 2 * here + after
    shift = np.where(bend > 1e-9, 0.5 * (before - after) / np.where(bend > 1e-9, bend, 1.0), 0.0)
    return lag + np.clip(shift, -0.5, 0.5), here
