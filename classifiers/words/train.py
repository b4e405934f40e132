"""Train the models of reading out and of topic change.

``python -m classifiers.words.train --data DATA --out classifiers/words/model``

``DATA`` holds the corpora in ``redaction`` and ``tool_need``. Logistic regression with an L2 penalty; NumPy alone.
Prints the cards' tables. Same data, same weights.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers.measures import auroc, average_precision, expected_calibration_error
from classifiers.words import reading, topic
from classifiers.words.training.moments import Moment, evi, invented, other_speech
from classifiers.words.training.topics import Call, joined, measured_only
from classifiers.words.weights import logistic

READ_OUTS, CALLS, MEASURED_CALLS = 20_000, 6_000, 1_500
SEED = 5
RAREST = 15
NEWTON_STEPS = 12
TRAINED_ON = ("slurp_devel", "restaurant8k_train", "banking77_train")
MEASURED_ON = ("nlupp_banking", "nlupp_hotels")
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Example:
    """The features of a moment by name, and whether it is what the model looks for."""

    source: str
    features: Mapping[str, float]
    positive: bool


def reading_out_examples(moments: Iterable[Moment]) -> list[Example]:
    return [Example(m.source, dict(reading.features(m.text, m.agent)), m.unfinished) for m in moments]


def topic_examples(calls: Iterable[Call]) -> list[Example]:
    """Every turn after the first of each call."""
    found: list[Example] = []
    for call in calls:
        heard = topic.TopicChange()
        for i, turn in enumerate(call.turns):
            if i:
                found.append(Example(call.source, dict(heard.features(turn.text, turn.agent)), turn.changes))
            heard.turn_ended(turn.text, turn.agent)
    return found


def fit(examples: Sequence[Example], penalty: float) -> dict[str, float]:
    """The weight of every feature that is common enough, ``bias`` among them."""
    counts = Counter(name for example in examples for name in example.features)
    names = ["bias", *sorted(name for name, count in counts.items() if count >= RAREST)]
    column = {name: i for i, name in enumerate(names)}
    inputs = np.zeros((len(examples), len(names)))
    inputs[:, 0] = 1.0
    for i, example in enumerate(examples):
        for name, value in example.features.items():
            if name in column:
                inputs[i, column[name]] = value
    weights = regression(inputs, np.array([example.positive for example in examples]), penalty)
    return {name: round(float(weight), 3) for name, weight in zip(names, weights, strict=True)}


def regression(inputs: Floats, positive: NDArray[np.bool_], penalty: float) -> Floats:
    """Weights ``[features]`` of a penalised logistic regression on ``[rows, features]`` by Newton's method.

    The first feature is the constant and is not penalised.
    """
    weights = np.zeros(inputs.shape[1])
    penalties = np.full(inputs.shape[1], penalty)
    penalties[0] = 0.0
    for _ in range(NEWTON_STEPS):
        p = 1 / (1 + np.exp(-inputs @ weights))
        gradient = inputs.T @ (p - positive) + penalties * weights
        curvature = (inputs * (p * (1 - p) + 1e-9)[:, None]).T @ inputs + np.diag(penalties)
        weights = weights - np.linalg.solve(curvature, gradient)
    return np.asarray(weights)


def report(title: str, weights: Mapping[str, float], examples: Sequence[Example]) -> None:
    """Print discrimination and calibration for each source."""
    print(f"| {title} | count | positive | AUROC | AP | ECE | recall at .5 | false alarms at .5 |")
    print("|---|---|---|---|---|---|---|---|")
    for source in dict.fromkeys(example.source for example in examples):
        own = [example for example in examples if example.source == source]
        p = np.array([logistic(weights, example.features.items()) for example in own])
        truth = np.array([example.positive for example in own])
        ranked = "– | –"
        recall = "–"
        if truth.any():
            ranked = f"{auroc(p, truth):.3f} | {average_precision(p, truth):.3f}"
            recall = f"{(p[truth] >= 0.5).mean():.3f}"
        print(
            f"| {source} | {len(own):,} | {truth.mean():.0%} | {ranked} | {expected_calibration_error(p, truth):.3f} "
            f"| {recall} | {(p[~truth] >= 0.5).mean():.3f} |"
        )


def write(path: Path, weights: Mapping[str, float]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(weights, indent=0, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{path}: {len(weights)} weights\n")


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m classifiers.words.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with redaction and tool_need in it")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the weights to")
    given = parser.parse_args(arguments)
    texts, dialogues = given.data / "redaction", given.data / "tool_need"

    moments = [*invented(READ_OUTS, SEED), *evi(texts), *other_speech(texts, TRAINED_ON)]
    weights = fit(reading_out_examples(m for m in moments if not m.held_out), penalty=1.0)
    held_out = [m for m in moments if m.held_out]
    report("reading out", weights, reading_out_examples([*held_out, *other_speech(texts, MEASURED_ON)]))
    write(given.out / reading.WEIGHTS.name, weights)

    calls = list(joined(dialogues, CALLS, SEED))
    weights = fit(topic_examples(call for call in calls if not call.held_out), penalty=10.0)
    held_out_calls = [call for call in calls if call.held_out]
    report(
        "topic change",
        weights,
        topic_examples([*held_out_calls, *measured_only(dialogues, MEASURED_CALLS, SEED)]),
    )
    write(given.out / topic.WEIGHTS.name, weights)


if __name__ == "__main__":
    main()
