"""A call's audio, frame by frame -> one reading of the caller's voice per turn.

Only speech is scored: silence and pauses are cut out before windows are laid over what is left, because the model was
taught on speech alone. Log-odds are averaged over the windows of a turn, which in the measurements was worth more than
a better model: AUROC .853 to .922 over three utterances.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from classifiers.emotion.folder import SAMPLE_RATE_HZ
from classifiers.emotion.model import EmotionModel, EmotionScores
from classifiers.emotion.resample import To16kHz
from classifiers.emotion.voice import FRAME_SAMPLES, VoiceGate

Floats = NDArray[np.float32]
Label = Literal["calm", "upset", "unknown"]

BEFORE_FRAMES = 5  # 100 ms: consonants before the first pitched frame
AFTER_FRAMES = 10  # 200 ms: consonants and closures between pitched frames
SUREST = 0.999  # no window alone outweighs the rest


@dataclass(frozen=True, slots=True)
class EmotionReading:
    """How a turn sounded.

    Attributes:
        label: "unknown" when there was too little voice, too few windows or no clear answer.
        confidence: the probability that calm or upset, whichever is likelier, is right; 0 without enough voice.
        upset: the probability that the caller is audibly upset; .5 without enough voice.
        windows: how many windows were heard.
    """

    label: Label
    confidence: float
    upset: float
    windows: int


class EmotionStream:
    """The voice of one caller in one call. Synchronous; use it from one thread at a time."""

    def __init__(self, model: EmotionModel) -> None:
        settings = model.settings
        self._model = model
        self._settings = settings
        self._first = round(settings.min_voice_s * SAMPLE_RATE_HZ)
        self._hop = round(settings.hop_s * SAMPLE_RATE_HZ)
        self._window = round(settings.window_s * SAMPLE_RATE_HZ)
        self._to_16k = To16kHz()
        self._gate = VoiceGate()
        self._rest = np.zeros(0, dtype=np.float32)
        self.reset_turn()

    def reset_turn(self) -> None:
        """Forget the turn. What was learnt about the caller's level stays."""
        self._before: deque[Floats] = deque(maxlen=BEFORE_FRAMES)
        self._after = 0
        self._speech = np.zeros(0, dtype=np.float32)
        self._heard = 0
        self._scored = 0
        self._log_odds: list[float] = []

    def push(
        self, samples: NDArray[np.int16] | Floats, sample_rate_hz: int, speaking: bool | None = None
    ) -> EmotionScores | None:
        """Hear mono audio: int16, or float in -1 to 1.

        Args:
            samples: any length; 10 to 100 ms is usual.
            sample_rate_hz: of these samples.
            speaking: what a voice-activity detector says. False keeps this audio out; True or None leave it to
                the stream's own gate, which noise does not open.

        Returns:
            The scores of the last window that these samples completed, if any.
        """
        wave = samples / np.float32(32768) if samples.dtype == np.int16 else samples
        at_16k = self._to_16k.convert(wave.astype(np.float32), sample_rate_hz)
        audio = np.concatenate([self._rest, np.clip(np.nan_to_num(at_16k), -1, 1)])
        whole = len(audio) // FRAME_SAMPLES * FRAME_SAMPLES
        self._rest = audio[whole:]
        for frame in audio[:whole].reshape(-1, FRAME_SAMPLES):
            self._hear(frame, allowed=speaking is not False)
        return self._score_new_windows()

    def turn_result(self) -> EmotionReading:
        """The reading of the turn so far. May be asked at any time; asking changes nothing."""
        evidence = list(self._log_odds)
        if self._heard >= self._first and self._heard - self._scored >= self._hop // 2:
            evidence.append(_log_odds(self._model.classify(self._speech[-self._window :])))
        if not evidence:
            return EmotionReading("unknown", 0.0, 0.5, 0)
        upset = float(1 / (1 + np.exp(-np.mean(evidence))))
        confidence = max(upset, 1 - upset)
        if len(evidence) < self._settings.min_windows or confidence < self._settings.confident_at:
            return EmotionReading("unknown", confidence, upset, len(evidence))
        return EmotionReading(
            "upset" if upset >= self._settings.upset_at else "calm", confidence, upset, len(evidence)
        )

    def _hear(self, frame: Floats, *, allowed: bool) -> None:
        """Keep the frame if it is voiced, or next to one that is."""
        if not allowed:
            self._before.clear()
            self._after = 0
        elif self._gate.voiced(frame):
            self._keep(*self._before, frame)
            self._before.clear()
            self._after = AFTER_FRAMES
        elif self._after:
            self._keep(frame)
            self._after -= 1
        else:
            self._before.append(frame)

    def _keep(self, *frames: Floats) -> None:
        self._speech = np.concatenate([self._speech, *frames])
        self._heard += FRAME_SAMPLES * len(frames)

    def _score_new_windows(self) -> EmotionScores | None:
        """A window ends at ``min_voice_s`` of speech and every ``hop_s`` after, wherever pushes happen to end."""
        scores = None
        while (end := max(self._first, self._scored + self._hop)) <= self._heard:
            unheard = self._heard - end
            upto = self._speech[: len(self._speech) - unheard]
            scores = self._model.classify(upto[-self._window :])
            self._log_odds.append(_log_odds(scores))
            self._scored = end
        self._speech = self._speech[-(self._window + self._hop) :]
        return scores


def _log_odds(scores: EmotionScores) -> float:
    upset = min(max(scores.upset, 1 - SUREST), SUREST)
    return float(np.log(upset / (1 - upset)))
