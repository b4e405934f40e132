"""More callers from text, where flite is installed: ``python -m lab.render "where is my order" out.flac --upset``.

An upset caller speaks higher, faster and with more effort. Pitch and rate are flite's own settings; effort is the
spectrum of a raised voice, put on the loud voiced parts only. That is measured vocal effort, not acted anger, and a
classifier trained on the same corpus knows the profile: say so wherever it is used.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal, get_args

import av
import numpy as np
from numpy.typing import NDArray

from lab.errors import LabError
from service.audio import Samples, read_audio

Voice = Literal["rms", "slt", "awb"]
VOICES: tuple[Voice, ...] = get_args(Voice)

SAMPLE_RATE_HZ = 16_000

_UPSET = (
    "--setf",
    "f0_shift=1.5",
    "--setf",
    "duration_stretch=0.92",
)  # rms ignores the pitch: slt, awb sound worse
_LEVEL_DBFS = {False: -23.0, True: -17.0}
_CODECS = {".flac": "flac", ".wav": "pcm_s16le"}

# Anger minus neutral, mean of ten speakers' mean log spectra over loud voiced frames, smoothed over 280 Hz, 0 dB at
# 100-220 Hz. Measured on EmoDB (Burkhardt et al. 2005; CC0).
_EFFORT_HZ = (0, 150, 300, 400, 600, 800, 1000, 1600, 2000, 3000, 4000, 5000, 6000, 7000, 8000)
_EFFORT_DB = (0.2, -0.3, 6.7, 9.8, 14.4, 18.9, 20.0, 20.2, 22.8, 22.6, 20.9, 21.5, 21.2, 21.9, 17.5)
_EFFORT = (
    1.1  # a little more than the corpus's mean: flite's voices start out softer than its neutral speakers
)
_STEADINESS = 0.3  # shouting varies less in level than talking
_WINDOW = 512
_HOP = 128


def render(text: str, path: Path, voice: Voice = "slt", upset: bool = False) -> None:
    """Say ``text`` into a 16 kHz mono file, FLAC or WAV by its suffix.

    Raises:
        LabError: flite is not installed or failed, there is nothing to say, or the suffix is another.
    """
    flite = shutil.which("flite")
    if flite is None:
        raise LabError("callers are rendered by flite, which is not installed: apt install flite")
    if voice not in VOICES:
        raise LabError(f"there is no voice '{voice}'; flite has {', '.join(VOICES)}")
    if path.suffix not in _CODECS:
        raise LabError(f"{path} is neither .flac nor .wav; name it with one of these suffixes")
    if not any(c.isalnum() for c in text):
        raise LabError("there is nothing to say; give some words")
    with tempfile.TemporaryDirectory() as folder:
        spoken = Path(folder) / "spoken.wav"
        command = [flite, "-voice", voice, *(_UPSET if upset else ()), "-t", text, "-o", str(spoken)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 -- no shell
        if done.returncode or not spoken.exists():
            raise LabError(f"flite failed (status {done.returncode}): {done.stderr.strip()[:200]}")
        samples = read_audio(spoken, sample_rate_hz=SAMPLE_RATE_HZ)
    sound = samples / 32768
    if upset:
        sound = with_effort(sound)
    _write(path, _levelled(sound, _LEVEL_DBFS[upset]))


def with_effort(sound: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same words in a raised voice: the spectrum of anger where the voice is loud, at a steadier level.

    Args:
        sound: 16 kHz mono, shape ``(samples,)``, full scale ±1.
    """
    window = np.sqrt(np.hanning(_WINDOW + 1)[:-1])
    padded = np.pad(sound, (_WINDOW, 2 * _WINDOW))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP] * window
    spectra = np.fft.rfft(frames)
    energy = (np.abs(spectra) ** 2).sum(axis=1)
    voiced = _loud_and_voiced(np.abs(spectra) ** 2)

    hz = np.linspace(0, SAMPLE_RATE_HZ / 2, spectra.shape[1])
    profile_db = _EFFORT * np.interp(hz, _EFFORT_HZ, _EFFORT_DB)
    raised = spectra * 10 ** (voiced[:, None] * profile_db / 20)
    kept = np.sqrt(energy / np.maximum((np.abs(raised) ** 2).sum(axis=1), 1e-12))
    steadied = (np.sqrt(energy / max(energy.max(), 1e-12)) + 1e-6) ** (-_STEADINESS * voiced)
    raised *= (kept * steadied)[:, None]

    out = np.zeros(len(padded))
    weight = np.zeros(len(padded))
    for index, frame in enumerate(np.fft.irfft(raised, _WINDOW) * window):
        out[index * _HOP : index * _HOP + _WINDOW] += frame
        weight[index * _HOP : index * _HOP + _WINDOW] += window**2
    return (out / np.maximum(weight, 1e-3))[_WINDOW : _WINDOW + len(sound)]


def _loud_and_voiced(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 to 1 per frame: within about 22 dB of the loudest, and not mostly above 4 kHz (a fricative)."""
    all_db = 10 * np.log10(power.sum(axis=1) + 1e-10)
    high_db = 10 * np.log10(power[:, power.shape[1] // 2 :].sum(axis=1) + 1e-10)
    loud = 1 / (1 + np.exp(-(all_db - all_db.max() + 22) / 3))
    voiced = 1 / (1 + np.exp(-(all_db - high_db - 3) / 1.5))
    return np.convolve(loud * voiced, np.ones(5) / 5, mode="same")


def _levelled(sound: NDArray[np.float64], level_dbfs: float) -> Samples:
    gain = 10 ** (level_dbfs / 20) / max(float(np.sqrt(np.mean(sound**2))), 1e-9)
    gain = min(gain, 0.95 / max(float(np.abs(sound).max()), 1e-9))
    levelled: Samples = np.round(sound * gain * 32767).astype(np.int16)
    return levelled


def _write(path: Path, samples: Samples) -> None:
    try:
        with av.open(str(path), "w", format=path.suffix[1:]) as container:
            codec = _CODECS[path.suffix]
            stream = container.add_stream(codec, rate=SAMPLE_RATE_HZ, layout="mono", format="s16")
            assert isinstance(stream, av.AudioStream)  # noqa: S101 -- both codecs are audio
            frame = av.AudioFrame.from_ndarray(samples[np.newaxis, :], format="s16", layout="mono")
            frame.sample_rate = SAMPLE_RATE_HZ
            for packet in (*stream.encode(frame), *stream.encode(None)):
                container.mux(packet)
    except OSError as error:
        raise LabError(
            f"{path} cannot be written ({error.strerror or error}); choose another place"
        ) from error


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lab.render", description="Render a caller with flite.")
    parser.add_argument("text")
    parser.add_argument("path", type=Path, help=".flac or .wav")
    parser.add_argument("--voice", choices=VOICES, default="slt")
    parser.add_argument("--upset", action="store_true", help="raised pitch, rate and vocal effort")
    options = parser.parse_args()
    try:
        render(options.text, options.path, options.voice, options.upset)
    except LabError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
