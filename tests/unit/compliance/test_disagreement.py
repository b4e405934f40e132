"""Two hearings of the same words, aligned and scored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.disagreement import Difference, compare

pytestmark = pytest.mark.unit

WORDS = st.lists(st.sampled_from(["my", "order", "is", "wrong", "please", "help"]), max_size=12)


def test_what_was_heard_alike_does_not_differ() -> None:
    found = compare("Where is my order, please?", "where is my order please")
    assert (found.words, found.word_error_rate, found.differences) == (5, 0, ())


def test_a_number_is_the_same_however_it_is_written() -> None:
    assert compare("my order is four four one seven", "My order is 4417.").differences == ()


def test_a_digit_heard_wrong_is_one_difference() -> None:
    found = compare("my order is four four one", "my order is 449")
    assert found.differences == (Difference("441", "449"),)
    assert (found.substituted, found.inserted, found.deleted) == (1, 0, 0)
    assert found.word_error_rate == 1 / 4


def test_words_that_only_one_of_them_heard_are_told_with_an_empty_side() -> None:
    found = compare("i want my money back", "i want money back now")
    assert found.differences == (Difference("my", ""), Difference("", "now"))
    assert (found.substituted, found.inserted, found.deleted) == (0, 1, 1)


def test_changes_that_follow_one_another_are_one_stretch() -> None:
    assert compare("call the bank today", "call thank today").differences == (
        Difference("the bank", "thank"),
    )


def test_an_engine_that_heard_what_is_not_on_record_differs_by_all_of_it() -> None:
    found = compare("", "thanks for watching")
    assert (found.words, found.inserted, found.word_error_rate) == (0, 3, 3)
    assert compare("", "").differences == ()


@given(WORDS, WORDS)
def test_counts_and_stretches_tell_the_same(ours: list[str], theirs: list[str]) -> None:
    found = compare(" ".join(ours), " ".join(theirs))
    only_ours = sum(len(one.record.split()) for one in found.differences)
    only_theirs = sum(len(one.engine.split()) for one in found.differences)
    assert only_ours == found.substituted + found.deleted
    assert only_theirs == found.substituted + found.inserted
    assert (found.differences == ()) == (ours == theirs)
