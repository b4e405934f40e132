"""The public corpora as one list of labelled turns.

CLINC150 (CC BY 3.0), BANKING77 (CC BY 4.0), Taskmaster-4 (CC BY 4.0), tau-bench trajectories (MIT) and our own phrases
are trained on. Schema-Guided Dialogue is share-alike: it is only measured against.
"""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from classifiers.errors import ClassifierError
from classifiers.tool_need.training import intents
from classifiers.tool_need.training.phrases import OPENERS, make

Split = Literal["train", "calibrate", "test"]
SEED = 5


@dataclass(frozen=True, slots=True)
class Turn:
    """One user turn. ``weight`` says how much it counts in training."""

    source: str
    user: str
    agent: str
    needs_tool: bool
    split: Split
    weight: float
    opening: bool
    domain: str = ""
    """Of a single question: what it is about. Empty for turns of calls."""
    intent: str = ""


def training_turns(folder: Path) -> list[Turn]:
    """Everything that may shape weights that ship, with its split.

    Raises:
        ClassifierError: a corpus is missing or malformed.
    """
    return [*_clinc(folder), *_banking(folder), *_tau(folder), *_taskmaster(folder), *_own()]


def benchmark_turns(folder: Path) -> list[Turn]:
    """The test part of Schema-Guided Dialogue. Never train on it: CC BY-SA 4.0."""
    return [
        Turn("SGD", row["u"], row["p"], bool(row["y"]), "test", 1.0, row["t"] == 0)
        for row in _rows(folder, "sgd_turns.jsonl.gz")
        if row["s"] == "test"
    ]


def _clinc(folder: Path) -> list[Turn]:
    splits: dict[str, Split] = {"train": "train", "val": "calibrate", "test": "test"}
    domain_of = {intent: domain for domain, some in _domains(folder).items() for intent in some}
    return [
        Turn(
            "CLINC150",
            row["u"],
            _opener(row["u"]),
            row["l"] in intents.CLINC_TOOL,
            splits[row["s"]],
            0.5,
            True,
            domain_of.get(row["l"], "other"),
            row["l"],
        )
        for row in _rows(folder, "clinc150.jsonl.gz")
        if row["s"] in splits and row["l"] in intents.CLINC_TOOL | intents.CLINC_TALK
    ]


def _banking(folder: Path) -> list[Turn]:
    return [
        Turn(
            "BANKING77",
            row["u"],
            _opener(row["u"]),
            row["l"] in intents.BANKING_TOOL,
            "test" if row["s"] == "test" else "calibrate" if _bucket(row["u"]) < 10 else "train",
            0.5,
            True,
            "cards",
            row["l"],
        )
        for row in _rows(folder, "banking77.jsonl.gz")
        if row["l"] in intents.BANKING_TOOL | intents.BANKING_TALK
    ]


def _tau(folder: Path) -> list[Turn]:
    """Opening turns are measured but not learnt: there the scripted agent asks for an id before it calls anything."""
    return [
        Turn(
            "tau-bench",
            row["u"],
            row["p"],
            bool(row["y"]),
            split_of_dialogue(row["d"]),
            float(row["t"] > 0),
            row["t"] == 0,
        )
        for row in _rows(folder, "tau_turns.jsonl.gz")
    ]


def _taskmaster(folder: Path) -> list[Turn]:
    """Coffee orders, nearly all positive: a little weight, for their confirmations."""
    return [
        Turn(
            "Taskmaster-4",
            row["u"],
            row["p"],
            bool(row["y"]),
            split_of_dialogue(row["d"]),
            0.1,
            row["t"] == 0,
        )
        for row in _rows(folder, "tm4_turns.jsonl.gz")
    ]


def _own() -> list[Turn]:
    """Few, but the only ones from a retail line: they count double."""
    return [
        Turn("own phrases", p.user, p.agent, p.needs_tool, split_of_dialogue(p.line), 2.0, p.agent in OPENERS)
        for p in make(12, SEED)
    ]


def split_of_dialogue(name: str) -> Split:
    """The split of a dialogue of a corpus that names none: nobody may judge on what was trained on."""
    bucket = _bucket(name)
    return "test" if bucket < 20 else "calibrate" if bucket < 30 else "train"


def _opener(text: str) -> str:
    return OPENERS[_bucket(text + "opener") % len(OPENERS)]


def _bucket(text: str) -> int:
    return zlib.crc32(text.encode()) % 100


def _domains(folder: Path) -> dict[str, list[str]]:
    path = folder / "clinc150_domains.json"
    try:
        found: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as broken:
        raise ClassifierError(path, f"cannot be read ({broken})", "fetch it again") from broken
    return found


def _rows(folder: Path, name: str) -> list[dict[str, Any]]:
    path = folder / name
    if not path.is_file():
        raise ClassifierError(folder, f"has no {name}", "give --data the folder with the tool-need corpora")
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]
    except (OSError, ValueError) as broken:
        raise ClassifierError(path, f"cannot be read ({broken})", "fetch it again") from broken
