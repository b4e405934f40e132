"""The simplest judge there is hears what it claims to hear: level and pitch, no more."""

import numpy as np
import pytest

from classifiers.evaluation.baseline import VARIANTS, Baseline, against_habit, level_and_pitch, measured
from classifiers.evaluation.pitch import voiced_frames
from tests.unit.classifiers.evaluation.voices import voice

pytestmark = pytest.mark.unit


def tone(f0_hz: float, seconds: float = 1.0) -> np.ndarray:
    t = np.arange(round(16_000 * seconds)) / 16_000
    return sum(0.1 * np.sin(2 * np.pi * k * f0_hz * t) / k for k in range(1, 8)).astype(np.float32)


@pytest.mark.parametrize("f0_hz", [75.0, 120.0, 233.3, 450.0])
def test_the_pitch_of_a_buzz_is_found_without_octave_errors(f0_hz: float) -> None:
    heard = voiced_frames(tone(f0_hz)).f0_hz
    assert len(heard) > 80
    assert np.abs(heard / f0_hz - 1).max() < 0.01


def test_level_is_told_in_db_against_full_scale() -> None:
    sine = np.sin(2 * np.pi * 200 * np.arange(16_000) / 16_000).astype(np.float32)
    assert voiced_frames(sine).level_db.mean() == pytest.approx(-3.01, abs=0.05)


@pytest.mark.parametrize(
    "sound",
    [np.zeros(16_000), np.random.default_rng(0).standard_normal(16_000) * 0.1, np.zeros(1), np.ones(100)],
    ids=["silence", "noise", "one sample", "a constant"],
)
def test_what_has_no_pitch_tells_nothing(sound: np.ndarray) -> None:
    assert np.isfinite(level_and_pitch(voiced_frames(sound.astype(np.float32)), own_peak=True)).all()
    assert not np.isnan(voiced_frames(sound.astype(np.float32)).f0_hz).any()


def test_a_rising_voice_has_a_slope_in_semitones_a_second() -> None:
    t = np.arange(32_000) / 16_000
    octave_a_second = 100 * 2**t
    phase = 2 * np.pi * np.cumsum(octave_a_second) / 16_000
    rising = sum(np.sin(k * phase) / k for k in range(1, 6)).astype(np.float32) * 0.1
    assert level_and_pitch(voiced_frames(rising), own_peak=False)[6] == pytest.approx(12, rel=0.03)


def test_a_recordings_gain_is_nothing_to_a_judge_of_its_own_peak() -> None:
    loud = voice(180, 0, 1.0, 1.0, seed=1)
    there, quiet = (voiced_frames(wave) for wave in (loud, loud * 0.1))
    assert level_and_pitch(there, own_peak=True) == pytest.approx(
        level_and_pitch(quiet, own_peak=True), abs=0.05
    )
    assert level_and_pitch(there, own_peak=False)[0] - level_and_pitch(quiet, own_peak=False)[
        0
    ] == pytest.approx(20, abs=0.1)


def test_against_their_own_habit_every_speaker_is_ordinary() -> None:
    numbers = np.random.default_rng(1).normal(size=(20, 3)) * [1, 5, 9] + [3, 2, 1]
    speakers = np.repeat(["a", "b"], 10)
    same = against_habit(numbers, speakers)
    for speaker in ("a", "b"):
        assert same[speakers == speaker].mean(axis=0) == pytest.approx(0, abs=1e-6)
        assert same[speakers == speaker].std(axis=0) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_loud_and_high_voices_are_told_from_low_and_quiet_ones(variant) -> None:
    pytest.importorskip("sklearn")
    angry = np.tile([True, False], 10)
    voices = [
        voiced_frames(voice(200 if one else 120, 0 if one else -15, 1.0, 0.6, seed))
        for seed, one in enumerate(angry)
    ]
    numbers = measured(voices, np.repeat(["a", "b"], 10), variant)
    log_odds = Baseline.fit(numbers, angry).log_odds(numbers)
    assert ((log_odds > 0) == angry).all()
