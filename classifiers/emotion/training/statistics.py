"""What a window of speech is like, in 276 numbers: how its spectrum lies, how far it moves and how fast.

Mean and spread of each band over time hold the long-term spectrum, which follows vocal effort but also the room and the
headset. How much the bands change from one moment to the next, in steps of 10 to 640 ms, holds pace, stress and rhythm;
a fixed equaliser cancels out of it, and noise and rooms disturb it less. The two together told anger apart better than
either, most of all on recordings unlike those learnt from.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classifiers.emotion.training.frontend import MEL_BANDS

Floats = NDArray[np.float32]

VARIANCE_FLOOR = 1e-3
CHANGE_FLOOR = 1e-2
BAND_LAGS = (2, 8)  # frames of 10 ms: within a sound, from sound to sound
GROUP_BANDS = 4
GROUPS = MEL_BANDS // GROUP_BANDS
GROUP_LAGS = (1, 2, 4, 8, 16, 32, 64)  # from a sound's onset to a phrase's melody


def band_groups() -> Floats:
    """``[GROUPS, MEL_BANDS]``: the average of each four neighbouring bands."""
    return np.kron(np.eye(GROUPS), np.full((1, GROUP_BANDS), 1 / GROUP_BANDS)).astype(np.float32)


def statistics(features: Floats) -> Floats:
    """``[batch, frames, MEL_BANDS]`` of more than 64 frames -> ``[batch, 276]``."""
    mean = features.mean(axis=1)
    variance = np.square(features - mean[:, None]).mean(axis=1)
    grouped = features @ band_groups().T
    return np.concatenate(
        [
            mean,
            np.sqrt(variance + np.float32(VARIANCE_FLOOR)),
            *(_change(features, lag) for lag in BAND_LAGS),
            *(_change(grouped, lag) for lag in GROUP_LAGS),
        ],
        axis=1,
    )


def _change(features: Floats, lag: int) -> Floats:
    """Log of the mean squared difference between frames ``lag`` apart (the structure function)."""
    difference = features[:, lag:] - features[:, :-lag]
    return np.asarray(np.log(np.square(difference).mean(axis=1) + np.float32(CHANGE_FLOOR)), dtype=np.float32)
