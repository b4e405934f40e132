"""What the model card states, from calls whose speakers neither model had heard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.caller_state.model import CallerStateModel
from classifiers.caller_state.training.fitting import DrawnCall, upset_of
from classifiers.measures import (
    Interval,
    auroc,
    bootstrap,
    brier,
    expected_calibration_error,
)

Floats = NDArray[np.float64]
Fit = Callable[[Sequence[DrawnCall]], CallerStateModel]


@dataclass(frozen=True, slots=True)
class Judged:
    """Every turn of many calls, ``[turns]`` each: what was said of it and how it was."""

    probability: Floats
    upset: NDArray[np.bool_]
    speaker: NDArray[np.str_]
    condition: NDArray[np.str_]
    call: NDArray[np.int64]

    def where(self, chosen: NDArray[np.bool_]) -> Judged:
        return Judged(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


@dataclass(frozen=True, slots=True)
class Figures:
    """How good probabilities are.

    Attributes:
        name: whose they are.
        turns: how many.
        auroc: by turn; interval over speakers.
        call_auroc: whether a call has an upset turn, by its highest probability.
        ece: expected calibration error.
        brier: mean squared error.
        log_loss: mean negative log likelihood.
        found: share of upset turns that read upset.
        false_alarms: share of calm turns that read upset.
        unclear: share of turns with neither answer at the confidence asked for.
    """

    name: str
    turns: int
    auroc: Interval
    call_auroc: float
    ece: float
    brier: float
    log_loss: float
    found: float
    false_alarms: float
    unclear: float


def judge(fits: Mapping[frozenset[str], CallerStateModel], calls: Sequence[DrawnCall]) -> Judged:
    """Every call judged by the model that was fitted without its speaker."""
    probability, upset, speaker, condition, number = [], [], [], [], []
    for index, call in enumerate(calls):
        model = next(model for left_out, model in fits.items() if call.speaker in left_out)
        probability += upset_of(model, call)
        upset += [turn.upset for turn in call.turns]
        speaker += [call.speaker] * len(call.turns)
        condition += [call.condition] * len(call.turns)
        number += [index] * len(call.turns)
    return Judged(
        np.array(probability), np.array(upset), np.array(speaker), np.array(condition), np.array(number)
    )


def fitted(
    fit: Fit, calls: Sequence[DrawnCall], left_out: Iterable[frozenset[str]]
) -> dict[frozenset[str], CallerStateModel]:
    """One model for each group of speakers, fitted without them."""
    return {names: fit([call for call in calls if call.speaker not in names]) for names in left_out}


def figures(name: str, judged: Judged, confident_at: float) -> Figures:
    p, upset = judged.probability, judged.upset
    _, first = np.unique(judged.call, return_index=True)
    highest = np.maximum.reduceat(p, first)
    ever = np.maximum.reduceat(upset.astype(np.int64), first) > 0
    return Figures(
        name,
        len(p),
        bootstrap(auroc, p, upset, groups=judged.speaker, draws=300),
        auroc(highest, ever),
        expected_calibration_error(p, upset),
        brier(p, upset),
        log_loss(p, upset),
        float(np.mean(p[upset] >= confident_at)),
        float(np.mean(p[~upset] >= confident_at)),
        float(np.mean(np.maximum(p, 1 - p) < confident_at)),
    )


def log_loss(p: Floats, upset: NDArray[np.bool_]) -> float:
    """Mean negative log likelihood: what calibration and ranking come to together."""
    return float(-np.mean(np.log(np.where(upset, p, 1 - p))))


def accuracy_when_answering(judged: Judged, share: float) -> float:
    """How often the likelier answer is right among the ``share`` of turns that are surest."""
    confidence = np.maximum(judged.probability, 1 - judged.probability)
    surest = np.argsort(-confidence, kind="stable")[: round(share * len(confidence))]
    return float(np.mean((judged.probability >= 0.5)[surest] == judged.upset[surest]))
