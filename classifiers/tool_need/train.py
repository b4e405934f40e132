"""Train the general tool-need model: ``patchbay train tool-need`` without turns of one's own.

Logistic regression over the features of a turn, pruned to what matters, calibrated on turns it was not trained on. Same
data, same weights.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers.measures import auroc, average_precision, expected_calibration_error
from classifiers.tool_need.features import Key
from classifiers.tool_need.folder import Provenance
from classifiers.tool_need.model import ToolNeedModel, write_folder
from classifiers.tool_need.regression import Rows, fit, platt
from classifiers.tool_need.training.corpora import Turn, benchmark_turns, training_turns
from classifiers.tool_need.training.unseen_tools import Judge, match_weights
from classifiers.tool_need.turns import Feature, LabelledTurn, seen

RAREST = 3
KEPT_FEATURES = 9000
PENALTY = 3.3
DECIMALS = 2
_TAUGHT = frozenset({"word", "pair", "asked", "asked pair", "answer", "tools"})

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Row:
    """How well held-out turns of one source are judged."""

    source: str
    turns: int
    positive: float
    auroc: float
    average_precision: float
    calibration_error: float


@dataclass(frozen=True, slots=True)
class Report:
    """What training the general model came to."""

    weights: int
    rows: tuple[Row, ...]


def train(data: Path, out: Path, *, progress: Callable[[str], None] = lambda _: None) -> Report:
    """Train the general model on the corpora in ``data``, write it to ``out`` and measure it on held-out turns.

    Raises:
        ClassifierError: a corpus is missing or malformed.
    """
    progress("reading the corpora")
    turns = training_turns(data)
    progress(f"fitting {len(turns)} turns")
    write_folder(general(turns), out)
    model = ToolNeedModel.load(out)
    progress("measuring")
    held = [turn for turn in turns if turn.split == "test"] + benchmark_turns(data)
    sources = dict.fromkeys(turn.source for turn in held)
    return Report(
        sum(map(len, model.weights.values())),
        tuple(_row(source, model, [turn for turn in held if turn.source == source]) for source in sources),
    )


def general(turns: Sequence[Turn]) -> ToolNeedModel:
    """Fit the ``train`` split, prune, fit again, calibrate on the ``calibrate`` split."""
    learnt = [turn for turn in turns if turn.split == "train" and turn.weight > 0]
    rows = [[one for one in seen(_labelled(turn)) if _transfers(one)] for turn in learnt]
    often = Counter(one for row in rows for one in row)
    common = sorted((one for one, count in often.items() if count >= RAREST), key=repr)
    labels = np.array([turn.needs_tool for turn in learnt])
    counts = np.array([turn.weight for turn in learnt])

    first = _fitted(rows, common, labels, counts)
    # What a feature can move: its weight, and how often it is there to move anything.
    reach = np.abs(first[:-1]) * np.sqrt([often[one] for one in common])
    kept = sorted((common[i] for i in np.argsort(-reach, kind="stable")[:KEPT_FEATURES]), key=repr)
    weights = _fitted(rows, kept, labels, counts)

    held = [turn for turn in turns if turn.split == "calibrate" and turn.weight > 0]
    table = Rows.of([seen(_labelled(turn)) for turn in held], {one: i for i, one in enumerate(kept)})
    log_odds = table.dot(weights[:-1]) + weights[-1]
    slope, shift = platt(
        log_odds, np.array([turn.needs_tool for turn in held]), np.array([turn.weight for turn in held])
    )
    matches = match_weights(learnt, partial(_without, learnt, rows, common, labels, counts))
    nested: defaultdict[str, dict[Key, float]] = defaultdict(dict)
    for (block, key), weight in zip(kept, weights[:-1].tolist(), strict=True):
        nested[block][key] = round(weight * slope, DECIMALS)
    nested["tools"] = {name: round(weight * slope, DECIMALS) for name, weight in matches.items()}
    return ToolNeedModel(
        dict(nested),
        round(float(weights[-1]) * slope + shift, 4),
        round(float(np.average(labels, weights=counts)), 3),
        Provenance(dict(Counter(turn.source for turn in learnt))),
    )


def _without(
    learnt: Sequence[Turn],
    rows: Sequence[Sequence[Feature]],
    vocabulary: Sequence[Feature],
    labels: Bools,
    counts: Floats,
    domains: frozenset[str],
) -> Judge:
    inside = [at for at, turn in enumerate(learnt) if turn.domain not in domains]
    weights = _fitted([rows[at] for at in inside], vocabulary, labels[inside], counts[inside])

    def judge(turns: Sequence[Turn]) -> Floats:
        table = Rows.of(
            [seen(_labelled(turn)) for turn in turns], {one: i for i, one in enumerate(vocabulary)}
        )
        return np.asarray(table.dot(weights[:-1]) + weights[-1])

    return judge


def _fitted(
    rows: Sequence[Sequence[Feature]], vocabulary: Sequence[Feature], labels: Bools, counts: Floats
) -> Floats:
    table = Rows.of(rows, {one: i for i, one in enumerate(vocabulary)})
    return fit(table, labels, counts, np.full(len(vocabulary), PENALTY))


def _transfers(feature: Feature) -> bool:
    """Single questions and made-up lines teach words, and how yes, no or a number answers a question; no stages."""
    block, key = feature
    return block in _TAUGHT and (block != "answer" or key[0] not in ("long", "short"))


def _labelled(turn: Turn) -> LabelledTurn:
    return LabelledTurn(turn.user, turn.agent, 0, turn.needs_tool, turn.weight)


def _row(source: str, model: ToolNeedModel, turns: Sequence[Turn]) -> Row:
    p = np.array([model.score(turn.user, turn.agent).probability for turn in turns])
    truth = np.array([turn.needs_tool for turn in turns])
    return Row(
        source,
        len(turns),
        float(truth.mean()),
        auroc(p, truth),
        average_precision(p, truth),
        expected_calibration_error(p, truth),
    )
