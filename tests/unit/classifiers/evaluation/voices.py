"""Made-up speakers: a buzz with the pitch, level and brightness of a mood. Nobody's voice, but it can be measured."""

from __future__ import annotations

import csv
from pathlib import Path

import av
import numpy as np

SAMPLE_RATE_HZ = 16_000
# F0 in semitones over the speaker's own, level in dB, and how fast harmonics fall: angry voices are high and bright.
MOODS = {
    "anger": (7.0, 0.0, 0.6),
    "happiness": (6.0, -4.0, 1.2),
    "neutral": (0.0, -12.0, 1.8),
    "sadness": (-2.0, -16.0, 2.4),
    "fear": (9.0, -14.0, 1.5),
}


def voice(f0_hz: float, level_db: float, fall: float, seconds: float, seed: int) -> np.ndarray:
    """A wavering buzz with syllables."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    wavering = f0_hz * 2 ** (rng.normal(0, 1 / 12) + 0.5 / 12 * np.sin(2 * np.pi * 4 * t + rng.uniform(0, 6)))
    phase = 2 * np.pi * np.cumsum(wavering) / SAMPLE_RATE_HZ
    buzz = sum(np.sin(k * phase) / k**fall for k in range(1, 20))
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 3 * t + rng.uniform(0, 6))
    wave = buzz * syllables + 0.01 * rng.standard_normal(len(t))
    return (0.5 * 10 ** (level_db / 20) * wave / np.abs(wave).max()).astype(np.float32)


def write_corpus(
    folder: Path,
    *,
    speakers: int = 4,
    each: int = 3,
    names: dict[str, str] | None = None,
    gender: bool = False,
    seconds: float = 1.2,
) -> Path:
    """A folder with a manifest: every speaker in every mood, ``each`` times. ``names``: what it calls the moods."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = ["file", "speaker", "emotion", *(["gender"] if gender else [])]
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as lines:
        manifest = csv.DictWriter(lines, columns, extrasaction="ignore")
        manifest.writeheader()
        for speaker in range(speakers):
            own_hz = 110 + 25 * speaker
            for mood, (semitones, level_db, fall) in MOODS.items():
                for take in range(each):
                    seed = 1000 * speaker + 10 * list(MOODS).index(mood) + take
                    wave = voice(own_hz * 2 ** (semitones / 12), level_db, fall, seconds, seed)
                    name = f"{speaker:02}_{mood}_{take}.flac"
                    write_flac(folder / name, wave)
                    manifest.writerow(
                        {
                            "file": name,
                            "speaker": f"{speaker:02}",
                            "emotion": (names or {}).get(mood, mood),
                            "gender": "f" if speaker % 2 else "m",
                        }
                    )
    return folder


def write_flac(path: Path, wave: np.ndarray) -> None:
    """Mono, 16 bit, 16 kHz."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE_HZ, layout="mono", format="s16")
        pcm = np.round(np.clip(wave, -1, 1) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        container.mux([*stream.encode(frame), *stream.encode(None)])
