"""What lies between mouth and model is what its name says, and the same at every hearing."""

import numpy as np
import pytest

from classifiers.evaluation.conditions import (
    CONDITIONS,
    MEAN_BURST_FRAMES,
    babble_noise,
    clipped,
    heard,
    lost_frames,
    packet_loss,
)
from classifiers.evaluation.corpus import Corpus, Recording
from tests.unit.classifiers.evaluation.voices import voice

pytestmark = pytest.mark.unit


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def two_speakers() -> Corpus:
    recordings = [
        Recording(voice(120 + 60 * i, -6, 1.0, 1.0, seed=i), f"0{i % 2}", mood)
        for i, mood in enumerate(("anger", "neutral", "anger", "neutral"))
    ]
    return Corpus("two", tuple(recordings), {})


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_condition_is_the_same_at_every_hearing_and_keeps_the_length(name: str) -> None:
    corpus = two_speakers()
    once, again = heard(corpus, name), heard(corpus, name)
    for recording, first, second in zip(corpus.recordings, once, again, strict=True):
        assert np.array_equal(first, second)
        assert first.shape == recording.wave.shape
        assert first.dtype == np.float32
        assert np.isfinite(first).all()


def test_a_condition_changes_something_unless_it_is_the_recording_itself() -> None:
    corpus = two_speakers()
    unchanged = [
        name
        for name in CONDITIONS
        if all(np.array_equal(a, b) for a, b in zip(heard(corpus, name), corpus.waves, strict=True))
    ]
    assert unchanged[:1] == ["16 kHz"]
    assert set(unchanged[1:]) <= {"1% lost, silence", "1% lost, repeated"}  # of 200 packets, none may be lost


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1])
def test_as_many_packets_are_lost_as_asked_for_in_bursts(rate: float) -> None:
    lost = lost_frames(200_000, rate, rng())
    assert lost.mean() == pytest.approx(rate, rel=0.1)
    begun = np.flatnonzero(np.diff(lost.astype(int)) == 1)
    assert lost.sum() / len(begun) == pytest.approx(MEAN_BURST_FRAMES, rel=0.1)


def test_a_lost_packet_is_silence_or_the_last_that_came() -> None:
    wave = voice(150, 0, 1.0, 2.0, seed=3)
    silent = packet_loss(wave, rng(4), rate=0.3, instead="silence").reshape(-1, 320)
    repeated = packet_loss(wave, rng(4), rate=0.3, instead="the last frame").reshape(-1, 320)
    lost = ~silent.any(axis=1)
    assert lost.any()
    for number in np.flatnonzero(lost)[1:]:
        assert np.array_equal(repeated[number], repeated[number - 1])
    assert np.array_equal(silent[~lost], wave.reshape(-1, 320)[~lost])


def test_babble_comes_at_the_ratio_asked_for_and_from_other_people() -> None:
    wave, other = voice(150, 0, 1.0, 1.0, seed=1), voice(210, 0, 1.0, 0.7, seed=2)
    noise = babble_noise(wave, rng(), lambda _: other, snr_db=10) - wave
    ratio_db = 10 * np.log10(np.mean(wave**2) / np.mean(noise**2))
    assert ratio_db == pytest.approx(10, abs=0.1)
    corpus = two_speakers()
    quietened = Corpus(
        "two",
        tuple(
            Recording(one.wave if one.speaker == "00" else one.wave * 0, one.speaker, one.emotion)
            for one in corpus.recordings
        ),
        {},
    )
    first = heard(quietened, "babble 5 dB")[0]
    assert np.array_equal(first, quietened.recordings[0].wave), (
        "only the silent speaker talks behind this one"
    )


def test_clipping_cuts_off_what_is_within_so_many_db_of_the_peak() -> None:
    wave = voice(150, 0, 1.0, 1.0, seed=1)
    peak_db = 20 * np.log10(np.abs(clipped(wave, over_db=12)).max() / np.abs(wave).max())
    assert peak_db == pytest.approx(-12, abs=0.01)


def test_silence_survives_every_condition() -> None:
    corpus = Corpus(
        "silent", tuple(Recording(np.zeros(8000, np.float32), who, "anger") for who in ("a", "b")), {}
    )
    for name in CONDITIONS:
        assert all(np.isfinite(wave).all() for wave in heard(corpus, name)), name
