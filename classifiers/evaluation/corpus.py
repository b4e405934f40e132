"""Any folder of emotional speech, whatever it calls its emotions.

A corpus is a folder with a ``manifest.csv`` of the columns file, speaker and emotion, and gender if it is known. It is
only ever read. What is called by a name that nobody here knows is left out and counted, not guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers.emotion.training.corpus import (
    CALM_LIKE,
    FEMALE_SPEAKERS,
    LABEL_OF_EMOTION,
    LABELS,
    Utterance,
    manifest_rows,
    read_audio,
)
from classifiers.errors import ClassifierError

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

# What corpora call the eight emotions that the trainer knows; frustration and contempt are none of them.
NAMES: Mapping[str, str] = {
    "anger": "angry, ang, hot anger, cold anger, rage, wut, ärger, colère, rabbia, enojo, enfado, raiva, złość, gniew,"
    " vrede, boosheid",
    "happiness": "happy, hap, joy, joyful, elation, excited, excitement, exc, amused, amusement, freude, joie, gioia,"
    " alegría, alegria, felicidad, radość, glæde, blijheid",
    "neutral": "neu, normal, calm, neutre, neutrale, neutro, neutralny, neutraal",
    "sadness": "sad, sorrow, trauer, traurigkeit, tristesse, tristezza, tristeza, smutek, sorg, verdriet",
    "fear": "fearful, fea, afraid, anxious, anxiety, panic, angst, peur, paura, miedo, medo, strach, frygt",
    "disgust": "disgusted, dis, ekel, dégoût, disgusto, asco, nojo, wstręt, obrzydzenie",
    "surprise": "surprised, sur, überraschung, sorpresa, surpresa, zaskoczenie, overraskelse",
    "boredom": "bored, tired, sleepy, sleepiness, langeweile, ennui, noia, nuda",
}
GENDERS = {"f": "women", "female": "women", "woman": "women", "m": "men", "male": "men", "man": "men"}
_EMOTION_OF = {name: emotion for emotion, names in NAMES.items() for name in (emotion, *names.split(", "))}


def emotion_named(name: str) -> str | None:
    """The emotion as the trainer calls it, or None for a name that means none of them."""
    return _EMOTION_OF.get(name.strip().lower().replace("_", " "))


@dataclass(frozen=True, slots=True)
class Recording:
    """One utterance: mono float32 at 16 kHz, who speaks, the emotion, and "women", "men" or "" for the gender."""

    wave: Floats
    speaker: str
    emotion: str
    gender: str = ""

    @property
    def utterance(self) -> Utterance:
        return Utterance(self.wave, self.speaker, self.emotion)


@dataclass(frozen=True, slots=True)
class Corpus:
    """The recordings of a folder.

    Attributes:
        name: what it is called in tables.
        recordings: in the order of the manifest.
        unmapped: emotions that mean nothing here, and how many recordings were left out for them.
    """

    name: str
    recordings: tuple[Recording, ...]
    unmapped: Mapping[str, int]

    @property
    def waves(self) -> list[Floats]:
        return [one.wave for one in self.recordings]

    @property
    def emotions(self) -> NDArray[np.str_]:
        return np.array([one.emotion for one in self.recordings])

    @property
    def speakers(self) -> NDArray[np.str_]:
        return np.array([one.speaker for one in self.recordings])

    @property
    def genders(self) -> NDArray[np.str_]:
        return np.array([one.gender for one in self.recordings])

    @property
    def angry(self) -> Bools:
        return np.asarray(self.emotions == "anger")

    @property
    def angry_or_calm(self) -> Bools:
        """Those that "angry against calm-like" is about: neutral, bored and sad speech, and anger."""
        return np.asarray(self.angry | np.isin(self.emotions, CALM_LIKE))

    @property
    def calm(self) -> Bools:
        return np.asarray(np.isin(self.emotions, CALM_LIKE))


def read_folder(folder: Path, name: str) -> Corpus:
    """Every recording whose emotion is known.

    Raises:
        ClassifierError: no manifest, a column is missing, a file cannot be decoded, there is no anger in it or
            nothing else, or fewer than two speakers.
    """
    manifest = folder / "manifest.csv"
    if not manifest.is_file():
        raise ClassifierError(folder, "has no manifest.csv", "name a folder that holds one")
    recordings, unmapped = [], Counter[str]()
    for row in manifest_rows(manifest):
        if (emotion := emotion_named(row["emotion"])) is None:
            unmapped[row["emotion"]] += 1
            continue
        gender = GENDERS.get(row.get("gender", "").strip().lower(), "")
        recordings.append(Recording(read_audio(folder / row["file"]), row["speaker"], emotion, gender))
    corpus = Corpus(name, tuple(recordings), dict(unmapped))
    if not corpus.angry.any() or corpus.angry.all():
        raise ClassifierError(
            manifest,
            f"holds {int(corpus.angry.sum())} angry recordings of {len(recordings)}",
            "anger and something else are needed to tell them apart",
        )
    if len(set(corpus.speakers.tolist())) < 2:
        raise ClassifierError(
            manifest, "holds one speaker", "two or more are needed to say how much they differ"
        )
    return corpus


def read_emodb(folder: Path) -> Corpus:
    """EmoDB, whose manifest leaves the gender to its list of speakers.

    Raises:
        ClassifierError: as :func:`read_folder` does; or the trainer could not be fitted to it.
    """
    corpus = read_folder(folder, "EmoDB")
    if missing := set(LABELS) - {LABEL_OF_EMOTION[one.emotion] for one in corpus.recordings}:
        raise ClassifierError(
            folder,
            f"holds nothing that would be called {', '.join(sorted(missing))}",
            "models are fitted to this corpus: name EmoDB, and other corpora with --other",
        )
    known = tuple(
        Recording(one.wave, one.speaker, one.emotion, "women" if one.speaker in FEMALE_SPEAKERS else "men")
        for one in corpus.recordings
    )
    return Corpus(corpus.name, known, corpus.unmapped)
