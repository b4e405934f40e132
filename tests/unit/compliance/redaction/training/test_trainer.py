"""The trainer, on corpora made up here: what it writes works, is the same each time, and keeps nobody's name."""

import json
from pathlib import Path

import pytest

pytest.importorskip("faker", reason="needs the extra `train`")
pytest.importorskip("symspellpy", reason="needs the extra `train`")

from compliance.redaction.ner import name_finder
from compliance.redaction.training.trainer import Report, train
from tests.unit.compliance.redaction.corpora_for_tests import write_corpora

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpora(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("model")


@pytest.fixture(scope="module")
def report(data: Path, folder: Path) -> Report:
    return train(data, folder, epochs=2, invented=1200)


def test_a_training_says_what_it_did(report: Report) -> None:
    assert report.utterances > 1200
    assert 0 < report.size_mb < 8


def test_what_was_trained_can_be_named_as_the_finder(report: Report, folder: Path) -> None:
    finder = name_finder({"ours": str(folder)})
    found = finder.find("thaddeus okonjo", asked="What is your full name?")
    assert {one.entity for one in found} == {"PERSON"}


def test_the_same_corpora_give_the_same_model(
    report: Report, folder: Path, data: Path, tmp_path: Path
) -> None:
    train(data, tmp_path, epochs=2, invented=1200)
    one, other = (name_finder({"ours": str(place)}) for place in (folder, tmp_path))
    for text in ("my name is bela", "send money to chloe marsh", "where is my parcel"):
        assert one.find(text) == other.find(text)


def test_no_name_of_the_lessons_is_written_into_the_model(report: Report, folder: Path) -> None:
    strings = json.loads((folder / "vocab" / "strings.json").read_text(encoding="utf-8"))
    words = (folder / "words.txt").read_text(encoding="utf-8").split()
    assert not {"kowalczyk", "Kowalczyk", "winemiller", "hannah"} & {*strings, *words}
    assert {"parcel", "loans", "the", "monday"} <= set(words)
