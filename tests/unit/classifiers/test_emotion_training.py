"""The parts of training that need no training extra: what is heard, and what is done to it."""

from pathlib import Path

import numpy as np
import pytest

from classifiers import ClassifierError
from classifiers.emotion.training.augment import (
    add_noise,
    as_in_a_call,
    change_speed,
    presence_boost,
    telephone,
)
from classifiers.emotion.training.corpus import read_corpus
from classifiers.emotion.training.frontend import (
    HIGH_HZ,
    LOW_HZ,
    MEL_BANDS,
    log_mel,
    mel_filters,
    unit_variance,
)
from classifiers.emotion.training.parity import waveforms

pytestmark = pytest.mark.unit

CALLERS = Path(__file__).parents[3] / "lab" / "callers"


def tone(hz: float, seconds: float = 1.0) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(round(16_000 * seconds)) / 16_000).astype(np.float32)


def level_db(wave: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(wave)) + 1e-12))


def test_features_have_no_level_of_their_own() -> None:
    features = log_mel(np.stack([unit_variance(wave) for wave in waveforms().values()]))
    assert features.shape == (3, 248, MEL_BANDS)
    assert np.abs(features.mean(axis=(1, 2))).max() < 1e-4


def test_every_band_hears_something() -> None:
    assert np.allclose(mel_filters().sum(axis=1), 1.0)


@pytest.mark.parametrize("hz", [LOW_HZ / 2, HIGH_HZ * 1.5])
def test_what_the_telephone_cannot_carry_is_not_looked_at(hz: float) -> None:
    inside = log_mel(unit_variance(tone(1000))[None] * 10)
    outside = log_mel(unit_variance(tone(hz))[None] * 10)
    assert np.ptp(outside) < np.ptp(inside) / 2


def test_the_telephone_keeps_speech_and_drops_the_rest() -> None:
    assert level_db(telephone(tone(1000), -20)) == pytest.approx(-20, abs=0.5)
    mixed = tone(1000) + tone(5000)
    heard = np.abs(np.fft.rfft(telephone(mixed, -20)))
    assert heard[5000] < heard[1000] / 100


def test_a_presence_boost_lifts_its_band_only() -> None:
    assert level_db(presence_boost(tone(2800), 9)) - level_db(tone(2800)) == pytest.approx(9, abs=0.1)
    assert level_db(presence_boost(tone(300), 9)) - level_db(tone(300)) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("colour", [0.0, 1.0, 2.0])
def test_noise_comes_at_the_ratio_asked_for(colour: float) -> None:
    speech = tone(440)
    noise = add_noise(speech, 10, colour, np.random.default_rng(0)) - speech
    assert level_db(speech) - level_db(noise) == pytest.approx(10, abs=0.1)


def test_speed_moves_pitch_and_length_together() -> None:
    faster = change_speed(tone(400), 1.25)
    assert len(faster) == pytest.approx(16_000 / 1.25, abs=2)
    peak_hz = np.abs(np.fft.rfft(faster)).argmax() * 16_000 / len(faster)
    assert peak_hz == pytest.approx(500, abs=2)


def test_the_same_seed_draws_the_same_call() -> None:
    first, second = (as_in_a_call(tone(300, 2.0), 40_000, np.random.default_rng(4)) for _ in range(2))
    assert np.array_equal(first, second)
    assert first.shape == (40_000,)


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match=r"no manifest\.csv"):
        read_corpus(tmp_path)


def test_an_unknown_emotion_is_named(tmp_path: Path) -> None:
    audio = next(CALLERS.glob("*.flac"))
    (tmp_path / "manifest.csv").write_text(f"file,speaker,emotion\n{audio},01,envy\n")
    with pytest.raises(ClassifierError, match="envy"):
        read_corpus(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no audio", b"fLaC" + bytes(100)])
def test_a_file_without_audio_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.csv").write_text("file,speaker,emotion\nbroken.flac,01,anger\n")
    (tmp_path / "broken.flac").write_bytes(content)
    with pytest.raises(ClassifierError, match=r"broken\.flac: (cannot be decoded|holds no audio)"):
        read_corpus(tmp_path)
