"""Moments in what callers say, each with whether a read-out goes on after it.

From every read-out come its end and one moment inside it, so half of the moments are ends: what a caller does at a
pause is not known from text. Other speech gives its end and one moment inside it too; neither is an unfinished
read-out.
"""
# ruff: noqa: S311 - seeded choices, no secrets

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from classifiers.errors import ClassifierError
from classifiers.words.training.readouts import read_out

ASKED = {
    "postcode": ["What is your postcode?", "Could you please tell me your postcode?"],
    "name": ["What is your full name?", "Please spell your name."],
    "dob": ["What is your date of birth?"],
}
QUESTIONS = [
    ("", 6),
    ("How can I help you?", 6),
    ("Is there anything else?", 2),
    ("How many people is it for?", 1),
    ("What time?", 1),
    ("What is your order number?", 1),
    ("May I have your phone number?", 1),
    ("What is your name?", 1),
    ("Which day?", 1),
    ("Could you give me your email address?", 1),
    ("Is that correct?", 1),
    ("How much would you like to transfer?", 1),
]


@dataclass(frozen=True, slots=True)
class Moment:
    """What was said so far, after which question, and whether a read-out goes on."""

    source: str
    agent: str
    text: str
    unfinished: bool
    group: str
    """The dialogue or the read-out, for splits."""

    @property
    def held_out(self) -> bool:
        return zlib.crc32(self.group.encode()) % 4 == 0


def invented(count: int, seed: int) -> Iterator[Moment]:
    """Moments of ``count`` invented read-outs."""
    rng = Random(seed)
    for number in range(count):
        made = read_out(rng)
        cut = rng.randrange(len(made.read)) if made.before else rng.randrange(1, max(2, len(made.read)))
        group = f"invented {number}"
        inside = " ".join([made.before, *made.read[:cut]]).strip()
        if cut < len(made.read) and inside:
            yield Moment("invented", made.agent, inside, True, group)
        yield Moment(
            "invented", made.agent, " ".join([made.before, *made.read, made.after]).strip(), False, group
        )


def evi(folder: Path) -> Iterator[Moment]:
    """Real callers of EVI (CC BY 4.0). An answer counts as complete when all of what was asked was heard."""
    rng = Random(7)
    for row in _rows(folder, "evi_en.jsonl"):
        tokens, asked, truth = row["text"].split(), row["asked"], row["truth"]
        if not tokens:
            continue
        spelled = asked != "name" or sum(len(token) <= 2 for token in tokens) >= 3
        question = ASKED["name"][1] if asked == "name" and spelled else rng.choice(ASKED[asked])
        agent = question if rng.random() < 0.8 else ""
        if not spelled or _complete(tokens, asked, truth):
            yield Moment("EVI", agent, " ".join(tokens), False, row["dialogue"])
        if spelled and len(tokens) > 1:
            inside = tokens[: rng.randrange(1, len(tokens))]
            if not _complete(inside, asked, truth):
                yield Moment("EVI", agent, " ".join(inside), True, row["dialogue"])


def _complete(tokens: Sequence[str], asked: str, truth: Mapping[str, str]) -> bool:
    """Whether as much was heard as the true answer has."""
    heard = sum(map(len, tokens))
    if asked == "postcode":
        return heard >= len(truth["postcode"].replace(" ", ""))
    if asked == "name":
        return heard >= min(map(len, truth["name"].split()))
    figures = sum(c.isdigit() for token in tokens for c in token)
    named = any(token.isalpha() and len(token) > 2 for token in tokens)
    return tokens[-1][-1].isdigit() and figures >= (5 if named else 7)


def other_speech(folder: Path, names: Sequence[str]) -> Iterator[Moment]:
    """Requests that read nothing out. Those that end in a long number are left out."""
    rng = Random(11)
    questions, shares = zip(*QUESTIONS, strict=True)
    for name in names:
        for number, row in enumerate(_rows(folder, f"{name}.jsonl")):
            tokens = str(row["text"]).split()
            if not tokens or sum(c.isdigit() for token in tokens[-3:] for c in token) > 4:
                continue
            agent = rng.choices(questions, weights=shares)[0]
            yield Moment(name, agent, " ".join(tokens), False, f"{name} {number}")
            inside = " ".join(tokens[: rng.randrange(1, len(tokens) + 1)])
            if not inside.lower().endswith(("name is", "number is", "it's", "it is", "date is")):
                yield Moment(name, agent, inside, False, f"{name} {number}")


def _rows(folder: Path, name: str) -> list[dict[str, Any]]:
    path = folder / name
    if not path.is_file():
        raise ClassifierError(folder, f"has no {name}", "give the folder with the redaction corpora")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
