"""How the finder reads: words with their places, and what the agent asked for."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.redaction.ner.reading import Question, words_of

pytestmark = pytest.mark.unit


@given(st.text())
def test_every_word_stands_where_it_says(text: str) -> None:
    words = words_of(text)
    assert all(text[word.start : word.end] == word.text for word in words)
    assert all(left.end <= right.start for left, right in pairwise(words))


def test_no_letter_or_digit_is_left_out() -> None:
    text = "O’Brien's e-mail: ann-marie.o'brien@example.com, 28-0"
    read = {at for word in words_of(text) for at in range(word.start, word.end)}
    assert all(at in read for at, character in enumerate(text) if character.isalnum())


def test_a_possessive_is_no_part_of_the_name() -> None:
    assert [word.text for word in words_of("susan's card, SUSAN’S")] == ["susan", "'s", "card", "SUSAN", "'s"]


@pytest.mark.parametrize(
    ("asked", "personal"),
    [
        ("What is your full name?", True),
        ("Could you tell me your postcode, please?", True),
        ("Is there anything else?", False),
        ("", False),
    ],
)
def test_a_question_for_something_personal_is_told_from_small_talk(asked: str, personal: bool) -> None:
    assert Question.of(asked).is_personal is personal


def test_only_the_end_of_a_long_question_is_read() -> None:
    assert Question.of("word " * 1000 + "what is your name").words == ("is", "your", "name")
    assert Question.of("word " * 1000).length < 5
