"""A deployment's own turns make its own model, or say why they cannot."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classifiers import ClassifierError, ToolNeedModel
from classifiers.measures import auroc
from classifiers.tool_need import Earlier, LabelledTurn, TooFewTurnsError, adapt, write_folder

pytestmark = pytest.mark.unit

START = ToolNeedModel.load()
TAU = Path(__file__).parents[4] / "shared/data/tool_need/tau_turns.jsonl.gz"
ACTS = ("please walk the dog now", "walk him again", "yes walk the dog", "go round the block")
TALKS = ("what a lovely dog", "he is a good boy", "dogs are great", "thanks that is all")


def made_up(turns: int, *, seed: int = 1, noise: float = 0.1) -> list[LabelledTurn]:
    """Calls of five turns to a line that walks dogs, of which the general model knows nothing."""
    rng = np.random.default_rng(seed)
    found = []
    for at in range(turns):
        acts = bool(rng.random() < 0.5)
        lines = ACTS if acts != (rng.random() < noise) else TALKS
        text = lines[int(rng.integers(len(lines)))]
        found.append(LabelledTurn(text, "Anything for the dog?", at % 5 + 1, acts, 1.0, f"call {at // 5}"))
    return found


TURNS = made_up(400)


def test_what_the_agent_does_is_learnt() -> None:
    adapted = adapt(START, TURNS, seed=1)
    judged = made_up(400, seed=2)
    truth = np.array([turn.needs_tool for turn in judged])
    before, after = (
        auroc(np.array([m.score(t.user, t.agent, turn=t.turn).probability for t in judged]), truth)
        for m in (START, adapted.model)
    )
    assert adapted.report.ship
    assert after > 0.85 > before
    assert adapted.report.auroc.gain.low > 0
    assert adapted.report.calibration_error.after.value < 0.1


def test_the_same_turns_and_seed_give_the_same_model_and_report() -> None:
    assert adapt(START, TURNS, seed=3) == adapt(START, TURNS, seed=3)


def test_a_start_that_is_right_already_stays_as_it_was() -> None:
    rng = np.random.default_rng(1)
    lines = (
        "where is my order",
        "can you help me",
        "what do you mean",
        "is it the same",
        "i have a question",
    )
    turns = [
        replace(
            turn,
            user=text,
            needs_tool=bool(rng.random() < START.score(text, turn.agent, turn=turn.turn).probability),
        )
        for turn, text in zip(TURNS, rng.choice(lines, len(TURNS)).tolist(), strict=True)
    ]
    adapted = adapt(START, turns, seed=1)
    assert not adapted.report.ship
    assert adapted.model is START
    assert "start is kept" in adapted.report.why


@pytest.mark.parametrize(
    ("turns", "wants"),
    [
        ([], "100 more turns, 10 more calls"),
        (TURNS[:3], "97 more turns, 9 more calls"),
        (
            [replace(turn, needs_tool=True) for turn in TURNS],
            "it takes 20 more turns in which none was called",
        ),
        (
            [replace(turn, needs_tool=False) for turn in TURNS],
            "it takes 20 more turns in which a tool was called",
        ),
        ([replace(turn, group="one") for turn in TURNS], "it takes 9 more calls"),
        ([replace(turn, weight=0.0) for turn in TURNS], "100 more turns"),
        ([replace(turn, user="...") for turn in TURNS], "100 more turns"),
    ],
)
def test_too_few_turns_say_what_is_missing(turns: list[LabelledTurn], wants: str) -> None:
    with pytest.raises(TooFewTurnsError, match=wants):
        adapt(START, turns, seed=1)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_is_a_number(weight: float) -> None:
    with pytest.raises(ClassifierError, match="weighs"):
        adapt(START, [replace(TURNS[0], weight=weight), *TURNS], seed=1)


def test_a_turn_without_weight_counts_for_nothing() -> None:
    wrong = [replace(turn, needs_tool=not turn.needs_tool, weight=0.0) for turn in made_up(200, seed=5)]
    assert adapt(START, [*TURNS, *wrong], seed=1) == adapt(START, TURNS, seed=1)


def test_turns_count_by_their_weight() -> None:
    weighted = [replace(turn, weight=3.0 if turn.needs_tool else 1.0) for turn in TURNS]
    report = adapt(START, weighted, seed=1).report
    positive = sum(turn.needs_tool for turn in TURNS)
    assert report.base_rate == pytest.approx(3 * positive / (3 * positive + len(TURNS) - positive))
    assert report.effective_turns < len(TURNS)


def test_one_huge_weight_does_not_decide_alone() -> None:
    heavy = [replace(TURNS[0], weight=1e12), *TURNS[1:]]
    assert adapt(START, heavy, seed=1).report.effective_turns > 100


def test_garbage_and_repeated_texts_are_survived() -> None:
    garbage = [replace(turn, user="\x00\ud800 ﷽ 𝕏" * 9, agent="\u202e?" * 50) for turn in TURNS[:50]]
    same = [replace(turn, user="yes") for turn in TURNS[50:150]]
    report = adapt(START, [*garbage, *same, *TURNS[150:]], seed=1).report
    assert report.turns > 300


def test_what_fewer_than_five_calls_say_is_not_learnt(tmp_path: Path) -> None:
    secret = [
        replace(turn, user=f"{turn.user} says bartholomew")
        if turn.group in {f"call {n}" for n in range(4)}
        else turn
        for turn in TURNS
    ]
    adapted = adapt(START, secret, seed=1)
    write_folder(adapted.model, tmp_path)
    assert adapted.report.ship
    assert "bartholomew" not in (tmp_path / "weights.json").read_text()
    assert "bartholomew" not in repr(adapted.report)


def test_the_folder_says_where_the_model_comes_from(tmp_path: Path) -> None:
    write_folder(adapt(START, TURNS, seed=1).model, tmp_path)
    stated = json.loads((tmp_path / "config.json").read_text())["provenance"]
    assert stated["sources"] == {"own turns": 400, "own calls": 80}
    assert len(stated["base"]) == 16


@pytest.mark.skipif(not TAU.is_file(), reason="the shared corpora are not beside the project")
def test_nine_hundred_turns_of_ones_own_are_worth_more_than_all_corpora() -> None:
    turns, earlier, call = [], Earlier(), ""
    for row in map(json.loads, gzip.decompress(TAU.read_bytes()).splitlines()):
        earlier, call = (earlier if row["d"] == call else Earlier()), row["d"]
        turns.append(
            LabelledTurn(row["u"], row["p"], row["t"] + 1, bool(row["y"]), 1.0, call, earlier=earlier)
        )
        earlier = earlier.then(row["u"]).having_called(*row["m"])
    tasks = sorted({turn.group.split("_")[0] for turn in turns})
    taught = set(tasks[::3]) | set(tasks[1::3])
    held = [turn for turn in turns if turn.group.split("_")[0] not in taught]
    adapted = adapt(START, [turn for turn in turns if turn.group.split("_")[0] in taught], seed=1)
    p = np.array(
        [adapted.model.score(t.user, t.agent, turn=t.turn, earlier=t.earlier).probability for t in held]
    )
    assert auroc(p, np.array([turn.needs_tool for turn in held])) > 0.87
    assert adapted.report.calibration_error.after.value < 0.05
