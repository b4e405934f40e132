"""The outline of one side's audio, as an SVG path.

Only the outline ever enters a report. The audio itself may hold unredacted speech, so it is never embedded,
in no format and at no quality; a thousand amplitudes over a call cannot be turned back into words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

POINTS = 2_000
"""The most points of an outline: half of them maxima, half minima."""
WIDTH, HEIGHT = 1_000, 100
"""The path's coordinates; the whole call is ``WIDTH`` wide, silence lies at half the ``HEIGHT``."""
_FLOOR = 1_000.0
"""A peak below this is line noise (int16 units): it is drawn small instead of filling the lane."""


def outline(audio: NDArray[np.int16]) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Minima and maxima of ``audio`` in at most ``POINTS / 2`` equal stretches.

    Args:
        audio: int16, shape (samples,).

    Raises:
        ValueError: ``audio`` has another shape or type.
    """
    if audio.ndim != 1 or audio.dtype != np.int16:
        raise ValueError(
            f"audio must be one channel of int16, is {audio.dtype} of shape {audio.shape}: convert it first"
        )
    if not len(audio):
        return audio, audio
    starts = np.linspace(0, len(audio), min(POINTS // 2, len(audio)), endpoint=False).astype(np.int64)
    return np.minimum.reduceat(audio, starts), np.maximum.reduceat(audio, starts)


def path(audio: NDArray[np.int16], sample_rate_hz: int, *, until_ms: float, peak: float) -> str:
    """An SVG path of the outline; the audio begins at 0 ms, the drawing ends at ``until_ms``.

    ``peak`` is the amplitude that fills the lane, the same for both sides so that they compare.
    """
    low, high = outline(audio)
    if not len(low):
        return ""
    seconds = len(audio) / sample_rate_hz
    x = (np.arange(len(low)) + 0.5) / len(low) * seconds * 1000 / until_ms * WIDTH
    scale = HEIGHT / 2 / max(peak, _FLOOR)
    top, bottom = HEIGHT / 2 - high * scale, HEIGHT / 2 - low * scale
    there = [f"{a:.1f} {b:.1f}" for a, b in zip(x, top, strict=True)]
    back = [f"{a:.1f} {b:.1f}" for a, b in zip(x[::-1], bottom[::-1], strict=True)]
    return "M" + "L".join(there + back) + "Z"


def peak(*sides: NDArray[np.int16] | None) -> float:
    """The largest amplitude on either side."""
    return max(
        (float(np.abs(side.astype(np.int32)).max()) for side in sides if side is not None and len(side)),
        default=0,
    )
