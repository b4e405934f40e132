"""Recorded callers through the models that ship, and the cues and languages of sentences."""

import json
from pathlib import Path

import pytest

from classifiers import ClassifierError
from classifiers.evaluation import caller_state, words
from classifiers.evaluation.caller_state import UPSET, CallerTurn, recorded

pytestmark = [pytest.mark.unit]
pytest.importorskip("sklearn", reason="needs the extra `train`")

CALLERS = Path(__file__).parents[4] / "lab" / "callers"
SENTENCES = Path(__file__).parents[1] / "words"


@pytest.fixture(scope="module")
def callers() -> tuple[CallerTurn, ...]:
    return recorded(CALLERS)


def test_every_turn_of_the_recorded_callers_is_read_in_order(callers: tuple[CallerTurn, ...]) -> None:
    manifest = json.loads((CALLERS / "manifest.json").read_text(encoding="utf-8"))
    assert [(turn.call, turn.turn) for turn in callers] == [(row["call"], row["turn"]) for row in manifest]


def test_no_recorded_caller_reads_upset_who_is_not(callers: tuple[CallerTurn, ...]) -> None:
    assert not [turn for turn in callers if turn.label == "upset" and turn.marked not in UPSET]


def test_whoever_reads_upset_does_so_for_reasons_in_words(callers: tuple[CallerTurn, ...]) -> None:
    furious = [turn for turn in callers if turn.label == "upset"]
    assert len(furious) >= 7
    assert all(turn.evidence for turn in furious)


@pytest.mark.parametrize("manifest", [None, "no json", '[{"call": "a"}]', '{"call": 3}'])
def test_a_folder_without_callers_is_told_so(tmp_path: Path, manifest: str | None) -> None:
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest, encoding="utf-8")
    with pytest.raises(ClassifierError, match=r"manifest\.json: cannot be read"):
        recorded(tmp_path)


def test_callers_are_looked_at_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match=r"manifest\.json"):
        caller_state.evaluate(tmp_path, tmp_path)


def test_cues_and_languages_are_counted_on_sentences_that_nothing_was_written_for() -> None:
    cues, guessed = words.sentences_judged(SENTENCES)
    assert {cue.name for cue in cues} >= {"asks_for_human", "complains", "corrects"}
    assert all(cue.recall.low > 0.5 and cue.precision.low > 0.5 for cue in cues)
    assert guessed.wrong.value < 0.1


@pytest.mark.parametrize("content", [None, "no json\n", '{"text": "hello"}\n'])
def test_sentences_that_cannot_be_read_are_named(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "cues.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(ClassifierError, match=r"cues\.jsonl"):
        words.sentences_judged(tmp_path)
