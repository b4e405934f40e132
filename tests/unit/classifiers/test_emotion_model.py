import json
import logging
import math
import shutil
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers import ClassifierError, EmotionModel
from classifiers.emotion.folder import BOUNDS, SAMPLE_RATE_HZ, Settings
from classifiers.emotion.model import SHIPPED
from classifiers.emotion.training import parity
from classifiers.emotion.training.augment import presence_boost
from tests.unit.classifiers.make_exports import EXPORTS, waveforms

pytestmark = pytest.mark.unit

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def shipped() -> EmotionModel:
    return EmotionModel.load()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped folder, to be broken."""
    copy = tmp_path / "model"
    shutil.copytree(SHIPPED, copy)
    return copy


def rewrite(path: Path, **changes: object) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, **changes}))


def test_the_shipped_model_says_what_its_trainer_said(shipped: EmotionModel) -> None:
    expected = json.loads((HERE / "emotion_logits.json").read_text())
    waves = parity.waveforms()
    assert expected.keys() == waves.keys()
    for name, wave in waves.items():
        assert np.abs(shipped.logits(wave) - np.array(expected[name])).max() < parity.PARITY


def test_probabilities_sum_to_one_and_upset_is_its_labels_share(shipped: EmotionModel) -> None:
    scores = shipped.classify(parity.waveforms()["buzz"])
    assert math.isclose(sum(scores.probabilities.values()), 1.0, abs_tol=1e-9)
    assert scores.upset == pytest.approx(scores.probabilities["angry"])
    assert scores.confidence == max(scores.upset, 1 - scores.upset)


def test_the_shipped_model_is_small_and_quick(shipped: EmotionModel) -> None:
    """At most 2 MB, and 5 ms of one core for 3 s of audio; the feature extractor counts."""
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) <= 2_000_000
    audio = np.resize(parity.waveforms()["buzz"], 3 * SAMPLE_RATE_HZ)
    spent_s = []
    for _ in range(20):
        began_s = time.process_time()
        shipped.classify(audio)
        spent_s.append(time.process_time() - began_s)
    assert min(spent_s) <= 0.005


def test_loudness_changes_nothing(shipped: EmotionModel) -> None:
    wave = parity.waveforms()["buzz"]
    assert shipped.classify(wave * 0.05).upset == pytest.approx(shipped.classify(wave).upset, abs=1e-3)


def test_short_audio_is_repeated_not_padded_with_silence(shipped: EmotionModel) -> None:
    piece = parity.waveforms()["buzz"][:10_000]
    assert shipped.classify(piece).upset == shipped.classify(np.tile(piece, 4)).upset


def test_only_the_last_window_of_long_audio_is_heard(shipped: EmotionModel) -> None:
    waves = parity.waveforms()
    both = np.concatenate([waves["noise"], waves["buzz"]])
    assert shipped.classify(both).upset == pytest.approx(shipped.classify(waves["buzz"]).upset, abs=1e-6)


def test_samples_that_are_no_numbers_count_as_silence(shipped: EmotionModel) -> None:
    wave = parity.waveforms()["buzz"].copy()
    wave[::1000] = np.nan
    assert 0 <= shipped.classify(wave).upset <= 1


def test_a_presence_boost_moves_the_score_less_than_it_moves_the_spectrum(shipped: EmotionModel) -> None:
    wave = parity.waveforms()["noise"]
    assert abs(shipped.classify(presence_boost(wave, 9)).upset - shipped.classify(wave).upset) < 0.5


@pytest.mark.parametrize(
    "samples", [np.zeros((2, 16_000), np.float32), np.zeros(16_000, np.int16)], ids=["stereo", "int16"]
)
def test_audio_of_another_kind_is_refused_with_a_reason(
    shipped: EmotionModel, samples: NDArray[np.float32]
) -> None:
    with pytest.raises(ClassifierError, match="give mono floats"):
        shipped.classify(samples)


def test_no_audio_is_refused_with_a_reason(shipped: EmotionModel) -> None:
    with pytest.raises(ClassifierError, match="no audio"):
        shipped.classify(np.zeros(0, dtype=np.float32))


@pytest.mark.parametrize("name", ["wav2vec2", "hubert", "wavlm", "whisper"])
def test_an_export_of_another_architecture_says_what_pytorch_said(name: str) -> None:
    expected = json.loads((EXPORTS / "expected.json").read_text())[name]
    model = EmotionModel.load(EXPORTS / name)
    for sound, wave in waveforms(model.settings.window_s).items():
        assert np.abs(model.logits(wave) - np.array(expected[sound])).max() < 1e-3
    assert np.abs(np.subtract(expected["buzz"], expected["chirp"])).max() > 0.1  # it does listen


@pytest.mark.parametrize(
    ("name", "label"), [("wav2vec2", "LABEL_2"), ("hubert", "ang"), ("wavlm", "angry"), ("whisper", "anger")]
)
def test_upset_is_the_label_that_tells_or_the_one_that_is_named(name: str, label: str) -> None:
    scores = EmotionModel.load(EXPORTS / name).classify(parity.waveforms()["noise"])
    assert scores.upset == pytest.approx(scores.probabilities[label])


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.onnx"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ClassifierError, match=f"has no {name}"):
        EmotionModel.load(folder)


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.onnx"])
def test_a_garbled_file_is_named(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"\x00 no such thing")
    with pytest.raises(ClassifierError, match=name.replace(".", r"\.")):
        EmotionModel.load(folder)


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ({"windows_s": 3}, "unknown patchbay setting 'windows_s'"),
        ({"window_s": 0}, "patchbay.window_s is 0"),
        ({"temperature": "hot"}, "patchbay.temperature is 'hot'"),
        ({"temperature": True}, "patchbay.temperature is True"),
        ({"upset_labels": ["furious"]}, "choose some, not all, from angry, happy"),
        ({"upset_labels": [["angry"]]}, "choose some, not all, from angry, happy"),
        ([1], "it must be an object"),
        (None, "it must be an object"),
        ({"upset_labels": ["angry", "angry"]}, "choose some, not all"),
        ({"upset_labels": ["angry", "happy", "neutral", "sad", "other"]}, "choose some, not all"),
        ({"window_s": 1e9}, "patchbay.window_s is 1000000000.0; it must be a number from 0.25 to 30"),
        ({"window_s": 10**400}, "it must be a number from 0.25 to 30"),
        ({"window_s": math.inf}, "patchbay.window_s is inf"),
        ({"temperature": math.nan}, "patchbay.temperature is nan"),
        ({"hop_s": 1e-9}, "patchbay.hop_s is 1e-09; it must be a number from 0.1 to 30"),
        ({"min_windows": 1.5}, "patchbay.min_windows is 1.5; it must be a whole number from 1 to 100"),
        ({"confident_at": 60}, "patchbay.confident_at is 60; it must be a number from 0.5 to 1"),
    ],
)
def test_a_wrong_setting_is_explained(folder: Path, section: object, complaint: str) -> None:
    rewrite(folder / "config.json", patchbay=section)
    with pytest.raises(ClassifierError, match=complaint):
        EmotionModel.load(folder)


def test_every_number_among_the_settings_has_bounds() -> None:
    assert set(BOUNDS) == {field.name for field in fields(Settings)} - {"upset_labels"}
    assert all(least <= getattr(Settings(), name) <= most for name, (least, most) in BOUNDS.items())


def test_labels_that_name_no_upset_emotion_are_refused_with_a_remedy(folder: Path) -> None:
    rewrite(folder / "config.json", id2label={str(i): f"LABEL_{i}" for i in range(5)}, patchbay={})
    with pytest.raises(ClassifierError, match=r"none of the labels LABEL_0.*upset_labels"):
        EmotionModel.load(folder)


def test_a_model_with_another_number_of_labels_is_refused(folder: Path) -> None:
    rewrite(folder / "config.json", id2label={"0": "angry", "1": "calm"})
    with pytest.raises(ClassifierError, match=r"shape \[1, 5\].*\[1, 2\]"):
        EmotionModel.load(folder)


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        ({}, "two or more labels must differ"),
        ({"0": "angry"}, "two or more labels must differ"),
        ({"0": "angry", "1": "angry"}, "two or more labels must differ"),
        ({"0": "angry", "2": "calm"}, "number the labels from 0"),
        ({"0": "angry", "1": 7}, "number the labels from 0"),
        ({"0": "angry", "first": "calm"}, "cannot be read"),
        (["angry", "calm"], "cannot be read"),
    ],
)
def test_labels_that_are_none_are_explained(folder: Path, labels: object, complaint: str) -> None:
    rewrite(folder / "config.json", id2label=labels)
    with pytest.raises(ClassifierError, match=complaint):
        EmotionModel.load(folder)


def test_a_regression_is_refused(folder: Path) -> None:
    rewrite(folder / "config.json", problem_type="regression")
    with pytest.raises(ClassifierError, match="problem_type is 'regression'"):
        EmotionModel.load(folder)


def test_a_multi_label_model_is_refused(folder: Path) -> None:
    rewrite(folder / "config.json", problem_type="multi_label_classification")
    with pytest.raises(ClassifierError, match="problem_type is 'multi_label_classification'"):
        EmotionModel.load(folder)


def test_another_sampling_rate_is_refused(folder: Path) -> None:
    rewrite(folder / "preprocessor_config.json", sampling_rate=8000)
    with pytest.raises(ClassifierError, match="sampling_rate is 8000"):
        EmotionModel.load(folder)


def test_an_extractor_that_makes_other_inputs_than_the_graph_takes_is_refused(folder: Path) -> None:
    shutil.copy(EXPORTS / "whisper" / "model.onnx", folder / "model.onnx")
    with pytest.raises(
        ClassifierError, match=r"does not accept what preprocessor_config.*together with its own"
    ):
        EmotionModel.load(folder)


def test_loading_is_silent_and_asks_no_network() -> None:
    """In a process of its own, for the advice to install torch comes with the first import of transformers."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "from classifiers import EmotionModel; EmotionModel.load()"],
        capture_output=True,
        text=True,
        check=False,
        cwd=HERE.parents[2],
        env={"HF_ENDPOINT": "http://127.0.0.1:1"},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_other_messages_of_transformers_still_come_through(
    shipped: EmotionModel, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("transformers")
    logger.addHandler(caplog.handler)
    try:
        logger.warning("something else")
        logger.warning("PyTorch was not found.")
    finally:
        logger.removeHandler(caplog.handler)
    # Whether it also passes on to the root's handlers depends on who has set transformers' logging up before.
    assert {record.getMessage() for record in caplog.records} == {"something else"}
