"""How a caller leaves a number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.people import TransferWords
from service.transfer.callback import MOST_TRIES, CallbackForm, Wish

pytestmark = pytest.mark.unit

WORDS = TransferWords()
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def form() -> CallbackForm:
    return CallbackForm(WORDS)


def test_a_number_is_read_back_before_the_time_is_asked() -> None:
    asked = form()
    assert asked.opening == WORDS.number
    assert asked.heard("my number is five five five zero one four two") == (
        "I have 5 5 5 0 1 4 2. Is that right?"
    )
    assert asked.heard("yes that's right") == WORDS.time
    assert asked.heard("tomorrow at three") == WORDS.noted
    assert asked.over
    assert asked.wish == Wish("5550142", "tomorrow at three")


@pytest.mark.parametrize("yes", ["yes that's correct", "Yes.", "that is right", "okay", "yeah exactly"])
def test_a_yes_is_understood_however_it_is_said(yes: str) -> None:
    asked = form()
    asked.heard("five five five zero one four two")
    assert asked.heard(yes) == WORDS.time


@pytest.mark.parametrize("no", ["no", "that's not right", "that is wrong", "hello"])
def test_anything_but_a_yes_is_none(no: str) -> None:
    asked = form()
    asked.heard("five five five zero one four two")
    assert asked.heard(no) == WORDS.number_again


def test_a_number_may_come_in_several_breaths() -> None:
    asked = form()
    assert asked.heard("five five five") == ""
    assert "5 5 5 0 1 4 2" in asked.heard("zero one four two")
    assert "5 5 5 0 1 4 2 7 7 8" in asked.heard("seven seven eight")


def test_a_number_that_was_heard_wrong_is_asked_for_again() -> None:
    asked = form()
    asked.heard("five five five zero one four two")
    assert asked.heard("no that's wrong") == WORDS.number_again
    assert asked.number == ""
    assert "5 5 5 0 1 4 3" in asked.heard("five five five zero one four three")


def test_who_wants_no_call_is_not_pressed() -> None:
    asked = form()
    assert asked.heard("no thank you") == WORDS.no_callback
    assert (asked.over, asked.wish) == (True, None)


def test_who_gives_no_number_is_asked_a_few_times_only() -> None:
    asked = form()
    said = [asked.heard("what do you mean") for _ in range(MOST_TRIES)]
    assert said == [WORDS.number_again] * (MOST_TRIES - 1) + [WORDS.no_callback]
    assert asked.over


@given(st.lists(st.sampled_from(range(10)), min_size=7, max_size=15))
def test_every_number_that_can_be_called_is_understood_as_it_is_spoken(digits: list[int]) -> None:
    asked = form()
    asked.heard(" ".join(DIGITS[digit] for digit in digits))
    assert asked.number == "".join(map(str, digits))


@given(st.lists(st.text(max_size=30), max_size=12))
def test_the_form_ends_or_goes_on_whatever_is_said(said: list[str]) -> None:
    asked = form()
    for text in said:
        if asked.over:
            break
        assert isinstance(asked.heard(text), str)
    assert asked.wish is None or 7 <= len(asked.wish.number) <= 15
