"""What ``patchbay evaluate redaction`` measured, as figures, tables and a picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from classifiers.evaluation.floors import Floor, Verdict
from classifiers.evaluation.tables import Table, figure_text, interval_text, promises
from classifiers.measures import Interval, wilson
from compliance.redaction import RedactionEngine, Redactor
from compliance.redaction.evaluation.floors import CPU_P99_MS, PROMISES, Promise
from compliance.redaction.evaluation.measuring import Measured, Progress, measure
from compliance.redaction.evaluation.trial import Measure, Outcome
from compliance.redaction.evaluation.trials import INVENTED, Part, trials
from compliance.redaction.ner import NameFinder
from compliance.redaction.policy import RedactionPolicy

OVER_MASKED = frozenset({Measure.NOTHING_PERSONAL, Measure.OFF_TOPIC})
"""Measures of which less is better."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many of ``count`` were masked; the interval (95 %) knows that what one caller says is not independent."""

    measure: str
    part: str
    count: int
    share: Interval


@dataclass(frozen=True, slots=True)
class Report:
    """The whole evaluation.

    Attributes:
        judged: the part of the corpora: ``dev``, ``test`` or ``all``.
        cpu_ms: CPU time of a line, milliseconds, by the name of the percentile.
        misses: some of what went wrong, in the words of the corpora; only where they were asked for.
    """

    judged: str
    verdicts: tuple[Verdict, ...]
    shares: tuple[Share, ...]
    cpu_ms: dict[str, float]
    misses: tuple[tuple[str, str, str, str], ...]


def evaluate(
    data: Path,
    *,
    part: Part,
    count: int = INVENTED,
    policy: RedactionPolicy | None = None,
    names: NameFinder | None = None,
    misses: int = 0,
    progress: Progress = lambda stage, done: None,
) -> Report:
    """Judge a redactor on ``part`` of the corpora in ``data``.

    Args:
        count: how many utterances are invented.
        policy: what the redactor goes by; by default the one that ships.
        names: finds names in the place of the finder that the policy names.
        misses: how many failures of each measure are told.

    Raises:
        ComplianceError: a corpus or a model is missing or malformed.
    """
    progress("loading", 0.0)
    engine = RedactionEngine(policy, names=names)
    found = measure(trials(data, part, count), lambda: Redactor(engine), progress)
    slow = float(np.quantile(found.cpu_ms, 0.99))
    speed = Floor("CPU for an utterance at P99, ms", "at most", CPU_P99_MS).judge(slow)
    return Report(
        part,
        (*(_verdict(promise, found) for promise in PROMISES), speed),
        tuple(_shares(found)),
        {"P50": float(np.median(found.cpu_ms)), "P99": slow},
        tuple(_misses(found, misses)),
    )


def tables(report: Report) -> list[Table]:
    """The promises, a table for each measure, and what it cost."""
    found = [promises(report.verdicts)]
    for measured in dict.fromkeys(one.measure for one in report.shares):
        rows = tuple(
            (one.part, f"{one.count:,}", interval_text(one.share, 4))
            for one in report.shares
            if one.measure == measured
        )
        masked = "share masked" if measured in OVER_MASKED else "masked to the last character"
        found.append(Table(measured[:1].upper() + measured[1:], ("", "count", f"{masked} (95 %)"), rows))
    cost = tuple(figure_text(value, 2) for value in report.cpu_ms.values())
    note = f"Judged on the part `{report.judged}`. Intervals count callers, people and patterns, not lines."
    found.append(Table("CPU for an utterance, ms", ("", *report.cpu_ms), (("whole redactor", *cost),), note))
    return found


def misses_table(report: Report) -> Table:
    """What went wrong, in the words of the corpora: for whoever asked, never for a card."""
    return Table("Misses", ("measure", "of", "said", "kept"), report.misses)


def pictures(report: Report) -> dict[str, str]:
    """SVG by file name: recall of each entity with its interval. Needs the extra ``train``."""
    from service.cli.redaction_picture import recall_by_part

    return {"redaction-recall.svg": recall_by_part(report.shares)}


def _verdict(promise: Promise, found: Measured) -> Verdict:
    outcomes = found.of(promise.measure, promise.parts)
    share = float(np.mean([one.hit for one in outcomes])) if outcomes else float("nan")
    return Floor(str(promise.measure), promise.bound, promise.limit).judge(share)


def _shares(found: Measured) -> list[Share]:
    shares: list[Share] = []
    for one in Measure:
        by_part: dict[str, list[Outcome]] = defaultdict(list)
        for outcome in found.of(one):
            by_part[outcome.part].append(outcome)
        everything = [outcome for outcomes in by_part.values() for outcome in outcomes]
        for part, outcomes in [("all", everything), *sorted(by_part.items())]:
            if outcomes:
                shares.append(Share(str(one), part, len(outcomes), interval_of(outcomes)))
    return shares


def interval_of(outcomes: Sequence[Outcome]) -> Interval:
    """Wilson's interval of the share, for as many outcomes as the groups are worth (Kish's design effect)."""
    hits = np.array([one.hit for one in outcomes], dtype=float)
    share, count = float(hits.mean()), len(hits)
    if 0 < share < 1:
        _, group = np.unique([one.group for one in outcomes], return_inverse=True)
        residual = np.bincount(group, hits - share)
        count = round(count / max(1.0, float((residual**2).sum()) / (count * share * (1 - share))))
    told = wilson(round(share * count), max(1, count))
    return Interval(told.low, share, told.high)


def _misses(found: Measured, most: int) -> list[tuple[str, str, str, str]]:
    told: list[tuple[str, str, str, str]] = []
    for one in Measure:
        wrong = [outcome for outcome in found.of(one) if outcome.hit == (one in OVER_MASKED)]
        told += [(str(one), outcome.part, outcome.text, outcome.redacted) for outcome in wrong[:most]]
    return told
