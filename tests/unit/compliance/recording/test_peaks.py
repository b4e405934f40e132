"""Peaks for drawing."""

from __future__ import annotations

import numpy as np
import pytest

from compliance.recording import peaks

pytestmark = pytest.mark.unit


def test_a_pixel_holds_the_lowest_and_the_highest_sample_of_each_channel() -> None:
    caller = np.array([0, 25600, -12800, 0, 256, 512], np.int16)
    agent = np.array([0, 0, 0, 0, -512, 0], np.int16)
    found = peaks([np.stack((caller, agent))], samples_per_pixel=4)
    assert found["data"] == [-50, 100, 0, 0, 1, 2, -2, 0]
    assert (found["length"], found["channels"], found["bits"], found["version"]) == (2, 2, 8, 2)


def test_peaks_do_not_depend_on_the_pieces_that_audio_comes_in() -> None:
    samples = np.random.default_rng(0).integers(-(2**15), 2**15, (2, 10_000), np.int16)
    pieces = [samples[:, start : start + 333] for start in range(0, 10_000, 333)]
    assert peaks(pieces) == peaks([samples])


def test_silence_has_no_peaks() -> None:
    assert set(peaks([np.zeros((2, 4800), np.int16)])["data"]) == {0}


def test_of_nothing_there_is_nothing_to_draw() -> None:
    assert peaks([])["length"] == 0
