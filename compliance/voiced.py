"""Where in a frame of audio there is sound: the one definition by which silence on a call is measured."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

SOUND_LEVEL = 64
"""Smallest amplitude that counts as sound on a quiet line: -54 dBFS, above the dither of a codec."""

_GATE_CEILING = 1500.0
_OVER_FLOOR = 3.0
_BLOCK_MS = 250.0
_BLOCKS = 12


def last_sound(samples: Samples, level: float = SOUND_LEVEL) -> int | None:
    """Index of the last sample louder than ``level``, or None when there is none."""
    # Compared on both sides instead of by abs(), whose int16 result is wrong for -32768.
    loud = np.flatnonzero((samples > level) | (samples < -level))
    return int(loud[-1]) if loud.size else None


def first_sound(samples: Samples, level: float = SOUND_LEVEL) -> int | None:
    """Index of the first sample louder than ``level``, or None when there is none."""
    loud = np.flatnonzero((samples > level) | (samples < -level))
    return int(loud[0]) if loud.size else None


class VoiceGate:
    """Tells voiced frames from the line's own noise.

    The noise floor is the lowest frame level of the last three seconds (minimum statistics, Martin 2001):
    speech has dips, steady noise has not. A frame is voiced when its level is three times the floor, and at
    least :data:`SOUND_LEVEL`. For its first three seconds a line is taken to be quiet, for the caller may speak
    at once.
    """

    def __init__(self) -> None:
        self._minima: deque[float] = deque([0.0], maxlen=_BLOCKS)
        self._block_min = float("inf")
        self._block_ms = 0.0
        self._floor = 0.0

    @property
    def level(self) -> float:
        """The amplitude above which sound is voiced now."""
        return min(_GATE_CEILING, max(SOUND_LEVEL, _OVER_FLOOR * self._floor))

    def last_voiced(self, samples: Samples, duration_ms: float) -> int | None:
        """Index of the last voiced sample of a frame (mono int16), or None when the frame is not voiced."""
        wide = samples.astype(np.float32)
        level = float(np.dot(wide, wide) / wide.size) ** 0.5
        gate = self.level
        self._block_min = min(self._block_min, level)
        self._block_ms += duration_ms
        if self._block_ms >= _BLOCK_MS:
            self._minima.append(self._block_min)
            self._floor = min(self._minima)
            self._block_min, self._block_ms = float("inf"), 0.0
        return last_sound(samples, gate) if level > gate else None
