"""The weights of the small linear models beside this file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from classifiers.errors import ClassifierError

_REMEDY = "train it with python -m classifiers.words.train"


def read_weights(path: Path) -> Mapping[str, float]:
    """A weight for each feature name, ``bias`` among them.

    Raises:
        ClassifierError: the file is missing or holds something else.
    """
    try:
        weights = {str(name): float(weight) for name, weight in json.loads(path.read_text("utf-8")).items()}
    except (OSError, ValueError, AttributeError, TypeError) as broken:
        raise ClassifierError(path, f"cannot be read ({type(broken).__name__})", _REMEDY) from broken
    if "bias" not in weights:
        raise ClassifierError(path, "has no bias", _REMEDY)
    return weights


def logistic(weights: Mapping[str, float], features: Iterable[tuple[str, float]]) -> float:
    """The probability that a logistic model gives to named ``features``; those it does not know weigh nothing."""
    log_odds = weights["bias"] + sum(weights.get(name, 0.0) * value for name, value in features)
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, log_odds))))
