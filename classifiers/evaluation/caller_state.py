"""``patchbay evaluate caller-state``: on constructed calls of speakers left out, and on recorded callers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.caller_state import CallerState, CallerStateModel, WordCues
from classifiers.caller_state.train import train
from classifiers.caller_state.training.figures import Figures
from classifiers.caller_state.training.report import OtherWorld
from classifiers.emotion import EmotionModel, EmotionReading, EmotionStream
from classifiers.emotion.folder import SAMPLE_RATE_HZ
from classifiers.emotion.training.corpus import read_audio
from classifiers.errors import ClassifierError
from classifiers.evaluation import floors
from classifiers.evaluation.floors import Verdict
from classifiers.evaluation.judging import Progress
from classifiers.evaluation.tables import Table, figure_text, interval_text, promises
from classifiers.measures import Reliability
from classifiers.words import asks_for_human, complains, corrects, repeats_themselves

PUSHED_S = 0.1
UPSET = ("furious", "annoyed")
"""What recorded callers are marked as who are upset; everything else is calm, or nobody speaks."""


@dataclass(frozen=True, slots=True)
class CallerTurn:
    """One turn of a recorded caller.

    Attributes:
        call, turn, marked: from the manifest.
        voice: the label by the voice of this turn alone.
        label, upset: by voice and words over the turns so far.
        evidence: why, in words.
    """

    call: str
    turn: int
    marked: str
    voice: str
    label: str
    upset: float
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """The whole evaluation.

    Attributes:
        calls: how many were constructed.
        ways: figures of the voice alone, the words alone and both; the last is what ships.
        groups: of what ships, by line and by sex.
        ablation: with one term left out.
        worlds: of what ships where an assumption is wrong.
        reliability: of what ships.
        accuracy, accuracy_of_the_surest: of the likelier answer, for all turns and for the surest 70 %.
        callers: the recorded ones.
    """

    calls: int
    ways: tuple[Figures, ...]
    groups: tuple[Figures, ...]
    ablation: tuple[Figures, ...]
    worlds: tuple[OtherWorld, ...]
    reliability: Reliability
    accuracy: float
    accuracy_of_the_surest: float
    callers: tuple[CallerTurn, ...]

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Each promise, and whether it holds."""
        return (
            floors.CALIBRATED.judge(self.ways[-1].ece),
            floors.ABSTAINING.judge(self.accuracy_of_the_surest - self.accuracy),
        )


def evaluate(data: Path, callers: Path | None, *, progress: Progress = lambda stage, done: None) -> Report:
    """Measure everything.

    Args:
        data: EmoDB, of whose voices the calls are constructed.
        callers: a folder of recorded callers with a ``manifest.json``: call, turn, file, text and state of each turn.
        progress: is told what is being done.

    Raises:
        ClassifierError: a folder cannot be used.
    """
    heard = recorded(callers) if callers is not None else ()
    with TemporaryDirectory() as written:
        made = train(data, Path(written), progress=progress)
    curve = [(one.stated, one.observed, one.turns) for one in made.reliability]
    stated, observed, count = np.array(curve).T
    return Report(
        made.calls,
        made.ways,
        made.groups,
        made.ablation,
        made.worlds,
        Reliability(stated, observed, count.astype(np.int64)),
        made.accuracy,
        made.accuracy_of_the_surest,
        heard,
    )


def recorded(folder: Path) -> tuple[CallerTurn, ...]:
    """Every turn of the recorded callers through the shipped models, as a call hears them."""
    model, states = EmotionModel.load(), CallerStateModel.load()
    turns = []
    for call, rows in groupby(_manifest(folder), key=lambda row: row["call"]):
        stream, state = EmotionStream(model), CallerState(states)
        for row in rows:
            voice = _heard(stream, read_audio(folder / row["file"]))
            reading = state.turn_ended(voice, cues_in(row["text"]))
            turns.append(
                CallerTurn(
                    call,
                    row["turn"],
                    row["state"],
                    voice.label,
                    reading.label,
                    reading.upset,
                    reading.evidence,
                )
            )
    return tuple(turns)


def cues_in(text: str) -> WordCues:
    """What a turn's words give away."""
    return WordCues(
        words=len(text.split()),
        complains=complains(text),
        repeats=repeats_themselves(text),
        corrects=corrects(text),
        asks_for_human=asks_for_human(text),
    )


def tables(report: Report) -> list[Table]:
    """Promises first; recorded callers last."""
    right = f"{report.accuracy:.1%} of turns, {report.accuracy_of_the_surest:.1%} of the surest 70 %"
    found = [
        promises(report.verdicts),
        _figures(f"Speakers left out, {report.calls} constructed calls: judged by", report.ways),
        _figures("What ships, by line and sex", report.groups),
        _figures("Without one term", report.ablation),
        Table(
            "Where an assumption is wrong",
            ("world", "AUROC", "ECE", "found", "false alarms", "log loss", "of a fit to that world"),
            tuple(
                (
                    one.name,
                    *(figure_text(value) for value in (one.auroc, one.ece, one.found, one.false_alarms)),
                    *(figure_text(value) for value in (one.log_loss, one.log_loss_if_fitted)),
                )
                for one in report.worlds
            ),
            f"In the world assumed, the likelier answer is right: {right}.",
        ),
    ]
    if report.callers:
        found.append(_callers(report.callers))
    return found


def _figures(title: str, rows: Sequence[Figures]) -> Table:
    return Table(
        title,
        ("", "AUROC (95 %)", "by call", "ECE", "Brier", "log loss", "found", "false alarms", "unclear"),
        tuple(
            (
                one.name,
                interval_text(one.auroc),
                *(figure_text(value) for value in (one.call_auroc, one.ece, one.brier, one.log_loss)),
                *(figure_text(value) for value in (one.found, one.false_alarms, one.unclear)),
            )
            for one in rows
        ),
    )


def pictures(report: Report) -> dict[str, str]:
    """SVG by file name. Needs the extra ``train``."""
    from classifiers.evaluation import plots

    curves = {"Constructed calls, speakers left out": {"voice and words over turns": report.reliability}}
    return {"caller-state-reliability.svg": plots.reliability_diagram(curves, "upset")}


def _callers(turns: Sequence[CallerTurn]) -> Table:
    marked = np.array([turn.marked in UPSET for turn in turns])
    label = np.array([turn.label for turn in turns])
    return Table(
        "Recorded callers",
        ("call", "turn", "marked", "voice", "state", "p(upset)", "evidence"),
        tuple(
            (
                turn.call,
                str(turn.turn),
                turn.marked,
                turn.voice,
                turn.label,
                figure_text(turn.upset, 2),
                "; ".join(turn.evidence),
            )
            for turn in turns
        ),
        f"Of {marked.sum()} turns marked {' or '.join(UPSET)}, {(label[marked] == 'upset').sum()} read upset; of the "
        f"{(~marked).sum()} others, {(label[~marked] == 'upset').sum()}.",
    )


def _heard(stream: EmotionStream, wave: NDArray[np.float32]) -> EmotionReading:
    stream.reset_turn()
    step = round(PUSHED_S * SAMPLE_RATE_HZ)
    for at in range(0, len(wave), step):
        stream.push(wave[at : at + step], SAMPLE_RATE_HZ)
    return stream.turn_result()


def _manifest(folder: Path) -> list[dict[str, Any]]:
    path = folder / "manifest.json"
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return [{key: row[key] for key in ("call", "turn", "state", "file", "text")} for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as broken:
        raise ClassifierError(
            path, f"cannot be read ({broken!r})", "it lists call, turn, state, file and text of every turn"
        ) from broken
