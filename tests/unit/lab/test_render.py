"""More callers from text, where flite is installed."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lab.callers import load_pcm
from lab.errors import LabError
from lab.render import SAMPLE_RATE_HZ, VOICES, render, with_effort

pytestmark = pytest.mark.unit

needs_flite = pytest.mark.skipif(
    shutil.which("flite") is None, reason="flite is not installed: apt install flite"
)
WORDS = "i want my money back"


def tilt_db(samples: np.ndarray) -> float:
    """How much louder 1 to 4 kHz is than 100 to 300 Hz."""
    power = np.abs(np.fft.rfft(samples.astype(float))) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE_HZ)
    high, low = (power[(hz > a) & (hz < b)].sum() for a, b in ((1_000, 4_000), (100, 300)))
    return 10 * math.log10(high / low)


@needs_flite
@pytest.mark.parametrize("voice", VOICES)
def test_an_upset_caller_has_a_raised_voice_and_hurries(tmp_path: Path, voice: str) -> None:
    calm, upset = tmp_path / "calm.flac", tmp_path / "upset.wav"
    render(WORDS, calm, voice)
    render(WORDS, upset, voice, upset=True)
    heard = [load_pcm(path, sample_rate_hz=SAMPLE_RATE_HZ) for path in (calm, upset)]
    assert tilt_db(heard[1]) > tilt_db(heard[0]) + 8
    assert 0.85 < len(heard[1]) / len(heard[0]) < 0.97
    assert np.abs(heard[1].astype(int)).max() < 32_000


@needs_flite
def test_the_command_renders_a_file(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    command = [
        sys.executable,
        "-m",
        "lab.render",
        WORDS,
        str(tmp_path / "a.flac"),
        "--voice",
        "awb",
        "--upset",
    ]
    subprocess.run(command, cwd=root, check=True)  # noqa: S603 -- our own module
    assert len(load_pcm(tmp_path / "a.flac")) > 24_000


@needs_flite
@pytest.mark.parametrize(
    ("text", "name", "voice", "says"),
    [
        (WORDS, "a.mp3", "slt", r"neither \.flac nor \.wav"),
        (WORDS, "a.flac", "hal", "flite has rms, slt, awb"),
        (" … ", "a.flac", "slt", "nothing to say"),
        (WORDS, "gone/a.flac", "slt", "cannot be written"),
    ],
)
def test_what_cannot_be_rendered_is_said(tmp_path: Path, text: str, name: str, voice: str, says: str) -> None:
    with pytest.raises(LabError, match=says):
        render(text, tmp_path / name, voice)


def test_without_flite_the_message_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="apt install flite"):
        render(WORDS, tmp_path / "a.flac")


def test_effort_leaves_silence_silent_and_keeps_the_length() -> None:
    silence = np.zeros(1_000)
    assert not with_effort(silence).any()
    assert len(with_effort(np.random.default_rng(1).normal(size=5_001) * 0.1)) == 5_001
