"""Train the tool-need model.

``python -m classifiers.tool_need.train --data CORPORA --out classifiers/tool_need/model``

Logistic regression over words and word pairs, pruned to what matters, calibrated on turns it was not trained on. Prints
the model card's table. Same data, same weights.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from classifiers.measures import auroc, average_precision, expected_calibration_error
from classifiers.tool_need.features import features, last_sentence, words
from classifiers.tool_need.model import MODEL_TYPE, ToolNeedModel
from classifiers.tool_need.training.corpora import Turn, benchmark_turns, training_turns

RAREST = 3
KEPT_FEATURES = 9000
INVERSE_PENALTY = 0.3
DECIMALS = 2

Floats = NDArray[np.float64]


def names(turn: Turn) -> set[str]:
    return set(features(words(turn.user), last_sentence(turn.agent)))


def matrix(rows: list[set[str]], vocabulary: dict[str, int]) -> csr_matrix:
    """Which features of the vocabulary each turn has, ``[turns, features]``."""
    columns = [[vocabulary[name] for name in row if name in vocabulary] for row in rows]
    starts = np.cumsum([0, *map(len, columns)])
    flat = np.concatenate([np.asarray(sorted(c), dtype=np.int64) for c in columns])
    return csr_matrix((np.ones(len(flat)), flat, starts), shape=(len(rows), len(vocabulary)))


def fit(turns: list[Turn]) -> ToolNeedModel:
    """Train on the ``train`` split, prune, train again, calibrate on the ``calibrate`` split."""
    learnt = [turn for turn in turns if turn.split == "train" and turn.weight > 0]
    rows = [names(turn) for turn in learnt]
    counts = Counter(name for row in rows for name in row)
    common = sorted(name for name, count in counts.items() if count >= RAREST)
    labels = np.array([turn.needs_tool for turn in learnt])
    weights = np.array([turn.weight for turn in learnt])

    def regression(vocabulary: list[str]) -> LogisticRegression:
        inputs = matrix(rows, {name: i for i, name in enumerate(vocabulary)})
        return LogisticRegression(C=INVERSE_PENALTY, max_iter=2000).fit(inputs, labels, sample_weight=weights)

    # What a feature can move: its weight, and how often it is there to move anything.
    first = regression(common)
    reach = np.abs(first.coef_[0]) * np.sqrt([counts[name] for name in common])
    kept = sorted(common[i] for i in np.argsort(-reach, kind="stable")[:KEPT_FEATURES])
    final = regression(kept)
    raw = ToolNeedModel(
        dict(zip(kept, final.coef_[0].tolist(), strict=True)), float(final.intercept_[0]), 0.5
    )

    held = [turn for turn in turns if turn.split == "calibrate" and turn.weight > 0]
    log_odds = np.array([_log_odds(raw, turn) for turn in held])
    truth = np.array([turn.needs_tool for turn in held])
    held_weights = np.array([turn.weight for turn in held])
    platt = LogisticRegression(C=1e6).fit(log_odds[:, None], truth, sample_weight=held_weights)
    slope = float(platt.coef_[0, 0])
    return ToolNeedModel(
        {name: round(weight * slope, DECIMALS) for name, weight in raw.weights.items()},
        round(raw.bias * slope + float(platt.intercept_[0]), 4),
        round(float(np.average(labels, weights=weights)), 3),
    )


def _log_odds(model: ToolNeedModel, turn: Turn) -> float:
    return model.bias + sum(model.weights.get(name, 0.0) for name in names(turn))


def report(model: ToolNeedModel, turns: list[Turn]) -> None:
    """Print discrimination and calibration for each source."""
    print("| turns | count | positive | AUROC | AP | ECE |")
    print("|---|---|---|---|---|---|")
    for source in dict.fromkeys(turn.source for turn in turns):
        own = [turn for turn in turns if turn.source == source]
        _print_row(source, model, own)
        if source in ("tau-bench", "SGD"):
            _print_row(f"{source}, after the opening", model, [turn for turn in own if not turn.opening])


def _print_row(title: str, model: ToolNeedModel, turns: list[Turn]) -> None:
    p = np.array([model.score(turn.user, turn.agent).probability for turn in turns])
    truth = np.array([turn.needs_tool for turn in turns])
    print(
        f"| {title} | {len(turns)} | {truth.mean():.0%} | {auroc(p, truth):.3f} "
        f"| {average_precision(p, truth):.3f} | {expected_calibration_error(p, truth):.3f} |"
    )


def write_folder(out: Path, model: ToolNeedModel) -> None:
    out.mkdir(parents=True, exist_ok=True)
    config = {"model_type": MODEL_TYPE, "bias": model.bias, "base_rate": model.base_rate}
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    weights = {name: weight for name, weight in model.weights.items() if weight}
    compact = json.dumps(weights, indent=0, separators=(",", ":"), ensure_ascii=True, sort_keys=True)
    (out / "weights.json").write_text(compact + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m classifiers.tool_need.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the *.jsonl.gz corpora")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    given = parser.parse_args(arguments)
    turns = training_turns(given.data)
    write_folder(given.out, fit(turns))
    model = ToolNeedModel.load(given.out)
    report(model, [turn for turn in turns if turn.split == "test"] + benchmark_turns(given.data))
    print(f"exported to {given.out}: {len(model.weights)} weights")


if __name__ == "__main__":
    main()
