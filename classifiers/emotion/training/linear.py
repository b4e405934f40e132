"""A linear classifier on the mean and spread of each log-mel band.

Kept over larger models because it travels: trained on German actors alone it matched a convolutional network trained on
five other corpora when both met unseen English speakers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

Floats = NDArray[np.float32]

VARIANCE_FLOOR = 1e-3
# Strong, for neighbouring bands say much the same: three times weaker gained .003 AUROC on speakers left out and
# moved calm callers with a bright headset over .5.
INVERSE_PENALTY = 0.001


def statistics(features: Floats) -> Floats:
    """``[batch, frames, bands]`` -> mean and standard deviation over time, ``[batch, 2 * bands]``."""
    mean = features.mean(axis=1)
    variance = np.square(features - mean[:, None]).mean(axis=1)
    return np.concatenate([mean, np.sqrt(variance + np.float32(VARIANCE_FLOOR))], axis=1)


@dataclass(frozen=True, slots=True)
class Linear:
    """``weight [2 * bands, labels]`` and ``bias [labels]``, for statistics as they come (not standardised)."""

    weight: Floats
    bias: Floats

    @classmethod
    def fit(cls, inputs: Floats, targets: NDArray[np.int64]) -> Self:
        """Multinomial logistic regression on standardised inputs; the standardisation is folded into the weights."""
        centre, scale = inputs.mean(axis=0), inputs.std(axis=0)
        fitted = LogisticRegression(C=INVERSE_PENALTY, max_iter=1000).fit((inputs - centre) / scale, targets)
        weight = (fitted.coef_ / scale).T
        bias = fitted.intercept_ - centre @ weight
        return cls(weight.astype(np.float32), bias.astype(np.float32))

    def logits(self, inputs: Floats) -> NDArray[np.float64]:
        return np.asarray(inputs @ self.weight + self.bias, dtype=np.float64)
