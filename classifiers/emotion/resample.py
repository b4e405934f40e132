"""Any rate to 16 kHz, piece by piece, without clicks between pieces (libswresample through PyAV)."""

from __future__ import annotations

import av
import numpy as np
from numpy.typing import NDArray

from classifiers.emotion.folder import SAMPLE_RATE_HZ

Floats = NDArray[np.float32]


class To16kHz:
    """A stream's resampler; a change of rate starts afresh."""

    def __init__(self) -> None:
        self._rate_hz = SAMPLE_RATE_HZ
        self._resampler: av.AudioResampler | None = None

    def convert(self, samples: Floats, sample_rate_hz: int) -> Floats:
        """Mono float audio at ``sample_rate_hz`` -> what of it is ready at 16 kHz."""
        if sample_rate_hz != self._rate_hz:
            self._rate_hz = sample_rate_hz
            self._resampler = (
                None
                if sample_rate_hz == SAMPLE_RATE_HZ
                else av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
            )
        if self._resampler is None or not len(samples):
            return samples
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="flt", layout="mono")
        frame.sample_rate = sample_rate_hz
        pieces = [piece.to_ndarray()[0] for piece in self._resampler.resample(frame)]
        return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.float32)
