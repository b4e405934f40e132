"""Which frames are a voice: loud enough, periodic, and moving.

A voice-activity detector says when somebody speaks; this gate says which frames carry a pitched voice, for an emotion
model heard silence as "angry" .93, noise as .55 and a ring tone as calm. Steady noise of any colour has no pitch, so it
never opens the gate; hum, dial tones, key tones and played notes have one, but their spectrum stands still for longer
than a voice can hold it, so they close the gate after a quarter of a second. What passes: singing, and instruments
whose pitch slides or trembles.
"""

from __future__ import annotations

from collections import deque

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
# The cosine between the spectra (square roots of magnitudes) of a frame and the one three before: over .97 for 95 % of
# the frames of a chord, a tone or hum, for 0 to 4 % of those of EmoDB's speakers (most in sadness and boredom).
STEADY = 0.97
STEADY_FRAMES_BACK = 3
STEADY_MEMORY_FRAMES = 25  # half a second of what is loud and periodic
STEADIEST = 0.25  # share of steady frames in that memory above which it is no voice
STEADY_AT_FIRST = 0.2  # so a sound has to move before it counts, and music is found out sooner


class VoiceGate:
    """Decides frame by frame, remembering the last frames, the speaker's level and how much stood still."""

    def __init__(self) -> None:
        self._previous = np.zeros(FRAME_SAMPLES, dtype=np.float32)
        self._peak_dbfs = QUIETEST_DBFS
        self._spectra: deque[NDArray[np.float64]] = deque(maxlen=STEADY_FRAMES_BACK)
        self._steady_share = STEADY_AT_FIRST
        window = np.hanning(ANALYSIS_SAMPLES).astype(np.float32)
        own = _autocorrelation(np.abs(np.fft.rfft(window, FFT_SIZE)) ** 2)
        self._window = window
        self._window_lags = own[SHORTEST_LAG:LONGEST_LAG] / own[0]
        hz = np.fft.rfftfreq(FFT_SIZE, 1 / 16_000)
        self._band = (hz > 80) & (hz < 3700)

    def voiced(self, frame: Floats) -> bool:
        """Whether ``FRAME_SAMPLES`` of 16 kHz audio in -1 to 1 carry a pitched voice. They must be finite."""
        both = np.concatenate([self._previous, frame])
        self._previous = frame
        level_dbfs = 10 * np.log10(float(np.mean(np.square(frame))) + 1e-12)
        self._peak_dbfs = max(level_dbfs, self._peak_dbfs - PEAK_DECAY_DB)
        if level_dbfs < max(QUIETEST_DBFS, self._peak_dbfs - BELOW_PEAK_DB):
            self._spectra.clear()
            return False
        # The magnitude, not the power, is turned back: it weighs harmonics evenly and flattens coloured noise.
        magnitude = np.abs(np.fft.rfft((both - both.mean()) * self._window, FFT_SIZE)) * self._band
        steady = self._stands_still(np.sqrt(magnitude))
        lags = _autocorrelation(magnitude)
        periodicity = lags[SHORTEST_LAG:LONGEST_LAG] / (lags[0] + 1e-9) / self._window_lags
        if periodicity.max() <= PERIODIC:
            return False
        self._steady_share += (steady - self._steady_share) / STEADY_MEMORY_FRAMES
        return self._steady_share < STEADIEST

    def _stands_still(self, spectrum: NDArray[np.float64]) -> bool:
        length = float(np.sqrt(spectrum @ spectrum)) + 1e-12
        unit = spectrum / length
        steady = len(self._spectra) == STEADY_FRAMES_BACK and float(unit @ self._spectra[0]) > STEADY
        self._spectra.append(unit)
        return steady


def _autocorrelation(spectrum: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.fft.irfft(spectrum)[:LONGEST_LAG]
