"""Calls in which the topic changes, joined from dialogues about different things.

tau-bench airline trajectories (MIT) and Taskmaster-4 coffee orders (CC BY 4.0) give turns that follow one another;
CLINC150 (CC BY 3.0) and BANKING77 (CC BY 4.0) give requests out of the blue. Schema-Guided Dialogue (CC BY-SA 4.0) is
measured only: see :func:`measured_only`.
"""
# ruff: noqa: S311 - seeded choices, no secrets

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any

from classifiers.errors import ClassifierError

ANYTHING_ELSE = [
    "Is there anything else I can help you with?",
    "All done. Anything else?",
    "What else can I do for you?",
    "That is taken care of. Do you need anything else today?",
    "Can I help you with something else?",
]
NOTHING_ELSE = [
    "no",
    "no thanks",
    "no thank you that's all",
    "that's it thank you",
    "no that is everything",
    "nope goodbye",
    "no you've been very helpful",
    "i'm good thanks",
    "that will be all",
]
ANNOUNCED = [
    "also",
    "and also",
    "another thing",
    "one more thing",
    "another question",
    "by the way",
    "okay and",
    "oh and",
    "different question",
    "something else",
    "while i have you",
    "and one more question",
    "next",
    "i also wanted to ask",
    "apart from that",
    "now",
]

FOLLOWING = [
    "also",
    "and",
    "oh and",
    "okay",
    "what about",
    "and what about",
    "can you also",
    "i also want",
    "now",
    "actually",
    "so",
    "well",
]


@dataclass(frozen=True, slots=True)
class Said:
    """A caller's turn, the agent's words before it, and whether it opens another topic."""

    text: str
    agent: str
    changes: bool


@dataclass(frozen=True, slots=True)
class Call:
    """A joined call; ``source`` says of what."""

    source: str
    turns: tuple[Said, ...]
    group: str

    @property
    def held_out(self) -> bool:
        return zlib.crc32(self.group.encode()) % 4 == 0


def joined(folder: Path, count: int, seed: int) -> Iterator[Call]:
    """``count`` calls of one, two or three topics; a dialogue or request stays on one side of the split."""
    rng = Random(seed)
    sides: dict[bool, tuple[list[list[Said]], list[str]]] = {True: ([], []), False: ([], [])}
    for name in ("tau_turns", "tm4_turns"):
        for key, turns in _dialogues(_rows(folder, name)):
            sides[_held_out(key)][0].append(turns)
    for name in ("clinc150", "banking77"):
        for row in _rows(folder, name):
            sides[_held_out(row["u"])][1].append(row["u"])
    for held_out, (dialogues, requests) in sides.items():
        long = [turns for turns in dialogues if len(turns) > 3]  # another topic comes up late
        for number in range(count // 4 if held_out else count):
            topics = [rng.choice(long)]
            for _ in range(rng.choice([0, 0, 1, 1, 2])):
                out_of_the_blue = rng.random() < 0.6
                topics.append(
                    [Said(rng.choice(requests), "", False)] if out_of_the_blue else rng.choice(dialogues)
                )
            yield Call("joined", tuple(_join(topics, rng)), _key(number, held_out))


def measured_only(folder: Path, count: int, seed: int) -> Iterator[Call]:
    """Schema-Guided Dialogue: dialogues of one service, each joined to one of another. Never train on it."""
    rng = Random(seed)
    by_service: dict[str, list[list[Said]]] = {}
    rows = [row for row in _rows(folder, "sgd_turns") if row["s"] == "test" and len(row["svc"]) == 1]
    services = {(row["s"], row["d"]): row["svc"][0].split("_")[0] for row in rows}
    for key, turns in _dialogues(rows):
        by_service.setdefault(services[key], []).append(turns)
    for number in range(count):
        first, second = rng.sample(sorted(by_service), 2)
        topics = [rng.choice(by_service[first]), rng.choice(by_service[second])]
        yield Call("Schema-Guided Dialogue", tuple(_join(topics, rng, adorned=False)), str(number))


def _join(topics: Sequence[Sequence[Said]], rng: Random, *, adorned: bool = True) -> Iterator[Said]:
    """The topics one after the other, each broken off somewhere.

    ``adorned``: some changes are announced, some turns that change nothing begin in the same way, some of the agent's
    words were not heard.
    """
    reply = ""
    for i, topic in enumerate(topics):
        end = rng.randint(min(2, len(topic)), len(topic)) if adorned else len(topic)
        for j, turn in enumerate(topic[:end]):
            text, agent, changes = turn.text, turn.agent, i > 0 and j == 0
            if changes:
                agent = rng.choice([rng.choice(ANYTHING_ELSE), reply])
            if adorned:
                opening = ANNOUNCED if changes else FOLLOWING
                if rng.random() < (0.35 if changes else 0.1):
                    text = f"{rng.choice(opening)} {text}"
                agent = agent if rng.random() < 0.75 else ""
            yield Said(text, agent, changes)
        reply = topic[end].agent if end < len(topic) else ""
    if rng.random() < 0.3:
        yield Said(rng.choice(NOTHING_ELSE), rng.choice(ANYTHING_ELSE), False)


def _dialogues(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[tuple[str, str], list[Said]]]:
    for key, turns in groupby(rows, key=lambda row: (row["s"], row["d"])):
        yield key, [Said(row["u"], row["p"], False) for row in turns]


def _held_out(key: object) -> bool:
    return zlib.crc32(str(key).encode()) % 4 == 0


def _key(number: int, held_out: bool) -> str:
    """A group name that falls on the side of the split that its dialogues come from."""
    return next(name for i in range(100) if _held_out(name := f"{number}.{i}") == held_out)


def _rows(folder: Path, name: str) -> list[dict[str, Any]]:
    path = folder / f"{name}.jsonl.gz"
    if not path.is_file():
        raise ClassifierError(folder, f"has no {path.name}", "give the folder with the tool-need corpora")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
