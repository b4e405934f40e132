"""EmoDB (Burkhardt et al. 2005, CC0): ten German actors, 535 utterances, seven emotions, studio sound.

A corpus is a folder of audio files and a ``manifest.csv`` with the columns file, speaker and emotion.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from classifiers.emotion.training.frontend import SAMPLE_RATE_HZ
from classifiers.errors import ClassifierError

Floats = NDArray[np.float32]

LABELS = ("angry", "happy", "neutral", "sad", "other")
# Boredom is how most calm callers sound, so it joins neutral. Fear and disgust are too few to be a label each.
LABEL_OF_EMOTION = {
    "anger": "angry",
    "happiness": "happy",
    "neutral": "neutral",
    "boredom": "neutral",
    "sadness": "sad",
    "fear": "other",
    "disgust": "other",
    "surprise": "other",
}
CALM_LIKE = ("neutral", "boredom", "sadness")
FEMALE_SPEAKERS = frozenset({"08", "09", "13", "14", "16"})  # from the corpus's own speaker list


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """One recording: mono float32 at 16 kHz, who speaks, the emotion as the corpus names it. Equal to itself only."""

    wave: Floats
    speaker: str
    emotion: str

    @property
    def target(self) -> int:
        return LABELS.index(LABEL_OF_EMOTION[self.emotion])


def read_corpus(folder: Path) -> list[Utterance]:
    """Every utterance of the manifest, in its order.

    Raises:
        ClassifierError: no manifest, a column is missing, an emotion is unknown or a file cannot be decoded.
    """
    manifest = folder / "manifest.csv"
    if not manifest.is_file():
        raise ClassifierError(folder, "has no manifest.csv", "give --data the folder that holds one")
    utterances = []
    with manifest.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            try:
                wave = read_audio(folder / row["file"])
                utterance = Utterance(wave, row["speaker"], row["emotion"])
                _ = utterance.target
            except KeyError as missing:
                raise ClassifierError(
                    manifest, f"no such column or emotion: {missing}", "columns are file, speaker, emotion"
                ) from missing
            utterances.append(utterance)
    return utterances


def read_audio(path: Path) -> Floats:
    """Any file FFmpeg can decode, as mono float32 at 16 kHz in -1 to 1."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
    pieces: list[Floats] = []
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(audio=0):
                pieces.extend(piece.to_ndarray()[0] for piece in resampler.resample(frame))
        pieces.extend(piece.to_ndarray()[0] for piece in resampler.resample(None))
    except (OSError, av.FFmpegError) as broken:
        raise ClassifierError(path, f"cannot be decoded ({broken})", "replace the file") from broken
    if not pieces:
        raise ClassifierError(path, "holds no audio", "replace the file")
    return np.concatenate(pieces)
