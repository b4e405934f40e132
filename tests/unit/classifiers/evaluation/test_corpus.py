"""Folders of other people's recordings, as they come."""

from pathlib import Path

import numpy as np
import pytest

from classifiers import ClassifierError
from classifiers.emotion.training.corpus import LABEL_OF_EMOTION, read_audio
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


# -- audio files as they come -------------------------------------------------------------------------------------
def write_wav(
    path: Path, samples: np.ndarray, *, rate_hz: int = 16_000, kind: int = 1, channels: int = 1
) -> Path:
    """A RIFF file; kind 1 is PCM, 3 is float."""
    body = samples.astype("<i2" if kind == 1 else "<f4").tobytes()
    width = 2 if kind == 1 else 4
    form = np.array([kind, channels], "<u2").tobytes()
    form += np.array([rate_hz, rate_hz * width * channels], "<u4").tobytes()
    form += np.array([width * channels, 8 * width], "<u2").tobytes()
    chunks = b"WAVEfmt " + np.array([16], "<u4").tobytes() + form
    chunks += b"data" + np.array([len(body)], "<u4").tobytes() + body
    path.write_bytes(b"RIFF" + np.array([len(chunks)], "<u4").tobytes() + chunks)
    return path


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 44_100, 48_000, 192_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_any_rate_and_number_of_channels_is_heard_at_16_khz(
    tmp_path: Path, rate_hz: int, channels: int
) -> None:
    samples = np.zeros(rate_hz * channels) + 1000
    heard = read_audio(write_wav(tmp_path / "a.wav", samples, rate_hz=rate_hz, channels=channels))
    assert (heard.dtype, heard.ndim) == (np.float32, 1)
    assert abs(len(heard) - 16_000) <= 16


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, 1e30, -3.4e38])
def test_samples_that_are_no_numbers_or_far_too_loud_stay_within_full_scale(
    tmp_path: Path, odd: float
) -> None:
    samples = np.full(16_000, 0.1)
    samples[100:200] = odd
    heard = read_audio(write_wav(tmp_path / "a.wav", samples, kind=3))
    assert np.abs(heard).max() <= 1
    assert heard[-1] == pytest.approx(0.1)


def test_a_rate_at_which_nobody_can_be_heard_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "slow.wav", np.zeros(32_000), rate_hz=1)
    with pytest.raises(ClassifierError, match=r"slow\.wav: has 1 samples a second; it takes 4000 or more"):
        read_audio(path)


# A PNG of one pixel; a playlist that names a file elsewhere.
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a49444154789c63600000000200014871b8da0000000049454e44ae426082"
)
PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize(
    ("name", "content"), [("a.png", PICTURE), ("a.m3u8", PLAYLIST), ("a.wav", b"RIFF"), ("a\0.wav", None)]
)
def test_what_is_no_recording_is_named_and_nothing_else_is_opened(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ClassifierError, match=r"a\S*: (holds no audio|cannot be decoded)"):
        read_audio(tmp_path / name)
