"""Peaks for drawing a recording: the lowest and highest sample of each stretch of what was kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from compliance.recording.flac import CHANNELS
from compliance.tap import RATE_HZ
from compliance.voiced import Samples

SAMPLES_PER_PIXEL = RATE_HZ // 50


def peaks(pieces: Iterable[Samples], *, samples_per_pixel: int = SAMPLES_PER_PIXEL) -> dict[str, Any]:
    """The waveform data of audio, as the JSON of BBC's audiowaveform, version 2, which wavesurfer.js and peaks.js read.

    Args:
        pieces: int16 of shape ``(2, n)`` each, at 24 kHz.
        samples_per_pixel: how many samples one pair of values stands for.

    Returns:
        ``data`` holds minimum and maximum, in 8 bits, of the first channel, then of the second, and so on for each
        pixel; ``length`` counts pixels.
    """
    found: list[np.ndarray[Any, np.dtype[np.int16]]] = []
    rest = np.empty((CHANNELS, 0), np.int16)
    for piece in pieces:
        rest = np.concatenate((rest, piece), axis=1)
        whole = rest.shape[1] // samples_per_pixel * samples_per_pixel
        found.append(_extremes(rest[:, :whole], samples_per_pixel))
        rest = rest[:, whole:]
    if rest.shape[1]:
        found.append(_extremes(rest, rest.shape[1]))
    pixels = np.concatenate(found) if found else np.empty((0, CHANNELS, 2), np.int16)
    return {
        "version": 2,
        "channels": CHANNELS,
        "sample_rate": RATE_HZ,
        "samples_per_pixel": samples_per_pixel,
        "bits": 8,
        "length": len(pixels),
        "data": (pixels >> 8).reshape(-1).tolist(),
    }


def _extremes(samples: Samples, width: int) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Of shape (pixels, channels, 2)."""
    pixels = samples.reshape(CHANNELS, -1, width)
    return np.stack((pixels.min(axis=2), pixels.max(axis=2)), axis=2).transpose(1, 0, 2)
