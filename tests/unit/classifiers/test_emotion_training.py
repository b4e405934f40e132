"""How the emotion model is made: what is heard, what is done to it, what is learnt, and how well that holds."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from classifiers import ClassifierError, EmotionModel
from classifiers.emotion.train import Trained, fit, folds, train
from classifiers.emotion.training.augment import (
    add_noise,
    as_in_a_call,
    between_pauses,
    change_speed,
    presence_boost,
    reverberate,
    telephone,
)
from classifiers.emotion.training.corpus import CALM_LIKE, FEMALE_SPEAKERS, LABELS, Utterance, read_corpus
from classifiers.emotion.training.frontend import (
    HIGH_HZ,
    LOW_HZ,
    MEL_BANDS,
    log_mel,
    mel_filters,
    unit_variance,
)
from classifiers.emotion.training.parity import PARITY, waveforms
from classifiers.emotion.training.statistics import statistics
from classifiers.measures import auroc, expected_calibration_error, softmax, unweighted_average_recall

pytestmark = pytest.mark.unit

HERE = Path(__file__).parent
CALLERS = HERE.parents[2] / "lab" / "callers"
EMODB = HERE.parents[3] / "shared" / "data" / "emotion" / "emodb"


def tone(hz: float, seconds: float = 1.0) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(round(16_000 * seconds)) / 16_000).astype(np.float32)


def level_db(wave: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(wave)) + 1e-12))


def test_features_have_no_level_of_their_own() -> None:
    features = log_mel(np.stack([unit_variance(wave) for wave in waveforms().values()]))
    assert features.shape == (3, 298, MEL_BANDS)
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


def test_a_room_goes_on_after_the_voice_has_stopped() -> None:
    click = np.zeros(16_000, dtype=np.float32)
    click[100] = 1.0
    heard = reverberate(click, decay_s=0.4, direct_db=0.0, rng=np.random.default_rng(0))
    assert heard.shape == click.shape
    assert heard[100] == pytest.approx(1.0, abs=1e-3)
    assert level_db(heard[300:1500]) > level_db(heard[4500:5700]) + 20
    assert np.abs(heard[100 + 6400 + 160 :]).max() < 1e-6


def test_a_pause_holds_the_lines_noise_and_no_silence() -> None:
    heard = between_pauses(tone(440), 0.5, 0.25, 40.0, np.random.default_rng(0))
    assert len(heard) == 28_000
    assert level_db(tone(440)) - level_db(heard[:8000]) == pytest.approx(40, abs=0.3)


def test_a_fixed_equaliser_leaves_the_statistics_of_change_alone() -> None:
    features = log_mel(unit_variance(waveforms()["buzz"])[None])
    brighter = features + np.linspace(-3, 3, MEL_BANDS, dtype=np.float32)
    plain, equalised = statistics(features)[0], statistics(brighter)[0]
    assert np.abs(plain[:MEL_BANDS] - equalised[:MEL_BANDS]).max() > 1
    assert np.allclose(plain[MEL_BANDS:], equalised[MEL_BANDS:], atol=1e-3)


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


@pytest.mark.parametrize(
    ("manifest", "complaint"),
    [
        (b"file,speaker,emotion\n\xff", "UTF-8"),
        (b"file,speaker\n", "no column emotion"),
        (b"file,speaker,emotion\nx\n", "''"),
    ],
)
def test_a_manifest_that_cannot_be_used_says_why(tmp_path: Path, manifest: bytes, complaint: str) -> None:
    (tmp_path / "manifest.csv").write_bytes(manifest)
    with pytest.raises(ClassifierError, match=complaint):
        read_corpus(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no audio", b"fLaC" + bytes(100)])
def test_a_file_without_audio_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.csv").write_text("file,speaker,emotion\nbroken.flac,01,anger\n")
    (tmp_path / "broken.flac").write_bytes(content)
    with pytest.raises(ClassifierError, match=r"broken\.flac: (cannot be decoded|holds no audio)"):
        read_corpus(tmp_path)


# -- learning ---------------------------------------------------------------------------------------------------
def few() -> list[Utterance]:
    """Buzzing "voices" of two speakers, more hurried the angrier."""
    utterances = []
    for number, emotion in enumerate(("anger", "happiness", "neutral", "sadness", "fear") * 2):
        wave = waveforms()["buzz"][: 24_000 + 3_000 * number]
        faster = change_speed(wave, 1.2 - 0.1 * (number % 5))
        utterances.append(Utterance(faster, "ab"[number // 5], emotion))
    return utterances


@pytest.fixture(scope="module")
def trained() -> Trained:
    pytest.importorskip("sklearn", reason="needs the extra `train`")
    return fit(few())


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two utterances of each emotion by each of two speakers of EmoDB, as a corpus of its own."""
    if not EMODB.is_dir():
        pytest.skip("needs ../shared/data/emotion/emodb")
    head, *rows = (EMODB / "manifest.csv").read_text(encoding="utf-8").splitlines()
    chosen = [head]
    for speaker in ("03", "08"):
        for label in "WFNT":  # EmoDB's letters: Wut, Freude, neutral, Trauer
            of_both = [row for row in rows if row.startswith(speaker) and row[5] == label]
            chosen += [f"{EMODB}/{row}" for row in of_both[:2]]
    (tmp_path / "manifest.csv").write_text("\n".join(chosen) + "\n", encoding="utf-8")
    return tmp_path


def test_the_same_recordings_teach_the_same_model(trained: Trained) -> None:
    again = fit(few())
    sounds = list(waveforms().values())
    assert np.abs(again.logits(sounds) - trained.logits(sounds)).max() < 1e-6
    assert again.temperature == pytest.approx(trained.temperature, abs=1e-6)


def test_an_emotion_that_nobody_showed_is_never_heard() -> None:
    pytest.importorskip("sklearn", reason="needs the extra `train`")
    only = fit([utterance for utterance in few() if utterance.emotion in ("anger", "neutral")])
    probabilities = softmax(only.logits(list(waveforms().values())))
    assert probabilities[:, [LABELS.index("angry"), LABELS.index("neutral")]].sum(axis=1).min() > 0.999


def test_one_speaker_is_too_few_to_learn_how_sure_to_be() -> None:
    with pytest.raises(ValueError, match="two speakers or more"):
        fit(few()[:5])


def test_every_speaker_is_left_out_once() -> None:
    speakers = [f"{number:02}" for number in range(7)]
    left_out = folds([Utterance(tone(200), speaker, "anger") for speaker in speakers])
    assert len(left_out) == 5
    assert sorted(name for fold in left_out for name in fold) == speakers


def test_a_small_corpus_becomes_a_folder_that_says_what_its_trainer_says(
    corpus: Path, tmp_path: Path
) -> None:
    stages: list[tuple[str, float]] = []
    report = train(corpus, tmp_path / "model", progress=lambda stage, done: stages.append((stage, done)))
    assert (report.utterances, report.speakers) == (16, 2)
    assert report.largest_difference < PARITY
    assert stages[-1] == ("done", 1.0)
    assert all(0 <= done <= 1 for _, done in stages)
    exported = EmotionModel.load(report.out)
    assert exported.labels == LABELS
    assert exported.settings.temperature == pytest.approx(report.temperature, abs=1e-4)


# -- how well it holds ------------------------------------------------------------------------------------------
# Five fits take minutes, so what they said of speakers they never heard is kept in a file (make_emotion_logits.py);
# `patchbay evaluate emotion` measures it afresh.
class LeftOut:
    """Calibrated logits of EmoDB's utterances by models that never heard their speaker."""

    def __init__(self) -> None:
        kept = json.loads((HERE / "emotion_left_out.json").read_text(encoding="utf-8"))
        self.emotions = np.array(kept["emotions"])
        self.speakers = np.array(kept["speakers"])
        self.logits = {name: np.array(values) for name, values in kept["logits"].items()}
        self.anger = self.emotions == "anger"

    def upset(self, condition: str) -> np.ndarray:
        return softmax(self.logits[condition])[:, LABELS.index("angry")]

    def recall_of_four(self, condition: str, emotions: Sequence[str]) -> float:
        four = np.isin(self.emotions, emotions)
        likeliest = self.logits[condition][four][:, : len(LABELS) - 1].argmax(axis=1)
        said = [Utterance(np.zeros(0, np.float32), "", name).target for name in self.emotions[four].tolist()]
        return unweighted_average_recall(likeliest, np.array(said))


@pytest.fixture(scope="module")
def left_out() -> LeftOut:
    return LeftOut()


@pytest.mark.parametrize("condition", ["16 kHz", "mu-law 8 kHz"])
def test_anger_of_a_stranger_is_told_apart_and_its_probability_means_what_it_says(
    left_out: LeftOut, condition: str
) -> None:
    upset = left_out.upset(condition)
    either = left_out.anger | np.isin(left_out.emotions, CALM_LIKE)
    assert auroc(upset, left_out.anger) >= 0.94
    assert auroc(upset[either], left_out.anger[either]) >= 0.98
    assert expected_calibration_error(upset, left_out.anger) <= 0.05


@pytest.mark.parametrize("calm", [("neutral",), ("neutral", "boredom")])
def test_four_emotions_of_a_stranger_are_told_apart(left_out: LeftOut, calm: tuple[str, ...]) -> None:
    assert left_out.recall_of_four("16 kHz", ("anger", "happiness", "sadness", *calm)) >= 0.70


def test_the_telephone_costs_next_to_nothing(left_out: LeftOut) -> None:
    wide, narrow = (auroc(left_out.upset(name), left_out.anger) for name in ("16 kHz", "mu-law 8 kHz"))
    assert abs(wide - narrow) <= 0.02


def test_staying_silent_when_unsure_is_right_more_often(left_out: LeftOut) -> None:
    upset = left_out.upset("16 kHz")
    right = (upset >= 0.5) == left_out.anger
    confidence = np.maximum(upset, 1 - upset)
    assert right[confidence >= np.quantile(confidence, 0.3)].mean() > right.mean()


def test_women_and_men_are_both_heard(left_out: LeftOut) -> None:
    female = np.isin(left_out.speakers, sorted(FEMALE_SPEAKERS))
    for group in (female, ~female):
        assert auroc(left_out.upset("16 kHz")[group], left_out.anger[group]) >= 0.90
