"""Which frames are a voice: loud enough and periodic.

A voice-activity detector says when somebody speaks; this gate says which frames carry a pitched voice, for an emotion
model heard silence as "angry" .93 and noise .55. Steady noise of any colour has no pitch, so it never opens the gate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

FRAME_SAMPLES = 320  # 20 ms at 16 kHz
ANALYSIS_SAMPLES = 640  # the frame and the one before it: two periods of an 80 Hz voice
FFT_SIZE = 1024  # zero-padded, so that no lag of interest wraps around
QUIETEST_DBFS = -55.0
BELOW_PEAK_DB = 30.0  # the gate follows the speaker's level; what is this far below is room or line
PEAK_DECAY_DB = 0.02  # per frame: 1 dB a second
# Noise of any colour stays under .36, half of the loud frames of speech pass .5.
PERIODIC = 0.4
SHORTEST_LAG, LONGEST_LAG = 40, 228  # 400 Hz down to 70 Hz at 16 kHz


class VoiceGate:
    """Decides frame by frame, remembering the previous frame and the speaker's level."""

    def __init__(self) -> None:
        self._previous = np.zeros(FRAME_SAMPLES, dtype=np.float32)
        self._peak_dbfs = QUIETEST_DBFS
        window = np.hanning(ANALYSIS_SAMPLES).astype(np.float32)
        own = _autocorrelation(np.abs(np.fft.rfft(window, FFT_SIZE)) ** 2)
        self._window = window
        self._window_lags = own[SHORTEST_LAG:LONGEST_LAG] / own[0]
        hz = np.fft.rfftfreq(FFT_SIZE, 1 / 16_000)
        self._band = (hz > 80) & (hz < 3700)

    def voiced(self, frame: Floats) -> bool:
        """Whether ``FRAME_SAMPLES`` of 16 kHz audio in -1 to 1 carry a pitched voice."""
        both = np.concatenate([self._previous, frame])
        self._previous = frame
        level_dbfs = 10 * np.log10(float(np.mean(np.square(frame))) + 1e-12)
        self._peak_dbfs = max(level_dbfs, self._peak_dbfs - PEAK_DECAY_DB)
        if level_dbfs < max(QUIETEST_DBFS, self._peak_dbfs - BELOW_PEAK_DB):
            return False
        # The magnitude, not the power, is turned back: it weighs harmonics evenly and flattens coloured noise.
        magnitude = np.abs(np.fft.rfft((both - both.mean()) * self._window, FFT_SIZE)) * self._band
        lags = _autocorrelation(magnitude)
        periodicity = lags[SHORTEST_LAG:LONGEST_LAG] / (lags[0] + 1e-9) / self._window_lags
        return float(periodicity.max()) > PERIODIC


def _autocorrelation(spectrum: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.fft.irfft(spectrum)[:LONGEST_LAG]
