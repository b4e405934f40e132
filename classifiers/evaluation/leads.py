"""How far a model is ahead of a judge of level and pitch that was fitted to the same speakers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from classifiers.evaluation.baseline import Baseline, Variant, against_habit, measured
from classifiers.evaluation.corpus import Corpus
from classifiers.evaluation.figures import Rows
from classifiers.evaluation.pitch import Voiced, voiced_frames
from classifiers.measures import Interval, auroc, bootstrap

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Baselines = Callable[[Variant], Floats]  # log-odds of every recording of a corpus by that variant


@dataclass(frozen=True, slots=True)
class Lead:
    """A baseline, and how far the model is ahead of it: AUROC, paired, by speaker.

    Where the baseline knows the speaker's habit, so does the model: its log-odds are measured against that habit too.
    """

    variant: Variant
    baseline_vs_rest: Interval
    baseline_vs_calm: Interval
    lead_vs_rest: Interval
    lead_vs_calm: Interval


@dataclass(frozen=True, slots=True)
class Yardstick:
    """The corpus that models and baselines learn from, its voices measured once."""

    corpus: Corpus
    voices: tuple[Voiced, ...]

    @classmethod
    def of(cls, corpus: Corpus) -> Self:
        return cls(corpus, _voices(corpus))

    def with_left_out(self, folds: NDArray[Any]) -> Baselines:
        """Its own recordings, judged by baselines fitted to the other folds; ``folds`` is ``[n]``."""

        def judged(variant: Variant) -> Floats:
            numbers = measured(self.voices, self.corpus.speakers, variant)
            log_odds = np.empty(len(numbers))
            for fold in np.unique(folds):
                own = folds == fold
                log_odds[own] = Baseline.fit(numbers[~own], self.corpus.angry[~own]).log_odds(numbers[own])
            return log_odds

        return judged

    def on(self, other: Corpus) -> Baselines:
        """The recordings of another corpus, judged by a baseline fitted to all of this one."""
        voices = _voices(other)

        def judged(variant: Variant) -> Floats:
            learnt = Baseline.fit(measured(self.voices, self.corpus.speakers, variant), self.corpus.angry)
            return learnt.log_odds(measured(voices, other.speakers, variant))

        return judged


def lead(variant: Variant, rows: Rows, baseline: Floats, speakers: NDArray[np.str_], *, draws: int) -> Lead:
    """The model's judgements ``rows`` against the baseline's log-odds ``[n]``."""
    model = against_habit(rows.log_odds, speakers) if variant.own_habit else rows.log_odds

    def of_baseline(chosen: Bools) -> Interval:
        return bootstrap(auroc, baseline[chosen], rows.angry[chosen], groups=speakers[chosen], draws=draws)

    def ahead(chosen: Bools) -> Interval:
        return bootstrap(
            lambda ours, theirs, angry: auroc(ours, angry) - auroc(theirs, angry),
            model[chosen],
            baseline[chosen],
            rows.angry[chosen],
            groups=speakers[chosen],
            draws=draws,
        )

    every, either = np.ones(len(model), dtype=bool), rows.angry | rows.calm
    return Lead(variant, of_baseline(every), of_baseline(either), ahead(every), ahead(either))


def _voices(corpus: Corpus) -> tuple[Voiced, ...]:
    return tuple(voiced_frames(wave) for wave in corpus.waves)
