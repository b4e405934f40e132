"""Where speech is: voice activity with hysteresis, on windows of 32 ms."""

from __future__ import annotations

from enum import Enum, auto

import numpy as np
from livekit.local_inference import VAD, VAD_WINDOW_SAMPLES
from numpy.typing import NDArray

RATE_HZ = 16_000
WINDOW = VAD_WINDOW_SAMPLES
"""Samples at 16 kHz that are judged at once."""

_OPEN_ABOVE = 0.5
_CLOSE_BELOW = 0.35
_WINDOWS_TO_OPEN = 2


class Turn(Enum):
    """What one window changed."""

    NOTHING = auto()
    STARTED = auto()
    ENDED = auto()


class SpeechGate:
    """Opens after two windows of speech, closes after ``silence_s`` seconds without any.

    Silence and noise must never reach the recogniser: it makes words of them. LiveKit's own voice activity
    network was chosen by measurement: at most .05 on swelling pink noise and on digital silence, where
    pocketsphinx's (WebRTC's) detector called 63 % of the noise speech in its strictest mode.
    """

    def __init__(self, *, silence_s: float) -> None:
        self._vad = VAD()
        self._windows_to_close = silence_s * RATE_HZ / WINDOW
        self._loud = 0
        self._quiet = 0
        self.open = False

    def judge(self, window: NDArray[np.int16]) -> Turn:
        """Take the next :data:`WINDOW` samples."""
        probability = self._vad.predict(window)
        if not self.open:
            self._loud = self._loud + 1 if probability >= _OPEN_ABOVE else 0
            if self._loud < _WINDOWS_TO_OPEN:
                return Turn.NOTHING
            self.open, self._quiet = True, 0
            return Turn.STARTED
        self._quiet = self._quiet + 1 if probability < _CLOSE_BELOW else 0
        if self._quiet < self._windows_to_close:
            return Turn.NOTHING
        self.close()
        return Turn.ENDED

    def close(self) -> None:
        """The utterance is over by decree; speech that goes on opens the gate again."""
        self.open, self._loud, self._quiet = False, 0, 0
