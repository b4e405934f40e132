"""Labelled conversations: what is read, what is left out, and what is said of a file that cannot be used."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from classifiers.tool_need import ToolNeedModel
from classifiers.tool_need.training.corpora import split_of_dialogue
from lab.conversations import HERE as SHIPPED
from service.cli.errors import CommandError
from service.cli.policy.conversations import (
    Conversation,
    SaidTurn,
    as_call,
    labelled_calls,
    read_conversations,
)

pytestmark = pytest.mark.unit

MODEL = ToolNeedModel.load()


def row(name: str, turn: int = 0, said: str = "hello", **more: Any) -> dict[str, Any]:
    return {"d": name, "t": turn, "u": said, "p": "", "y": 0, **more}


def write(folder: Path, *rows: dict[str, Any], name: str = "own_turns.jsonl") -> Path:
    (folder / name).write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    return folder


def test_a_line_for_each_turn_becomes_a_conversation_in_order(tmp_path: Path) -> None:
    write(
        tmp_path,
        row("one", 0, "where is my order", y=1, s="tune"),
        row("one", 1, "thanks", p="It is on its way.", s="tune"),
        row("two", 0, "hi", s="judge"),
    )
    first, second = read_conversations(tmp_path)
    assert (first.source, first.name, first.split) == ("own", "own/one", "tune")
    assert [(turn.caller, turn.agent, turn.needs_tools) for turn in first.turns] == [
        ("where is my order", "", True),
        ("thanks", "It is on its way.", False),
    ]
    assert second.split == "judge"


def test_compressed_files_are_read_too(tmp_path: Path) -> None:
    line = json.dumps(row("one", s="judge")) + "\n"
    (tmp_path / "own_turns.jsonl.gz").write_bytes(gzip.compress(line.encode()))
    assert len(read_conversations(tmp_path)) == 1


def test_splits_that_are_not_named_are_halves_that_stay_as_they_are(tmp_path: Path) -> None:
    found = read_conversations(write(tmp_path, *(row(f"c{number}") for number in range(200))))
    tuned = {one.name for one in found if one.split == "tune"}
    assert 70 < len(tuned) < 130
    fewer = read_conversations(write(tmp_path, *(row(f"c{number}") for number in range(0, 200, 2))))
    assert {one.name for one in fewer if one.split == "tune"} == tuned & {one.name for one in fewer}


def test_what_the_tool_need_model_was_taught_on_is_left_out(tmp_path: Path) -> None:
    names = [f"{number}_0" for number in range(100)]
    write(tmp_path, *(row(name, s="airline") for name in names), name="tau_turns.jsonl")
    write(tmp_path, row("x", s="train"), row("y", s="dev"), row("z", s="test"), name="sgd_turns.jsonl")
    found = {one.name: one.split for one in read_conversations(tmp_path)}
    assert {name for name in names if f"tau/{name}" not in found} == {
        name for name in names if split_of_dialogue(name) == "train"
    }
    assert [found.get(f"sgd/{name}") for name in "xyz"] == [None, "tune", "judge"]


def test_single_questions_are_strung_together_to_short_calls(tmp_path: Path) -> None:
    labels = ("order_status", "fun_fact", "oos")
    asked = [{"u": f"question {number}", "l": labels[number % 3], "s": "test"} for number in range(30)]
    lines = "".join(json.dumps(each) + "\n" for each in asked)
    (tmp_path / "clinc150.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    found = read_conversations(tmp_path)
    turns = [turn for one in found for turn in one.turns]
    assert len(turns) == 20  # those out of scope have no label
    assert sum(turn.needs_tools for turn in turns) == 10
    assert {len(one.turns) for one in found} <= {1, 2, 3, 4}
    assert all(one.turns[0].agent == "" for one in found)


# -- the call that comes of it ----------------------------------------------------------------------------------
def test_a_call_has_the_signals_that_the_service_would_have_given_it() -> None:
    turns = (
        SaidTurn("where is my order", "", needs_tools=True),
        SaidTurn("i already told you that", "Which order is it?", needs_tools=False),
        SaidTurn("no i said four two let me talk to a person", "Five two?", needs_tools=False),
    )
    call = as_call(Conversation("own", "own/one", "judge", turns), MODEL)
    signals = [turn.signals for turn in call.turns]
    assert [one["turn.tool_p"] for one in signals] == [
        MODEL.score(turn.caller, turn.agent).probability for turn in turns
    ]
    assert signals[0]["turn.needs_tools"] is True
    assert [one["turn.count"] for one in signals] == [1, 2, 3]
    assert (signals[1]["turn.words"], signals[1]["turn.chars"]) == (5, 23)
    assert [one["call.repeats"] for one in signals] == [0, 1, 1]
    assert [one["call.asked_human"] for one in signals] == [False, False, True]
    assert [one["turn.digits"] for one in signals] == [0, 0, 2]
    assert [turn.needs_tools for turn in call.turns] == [True, False, False]
    assert all(turn.upset is None for turn in call.turns)  # words do not tell


def test_fewer_calls_are_a_part_of_more(tmp_path: Path) -> None:
    write(tmp_path, *(row(f"c{number}", s="judge") for number in range(50)))
    some, all_of_them = (labelled_calls(tmp_path, "judge", MODEL, most=most)["own"] for most in (10, 0))
    assert (len(some), len(all_of_them)) == (10, 50)
    assert some == all_of_them[:10]


# -- what ships -------------------------------------------------------------------------------------------------
def test_the_conversations_that_ship_can_be_tuned_and_judged_on() -> None:
    for split in ("tune", "judge"):
        found = labelled_calls(SHIPPED, split, MODEL)  # type: ignore[arg-type]
        assert set(found) == {"clinc", "tau", "tm4"}


def test_nothing_of_a_share_alike_corpus_ships() -> None:
    assert not list(SHIPPED.glob("*sgd*"))
    assert "Schema-Guided Dialogue (CC BY-SA 4.0)" in (SHIPPED / "SOURCES.md").read_text(encoding="utf-8")


def test_no_conversation_that_ships_taught_the_tool_need_model_or_is_in_both_splits() -> None:
    found = read_conversations(SHIPPED)
    assert len({one.name for one in found}) == len(found)
    for one in found:
        if one.source in ("tau", "tm4"):
            assert split_of_dialogue(one.name.split("/", 1)[1]) != "train"


# -- what cannot be used ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"d": "a", "t": 0}\n', r":1:1: the line has no u, p, y"),
        (json.dumps(row("a")) + "\n[1, 2]\n", r":2:1: the line is no JSON object"),
        (json.dumps(row("a")) + "\n{broken\n", r":2:1: the line is no JSON"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "own_turns.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(CommandError, match=complaint):
        read_conversations(tmp_path)


@pytest.mark.parametrize(
    "content", [b"no gzip", gzip.compress(b"x" * 1000, mtime=0)[:20], gzip.compress(b"\xff\xfe\n", mtime=0)]
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "own_turns.jsonl.gz").write_bytes(content)
    with pytest.raises(CommandError, match=r"own_turns\.jsonl\.gz:1:1: "):
        read_conversations(tmp_path)


def test_a_folder_without_conversations_says_what_it_looks_for(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"no \*_turns\.jsonl"):
        read_conversations(tmp_path)
    with pytest.raises(CommandError, match="in the split 'judge'"):
        labelled_calls(write(tmp_path, row("a", s="tune")), "judge", MODEL)
