import json
import logging
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from classifiers import ClassifierError, EmotionModel
from classifiers.emotion.model import SHIPPED
from classifiers.emotion.training.augment import presence_boost
from classifiers.emotion.training.parity import PARITY, waveforms

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
    waves = waveforms()
    assert expected.keys() == waves.keys()
    for name, wave in waves.items():
        assert np.abs(shipped.logits(wave) - np.array(expected[name])).max() < PARITY


def test_probabilities_sum_to_one_and_upset_is_its_labels_share(shipped: EmotionModel) -> None:
    scores = shipped.classify(waveforms()["buzz"])
    assert math.isclose(sum(scores.probabilities.values()), 1.0, abs_tol=1e-9)
    assert scores.upset == pytest.approx(scores.probabilities["angry"])
    assert scores.confidence == max(scores.upset, 1 - scores.upset)


def test_loudness_changes_nothing(shipped: EmotionModel) -> None:
    wave = waveforms()["buzz"]
    assert shipped.classify(wave * 0.05).upset == pytest.approx(shipped.classify(wave).upset, abs=1e-3)


def test_short_audio_is_repeated_not_padded_with_silence(shipped: EmotionModel) -> None:
    piece = waveforms()["buzz"][:10_000]
    assert shipped.classify(piece).upset == shipped.classify(np.tile(piece, 4)).upset


def test_only_the_last_window_of_long_audio_is_heard(shipped: EmotionModel) -> None:
    waves = waveforms()
    both = np.concatenate([waves["noise"], waves["buzz"]])
    assert shipped.classify(both).upset == pytest.approx(shipped.classify(waves["buzz"]).upset, abs=1e-6)


def test_samples_that_are_no_numbers_count_as_silence(shipped: EmotionModel) -> None:
    wave = waveforms()["buzz"].copy()
    wave[::1000] = np.nan
    assert 0 <= shipped.classify(wave).upset <= 1


def test_a_presence_boost_moves_the_score_less_than_it_moves_the_spectrum(shipped: EmotionModel) -> None:
    wave = waveforms()["noise"]
    assert abs(shipped.classify(presence_boost(wave, 9)).upset - shipped.classify(wave).upset) < 0.5


def test_no_audio_is_refused_with_a_reason(shipped: EmotionModel) -> None:
    with pytest.raises(ClassifierError, match="no audio"):
        shipped.classify(np.zeros(0, dtype=np.float32))


def test_a_whisper_export_is_a_path_away() -> None:
    scores = EmotionModel.load(HERE / "exports" / "whisper").classify(waveforms()["noise"])
    assert scores.upset == pytest.approx(scores.probabilities["anger"])


def test_an_export_that_wants_an_attention_mask_gets_one() -> None:
    model = EmotionModel.load(HERE / "exports" / "hubert")
    assert model.settings.window_s == 2.0
    scores = model.classify(waveforms()["noise"])
    assert scores.upset == pytest.approx(scores.probabilities["ang"])


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
        ({"upset_labels": ["furious"]}, "choose from angry, happy"),
        ({"upset_labels": [["angry"]]}, "choose from angry, happy"),
        ([1], "it must be an object"),
    ],
)
def test_a_wrong_setting_is_explained(folder: Path, section: object, complaint: str) -> None:
    rewrite(folder / "config.json", patchbay=section)
    with pytest.raises(ClassifierError, match=complaint):
        EmotionModel.load(folder)


def test_labels_that_name_no_upset_emotion_are_refused_with_a_remedy(folder: Path) -> None:
    rewrite(folder / "config.json", id2label={str(i): f"LABEL_{i}" for i in range(5)}, patchbay={})
    with pytest.raises(ClassifierError, match=r"none of the labels LABEL_0.*upset_labels"):
        EmotionModel.load(folder)


def test_a_model_with_another_number_of_labels_is_refused(folder: Path) -> None:
    rewrite(folder / "config.json", id2label={"0": "angry", "1": "calm"})
    with pytest.raises(ClassifierError, match=r"shape \[1, 5\].*\[1, 2\]"):
        EmotionModel.load(folder)


def test_a_multi_label_model_is_refused(folder: Path) -> None:
    rewrite(folder / "config.json", problem_type="multi_label_classification")
    with pytest.raises(ClassifierError, match="multi-label"):
        EmotionModel.load(folder)


def test_another_sampling_rate_is_refused(folder: Path) -> None:
    rewrite(folder / "preprocessor_config.json", sampling_rate=8000)
    with pytest.raises(ClassifierError, match="sampling_rate is 8000"):
        EmotionModel.load(folder)


def test_an_extractor_that_makes_other_inputs_than_the_graph_takes_is_refused(folder: Path) -> None:
    shutil.copy(HERE / "exports" / "whisper" / "model.onnx", folder / "model.onnx")
    with pytest.raises(ClassifierError, match="does not accept what preprocessor_config"):
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
