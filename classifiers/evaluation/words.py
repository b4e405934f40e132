"""``patchbay evaluate words``: reading out, change of topic, cues and language, on what nothing was fitted to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from classifiers.errors import ClassifierError
from classifiers.evaluation.floors import Verdict
from classifiers.evaluation.judging import Progress
from classifiers.evaluation.tables import Table, figure_text, interval_text
from classifiers.measures import (
    Interval,
    Reliability,
    auroc,
    average_precision,
    expected_calibration_error,
    reliability,
    wilson,
)
from classifiers.words import (
    asks_for_human,
    complains,
    corrects,
    language,
    objects_to_voice_analysis,
    reading,
    repeats_themselves,
    topic,
)
from classifiers.words.language import UNDETERMINED
from classifiers.words.train import (
    CALLS,
    MEASURED_CALLS,
    MEASURED_ON,
    READ_OUTS,
    SEED,
    TRAINED_ON,
    Example,
    reading_out_examples,
    topic_examples,
)
from classifiers.words.training.moments import evi, invented, other_speech
from classifiers.words.training.topics import joined, measured_only
from classifiers.words.weights import logistic, read_weights

CUES: tuple[Callable[[str], bool], ...] = (
    asks_for_human,
    complains,
    repeats_themselves,
    corrects,
    objects_to_voice_analysis,
)


@dataclass(frozen=True, slots=True)
class Judged:
    """A model of words on one source; what cannot be told of one without positives is not a number."""

    source: str
    count: int
    positive: float
    auroc: float
    average_precision: float
    calibration_error: float
    recall: float
    false_alarms: float
    reliability: Reliability


@dataclass(frozen=True, slots=True)
class Cue:
    """A cue on sentences that no phrase was written for."""

    name: str
    sentences: int
    recall: Interval
    precision: Interval


@dataclass(frozen=True, slots=True)
class Guessed:
    """The language of sentences: how many get an answer, and how many of all a wrong one."""

    sentences: int
    answered: Interval
    wrong: Interval


@dataclass(frozen=True, slots=True)
class Report:
    """The whole evaluation; nothing is promised of these, so nothing can be broken."""

    reading_out: tuple[Judged, ...]
    topic_change: tuple[Judged, ...]
    cues: tuple[Cue, ...]
    language: Guessed | None

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        return ()


def evaluate(data: Path, sentences: Path | None, *, progress: Progress = lambda stage, done: None) -> Report:
    """Measure everything.

    Args:
        data: the folder that holds the corpora ``redaction`` and ``tool_need``.
        sentences: a folder with ``cues.jsonl`` and ``languages.jsonl`` of sentences that nothing was written for.
        progress: is told what is being done.

    Raises:
        ClassifierError: a file is missing or malformed.
    """
    texts, dialogues = data / "redaction", data / "tool_need"
    progress("reading out", 0.0)
    moments = [*invented(READ_OUTS, SEED), *evi(texts), *other_speech(texts, TRAINED_ON)]
    held_out = [moment for moment in moments if moment.held_out]
    read = reading_out_examples([*held_out, *other_speech(texts, MEASURED_ON)])
    progress("change of topic", 0.4)
    calls = [call for call in joined(dialogues, CALLS, SEED) if call.held_out]
    changed = topic_examples([*calls, *measured_only(dialogues, MEASURED_CALLS, SEED)])
    progress("cues and language", 0.9)
    return Report(
        _judged(reading.WEIGHTS, read),
        _judged(topic.WEIGHTS, changed),
        *(sentences_judged(sentences) if sentences is not None else ((), None)),
    )


def sentences_judged(folder: Path) -> tuple[tuple[Cue, ...], Guessed]:
    """Cues and language on the sentences of ``cues.jsonl`` and ``languages.jsonl``.

    Raises:
        ClassifierError: a file is missing or malformed.
    """
    return _cues(folder), _language(folder)


def tables(report: Report) -> list[Table]:
    """A table for each."""
    found = [
        _table("Reads something out and will go on", report.reading_out),
        _table("Changes the topic", report.topic_change),
    ]
    if report.cues:
        rows = tuple(
            (cue.name, str(cue.sentences), interval_text(cue.recall), interval_text(cue.precision))
            for cue in report.cues
        )
        found.append(Table("Cues", ("cue", "sentences", "recall (95 %)", "precision (95 %)"), rows))
    if (guessed := report.language) is not None:
        row = (
            "sentences",
            str(guessed.sentences),
            interval_text(guessed.answered),
            interval_text(guessed.wrong),
        )
        found.append(Table("Language", ("", "count", "answered (95 %)", "wrong (95 %)"), (row,)))
    return found


def pictures(report: Report) -> dict[str, str]:
    """SVG by file name. Needs the extra ``train``."""
    from classifiers.evaluation import plots

    def curves(rows: Iterable[Judged]) -> dict[str, Reliability]:
        return {one.source: one.reliability for one in rows if 0 < one.positive < 1}

    panels = {"Reading out": curves(report.reading_out), "Change of topic": curves(report.topic_change)}
    return {"words-reliability.svg": plots.reliability_diagram(panels, "so")}


def _judged(weights_at: Path, examples: Sequence[Example]) -> tuple[Judged, ...]:
    weights = read_weights(weights_at)
    found = []
    for source in dict.fromkeys(example.source for example in examples):
        own = [example for example in examples if example.source == source]
        p = np.array([logistic(weights, example.features.items()) for example in own])
        truth = np.array([example.positive for example in own])
        found.append(
            Judged(
                source,
                len(own),
                float(truth.mean()),
                auroc(p, truth),
                average_precision(p, truth),
                expected_calibration_error(p, truth),
                float((p[truth] >= 0.5).mean()) if truth.any() else float("nan"),
                float((p[~truth] >= 0.5).mean()) if not truth.all() else float("nan"),
                reliability(p, truth),
            )
        )
    return tuple(found)


def _cues(folder: Path) -> tuple[Cue, ...]:
    rows = _rows(folder / "cues.jsonl", "text", "is")
    found = []
    for cue in CUES:
        name = cue.__name__
        told = [(name in row["is"], cue(row["text"])) for row in rows if name not in row.get("either", ())]
        both, there = sum(a and b for a, b in told), sum(a for a, _ in told)
        found.append(Cue(name, len(told), wilson(both, there), wilson(both, sum(b for _, b in told))))
    return tuple(found)


def _language(folder: Path) -> Guessed:
    rows = [row for row in _rows(folder / "languages.jsonl", "text", "tag") if row["tag"] != UNDETERMINED]
    guesses = [language(row["text"]).tag for row in rows]
    answered = sum(guess != UNDETERMINED for guess in guesses)
    wrong = sum(guess not in (UNDETERMINED, row["tag"]) for guess, row in zip(guesses, rows, strict=True))
    return Guessed(len(rows), wilson(answered, len(rows)), wilson(wrong, len(rows)))


def _rows(path: Path, *keys: str) -> list[dict[str, str]]:
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        if all(key in row for row in rows for key in keys):
            return rows
    except (OSError, ValueError, TypeError) as broken:
        raise ClassifierError(
            path, f"cannot be read ({broken})", f"a line holds {', '.join(keys)}"
        ) from broken
    raise ClassifierError(path, "has a line that is no sentence", f"a line holds {', '.join(keys)}")


def _table(title: str, rows: Sequence[Judged]) -> Table:
    head = ("source", "count", "so", "AUROC", "AP", "ECE", "recall at .5", "false alarms")
    return Table(
        title,
        head,
        tuple(
            (
                one.source,
                f"{one.count:,}",
                figure_text(one.positive, 2),
                *(figure_text(value) for value in (one.auroc, one.average_precision, one.calibration_error)),
                *(figure_text(value) for value in (one.recall, one.false_alarms)),
            )
            for one in rows
        ),
    )
