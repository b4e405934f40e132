"""The ten recorded callers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lab.callers import HERE, load_pcm, recorded_call, recorded_calls
from lab.errors import LabError
from service.audio import AudioFileError

pytestmark = pytest.mark.unit


def test_there_are_ten_calls_and_fifty_turns() -> None:
    calls = recorded_calls()
    assert len(calls) == 10
    assert sum(len(call.turns) for call in calls) == 50
    assert all([turn.number for turn in call.turns] == list(range(1, len(call.turns) + 1)) for call in calls)


def test_every_recording_is_as_long_as_the_manifest_says() -> None:
    for turn in (turn for call in recorded_calls() for turn in call.turns):
        for path in filter(None, (turn.path, turn.telephony)):
            assert len(load_pcm(path)) / 24 == pytest.approx(turn.duration_ms, abs=10)


def test_every_file_in_the_folder_belongs_to_a_turn() -> None:
    named = {p for c in recorded_calls() for t in c.turns for p in (t.path, t.telephony) if p is not None}
    assert {p for p in HERE.iterdir() if p.suffix in (".flac", ".wav")} == named


def test_interruptions_say_how_far_into_the_reply_they_begin() -> None:
    barged = {
        t.number: t.barge_in_ms for t in recorded_call("06_barge_in_long_answer").turns if t.barge_in_ms
    }
    assert barged == {2: 1500, 4: 2000}


def test_the_breath_within_the_card_number_is_silent() -> None:
    turn = recorded_call("03").turns[1]
    assert turn.breath_ms == (3930, 5030)
    sound = np.abs(load_pcm(turn.path).astype(int))
    start, end = (ms * 24 for ms in turn.breath_ms)
    assert sound[start + 1_000 : end - 1_000].max() < sound.max() / 50


def test_silence_has_no_words() -> None:
    silent = [t for t in recorded_call("07").turns if t.state in ("silence", "noise")]
    assert len(silent) == 3
    assert all(turn.text == "" for turn in silent)


@pytest.mark.parametrize("name", ["99", "", "0"])
def test_a_call_that_is_not_one_lists_those_there_are(name: str) -> None:
    with pytest.raises(LabError, match="there are 01_quick_question, 02_order_status"):
        recorded_call(name)


@pytest.mark.parametrize(
    "manifest",
    [
        "not json",
        "{}",
        '[{"call": "a"}]',
        json.dumps([{**json.loads((HERE / "manifest.json").read_text())[0], "hint": "sing"}]),
        json.dumps([json.loads((HERE / "manifest.json").read_text())[0]]),  # its recording is not there
    ],
)
def test_a_broken_manifest_is_one_clear_error(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(LabError):
        recorded_calls(tmp_path)


def test_a_folder_without_a_manifest_is_the_same_error(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"manifest\.json"):
        recorded_calls(tmp_path)


def test_a_damaged_recording_is_an_audio_file_error(tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_bytes(b"fLaC\0")
    with pytest.raises(AudioFileError):
        load_pcm(tmp_path / "a.flac")
