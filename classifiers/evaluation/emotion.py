"""``patchbay evaluate emotion``: everything that is measured of the emotion model, and whether its promises hold."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.emotion.folder import SAMPLE_RATE_HZ
from classifiers.emotion.model import SHIPPED, EmotionModel
from classifiers.evaluation import floors
from classifiers.evaluation.baseline import VARIANTS
from classifiers.evaluation.calls import CallLevel, call_level
from classifiers.evaluation.conditions import CONDITIONS, TELEPHONE, WIDE_BAND, heard
from classifiers.evaluation.corpus import Corpus, read_emodb, read_folder
from classifiers.evaluation.figures import Figure, Rows, figures
from classifiers.evaluation.floors import Verdict
from classifiers.evaluation.judging import Folder, Judge, Progress, Refits
from classifiers.evaluation.leads import Baselines, Lead, Yardstick, lead
from classifiers.measures import (
    Reliability,
    RiskCoverage,
    auroc,
    reliability,
    risk_coverage,
)

NOISY = "µ-law, pink noise 10 dB"
DRAWN = (WIDE_BAND, TELEPHONE, NOISY)  # the conditions of which curves are drawn


@dataclass(frozen=True, slots=True)
class Curves:
    """What the pictures show of one condition."""

    reliability: Reliability
    risk_coverage: RiskCoverage


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One corpus, judged.

    Attributes:
        corpus: its name.
        judged_by: in words.
        recordings, speakers, angry: how many.
        unmapped: emotions without a meaning here, and how many recordings were left out for them.
        conditions: figures by condition.
        genders: figures by condition and gender, where the gender is known.
        by_speaker: AUROC angry against the rest at 16 kHz.
        leads: over each baseline, at 16 kHz.
        calls: three utterances instead of one.
        curves: by condition.
    """

    corpus: str
    judged_by: str
    recordings: int
    speakers: int
    angry: int
    unmapped: Mapping[str, int]
    conditions: Mapping[str, Mapping[str, Figure]]
    genders: Mapping[str, Mapping[str, Figure]]
    by_speaker: Mapping[str, float]
    leads: tuple[Lead, ...]
    calls: CallLevel | None
    curves: Mapping[str, Curves]


@dataclass(frozen=True, slots=True)
class Report:
    """The whole evaluation: EmoDB with speakers left out, other corpora by the folder, the folder's size and cost."""

    left_out: Evaluated
    others: tuple[Evaluated, ...]
    size_mb: float
    window_cpu_ms: float

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Each promise, and whether it holds."""
        wide, narrow = (self.left_out.conditions[name] for name in (WIDE_BAND, TELEPHONE))
        lost = wide["auroc_vs_rest"].value - narrow["auroc_vs_rest"].value
        return (
            floors.VS_REST.judge(wide["auroc_vs_rest"].value),
            floors.VS_CALM.judge(wide["auroc_vs_calm"].value),
            floors.FOUR_EMOTIONS.judge(wide["uar"].value),
            floors.TELEPHONE_COSTS.judge(lost),
            floors.CALIBRATED.judge(wide["ece"].value),
            floors.ABSTAINING.judge(wide["abstaining_gains"].value),
            *(
                floors.BEATS_BASELINE.judge(
                    min(lead.lead_vs_rest.low for lead in other.leads if not lead.variant.own_habit),
                    where=other.corpus,
                )
                for other in self.others
            ),
            floors.SIZE_MB.judge(self.size_mb),
            floors.WINDOW_CPU_MS.judge(self.window_cpu_ms),
        )

    @property
    def holds(self) -> bool:
        return all(verdict.holds for verdict in self.verdicts)


@dataclass(frozen=True, slots=True)
class How:
    """How a corpus is evaluated.

    Attributes:
        conditions: of ``CONDITIONS``; "16 kHz" and "µ-law 8 kHz" must be among them.
        draws: how often speakers are drawn again for an interval.
        progress: is told what is being done.
    """

    conditions: tuple[str, ...] = tuple(CONDITIONS)
    draws: int = 1000
    progress: Progress = lambda stage, done: None


def evaluate(data: Path, others: Mapping[str, Path], *, model: Path = SHIPPED, how: How = How()) -> Report:
    """Measure everything.

    Args:
        data: EmoDB. It is judged by refits with speakers left out: the folder has heard all of them.
        others: by name, folders that are only read; the model folder judges them as it is.
        model: the folder.
        how: conditions, intervals, progress.

    Raises:
        ClassifierError: a corpus or the model folder cannot be used.
    """
    folder = Folder(EmotionModel.load(model))
    how.progress("reading the corpora", 0.0)
    emodb = read_emodb(data)
    foreign = [read_folder(path, name) for name, path in others.items()]
    refits = Refits.of(emodb, EmotionModel.load().settings, how.progress)
    how.progress("measuring level and pitch", 0.0)
    yardstick = Yardstick.of(emodb)
    left_out = of_refits(emodb, refits, yardstick, how)
    judged = tuple(of_folder(corpus, folder, yardstick, how) for corpus in foreign)
    size_mb = (model / "model.onnx").stat().st_size / 1e6
    return Report(left_out, judged, size_mb, window_cpu_ms(folder.model))


def of_refits(emodb: Corpus, refits: Refits, yardstick: Yardstick, how: How) -> Evaluated:
    """The training corpus, every speaker judged by a model and baselines that never heard them."""
    folds = refits.fold_of(emodb.speakers)
    return _evaluated(emodb, refits, "speakers left out", folds, yardstick.with_left_out(folds), how)


def of_folder(corpus: Corpus, folder: Folder, yardstick: Yardstick, how: How) -> Evaluated:
    """Another corpus, judged by a model folder as it is and by baselines fitted to the training corpus."""
    return _evaluated(corpus, folder, "by the folder", corpus.speakers, yardstick.on(corpus), how)


def _evaluated(
    corpus: Corpus, judge: Judge, judged_by: str, parts: NDArray[Any], baselines: Baselines, how: How
) -> Evaluated:
    told: dict[str, Mapping[str, Figure]] = {}
    genders: dict[str, Mapping[str, Figure]] = {}
    curves: dict[str, Curves] = {}
    rows_at: dict[str, Rows] = {}
    speakers, upset_at = corpus.speakers, judge.settings.upset_at
    for number, name in enumerate(how.conditions):
        how.progress(f"{corpus.name}, {name}", number / len(how.conditions))
        rows = rows_at[name] = Rows.of(corpus, judge.judge(heard(corpus, name), speakers))
        told[name] = figures(rows, speakers, parts, upset_at, how.draws)
        if name in DRAWN:
            curves[name] = _curves(rows, upset_at)
        for gender in sorted({*corpus.genders.tolist()} - {""}) if name in (WIDE_BAND, TELEPHONE) else ():
            own = corpus.genders == gender
            told_of = figures(rows.take(own), speakers[own], speakers[own], upset_at, how.draws)
            genders[f"{name}, {gender}"] = told_of
    how.progress(f"{corpus.name}, against level and pitch and in calls", 1.0)
    wide = rows_at[WIDE_BAND]
    return Evaluated(
        corpus.name,
        judged_by,
        len(corpus.recordings),
        len(set(speakers.tolist())),
        int(corpus.angry.sum()),
        corpus.unmapped,
        told,
        genders,
        {
            str(one): auroc(wide.log_odds[speakers == one], wide.angry[speakers == one])
            for one in np.unique(speakers)
        },
        tuple(lead(variant, wide, baselines(variant), speakers, draws=how.draws) for variant in VARIANTS),
        call_level(corpus, judge, how.draws),
        curves,
    )


def _curves(rows: Rows, upset_at: float) -> Curves:
    correct = (rows.upset >= upset_at) == rows.angry
    return Curves(
        reliability(rows.upset, rows.angry),
        risk_coverage(np.abs(rows.upset - upset_at), correct),
    )


def window_cpu_ms(model: EmotionModel) -> float:
    """CPU time that three seconds of audio cost, the extractor included: the least of fifty, for others may be busy."""
    wave = np.random.default_rng(1).standard_normal(3 * SAMPLE_RATE_HZ).astype(np.float32) * 0.1
    costs = []
    for _ in range(50):
        started = time.process_time()
        model.classify(wave)
        costs.append(time.process_time() - started)
    return 1000 * min(costs)
