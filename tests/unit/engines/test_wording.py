"""What the caller hears when something fails: sentences, and a recording for when no voice works."""

import numpy as np
import pytest

from engines.wording import Wording

pytestmark = pytest.mark.unit


def test_the_recorded_apology_is_audible_speech_in_20_ms_frames() -> None:
    frames = Wording().recorded_apology()
    assert {round(frame.duration, 3) for frame in frames} == {0.02}
    assert {frame.num_channels for frame in frames} == {1}
    assert 2 < sum(frame.duration for frame in frames) < 10
    loudest = max(np.abs(np.frombuffer(frame.data, np.int16).astype(int)).max() for frame in frames)
    assert loudest > 3000


def test_sentences_can_be_spoken_one_after_the_other() -> None:
    wording = Wording()
    for text in (wording.one_moment, wording.still_here, wording.start_again, wording.cannot_help):
        assert text.endswith(". ")
    assert wording.start_again.startswith(" ")  # it follows a word that was cut
