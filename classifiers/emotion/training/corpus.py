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

from classifiers.emotion.stream import LOWEST_RATE_HZ
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
    for row in manifest_rows(manifest):
        if row["emotion"] not in LABEL_OF_EMOTION:
            raise ClassifierError(
                manifest,
                f"no such emotion: {row['emotion']!r}",
                f"the trainer knows {', '.join(LABEL_OF_EMOTION)}",
            )
        utterances.append(Utterance(read_audio(folder / row["file"]), row["speaker"], row["emotion"]))
    return utterances


def manifest_rows(manifest: Path) -> list[dict[str, str]]:
    """The rows of a ``manifest.csv``; a cell that is not there is empty.

    Raises:
        ClassifierError: it is no CSV, or a column is missing.
    """
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines, restval="")
            columns = set(reader.fieldnames or ())
            rows = [{str(column): str(cell) for column, cell in row.items()} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as broken:
        raise ClassifierError(manifest, f"cannot be read ({broken})", "it must be CSV in UTF-8") from broken
    if missing := {"file", "speaker", "emotion"} - columns:
        raise ClassifierError(
            manifest,
            f"has no column {', '.join(sorted(missing))}",
            "it needs file, speaker and emotion; gender is read if it is there",
        )
    return rows


def read_audio(path: Path) -> Floats:
    """Any file FFmpeg can decode, as mono float32 at 16 kHz in -1 to 1; what is no number is silence.

    Raises:
        ClassifierError: there is no sound in the file, or nobody's voice at so low a rate.
    """
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
    pieces: list[Floats] = []
    try:
        # A file object rather than a name, and no further protocols: a playlist must not reach the network.
        with (
            path.open("rb") as file,
            av.open(file, mode="r", options={"protocol_whitelist": "none"}) as container,
        ):
            if not container.streams.audio:
                raise ClassifierError(path, "holds no audio", "replace the file")
            if 0 < (rate_hz := container.streams.audio[0].rate) < LOWEST_RATE_HZ:  # 0: it says none
                raise ClassifierError(
                    path, f"has {rate_hz} samples a second", f"it takes {LOWEST_RATE_HZ} or more"
                )
            for frame in container.decode(audio=0):
                pieces.extend(piece.to_ndarray()[0] for piece in resampler.resample(frame))
        pieces.extend(piece.to_ndarray()[0] for piece in resampler.resample(None))
    except (OSError, ValueError, av.FFmpegError) as broken:
        raise ClassifierError(path, f"cannot be decoded ({broken})", "replace the file") from broken
    if not pieces:
        raise ClassifierError(path, "holds no audio", "replace the file")
    return np.nan_to_num(np.clip(np.concatenate(pieces), -1, 1), copy=False)
