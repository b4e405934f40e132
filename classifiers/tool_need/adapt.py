"""From a deployment's own turns to its own model: what the general model knows, corrected by what this agent does.

The correction is a logistic regression on top of the start's log-odds. How strongly it is held back, and the
calibration (Platt 1999), come from turns of calls left out, a fifth of the calls at a time. The same judgements of
calls left out are the report's figures, each calibrated without its own part.

No word of a caller's that fewer than five calls hold becomes a feature, no word of the agent's that fewer than three
hold (k-anonymity): names, numbers and one caller's words are not
learnt.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers.errors import ClassifierError
from classifiers.tool_need.features import Key, said
from classifiers.tool_need.figures import (
    Bin,
    Compared,
    Figure,
    auroc,
    average_precision,
    calibration_error,
    compared,
    log_loss,
    reliability,
)
from classifiers.tool_need.folder import Provenance, fingerprint, name_of
from classifiers.tool_need.model import ToolNeedModel
from classifiers.tool_need.regression import Rows, fit, informed_penalty, platt, sigmoid
from classifiers.tool_need.turns import Feature, LabelledTurn, seen

LEAST_TURNS = 100
LEAST_OF_EACH = 20
LEAST_CALLS = 10
CALLS_OF_A_FEATURE = 5
# The agent's words are the deployment's own, though they may repeat a caller's; facts of the stage hold no text at all.
CALLS_OF = {"asked": 3, "asked pair": 3, "answer": 3, "after": 3, "stage": 2, "stages": 2}
MOST_WEIGHT = 20.0  # times the median: one turn that was hardly ever recorded must not be the whole ledger
_FOLDS = 5
_STRENGTHS = (60.0, 30.0, 15.0)  # strongest first: each fit starts where the one before ended
_TOLD = 20
_MISTAKES = 10

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A turn that the new model got wrong, told by features that are in enough calls: no caller's text."""

    probability: float
    needed_tool: bool
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What adapting changed, each turn judged by a model that did not see its call.

    Attributes:
        turns: used (weight above 0).
        calls: they come from.
        positive: turns that needed a tool.
        base_rate: their share, by weight.
        effective_turns: how many turns of equal weight tell as much (Kish).
        auroc: before and after.
        average_precision: before and after.
        calibration_error: before and after; ten equal-width bins.
        log_loss: before and after; decides.
        reliability: of the new model.
        telling: the features that move most, with their weights.
        mistakes: the worst.
        ship: whether the new model is better beyond doubt; else ``Adapted.model`` is the start.
        why: in a sentence.
    """

    turns: int
    calls: int
    positive: int
    base_rate: float
    effective_turns: float
    auroc: Compared
    average_precision: Compared
    calibration_error: Compared
    log_loss: Compared
    reliability: tuple[Bin, ...]
    telling: tuple[tuple[str, float], ...]
    mistakes: tuple[Mistake, ...]
    ship: bool
    why: str


@dataclass(frozen=True, slots=True)
class Adapted:
    """The model to use, and why."""

    model: ToolNeedModel
    report: Report


class TooFewTurnsError(ClassifierError):
    """The turns cannot teach. The message says how many more of what kind are needed."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(Path("labelled turns"), what, remedy)


def adapt(start: ToolNeedModel, turns: Sequence[LabelledTurn], *, seed: int) -> Adapted:
    """Fit ``start`` to turns of one's own.

    Raises:
        ClassifierError: a weight is negative or no number.
        TooFewTurnsError: there are too few turns, calls, or turns of one kind.
    """
    used, counts = _used(turns)
    positive = np.array([turn.needs_tool for turn in used])
    groups = [turn.group or f"turn {at}" for at, turn in enumerate(used)]
    names = [seen(turn) for turn in used]
    kept = _shared(names, groups)
    rows = Rows.of(names, {one: at for at, one in enumerate(kept)})
    before = np.array([_log_odds(start, row) for row in names])

    learnt = _learn(rows, positive, counts, before, _folds(groups, seed))
    p_before, p_after = sigmoid(before), sigmoid(learnt.held_out)

    def both(figure: Figure) -> Compared:
        return compared(figure, p_before, p_after, positive, counts, groups, seed=seed)

    told_apart, loss = both(auroc), both(log_loss)
    ship = loss.gain.high < 0 and told_apart.gain.high > 0
    moved = np.argsort(-np.abs(learnt.own), kind="stable")[:_TOLD]
    wrong = np.argsort(-np.abs(p_after - positive), kind="stable")[:_MISTAKES]
    table = set(kept)
    report = Report(
        turns=len(used),
        calls=len(set(groups)),
        positive=int(positive.sum()),
        base_rate=float(np.average(positive, weights=counts)),
        effective_turns=float(counts.sum() ** 2 / (counts**2).sum()),
        auroc=told_apart,
        average_precision=both(average_precision),
        calibration_error=both(calibration_error),
        log_loss=loss,
        reliability=reliability(p_after, positive, counts),
        telling=tuple((_told(kept[at]), round(float(learnt.own[at]), 3)) for at in moved),
        mistakes=tuple(
            Mistake(
                round(float(p_after[at]), 3),
                bool(positive[at]),
                tuple(_told(one) for one in names[at] if one in table and one[0] in ("stage", "pair")),
            )
            for at in wrong
        ),
        ship=ship,
        why="on calls left out it is better beyond doubt"
        if ship
        else "on calls left out it is not better beyond doubt: the start is kept",
    )
    model = _merged(start, kept, learnt, report)
    return Adapted(model if ship else start, report)


@dataclass(frozen=True, slots=True)
class _Learnt:
    """Log-odds become ``trust * start + own . features + bias``, calibrated. ``held_out``: of calls left out."""

    trust: float
    own: Floats
    bias: float
    held_out: Floats


def _learn(rows: Rows, positive: Bools, counts: Floats, before: Floats, fold: NDArray[np.int64]) -> _Learnt:
    trust, shift = platt(before, positive, counts)
    trust = min(max(trust, 0.0), 1.0)
    offset = trust * before
    parts = [fold != one for one in range(_FOLDS)]
    weights: list[Floats | None] = [None] * _FOLDS
    best_loss, best, best_held = np.inf, _STRENGTHS[0], np.empty(rows.count)
    for strength in _STRENGTHS:
        held = np.empty(rows.count)
        for one, part in enumerate(parts):
            inside = rows.some(part)
            penalty = informed_penalty(inside, positive[part], counts[part], strength)
            fitted = fit(
                inside, positive[part], counts[part], penalty, offset=offset[part], start=weights[one]
            )
            weights[one] = fitted
            held[~part] = rows.some(~part).dot(fitted[:-1]) + fitted[-1] + offset[~part]
        loss = log_loss(sigmoid(held), positive)(counts)
        if loss < best_loss:
            best_loss, best, best_held = loss, strength, held
    calibrated = np.empty(rows.count)
    for part in parts:
        slope, shift = platt(best_held[part], positive[part], counts[part])
        calibrated[~part] = slope * best_held[~part] + shift
    slope, shift = platt(best_held, positive, counts)
    penalty = informed_penalty(rows, positive, counts, best)
    own = fit(rows, positive, counts, penalty, offset=offset) * slope
    return _Learnt(trust * slope, own[:-1], float(own[-1]) + shift, calibrated)


def _merged(start: ToolNeedModel, kept: Sequence[Feature], learnt: _Learnt, report: Report) -> ToolNeedModel:
    nested: defaultdict[str, dict[Key, float]] = defaultdict(dict)
    for block, known in start.weights.items():
        nested[block].update({key: weight * learnt.trust for key, weight in known.items()})
    for (block, key), weight in zip(kept, learnt.own.tolist(), strict=True):
        nested[block][key] = nested[block].get(key, 0.0) + weight
    return ToolNeedModel(
        {block: {key: round(weight, 3) for key, weight in known.items()} for block, known in nested.items()},
        round(start.bias * learnt.trust + learnt.bias, 4),
        round(report.base_rate, 3),
        Provenance(
            {"own turns": report.turns, "own calls": report.calls}, fingerprint(start.weights, start.bias)
        ),
    )


def _used(turns: Sequence[LabelledTurn]) -> tuple[list[LabelledTurn], Floats]:
    for turn in turns:
        if not (np.isfinite(turn.weight) and turn.weight >= 0):
            raise ClassifierError(
                Path("labelled turns"), f"a turn weighs {turn.weight}", "a weight is 0 or a positive number"
            )
    used = [turn for turn in turns if turn.weight > 0 and said(turn.user)]
    calls = len({turn.group or at for at, turn in enumerate(used)})
    positive = sum(turn.needs_tool for turn in used)
    wants = (
        (LEAST_TURNS - len(used), "more turns"),
        (LEAST_CALLS - calls, "more calls"),
        (LEAST_OF_EACH - positive, "more turns in which a tool was called"),
        (LEAST_OF_EACH - (len(used) - positive), "more turns in which none was called"),
    )
    if missing := [f"{count} {kind}" for count, kind in wants if count > 0]:
        raise TooFewTurnsError(
            f"{len(used)} turns of {calls} calls, {positive} of them with a tool, cannot teach",
            f"it takes {', '.join(missing)}",
        )
    counts = np.array([turn.weight for turn in used], dtype=np.float64)
    counts = np.minimum(counts / np.median(counts), MOST_WEIGHT)
    return used, counts * (len(used) / counts.sum())


def _shared(names: Sequence[Sequence[Feature]], groups: Sequence[str]) -> list[Feature]:
    """The features that enough calls hold, in a fixed order."""
    calls_of: defaultdict[Feature, set[str]] = defaultdict(set)
    for row, group in zip(names, groups, strict=True):
        for one in row:
            calls_of[one].add(group)
    enough = (
        one for one, calls in calls_of.items() if len(calls) >= CALLS_OF.get(one[0], CALLS_OF_A_FEATURE)
    )
    return sorted(enough, key=_told)


def _log_odds(model: ToolNeedModel, row: Sequence[Feature]) -> float:
    return model.bias + sum(model.weights.get(block, {}).get(key, 0.0) for block, key in row)


def _told(feature: Feature) -> str:
    block, key = feature
    return f"{block}: {name_of(block, key)}"


def _folds(groups: Sequence[str], seed: int) -> NDArray[np.int64]:
    """The fold of each turn; calls stay together, and folds are as even as can be."""
    turns_of = Counter(groups)
    names = sorted(turns_of)
    order = [names[at] for at in np.random.default_rng(seed).permutation(len(names))]
    load = [0] * _FOLDS
    fold_of = {}
    for name in order:
        fold_of[name] = min(range(_FOLDS), key=load.__getitem__)
        load[fold_of[name]] += turns_of[name]
    return np.array([fold_of[name] for name in groups])
