"""The lessons: marks stay on the names, nothing of what is judged is taught, and the same seed teaches the same."""
# ruff: noqa: S311 - seeded choices, no secrets

from pathlib import Path
from random import Random

import pytest

pytest.importorskip("faker", reason="needs the extra `train`")

from compliance.redaction.entities import Entity
from compliance.redaction.training import corpora
from compliance.redaction.training.lessons import LABELS, exchanged, lessons, named
from compliance.redaction.training.said import Sayer
from compliance.redaction.training.utterance import Mark, Utterance
from tests.unit.compliance.redaction.corpora_for_tests import NAMES, write_corpora

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpora(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def taught(data: Path) -> list[Utterance]:
    return list(lessons(data, Random(1), 1500))


def test_every_mark_is_on_words_and_of_one_name(taught: list[Utterance]) -> None:
    for said in taught:
        for mark in said.marks:
            value = said.text[mark.start : mark.end]
            assert value == value.strip() != "", said
            assert said.text[mark.start - 1 : mark.start] in ("", " ", ":"), said


def test_nobody_who_is_judged_is_taught(data: Path, taught: list[Utterance]) -> None:
    judged = {
        said.text[mark.start : mark.end].lower()
        for said in corpora.read(data, corpora.RESTAURANT)
        for mark in said.marks
        if corpora.split_of(said) != "train"
    }
    told = {
        said.text[mark.start : mark.end].lower()
        for said in taught
        if said.source == corpora.RESTAURANT
        for mark in said.marks
    }
    assert judged
    assert told & set(NAMES)
    assert not told & judged


def test_what_names_nobody_is_taught_after_questions_too(taught: list[Utterance]) -> None:
    replies = [said for said in taught if said.source == corpora.BANKING and not said.marks]
    assert any("?" in said.asked or "what" in said.asked for said in replies)
    assert any(not said.asked for said in replies)


def test_some_lessons_are_lower_case_without_punctuation_and_some_are_not(taught: list[Utterance]) -> None:
    texts = [said.text for said in taught]
    assert any(text == text.lower() for text in texts)
    assert any(text != text.lower() for text in texts)
    assert {Entity.PERSON, Entity.ADDRESS, Entity.BIRTH, Entity.EMAIL} == set(LABELS)


def test_the_same_seed_teaches_the_same(data: Path, taught: list[Utterance]) -> None:
    assert list(lessons(data, Random(1), 1500)) == taught


def test_an_exchanged_name_is_marked_where_it_stands() -> None:
    said = Utterance("is jo stone there", (Mark(3, 11, Entity.PERSON),), source=corpora.RESTAURANT)
    other = exchanged(said, Sayer(Random(2), "train"))
    [mark] = other.marks
    assert other.text != said.text
    assert other.text == f"is {other.text[mark.start : mark.end]} there"


def test_a_name_is_put_where_somebody_is_spoken_of() -> None:
    said = named(Utterance("tell my brother that someone called"), Sayer(Random(2), "train"))
    first, second = (said.text[mark.start : mark.end] for mark in said.marks)
    assert said.text == f"tell {first} that {second} called"
    assert named(Utterance("what is the fee"), Sayer(Random(2), "train")).marks == ()
