"""What is told of a recogniser that fails: each failure, and once that it is given up for now."""

from __future__ import annotations

import pytest
from livekit.agents import APIConnectionError

from compliance.heard import Condition, Ears
from engines.gates import GateError
from service.hearing_failures import HearingFailures

pytestmark = pytest.mark.unit

CUT = APIConnectionError()


def told(*conditions: tuple[Ears, Exception | None], passed_on: bool = False) -> list[str]:
    """What was told of a recogniser that became all that."""
    actions: list[str] = []
    failures = HearingFailures(
        lambda error, action: actions.append(action), kept="kept", passed_on="passed on", lost="lost"
    )
    for state, error in conditions:
        failures.changed(Condition(state, error, passed_on))
    return actions


def test_nothing_is_told_of_one_that_is_well() -> None:
    assert told((Ears.LISTENING, None), (Ears.CLOSED, None)) == []


def test_every_failure_is_told_while_it_is_tried_again() -> None:
    assert told((Ears.RECONNECTING, CUT), (Ears.RECONNECTING, CUT), (Ears.LISTENING, None)) == [
        "kept",
        "kept",
    ]


def test_that_another_hears_the_caller_is_told() -> None:
    assert told((Ears.RECONNECTING, CUT), (Ears.DEAF, CUT), passed_on=True) == ["passed on", "lost"]


def test_that_it_is_given_up_for_now_is_told_once() -> None:
    assert told((Ears.RECONNECTING, CUT), (Ears.DEAF, CUT), (Ears.DEAF, CUT)) == ["kept", "lost"]


def test_one_that_listened_again_is_told_of_anew() -> None:
    assert told((Ears.DEAF, CUT), (Ears.LISTENING, None), (Ears.DEAF, CUT)) == ["lost", "lost"]


def test_a_closed_gate_has_told_why_itself() -> None:
    closed = GateError("transcriber", "somebody", "it is in another region")
    assert told((Ears.DEAF, closed)) == []
