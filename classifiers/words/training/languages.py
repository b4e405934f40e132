"""Calibrate and measure the language guess.

``python -m classifiers.words.training.languages --data DATA --held-out SENTENCES``

Learns how often the best language is right, given its score and the length, on our own sentences in nine languages
and their beginnings, public English requests and what EVI's callers said (names, postcodes, dates). Prints the
constants of :mod:`classifiers.words.language` and the card's table.
"""
# ruff: noqa: S311 - seeded choices, no secrets

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random

import numpy as np

from classifiers.measures import expected_calibration_error
from classifiers.words.language import (
    CALIBRATION,
    UNDETERMINED,
    CallLanguage,
    language,
    letters,
    log_odds_of,
    scores,
)
from classifiers.words.train import regression

OWN = Path(__file__).parent / "languages.jsonl"
ENGLISH = ("restaurant8k_train", "slurp_devel", "banking77_train")
MEASURED = ("nlupp_banking", "nlupp_hotels")
CALIBRATED_ON_EVI = 800
Labelled = tuple[str, str]
"""A language tag and a text; ``und`` where no answer, or English for EVI, is right."""


def sentences(path: Path) -> list[Labelled]:
    return [(row["tag"], row["text"]) for row in map(json.loads, path.read_text("utf-8").splitlines())]


def beginnings(rows: Iterable[Labelled], rng: Random) -> list[Labelled]:
    """The rows, and about half of their beginnings: a preview sees those."""
    found: list[Labelled] = []
    for tag, text in rows:
        said = text.split()
        cuts = [] if tag == UNDETERMINED else [n for n in range(1, len(said)) if rng.random() < 0.5]
        found += [(tag, " ".join(said[:n])) for n in (*cuts, len(said))]
    return found


def _texts(folder: Path, name: str) -> list[str]:
    rows = map(json.loads, (folder / f"{name}.jsonl").read_text("utf-8").splitlines())
    return sorted({row["text"] for row in rows if row["text"]})


def _inputs(rows: Sequence[Labelled]) -> tuple[list[list[float]], list[bool]]:
    inputs, right = [], []
    for tag, text in rows:
        if found := scores(text):
            best = max(found, key=found.__getitem__)
            inputs.append([1.0, log_odds_of(best, found), math.log1p(letters(text))])
            right.append(best == tag or (tag == "en or und" and best == "en"))
    return inputs, right


def _report(title: str, rows: Sequence[Labelled]) -> None:
    guesses = [(tag, language(text).tag) for tag, text in rows]
    answered = [pair for pair in guesses if pair[1] != UNDETERMINED]
    wrong = sum(guess not in tag.split(" or ") for tag, guess in answered)
    print(
        f"| {title} | {len(rows):,} | {len(answered) / len(rows):.1%} | {wrong} | {wrong / len(rows):.2%} |"
    )


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m classifiers.words.training.languages", description=__doc__
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with redaction in it")
    parser.add_argument(
        "--held-out", type=Path, required=True, help="our own sentences that nothing was fitted on"
    )
    given = parser.parse_args(arguments)
    folder, rng = given.data / "redaction", Random(3)
    heard = [("en or und", text) for text in _texts(folder, "evi_en")]
    rng.shuffle(heard)
    english = [("en", text) for name in ENGLISH for text in rng.sample(_texts(folder, name), 150)]
    inputs, right = _inputs([*beginnings([*sentences(OWN), *english], rng), *heard[:CALIBRATED_ON_EVI]])
    print(
        "bias, per log-odds, per log-letter:",
        regression(np.array(inputs), np.array(right), 1.0).round(3).tolist(),
    )

    held_out = sentences(given.held_out)
    whole = [row for row in held_out if row[0] != UNDETERMINED]
    print("| text | count | answered | wrong | wrong of all |\n|---|---|---|---|---|")
    _report("our own sentences, held out", whole)
    for n in range(1, 6):
        _report(
            f"their first {n} words", [(t, " ".join(s.split()[:n])) for t, s in whole if len(s.split()) > n]
        )
    _report("names, numbers, single words", [row for row in held_out if row[0] == UNDETERMINED])
    _report("EVI: names, postcodes, dates, heard by a recogniser", heard[CALIBRATED_ON_EVI:])
    for name in MEASURED:
        _report(f"{name}, English", [("en", text) for text in _texts(folder, name)])
    inputs, right = _inputs([*beginnings(held_out, Random(5)), *heard[CALIBRATED_ON_EVI:][:1000]])
    calibrated = [_confidence(row) for row in inputs]
    print(
        "ECE", round(expected_calibration_error(np.array(calibrated), np.array(right)), 3), "over", len(right)
    )
    for turns in (1, 2, 3):
        outcomes = [_call(whole, turns, Random(seed)) for seed in range(500)]
        und, wrong = outcomes.count("und"), outcomes.count("wrong")
        print(f"calls of {turns} turns of up to 3 words: {und} und, {wrong} wrong of {len(outcomes)}")


def _confidence(row: Sequence[float]) -> float:
    return float(1 / (1 + math.exp(-sum(a * b for a, b in zip(CALIBRATION, row, strict=True)))))


def _call(rows: Sequence[Labelled], turns: int, rng: Random) -> str:
    tag = rng.choice(rows)[0]
    own, call = [text for t, text in rows if t == tag], CallLanguage()
    guess = [call.turn_ended(" ".join(rng.choice(own).split()[:3])) for _ in range(turns)][-1].tag
    return "right" if guess == tag else "und" if guess == UNDETERMINED else "wrong"


if __name__ == "__main__":
    main()
