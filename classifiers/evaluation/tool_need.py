"""``patchbay evaluate tool-need``: the general model on turns and tools it never saw, and after learning a line's own.

What a turn of a corpus needs is known from what the agent did next. Schema-Guided Dialogue is share-alike: it is only
measured against here, as everywhere.
"""
# ruff: noqa: SIM905 - lists of words read as words

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers.evaluation import floors
from classifiers.evaluation.dialogues import dialogues, schema_of
from classifiers.evaluation.floors import Verdict
from classifiers.evaluation.judging import Progress
from classifiers.measures import (
    Interval,
    Reliability,
    auroc,
    average_precision,
    bootstrap,
    expected_calibration_error,
    reliability,
)
from classifiers.tool_need.adapt import adapt
from classifiers.tool_need.model import SHIPPED, ToolNeedModel
from classifiers.tool_need.train import general
from classifiers.tool_need.training.corpora import split_of_dialogue, training_turns
from classifiers.tool_need.turns import LabelledTurn

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

DRAWS = 500
FOLDS = 3  # two thirds of the tasks are learnt from: about 900 turns
REPEATS = 7  # partitions: one says little, for the parts differ by .05
SEED = 0
# What somebody would write down who has to route by words alone.
KEYWORDS = frozenset(
    "book booking reserve reservation cancel change modify reschedule update order orders status track refund return "
    "exchange balance transfer pay payment buy purchase ticket tickets find search show check look play schedule "
    "appointment account send rent flight hotel confirm yes".split()
)


@dataclass(frozen=True, slots=True)
class Judged:
    """How well the turns of one source are judged; intervals come of drawing whole calls."""

    source: str
    turns: int
    calls: int
    positive: float
    auroc: Interval
    average_precision: Interval
    calibration_error: float
    reliability: Reliability


@dataclass(frozen=True, slots=True)
class InDomain:
    """Learning a line's own turns: two thirds of the tasks, judged on the rest, for several partitions in three.

    Attributes:
        learnt: turns that were learnt from, on average.
        before: the general model, which saw nothing of this line.
        after: adapted, each turn judged without its task; of the first partition, by which the intervals are drawn.
        gain: in AUROC, paired, by task; of the first partition.
        split_aurocs: of every part of every partition.
        calibration_error: of whole partitions, on average.
    """

    learnt: int
    before: Judged
    after: Judged
    gain: Interval
    split_aurocs: tuple[float, ...]
    calibration_error: float

    @property
    def auroc(self) -> float:
        """The mean over all splits."""
        return float(np.mean(self.split_aurocs))


@dataclass(frozen=True, slots=True)
class ZeroShot:
    """Tools that no weight was ever fitted to, known by their names and descriptions.

    Attributes:
        model: the general model.
        keywords: AUROC of counting words that sound like work.
        tool_words: AUROC of counting the caller's words that the tools' names and descriptions speak of.
        lead_over_keywords, lead_over_tool_words: in AUROC, paired, by call.
    """

    model: Judged
    keywords: Interval
    tool_words: Interval
    lead_over_keywords: Interval
    lead_over_tool_words: Interval


@dataclass(frozen=True, slots=True)
class Report:
    """The whole evaluation.

    Attributes:
        corpora: held-out turns of each public corpus.
        in_domain: learning a line's own turns.
        zero_shot: tools never seen.
        turn_p99_us: to judge a turn with an adapted model.
    """

    corpora: tuple[Judged, ...]
    in_domain: InDomain
    zero_shot: ZeroShot
    turn_p99_us: float

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Each promise, and whether it holds."""
        zero_shot = min(self.zero_shot.lead_over_keywords.low, self.zero_shot.lead_over_tool_words.low)
        return (
            floors.IN_DOMAIN.judge(self.in_domain.auroc),
            floors.IN_DOMAIN_CALIBRATED.judge(self.in_domain.calibration_error),
            floors.BEATS_KEYWORDS.judge(zero_shot),
            floors.TURN_P99_US.judge(self.turn_p99_us),
        )


def evaluate(
    data: Path,
    *,
    model: Path = SHIPPED,
    draws: int = DRAWS,
    progress: Progress = lambda stage, done: None,
) -> Report:
    """Measure everything.

    Args:
        data: the folder of the tool-need corpora.
        model: the folder of the general model.
        draws: how often calls are drawn again for an interval.
        progress: is told what is being done.

    Raises:
        ClassifierError: a corpus or the model folder cannot be used.
    """
    loaded = ToolNeedModel.load(model)
    progress("reading the corpora", 0.0)
    public = training_turns(data)
    tau = dialogues(data, "tau_turns.jsonl.gz", lambda row: row["d"])
    sgd = dialogues(data, "sgd_turns.jsonl.gz", lambda row: row["d"], schema_of(data, "test"), split="test")
    held_out: dict[str, list[LabelledTurn]] = defaultdict(list)
    for number, turn in enumerate(public):
        if turn.split == "test" and turn.source not in ("tau-bench", "Taskmaster-4"):
            opening = 1 if turn.opening else 0
            held_out[turn.source].append(
                LabelledTurn(turn.user, turn.agent, opening, turn.needs_tool, group=str(number))
            )
    for source, file in (("tau-bench", "tau_turns.jsonl.gz"), ("Taskmaster-4", "tm4_turns.jsonl.gz")):
        held_out[source] = [
            turn
            for turn in dialogues(data, file, lambda row: row["d"])
            if split_of_dialogue(turn.group) == "test"
        ]
    progress("judging turns held out", 0.2)
    corpora = [_judged(source, turns, _scores(loaded, turns), draws) for source, turns in held_out.items()]
    progress("judging tools never seen", 0.4)
    zero_shot = _zero_shot(loaded, sgd, draws)
    progress("fitting a model that never saw this line", 0.6)
    start = general([turn for turn in public if turn.source != "tau-bench"])
    progress("learning a line's own turns", 0.8)
    in_domain = _in_domain(start, tau, draws)
    progress("timing", 1.0)
    adapted = adapt(loaded, tau, seed=SEED).model  # knows the most, so it takes the longest
    return Report(tuple(corpora), in_domain, zero_shot, turn_p99_us(adapted, tau))


def turn_p99_us(model: ToolNeedModel, turns: Sequence[LabelledTurn]) -> float:
    """The 99th percentile over turns of the time to score one: the least of ten, for others may be busy.

    From when the caller has spoken: what is known before is summed up before.
    """
    costs_ns = np.empty((10, len(turns)))
    for again in range(len(costs_ns)):
        for number, turn in enumerate(turns):
            ready = model.ready(turn.agent, turn=turn.turn, earlier=turn.earlier)
            started = time.perf_counter_ns()
            model.judge(turn.user, ready, turn.tools)
            costs_ns[again, number] = time.perf_counter_ns() - started
    return float(np.quantile(costs_ns.min(axis=0), 0.99) / 1000)


def _in_domain(start: ToolNeedModel, turns: Sequence[LabelledTurn], draws: int) -> InDomain:
    tasks = [turn.group.split("_")[0] for turn in turns]
    names = sorted(set(tasks))
    judged = [replace(turn, group=task) for turn, task in zip(turns, tasks, strict=True)]
    before, needs = _scores(start, turns), _needs(turns)
    partitions, parts, gaps = [], [], []
    for again in range(REPEATS):
        shuffled = np.random.default_rng([SEED, again]).permutation(names).tolist()
        fold_of = dict(zip(shuffled, np.arange(len(names)) % FOLDS, strict=True))
        fold = np.array([fold_of[task] for task in tasks])
        after = np.empty(len(turns))
        for one in range(FOLDS):
            taught = [turn for turn, at in zip(turns, fold, strict=True) if at != one]
            held = fold == one
            own = adapt(start, taught, seed=SEED).model
            after[held] = _scores(own, [turn for turn, at in zip(turns, held, strict=True) if at])
            parts.append(auroc(after[held], needs[held]))
        gaps.append(expected_calibration_error(after, needs))
        partitions.append(after)
    return InDomain(
        round(len(turns) * (FOLDS - 1) / FOLDS),
        _judged("before", judged, before, draws),
        _judged("after", judged, partitions[0], draws),
        _lead(judged, partitions[0], before, draws),
        tuple(parts),
        float(np.mean(gaps)),
    )


def _zero_shot(model: ToolNeedModel, turns: Sequence[LabelledTurn], draws: int) -> ZeroShot:
    scores = _scores(model, turns)
    keywords = np.array([float(sum(word in KEYWORDS for word in _words(turn.user))) for turn in turns])
    tool_words = np.array([_spoken_of(turn) for turn in turns])
    needs, groups = _needs(turns), _groups(turns)
    return ZeroShot(
        _judged("SGD, test part", turns, scores, draws),
        bootstrap(auroc, keywords, needs, groups=groups, draws=draws),
        bootstrap(auroc, tool_words, needs, groups=groups, draws=draws),
        _lead(turns, scores, keywords, draws),
        _lead(turns, scores, tool_words, draws),
    )


def _spoken_of(turn: LabelledTurn) -> float:
    speaks_of = turn.tools.speaks_of if turn.tools else {}
    return float(sum(any(word.startswith(stem) for stem in speaks_of) for word in _words(turn.user)))


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()


def _scores(model: ToolNeedModel, turns: Sequence[LabelledTurn]) -> Floats:
    return np.array(
        [
            model.score(turn.user, turn.agent, turn.tools, turn=turn.turn, earlier=turn.earlier).probability
            for turn in turns
        ]
    )


def _judged(source: str, turns: Sequence[LabelledTurn], scores: Floats, draws: int) -> Judged:
    needs, groups = _needs(turns), _groups(turns)

    def interval(statistic: Callable[..., float]) -> Interval:
        return bootstrap(statistic, scores, needs, groups=groups, draws=draws)

    return Judged(
        source,
        len(turns),
        len(np.unique(groups)),
        float(needs.mean()),
        interval(auroc),
        interval(average_precision),
        expected_calibration_error(scores, needs),
        reliability(scores, needs),
    )


def _lead(turns: Sequence[LabelledTurn], ours: Floats, theirs: Floats, draws: int) -> Interval:
    return bootstrap(
        lambda a, b, needs: auroc(a, needs) - auroc(b, needs),
        ours,
        theirs,
        _needs(turns),
        groups=_groups(turns),
        draws=draws,
    )


def _needs(turns: Sequence[LabelledTurn]) -> Bools:
    return np.array([turn.needs_tool for turn in turns])


def _groups(turns: Sequence[LabelledTurn]) -> NDArray[np.str_]:
    return np.array([turn.group for turn in turns])
