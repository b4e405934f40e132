"""Labelled conversations: what callers said turn by turn, and whether the agent then used a tool.

A folder holds ``*_turns.jsonl`` or ``*_turns.jsonl.gz``, a line for each turn of the caller, in order:
``{"d": conversation, "t": turn from 0, "u": caller's words, "p": agent's words before, "y": 1 if a tool was used,
"s": split}``. It may also hold ``clinc150.jsonl.gz``: single questions, which are strung together to short calls.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import IO, Any, Literal

from classifiers.tool_need import ToolNeedModel
from classifiers.tool_need.training import intents
from classifiers.tool_need.training.corpora import split_of_dialogue
from router.whatif.calls import PastCall, PastTurn
from service.cli.errors import CommandError
from service.said import Said

Split = Literal["tune", "judge"]

_SPLITS: dict[str, Split] = {"tune": "tune", "dev": "tune", "judge": "judge", "test": "judge"}
_TAUGHT = frozenset({"tau", "tm4"})
"""Corpora of which a part taught the shipped tool-need model, by the hash of the conversation."""
_UNTAUGHT: dict[str, Split] = {"calibrate": "tune", "test": "judge"}
_QUESTIONS = "clinc150.jsonl.gz"
_QUESTIONS_SPLITS: dict[str, Split] = {"val": "tune", "test": "judge"}
_QUESTIONS_A_CALL = (2, 3, 4)
_THEN = "Is there anything else I can help you with?"


@dataclass(frozen=True, slots=True)
class SaidTurn:
    """What the caller said in a turn."""

    caller: str
    agent: str
    """What the agent had said last; empty at the start of a call."""
    needs_tools: bool
    """Whether the agent used a tool to answer: a label."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One labelled conversation."""

    source: str
    """The corpus: the file's name up to ``_turns``."""
    name: str
    split: Split
    """Policies are tuned on some conversations and judged on others."""
    turns: tuple[SaidTurn, ...]


def read_conversations(folder: Path) -> tuple[Conversation, ...]:
    """The conversations of ``folder`` that may be tuned or judged on, in the order of the files.

    Left out are those that taught the shipped tool-need model, and splits called ``train``. A split that is not named
    is drawn by the hash of the conversation's name, half and half.

    Raises:
        CommandError: there are none, or a line cannot be used.
    """
    files = sorted([*folder.glob("*_turns.jsonl.gz"), *folder.glob("*_turns.jsonl")])
    found = [conversation for file in files for conversation in _conversations(file)]
    if (questions := folder / _QUESTIONS).is_file():
        found += _strung_together(questions)
    if not found:
        raise CommandError(
            f"{folder} holds no labelled conversations: no *_turns.jsonl or *_turns.jsonl.gz with turns in it"
        )
    return tuple(found)


def as_call(conversation: Conversation, tool_need: ToolNeedModel) -> PastCall:
    """The call with what its words tell: counts, tool need as the model judges it, cues. Emotion is not in words."""
    said = Said(tool_need)
    turns = [
        PastTurn(
            {"turn.count": number, **said.turn_ended(turn.caller, turn.agent, number).signals},
            needs_tools=turn.needs_tools,
        )
        for number, turn in enumerate(conversation.turns, 1)
    ]
    return PastCall(conversation.name, tuple(turns))


def labelled_calls(
    folder: Path, split: Split, tool_need: ToolNeedModel, *, most: int = 0
) -> Mapping[str, tuple[PastCall, ...]]:
    """Calls of one split by corpus, at most ``most`` of each (0: all), chosen by the hash of their names.

    They know what was said and needed; :func:`router.whatif.circumstances.around` draws the rest.

    Raises:
        CommandError: there are none in this split, or a line cannot be used.
    """
    found: defaultdict[str, list[Conversation]] = defaultdict(list)
    for conversation in read_conversations(folder):
        if conversation.split == split:
            found[conversation.source].append(conversation)
    if not found:
        raise CommandError(f"{folder}: no conversation is in the split '{split}'")
    return {
        source: tuple(
            as_call(conversation, tool_need)
            for conversation in sorted(some, key=lambda one: _hash(one.name))[: most or None]
        )
        for source, some in found.items()
    }


def _conversations(file: Path) -> Iterator[Conversation]:
    source = file.name.split("_turns.")[0]
    rows = (
        (row["s"] if isinstance(row.get("s"), str) else "", row)
        for row in _rows(file, ("d", "t", "u", "p", "y"))
    )
    for (split_name, name), group in groupby(rows, key=lambda pair: (pair[0], str(pair[1]["d"]))):
        split = _split(source, split_name, name)
        if split is not None:
            turns = tuple(SaidTurn(str(row["u"]), str(row["p"]), bool(row["y"])) for _, row in group)
            yield Conversation(source, f"{source}/{name}", split, turns)


def _split(source: str, split: str, name: str) -> Split | None:
    if split in _SPLITS:
        return _SPLITS[split]
    if split == "train":
        return None
    if source in _TAUGHT:
        return _UNTAUGHT.get(split_of_dialogue(name))
    return "tune" if zlib.crc32(name.encode()) % 2 else "judge"


def _strung_together(file: Path) -> Iterator[Conversation]:
    """Calls of two to four questions each, in the order of their hashes, so that intents mix."""
    wanted = intents.CLINC_TOOL | intents.CLINC_TALK
    rows = [row for row in _rows(file, ("u", "l", "s")) if row["l"] in wanted]
    for name, split in _QUESTIONS_SPLITS.items():
        asked = sorted(
            {str(row["u"]): row["l"] for row in rows if row["s"] == name}.items(),
            key=lambda one: _hash(one[0]),
        )
        for number, some in enumerate(_pieces(asked)):
            turns = (
                SaidTurn(text, _THEN if at else "", label in intents.CLINC_TOOL)
                for at, (text, label) in enumerate(some)
            )
            yield Conversation("clinc", f"clinc/{name}-{number}", split, tuple(turns))


def _pieces(asked: Sequence[tuple[str, str]]) -> Iterator[Sequence[tuple[str, str]]]:
    at = number = 0
    while at < len(asked):
        length = _QUESTIONS_A_CALL[number % len(_QUESTIONS_A_CALL)]
        yield asked[at : at + length]
        at, number = at + length, number + 1


def _hash(text: str) -> int:
    return zlib.crc32(text.encode())


def _rows(file: Path, keys: Iterable[str]) -> Iterator[dict[str, Any]]:
    number = 0
    try:
        with _opened(file) as lines:
            for number, line in enumerate(lines, 1):
                yield _row(line, f"{file}:{number}:1", keys)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as broken:
        raise CommandError(f"{file}:{number + 1}:1: cannot be read ({broken})") from broken


def _opened(file: Path) -> IO[str]:
    return gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8")


def _row(line: str, where: str, keys: Iterable[str]) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as broken:
        raise CommandError(f"{where}: the line is no JSON ({broken})") from broken
    if not isinstance(row, dict):
        raise CommandError(f"{where}: the line is no JSON object")
    if missing := [key for key in keys if key not in row]:
        raise CommandError(f"{where}: the line has no {', '.join(missing)}")
    return row
