"""Log-mel features in the telephone band, as plain matrices.

The same matrices become the first nodes of the exported ONNX graph, so what the network was trained on and what
it hears in a call cannot drift apart. Only 150 to 3700 Hz is looked at: that band survives narrow-band telephony,
and within it a narrow-band model came within .004 AUROC of a wide-band one.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SAMPLE_RATE_HZ = 16_000
FRAME_SAMPLES = 400  # 25 ms
HOP_SAMPLES = 160  # 10 ms
FFT_SIZE = 512
MEL_BANDS = 48
LOW_HZ, HIGH_HZ = 150.0, 3700.0
# Keeps the logarithm of near-silence finite and float32 noise out of it. The waveform has unit variance by then.
POWER_FLOOR = 0.1


def _bins() -> NDArray[np.int64]:
    hz = np.arange(FFT_SIZE // 2 + 1) * SAMPLE_RATE_HZ / FFT_SIZE
    return np.flatnonzero((hz >= LOW_HZ) & (hz <= HIGH_HZ))


@cache
def dft_kernels() -> Floats:
    """Hann-windowed cosine and sine rows, ``[2 * bins, FRAME_SAMPLES]``, cosines first."""
    n = np.arange(FRAME_SAMPLES)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * n / FRAME_SAMPLES)
    angle = 2 * np.pi * _bins()[:, None] * n / FFT_SIZE
    return np.concatenate([np.cos(angle) * window, np.sin(angle) * window]).astype(np.float32)


@cache
def mel_filters() -> Floats:
    """Triangles of unit area on the mel scale (HTK), ``[MEL_BANDS, bins]``."""
    low_mel, high_mel = 2595 * np.log10(1 + np.array([LOW_HZ, HIGH_HZ]) / 700)
    edges_hz = 700 * (10 ** (np.linspace(low_mel, high_mel, MEL_BANDS + 2) / 2595) - 1)
    hz = _bins() * SAMPLE_RATE_HZ / FFT_SIZE
    rising = (hz - edges_hz[:-2, None]) / (edges_hz[1:-1] - edges_hz[:-2])[:, None]
    falling = (edges_hz[2:, None] - hz) / (edges_hz[2:] - edges_hz[1:-1])[:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    # The narrowest triangles may fall between two bins: those take the nearest one.
    empty = triangles.sum(axis=1) == 0
    nearest = np.abs(hz - edges_hz[1:-1, None]).argmin(axis=1)
    triangles[empty, nearest[empty]] = 1.0
    return np.asarray(triangles / triangles.sum(axis=1, keepdims=True), dtype=np.float32)


def frame_count(samples: int) -> int:
    """How many 10 ms frames ``samples`` give (no padding at the ends)."""
    return 1 + (samples - FRAME_SAMPLES) // HOP_SAMPLES


def log_mel(waves: Floats) -> Floats:
    """``[batch, samples]`` at unit variance -> ``[batch, frames, MEL_BANDS]``, minus the mean of each utterance."""
    kernels = dft_kernels()
    frames = np.lib.stride_tricks.sliding_window_view(waves, FRAME_SAMPLES, axis=1)[:, ::HOP_SAMPLES]
    spectrum = frames.reshape(-1, FRAME_SAMPLES) @ kernels.T
    half = len(kernels) // 2
    power = np.square(spectrum[:, :half]) + np.square(spectrum[:, half:])
    mel = np.log(power @ mel_filters().T + np.float32(POWER_FLOOR))
    features = mel.reshape(len(waves), -1, MEL_BANDS)
    return np.asarray(features - features.mean(axis=(1, 2), keepdims=True), dtype=np.float32)


def unit_variance(wave: Floats) -> Floats:
    """What ``Wav2Vec2FeatureExtractor(do_normalize=True)`` does to one utterance."""
    return np.asarray((wave - wave.mean()) / np.sqrt(wave.var() + 1e-7), dtype=np.float32)


def repeat_to(wave: Floats, samples: int) -> Floats:
    """The first ``samples`` of ``wave`` said over and over: short audio is repeated, never zero-padded."""
    return np.resize(wave, samples)
