"""What is masked in the record sounds, in training, like what the live classifier hears."""

from __future__ import annotations

import pytest

from classifiers.tool_need.features import words
from compliance.redaction import Redactor
from compliance.redaction.entities import Entity
from service.learning.masks import as_heard

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("stored", "spoken"),
    [
        ("my card is <CREDIT_CARD>", "my card is four two four two four two four two"),
        ("<PHONE_NUMBER> is my number", "five five five oh one four two is my number"),
        ("it is <PIN>", "it is four oh one nine"),
        ("yes <SPELLED>", "yes j o h n"),
        ("the order is 441792", "the order is 441792"),
        ("no mask <here> at all", "no mask <here> at all"),
    ],
)
def test_a_masked_number_is_heard_as_a_number_and_letters_as_letters(stored: str, spoken: str) -> None:
    assert words(as_heard(stored, "1") or "") == words(spoken)


def test_a_masked_name_is_a_word_that_nobody_else_says() -> None:
    first, again, other = (as_heard("my name is <PERSON>", key) for key in ("call 1", "call 1", "call 2"))
    assert first == again != other
    assert str(first).startswith("my name is ")
    assert words(str(first))[-1] not in words("person name")


def test_no_mask_of_any_kind_reaches_training_as_it_is_written() -> None:
    for entity in (*Entity, "US_PASSPORT", "LOCATION", "IBAN_CODE"):
        heard = as_heard(f"it is <{entity}> and [{entity}_2]", "1")
        assert heard is not None
        assert not set("<>[]") & set(heard), entity


def test_words_that_were_withheld_are_no_words() -> None:
    assert as_heard("[REDACTION_FAILED]", "1") is None
    assert as_heard("[WITHHELD]", "1") is None


@pytest.mark.parametrize(
    "spoken",
    [
        "my phone number is five five five oh one four two seven seven eight",
        "the card number is four two four two four two four two four two four two four two four two",
        "my name is georgina taylor and i want to return a kettle",
        "please write to mia at example dot com",
    ],
)
def test_training_hears_more_of_what_the_live_classifier_hears_than_the_record_says(spoken: str) -> None:
    stored = Redactor().redact_spoken(spoken, speaker="caller")
    assert stored.entities
    live = set(words(spoken))

    def missed(text: str) -> int:
        heard = {word for word in words(text) if not word.startswith("q")}  # made-up words are never learnt
        return len(heard ^ live)

    assert missed(as_heard(stored.text, "1") or "") < missed(stored.text)
