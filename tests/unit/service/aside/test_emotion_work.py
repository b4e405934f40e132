"""Judging a voice in pieces: the same as the stream alone, turn by turn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from classifiers.emotion import EmotionModel, EmotionReading, EmotionStream
from compliance.tap import RATE_HZ
from lab.callers import load_pcm
from service.aside.emotion import EmotionWork

pytestmark = pytest.mark.unit

CALLERS = Path(__file__).parents[4] / "lab" / "callers"
PIECE = RATE_HZ // 5


@pytest.fixture(scope="module")
def model() -> EmotionModel:
    return EmotionModel.load()


def pieces(name: str) -> Iterator[np.ndarray]:
    samples = load_pcm(CALLERS / f"{name}.flac", sample_rate_hz=RATE_HZ)
    return (samples[at : at + PIECE] for at in range(0, len(samples), PIECE))


def told(work: EmotionWork, samples: np.ndarray, *, turn: int = 0, ended: bool = False) -> EmotionReading:
    header = {"turn": turn, "rate_hz": RATE_HZ, "speaking": True, "ended": ended}
    answer, _ = work.answer(header, samples.tobytes())
    return EmotionReading(**json.loads(json.dumps(answer))["reading"])


def test_at_the_end_of_speech_the_reading_is_the_streams(model: EmotionModel) -> None:
    work, stream = EmotionWork(model), EmotionStream(model)
    for piece in pieces("05_furious_from_first_word_t01"):
        told(work, piece)
        stream.push(piece, RATE_HZ, speaking=True)
    reading = told(work, np.zeros(0, np.int16), ended=True)
    assert reading == stream.turn_result()
    assert reading.label == "upset"


def test_a_new_turn_begins_with_nothing(model: EmotionModel) -> None:
    work = EmotionWork(model)
    for piece in pieces("05_furious_from_first_word_t01"):
        told(work, piece)
    quiet = told(work, np.zeros(PIECE, np.int16), turn=1)
    assert (quiet.label, quiet.windows) == ("unknown", 0)


def test_every_call_begins_with_an_unknown_voice(model: EmotionModel) -> None:
    first = EmotionWork(model)
    for piece in pieces("05_furious_from_first_word_t01"):
        told(first, piece)
    anew, stream = EmotionWork(model), EmotionStream(model)
    for piece in pieces("01_quick_question_t01"):
        reading = told(anew, piece, ended=True)
        stream.push(piece, RATE_HZ, speaking=True)
    assert asdict(reading) == asdict(stream.turn_result())
