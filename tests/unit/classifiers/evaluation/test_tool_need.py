"""Dialogues become turns with what was known at the time, and bad files say what is wrong."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from classifiers import ClassifierError, ToolNeedModel
from classifiers.evaluation.dialogues import dialogues
from classifiers.evaluation.tool_need import evaluate, turn_p99_us
from classifiers.tool_need.features import Earlier
from classifiers.tool_need.tools import Tool

pytestmark = pytest.mark.unit


def row(
    dialogue: str, turn: int, user: str, *, called: tuple[str, ...] = (), split: str = "test"
) -> dict[str, Any]:
    return {
        "s": split,
        "d": dialogue,
        "t": turn,
        "u": user,
        "p": "How can I help?",
        "y": int(bool(called)),
        "m": list(called),
        "svc": ["Trains_1"],
    }


ROWS = [
    row("7_1", 1, "yes please", called=("book_train",)),
    row("7_1", 0, "a train to Ulm, my number is 4417"),
    row("8_0", 0, "hello", split="train"),
]


def write(folder: Path, rows: list[dict[str, Any]] = ROWS) -> Path:
    with gzip.open(folder / "turns.jsonl.gz", "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(one) + "\n" for one in rows)
    return folder


def test_turns_come_in_order_with_what_was_said_before(tmp_path: Path) -> None:
    first, second, _ = dialogues(write(tmp_path), "turns.jsonl.gz", lambda row: row["d"])
    assert (first.turn, first.needs_tool, first.earlier) == (1, False, Earlier())
    assert (second.turn, second.needs_tool, second.user) == (2, True, "yes please")
    assert second.earlier == Earlier().then(first.user)


def test_dialogues_of_a_task_stay_together_and_only_one_split_is_read(tmp_path: Path) -> None:
    turns = dialogues(write(tmp_path), "turns.jsonl.gz", lambda row: row["d"].split("_")[0], split="test")
    assert {turn.group for turn in turns} == {"7"}


def test_the_tools_are_those_ever_called_or_those_of_the_services(tmp_path: Path) -> None:
    [first, *_] = dialogues(write(tmp_path), "turns.jsonl.gz", lambda row: row["d"])
    assert first.tools is not None
    assert first.tools.names == ("book_train",)
    schema = {"Trains_1": [Tool("FindTrain", "Find a train"), Tool("BuyTicket", "Buy a ticket")]}
    [first, *_] = dialogues(tmp_path, "turns.jsonl.gz", lambda row: row["d"], schema)
    assert first.tools is not None
    assert first.tools.names == ("FindTrain", "BuyTicket")


def test_scoring_a_turn_takes_some_time(tmp_path: Path) -> None:
    turns = dialogues(write(tmp_path), "turns.jsonl.gz", lambda row: row["d"])
    assert turn_p99_us(ToolNeedModel.load(), turns) > 0


@pytest.mark.parametrize("content", [None, b"", b"no gzip", gzip.compress(b"no json\n", mtime=0)])
def test_a_corpus_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "turns.jsonl.gz").write_bytes(content)
    if content == b"":  # an empty file is an empty corpus to gzip
        assert dialogues(tmp_path, "turns.jsonl.gz", lambda row: row["d"]) == []
        return
    with pytest.raises(ClassifierError, match=r"turns\.jsonl\.gz: cannot be read"):
        dialogues(tmp_path, "turns.jsonl.gz", lambda row: row["d"])


def test_a_folder_without_corpora_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match=str(tmp_path)):
        evaluate(tmp_path)
