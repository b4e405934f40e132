"""The whole loop on lines of which the truth is known: what is learnt, and what each reading of the record costs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classifiers.tool_need import LabelledTurn, ToolNeedModel, adapt
from compliance.ledger import Ledger
from router import Policy
from service.learning.learnt import learn
from service.learning.reading import Material, material
from service.learning.tools import named
from service.learning.turns import Unlabelled
from service.learning.weighing import examples
from tests.unit.service.learning.lines import (
    ABLE,
    BLIND,
    EXPLORING,
    Said,
    invented_calls,
    need_of,
    record,
)

pytestmark = pytest.mark.unit

TOOLS = named(["look_up_order"])


@pytest.fixture(scope="module")
def start() -> ToolNeedModel:
    return ToolNeedModel.load()


def recorded(folder: Path, policy: str, calls: Sequence[Sequence[Said]]) -> Material:
    with closing(Ledger.open(folder / "ledger.sqlite")) as ledger:
        record(ledger, Policy.parse(policy), calls)
        return material(ledger, ledger.calls(), ABLE)


def error(model: ToolNeedModel, said: Sequence[Said], need: Sequence[float]) -> tuple[float, float]:
    """How far the model's probabilities are from the truth: on average, and regardless of the direction."""
    stated = [model.score(one.user, one.reply, TOOLS, turn=2).probability for one in said]
    gap = np.array(stated) - np.array(need)
    return float(gap.mean()), float(np.abs(gap).mean())


def as_if_censored_were_negative(read: Material) -> list[LabelledTurn]:
    """The naive reading of a record: no tool was called, so none was needed."""
    return [
        LabelledTurn(turn.user, turn.agent, turn.number, turn.needs_tool, 1.0, call.call_id, tools=TOOLS)
        for call in read.calls
        for turn in call.turns
        if turn.unlabelled in (None, Unlabelled.CENSORED)
    ]


def test_what_the_old_model_kept_from_the_tools_is_learnt_only_by_exploring(
    tmp_path: Path, start: ToolNeedModel
) -> None:
    calls = invented_calls(700, seed=1)
    (tmp_path / "blind").mkdir()
    exploring = recorded(tmp_path, EXPLORING, calls)
    blind = recorded(tmp_path / "blind", BLIND, calls)
    fresh = [turn for call in invented_calls(300, seed=2) for turn in call if turn.tool_p < 0.5]
    need = [need_of(turn.user) for turn in fresh]

    naive_bias, _ = error(adapt(start, as_if_censored_were_negative(exploring), seed=0).model, fresh, need)
    learnt = learn(start, exploring, ABLE, TOOLS)
    learnt_bias, learnt_error = error(learnt.model, fresh, need)
    _, blind_error = error(learn(start, blind, ABLE, TOOLS).model, fresh, need)
    assert naive_bias < -0.2, "an engine without tools calls none, and teaches that none is ever needed"
    assert abs(learnt_bias) < 0.08
    assert learnt_error < 0.6 * blind_error
    assert learnt.better
    assert learnt.advice == ""


HIDDEN = """
policy: {name: line, version: 1, salt: autumn}
engines: {fast: {fallback: [standard]}, standard: , tool: {fallback: [standard]}}
last_resort: standard
rules:
  - {id: upset, when: emotion.upset >= 0.5, route: tool, because: the caller sounds upset}
  - {id: tools, when: turn.tool_p >= 0.5, route: tool, because: it needs the shop's systems}
  - {id: quick, when: true, route: fast, because: it needs nothing}
experiments:
  - {id: hear, rule: quick, arms: {as-ever: 90, with-tools: {weight: 10, route: tool}}, because: what do we miss?}
"""
COMPLAINTS = ("it still does not work", "this is not right", "nothing has happened so far", "this cannot be")


def complaining_calls(calls: int, *, seed: int) -> list[list[Said]]:
    """Half of the turns are complaints, which need a tool mostly where the caller is upset; words do not tell."""
    chance = random.Random(seed)  # noqa: S311 # invented callers want a seed

    def complaint() -> Said:
        upset = chance.random() < 0.3
        return Said(
            chance.choice(COMPLAINTS),
            chance.random() < (0.9 if upset else 0.15),
            0.3,
            upset=0.8 if upset else 0.1,
        )

    return [
        [complaint() if chance.random() < 0.5 else turn for turn in call]
        for call in invented_calls(calls, seed=seed)
    ]


def test_where_labels_depend_on_what_the_model_cannot_hear_weights_take_the_bias_away(
    tmp_path: Path, start: ToolNeedModel
) -> None:
    read = recorded(tmp_path, HIDDEN, complaining_calls(1_200, seed=1))
    weighted = examples(read.calls, TOOLS)
    unweighted = [replace(turn, weight=1.0) for turn in weighted]
    fresh = [Said(words, False, 0.3) for words in COMPLAINTS]
    need = [0.3 * 0.9 + 0.7 * 0.15] * len(fresh)
    without, _ = error(adapt(start, unweighted, seed=0).model, fresh, need)
    with_weights, _ = error(adapt(start, weighted, seed=0).model, fresh, need)
    assert without > 0.25, "the turns of upset callers, which all have labels, stand for everybody's"
    assert abs(with_weights) < 0.12


def test_too_few_turns_leave_the_model_as_it_is_and_say_how_many_are_missing(
    tmp_path: Path, start: ToolNeedModel
) -> None:
    learnt = learn(start, recorded(tmp_path, BLIND, invented_calls(5, seed=1)), ABLE, TOOLS)
    assert (learnt.model, learnt.better, learnt.report) == (start, False, None)
    assert "more turns" in learnt.why
    assert "rule: quick" in learnt.advice, "what is wrong with the record is said all the same"


def test_the_same_record_gives_the_same_model(tmp_path: Path, start: ToolNeedModel) -> None:
    read = recorded(tmp_path, EXPLORING, invented_calls(200, seed=3))
    assert learn(start, read, ABLE, TOOLS) == learn(start, read, ABLE, TOOLS)
