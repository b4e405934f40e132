"""Folders of other people's recordings, as they come."""

from pathlib import Path

import pytest

from classifiers import ClassifierError
from classifiers.emotion.training.corpus import LABEL_OF_EMOTION
from classifiers.evaluation.corpus import NAMES, emotion_named, read_emodb, read_folder
from tests.unit.classifiers.evaluation.voices import write_corpus

pytestmark = pytest.mark.unit


def test_every_emotion_of_the_trainer_can_be_named() -> None:
    assert set(NAMES) == set(LABEL_OF_EMOTION)
    assert [emotion_named(name) for name in NAMES] == list(NAMES)


@pytest.mark.parametrize(
    ("name", "emotion"),
    [
        ("ANG", "anger"),
        (" Happy ", "happiness"),
        ("calm", "neutral"),
        ("Hot_anger", "anger"),
        ("złość", "anger"),
    ],
)
def test_what_corpora_call_emotions_is_understood(name: str, emotion: str) -> None:
    assert emotion_named(name) == emotion


@pytest.mark.parametrize("name", ["frustrated", "contempt", "", "xyz"])
def test_what_is_none_of_them_is_not_guessed(name: str) -> None:
    assert emotion_named(name) is None


def test_no_name_means_two_emotions() -> None:
    names = [name for listed in NAMES.values() for name in listed.split(", ")]
    assert len(names) == len(set(names))


def test_foreign_names_are_mapped_and_unknown_ones_counted(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path, each=1, names={"anger": "ang", "sadness": "frustrated"}, gender=True)
    corpus = read_folder(folder, "tiny")
    assert corpus.unmapped == {"frustrated": 4}
    assert sorted(set(corpus.emotions.tolist())) == ["anger", "fear", "happiness", "neutral"]
    assert corpus.angry.sum() == 4
    assert corpus.calm.sum() == 4
    assert corpus.genders.tolist().count("women") == 8


def test_a_manifest_that_is_no_text_says_so(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_bytes(b"file,speaker,emotion\n\xff\xfe,1,anger\n")
    with pytest.raises(ClassifierError, match="UTF-8"):
        read_folder(tmp_path, "broken")


def test_the_actors_of_emodb_have_a_gender_without_a_column(tmp_path: Path) -> None:
    corpus = read_emodb(write_corpus(tmp_path, each=1, speakers=9))
    assert set(corpus.genders[corpus.speakers == "08"]) == {"women"}
    assert set(corpus.genders[corpus.speakers == "03"]) == {"men"}


def test_a_corpus_that_no_model_could_be_fitted_to_is_not_taken_for_emodb(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path, each=1, names={"sadness": "awe"})
    assert len(read_folder(folder, "tiny").recordings) == 16
    with pytest.raises(ClassifierError, match="called sad"):
        read_emodb(folder)


@pytest.mark.parametrize(
    ("manifest", "complaint"),
    [
        (None, r"no manifest\.csv"),
        ("", "no column emotion, file, speaker"),
        ("file,speaker\nx.flac,1\n", "no column emotion"),
        ("file,speaker,emotion\n", "0 angry recordings of 0"),
        ("file,speaker,emotion\nmissing.flac,1,anger\n", r"missing\.flac: cannot be decoded"),
        ("file,speaker,emotion\n00_neutral_0.flac,1\n", "0 angry"),
        ("file,speaker,emotion\n00_neutral_0.flac,1,neutral\n", "0 angry recordings of 1"),
        ("file,speaker,emotion\n00_anger_0.flac,1,anger\n00_neutral_0.flac,1,neutral\n", "one speaker"),
    ],
)
def test_a_folder_that_cannot_be_used_says_why(tmp_path: Path, manifest: str | None, complaint: str) -> None:
    write_corpus(tmp_path, each=1, speakers=1)
    (tmp_path / "manifest.csv").unlink()
    if manifest is not None:
        (tmp_path / "manifest.csv").write_text(manifest, encoding="utf-8")
    with pytest.raises(ClassifierError, match=complaint):
        read_folder(tmp_path, "broken")
