"""Digits in a caller's words."""

import pytest

from lab.callers import recorded_calls
from service.cues import Digits, digits

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("four two", 2),
        ("it is 44 17 92.", 6),
        ("double five oh", 3),
        ("my number is four four one, um,", 3),
        ("four four one and", 3),
        ("four two double", 2),
        ("a b c 1 2", 2),
        ("fifty five", 2),
    ],
)
def test_digits_are_counted_and_a_number_that_may_go_on_is_known(text: str, count: int) -> None:
    assert digits(text) == Digits(count, at_end=True)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("hello there", 0),
        ("oh", 0),
        ("oh i see", 0),
        ("one thing please", 1),
        ("four four one thank you", 3),
        ("four four one yes", 3),
        ("seat 12 b", 2),
    ],
)
def test_what_ends_in_a_word_is_no_number_that_goes_on(text: str, count: int) -> None:
    assert digits(text) == Digits(count, at_end=False)


def test_the_recorded_callers_who_read_out_numbers_are_found() -> None:
    turns = [(call.name[:2], turn) for call in recorded_calls() for turn in call.turns]
    assert [(name, turn.number) for name, turn in turns if digits(turn.text).at_end] == [
        ("02", 2),
        ("03", 2),
        ("03", 3),
        ("04", 2),
    ]
