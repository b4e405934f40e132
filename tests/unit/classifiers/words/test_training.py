"""How the small models are trained: the same weights from the same examples, and only from features that are common."""

import json
from pathlib import Path

import pytest

from classifiers import ClassifierError
from classifiers.words import reading, topic
from classifiers.words.train import Example, fit, reading_out_examples, report, topic_examples, write
from classifiers.words.training.moments import evi, invented
from classifiers.words.training.topics import Call, Said, joined
from classifiers.words.weights import logistic, read_weights

pytestmark = pytest.mark.unit

TOLD_APART = [
    *(Example("made up", {"goes on": 1.0}, True) for _ in range(30)),
    *(Example("made up", {"ends": 1.0}, False) for _ in range(30)),
    Example("made up", {"rare": 1.0}, True),
]


def test_what_tells_moments_apart_is_learnt_and_what_is_rare_is_left_out() -> None:
    weights = fit(TOLD_APART, penalty=1.0)
    assert set(weights) == {"bias", "ends", "goes on"}
    assert logistic(weights, [("goes on", 1.0)]) > 0.8
    assert logistic(weights, [("ends", 1.0)]) < 0.2


def test_the_same_examples_give_the_same_weights() -> None:
    made = reading_out_examples(invented(300, seed=1))
    assert fit(made, penalty=1.0) == fit(reading_out_examples(invented(300, seed=1)), penalty=1.0)


def test_written_weights_are_read_again(tmp_path: Path) -> None:
    write(tmp_path / "model" / "weights.json", {"bias": -1.5, "ends": 0.25})
    assert read_weights(tmp_path / "model" / "weights.json") == {"bias": -1.5, "ends": 0.25}


@pytest.mark.parametrize("weights", [reading.WEIGHTS, topic.WEIGHTS])
def test_the_shipped_weights_are_small_and_hold_no_words_of_callers(weights: Path) -> None:
    content = json.loads(weights.read_text("utf-8"))
    assert weights.stat().st_size < 20_000
    assert 50 <= len(content) <= 400


def test_the_first_turn_of_a_call_is_no_example_of_a_change() -> None:
    call = Call(
        "made up", (Said("where is my parcel", "", False), Said("by the way what time is it", "", True)), "1"
    )
    assert [example.positive for example in topic_examples([call])] == [True]


def test_the_table_says_what_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    report("reading out", fit(TOLD_APART, penalty=1.0), TOLD_APART)
    assert "| made up | 61 | 51% |" in capsys.readouterr().out


def test_a_missing_corpus_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match=r"has no evi_en\.jsonl"):
        next(evi(tmp_path))
    with pytest.raises(ClassifierError, match=r"has no tau_turns\.jsonl\.gz"):
        next(joined(tmp_path, 10, seed=1))
