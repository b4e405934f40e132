"""Whoever judges, a judgement means the same: calibrated log-odds of upset, and the likeliest of four emotions."""

from pathlib import Path

import numpy as np
import pytest

from classifiers import EmotionModel
from classifiers.emotion import SHIPPED
from classifiers.evaluation.calls import threes
from classifiers.evaluation.corpus import Corpus, Recording
from classifiers.evaluation.figures import Rows, figures
from classifiers.evaluation.judging import FOUR, Folder, Judgement, Refits
from tests.unit.classifiers.evaluation.voices import MOODS, voice

pytestmark = pytest.mark.unit

EXPORTS = Path(__file__).parents[1] / "exports"


def corpus(speakers: int = 3, each: int = 2) -> Corpus:
    recordings = [
        Recording(
            voice((110 + 25 * who) * 2 ** (semitones / 12), level_db, fall, 0.8, 97 * who + take),
            f"0{who}",
            mood,
        )
        for who in range(speakers)
        for mood, (semitones, level_db, fall) in MOODS.items()
        for take in range(each)
    ]
    return Corpus("made up", tuple(recordings), {})


@pytest.mark.parametrize(
    "folder", [SHIPPED, EXPORTS / "wav2vec2", EXPORTS / "whisper"], ids=lambda path: path.name
)
def test_a_judgement_is_what_the_model_says_of_the_recording(folder: Path) -> None:
    model = EmotionModel.load(folder)
    heard = corpus(speakers=1, each=1)
    judged = Folder(model).judge(heard.waves, heard.speakers)
    said = [model.classify(wave).upset for wave in heard.waves]
    assert judged.upset == pytest.approx(said, abs=1e-5)


def test_nobody_is_judged_by_a_model_that_heard_them() -> None:
    pytest.importorskip("sklearn", reason="needs the extra `train`")
    heard = corpus()
    refits = Refits.of(heard, EmotionModel.load().settings, lambda stage, done: None)
    for fold, names in enumerate(refits.left_out):
        assert set(heard.speakers[refits.fold_of(heard.speakers) == fold].tolist()) == names
    judged = refits.judge(heard.waves, heard.speakers)
    listening = refits.model_for("01").classify(heard.waves[10])
    assert heard.speakers[10] == "01"
    assert listening.upset == pytest.approx(judged.upset[10], abs=1e-5)


def perfect(heard: Corpus) -> Judgement:
    four = {name: number for number, name in enumerate(FOUR)}
    emotion = np.array([four.get(one.emotion, 0) for one in heard.recordings])
    return Judgement(np.where(heard.angry, 8.0, -8.0), emotion)


def test_a_perfect_judge_has_perfect_figures() -> None:
    heard = corpus()
    told = figures(Rows.of(heard, perfect(heard)), heard.speakers, heard.speakers, 0.5, draws=20)
    for name in ("auroc_vs_rest", "auroc_vs_calm", "uar", "recall", "accuracy", "accuracy_answering_70"):
        assert told[name].value == 1.0, name
        assert (told[name].least, told[name].most) == (1.0, 1.0), name
    for name in ("false_positives", "false_positives_calm", "abstaining_gains"):
        assert told[name].value == 0.0, name
    assert told["ece"].value < 0.001
    assert told["brier"].value < 0.001


def test_a_model_that_does_not_name_the_four_emotions_has_no_recall_of_them() -> None:
    heard = corpus()
    nameless = Judgement(perfect(heard).log_odds, np.full(len(heard.recordings), -1))
    told = figures(Rows.of(heard, nameless), heard.speakers, heard.speakers, 0.5, draws=20)
    assert np.isnan(told["uar"].value)
    assert told["auroc_vs_rest"].value == 1.0


def test_what_a_certain_mistake_costs_shows_when_abstaining() -> None:
    heard = corpus()
    doubtful = perfect(heard)
    wrong = np.flatnonzero(~heard.angry)[:3]
    log_odds = doubtful.log_odds.copy()
    log_odds[wrong] = 0.1  # just over the threshold, and not sure of it
    told = figures(
        Rows.of(heard, Judgement(log_odds, doubtful.emotion)), heard.speakers, heard.speakers, 0.5, draws=20
    )
    assert told["accuracy"].value == pytest.approx(1 - 3 / len(heard.recordings))
    assert told["accuracy_answering_70"].value == 1.0


def test_three_utterances_are_of_one_speaker_in_one_emotion_and_used_once() -> None:
    heard = corpus(each=7)
    turns = threes(heard)
    assert turns.shape == (3 * len(MOODS) * 2, 3)
    assert len(set(turns.ravel().tolist())) == turns.size
    for turn in turns:
        assert len(set(heard.speakers[turn])) == len(set(heard.emotions[turn])) == 1
