"""How a person's audio is cut into stretches of speech."""

from __future__ import annotations

import numpy as np
import pytest
from livekit import rtc

from service.transfer.gate import HANGOVER_MS, PREROLL_MS, SpeechGate

pytestmark = pytest.mark.unit

FRAME_MS = 20


def frame(level: int) -> rtc.AudioFrame:
    samples = np.full(24 * FRAME_MS, level, np.int16)
    return rtc.AudioFrame(samples.tobytes(), 24_000, 1, len(samples))


def pushed(gate: SpeechGate, level: int, ms: float) -> list[rtc.AudioFrame | None]:
    return [out for _ in range(int(ms / FRAME_MS)) for out in gate.push(frame(level))]


def test_silence_is_not_played() -> None:
    gate = SpeechGate()
    assert pushed(gate, 0, 1000) == []
    assert (gate.open, gate.voiced_ms) == (False, 0.0)


def test_speech_is_played_from_a_little_before_it_began() -> None:
    gate = SpeechGate()
    pushed(gate, 0, 1000)
    played = pushed(gate, 3000, 200)
    assert len(played) == (PREROLL_MS + 200) / FRAME_MS
    assert gate.voiced_ms == 200


def test_a_pause_between_words_does_not_end_a_stretch_and_a_longer_one_does() -> None:
    gate = SpeechGate()
    pushed(gate, 3000, 200)
    assert None not in pushed(gate, 0, HANGOVER_MS - FRAME_MS)
    assert gate.open
    assert pushed(gate, 0, FRAME_MS)[-1] is None
    assert not gate.open


def test_a_stretch_can_be_ended_once() -> None:
    gate = SpeechGate()
    pushed(gate, 3000, 200)
    assert list(gate.close()) == [None]
    assert list(gate.close()) == []
