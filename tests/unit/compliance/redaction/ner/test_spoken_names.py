"""The finder that ships, on invented people."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.redaction.ner import NameFinder, NameFinderError, name_finder
from compliance.redaction.ner.spoken_names import SHIPPED, SpokenNames

pytestmark = pytest.mark.unit

MOST_MB = 8.0


@pytest.fixture(scope="module")
def ours() -> NameFinder:
    return name_finder()


def told(finder: NameFinder, text: str, asked: str = "") -> list[tuple[str, str]]:
    return [(found.entity, text[found.start : found.end]) for found in finder.find(text, asked=asked)]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("hi my name is marta kowalczyk and i have a question", "marta kowalczyk"),
        ("Hi, this is Femi Okafor, I have a question.", "Femi Okafor"),
        ("please send two hundred dollars to jorge benitez", "jorge benitez"),
        ("the booking is under okonkwo for eight people", "okonkwo"),
        ("can you call raju for me", "raju"),
    ],
)
def test_a_name_that_nobody_asked_for_is_found_whole(ours: NameFinder, text: str, name: str) -> None:
    assert told(ours, text) == [("PERSON", name)]


def test_case_and_punctuation_do_not_hide_a_name(ours: NameFinder) -> None:
    for text in (
        "MY NAME IS MARTA KOWALCZYK",
        "my name is, uh, marta... kowalczyk!",
        "My name's Marta Kowalczyk.",
    ):
        masked = " ".join(word for _, word in told(ours, text)).lower()
        assert "marta" in masked, text
        assert "kowalczyk" in masked, text


def test_a_bare_answer_is_read_in_the_light_of_the_question(ours: NameFinder) -> None:
    assert told(ours, "bradley holt", "What is your full name?") == [("PERSON", "bradley holt")]
    assert told(ours, "i have two questions", "What is your full name?") == []
    [(entity, _)] = told(ours, "the twelfth of may nineteen eighty", "What is your date of birth?")
    assert entity == "DATE_OF_BIRTH"


@pytest.mark.parametrize(
    "text",
    [
        "i lost my debit card yesterday",
        "will it arrive by friday or not",
        "how much is the monthly fee for a second account",
        "the parcel was damaged and nobody answers my mails",
        "yes please go ahead",
    ],
)
def test_everyday_requests_name_nobody(ours: NameFinder, text: str) -> None:
    assert told(ours, text) == []


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=200), asked=st.sampled_from(["", "What is your name?", "?!"]))
def test_any_text_gives_places_inside_it_in_order(ours: NameFinder, text: str, asked: str) -> None:
    found = ours.find(text, asked=asked)
    assert all(0 <= one.start < one.end <= len(text) and 0 <= one.score <= 1 for one in found)
    assert all(left.end <= right.start for left, right in pairwise(found))


def test_a_name_is_found_wherever_it_stands_in_a_long_text(ours: NameFinder) -> None:
    filler = "and then i waited for a while "
    for before in (0, 30, 33, 66):
        text = filler * before + "my name is marta kowalczyk " + filler * 40
        assert ("PERSON", "marta kowalczyk") in told(ours, text), before


def test_nothing_that_was_read_stays_in_memory() -> None:
    finder = SpokenNames()
    words = len(finder._vocab.strings)
    finder.find("my name is zbigniew quackenbush", asked="who is this")
    assert len(finder._vocab.strings) == words


def test_two_loads_find_the_same(ours: NameFinder) -> None:
    text = "tell marta that jorge called about femi's card"
    assert SpokenNames().find(text) == ours.find(text)


def test_the_committed_model_is_small() -> None:
    assert sum(file.stat().st_size for file in SHIPPED.rglob("*") if file.is_file()) < MOST_MB * 1e6


def test_a_folder_without_a_model_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(NameFinderError, match=f"{tmp_path}: not a model of `patchbay train redaction`"):
        SpokenNames(tmp_path)
