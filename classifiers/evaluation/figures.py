"""What is said of a judge on a corpus under a condition: each figure with its interval and its spread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from classifiers.evaluation.corpus import Corpus
from classifiers.evaluation.judging import FOUR, Judgement
from classifiers.measures import (
    Interval,
    auroc,
    bootstrap,
    brier,
    expected_calibration_error,
    risk_coverage,
    unweighted_average_recall,
)

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ANSWERED = 0.7  # the least certain 30 % are left unanswered


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure over a whole corpus, and how far its parts lie apart.

    Attributes:
        interval: 95 %, from drawing whole speakers again and again; that of a calibration error lies too high.
        least, most: over the folds, or over the speakers where there are no folds.
    """

    interval: Interval
    least: float
    most: float

    @property
    def value(self) -> float:
        return self.interval.value


@dataclass(frozen=True, slots=True)
class Rows:
    """Judged recordings, ``[n]`` each; ``told`` and ``truth`` are indices of ``FOUR``, -1 for none of them."""

    log_odds: Floats
    upset: Floats
    told: NDArray[np.int64]
    truth: NDArray[np.int64]
    angry: Bools
    calm: Bools

    @classmethod
    def of(cls, corpus: Corpus, judgement: Judgement) -> Self:
        index = {name: i for i, name in enumerate(FOUR)}
        truth = np.array([index.get(one.emotion, -1) for one in corpus.recordings])
        return cls(judgement.log_odds, judgement.upset, judgement.emotion, truth, corpus.angry, corpus.calm)

    def take(self, rows: NDArray[Any]) -> Rows:
        """Those rows, by index or by mask."""
        return Rows(
            self.log_odds[rows],
            self.upset[rows],
            self.told[rows],
            self.truth[rows],
            self.angry[rows],
            self.calm[rows],
        )

    @property
    def angry_or_calm(self) -> Rows:
        return self.take(self.angry | self.calm)


def figures(
    rows: Rows, speakers: NDArray[np.str_], parts: NDArray[Any], upset_at: float, draws: int
) -> Mapping[str, Figure]:
    """Every figure by its name; one that cannot be told, as the recall of four emotions of two, is not a number.

    Args:
        rows: what was judged.
        speakers: ``[n]``; intervals come of drawing them.
        parts: ``[n]``; the folds or speakers over which the spread is told.
        upset_at: at this probability or above a recording is called upset.
        draws: how often speakers are drawn again for an interval.
    """
    told: dict[str, Figure] = {}
    for name, statistic in statistics(upset_at).items():
        interval = bootstrap(
            lambda chosen, of=statistic: of(rows.take(chosen)),
            np.arange(len(speakers)),
            groups=speakers,
            draws=draws,
        )
        each = np.array([statistic(rows.take(parts == part)) for part in np.unique(parts)])
        each = each[np.isfinite(each)]
        told[name] = Figure(interval, float(each.min(initial=np.inf)), float(each.max(initial=-np.inf)))
    return told


def statistics(upset_at: float) -> Mapping[str, Callable[[Rows], float]]:
    """The figures as functions of what was judged."""

    def correct(rows: Rows) -> Bools:
        return np.asarray((rows.upset >= upset_at) == rows.angry)

    def accuracy_answering(rows: Rows) -> float:
        return risk_coverage(np.abs(rows.upset - upset_at), correct(rows)).accuracy_at(ANSWERED)

    return {
        "auroc_vs_rest": lambda rows: auroc(rows.log_odds, rows.angry),
        "auroc_vs_calm": lambda rows: auroc(rows.angry_or_calm.log_odds, rows.angry_or_calm.angry),
        "uar": _uar,
        "ece": lambda rows: expected_calibration_error(rows.upset, rows.angry),
        "brier": lambda rows: brier(rows.upset, rows.angry),
        "recall": lambda rows: _share(rows.upset[rows.angry] >= upset_at),
        "false_positives": lambda rows: _share(rows.upset[~rows.angry] >= upset_at),
        "false_positives_calm": lambda rows: _share(rows.upset[rows.calm] >= upset_at),
        "accuracy": lambda rows: _share(correct(rows)),
        "accuracy_answering_70": accuracy_answering,
        "abstaining_gains": lambda rows: accuracy_answering(rows) - _share(correct(rows)),
    }


def _uar(rows: Rows) -> float:
    named = rows.truth >= 0
    if (rows.told[named] < 0).any() or len(np.unique(rows.truth[named])) < len(FOUR):
        return float("nan")
    return unweighted_average_recall(rows.told[named], rows.truth[named])


def _share(true: Bools) -> float:
    return float(true.mean()) if len(true) else float("nan")
