"""The lab's ten recorded calls through the real stream, the real cues and the real model."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from classifiers.caller_state import CallerState, CallerStateModel, StateReading, WordCues
from classifiers.emotion import EmotionModel, EmotionReading, EmotionStream
from classifiers.emotion.training.corpus import read_audio
from classifiers.words import asks_for_human, complains, corrects, repeats_themselves

pytestmark = pytest.mark.unit

CALLERS = Path(__file__).parents[4] / "lab" / "callers"
RATE_HZ = 16_000
UNHEARD = EmotionReading("unknown", 0.0, 0.5, 0)

Heard = dict[
    str, list[tuple[str, StateReading]]
]  # call -> the state intended and the state read, turn by turn


def cues(text: str) -> WordCues:
    return WordCues(
        len(text.split()), complains(text), repeats_themselves(text), corrects(text), asks_for_human(text)
    )


@pytest.fixture(scope="module")
def recordings() -> dict[str, list[dict[str, Any]]]:
    calls = defaultdict(list)
    for turn in json.loads((CALLERS / "manifest.json").read_text(encoding="utf-8")):
        calls[turn["call"]].append(turn)
    return dict(calls)


@pytest.fixture(scope="module")
def heard(recordings: dict[str, list[dict[str, Any]]]) -> Heard:
    emotion, model = EmotionModel.load(), CallerStateModel.load()
    readings: Heard = {}
    for call, turns in recordings.items():
        stream, state = EmotionStream(emotion), CallerState(model)
        readings[call] = []
        for turn in turns:
            stream.reset_turn()
            stream.push(read_audio(CALLERS / turn["file"]), RATE_HZ)
            reading = state.turn_ended(stream.turn_result(), cues(turn["text"]))
            readings[call].append((turn["state"], reading))
    return readings


def test_no_calm_turn_reads_upset_unless_fury_came_just_before(heard: Heard) -> None:
    for call, turns in heard.items():
        before = "calm"
        for number, (state, reading) in enumerate(turns, start=1):
            if state in ("calm", "silence", "noise") and before != "furious":
                assert reading.label != "upset", f"{call}, turn {number}: {reading}"
            before = state


def test_a_caller_who_calms_down_is_less_upset_at_once(heard: Heard) -> None:
    *_, (furious, last_furious), (calm, after) = heard["05_furious_from_first_word"]
    assert (furious, calm) == ("furious", "calm")
    assert after.upset < last_furious.upset - 0.1


@pytest.mark.parametrize("call", ["04_calm_becomes_furious", "05_furious_from_first_word"])
def test_a_furious_caller_reads_upset_by_the_second_furious_turn(heard: Heard, call: str) -> None:
    furious = [reading.label for state, reading in heard[call] if state == "furious"]
    assert set(furious[1:]) == {"upset"}


def test_a_caller_furious_from_the_first_word_reads_upset_from_the_first_turn(heard: Heard) -> None:
    assert heard["05_furious_from_first_word"][0][1].label == "upset"


def test_shouting_is_told_as_evidence(heard: Heard) -> None:
    told = heard["04_calm_becomes_furious"][4][1].evidence
    assert any(words.startswith("raised voice in ") for words in told)


def test_a_noisy_line_with_nobody_on_it_is_unknown(heard: Heard) -> None:
    assert [reading.label for _, reading in heard["07_silence_and_noise"][:3]] == ["unknown"] * 3


def test_an_annoyed_complaint_raises_the_score_above_every_calm_turn_of_its_call(heard: Heard) -> None:
    turns = heard["10_long_complaint"]
    annoyed = [reading.upset for state, reading in turns if state == "annoyed"]
    assert min(annoyed) > max(reading.upset for state, reading in turns if state == "calm")


def test_the_words_alone_find_a_furious_caller(recordings: dict[str, list[dict[str, Any]]]) -> None:
    state = CallerState(CallerStateModel.load())
    labels = [
        state.turn_ended(UNHEARD, cues(turn["text"])).label for turn in recordings["04_calm_becomes_furious"]
    ]
    assert "upset" in labels[2:]
