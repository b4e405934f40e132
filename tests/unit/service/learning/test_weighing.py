"""How far labelled turns stand for all turns: weights, and what is said of them."""

from __future__ import annotations

import pytest

from classifiers.tool_need import Earlier
from service.learning.turns import RecordedTurn, Unlabelled
from service.learning.weighing import MOST_WEIGHT, RecordedCall, examples, selection

pytestmark = pytest.mark.unit

ABLE = frozenset({"tool"})


def turn(
    number: int,
    *,
    tool: bool = False,
    why: Unlabelled | None = None,
    shadow: str = "fast",
    rule: str = "quick",
) -> RecordedTurn:
    return RecordedTurn(
        number=number,
        user=f"words of turn {number}",
        agent="What is it?",
        earlier=Earlier().then("my order is 441792"),
        engine="fast" if why is Unlabelled.CENSORED else "tool",
        rule=rule,
        shadow={"try": shadow},
        tools=("look_up_order",) if tool else (),
        unlabelled=why,
    )


def test_a_labelled_turn_stands_for_as_many_as_were_likely_to_go_unlabelled() -> None:
    call = RecordedCall("a", (turn(1, tool=True), turn(2), turn(3)), {1: 0.1, 2: 1.0})
    found = examples([call], None)
    assert [one.weight for one in found] == [10.0, 1.0, 1.0], "the chances of the third are not known"
    assert [one.needs_tool for one in found] == [True, False, False]
    assert {(one.group, one.earlier) for one in found} == {("a", Earlier().then("my order is 441792"))}


def test_no_turn_stands_for_more_than_the_limit() -> None:
    call = RecordedCall("a", (turn(1),), {1: 0.001})
    assert examples([call], None)[0].weight == MOST_WEIGHT
    assert selection([call], ABLE).clipped == 1


def test_turns_without_a_label_teach_nothing() -> None:
    call = RecordedCall("a", tuple(turn(n, why=why) for n, why in enumerate(Unlabelled, 1)), {})
    assert examples([call], None) == ()
    assert selection([call], ABLE).left_out == dict.fromkeys(Unlabelled, 1)


def test_the_selection_says_what_was_censored_explored_and_out_of_reach() -> None:
    censored = Unlabelled.CENSORED
    calls = [
        RecordedCall("a", (turn(1, why=censored, shadow="tool"), turn(2, tool=True)), {1: 0.1, 2: 1.0}),
        RecordedCall("b", (turn(1, tool=True), turn(2, why=censored, rule="person")), {1: 0.1, 2: 0.0}),
        RecordedCall("c", (turn(1, why=censored), turn(2, why=Unlabelled.CUT)), {}),
    ]
    found = selection(calls, ABLE)
    assert (found.turns, found.labelled, found.censored) == (6, 2, 3)
    assert (found.explored, found.explored_labelled) == (2, 1)
    assert (found.out_of_reach, found.unknown) == (1, 1)
    assert found.rules == {"quick": 2, "person": 1}
    assert found.shadow == {"try": 1}
    assert found.effective == pytest.approx(11**2 / (10**2 + 1))


def test_without_any_turn_there_is_nothing_to_say() -> None:
    found = selection([], ABLE)
    assert (found.turns, found.labelled, found.effective) == (0, 0, 0.0)
