"""Who judges a corpus: refits that never heard the speaker, or a model folder as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from classifiers.emotion.folder import Settings
from classifiers.emotion.model import EmotionModel, EmotionScores
from classifiers.emotion.stream import WindowModel
from classifiers.emotion.train import Trained, fit, folds
from classifiers.emotion.training.corpus import LABELS
from classifiers.evaluation.corpus import Corpus, emotion_named
from classifiers.measures import softmax

Floats = NDArray[np.float64]
Waves = Sequence[NDArray[np.float32]]
Progress = Callable[[str, float], None]  # what is being done, and how much of it is done, 0 to 1

FOUR = ("anger", "happiness", "neutral", "sadness")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was made of each recording.

    Attributes:
        log_odds: ``[n]`` of being upset, calibrated.
        emotion: ``[n]`` the likeliest of ``FOUR``, as its index; all -1 when the model does not tell them apart.
    """

    log_odds: Floats
    emotion: NDArray[np.int64]

    @property
    def upset(self) -> Floats:
        return np.asarray(1 / (1 + np.exp(-self.log_odds)))


class Judge(Protocol):
    """Scores recordings, knowing who speaks only to choose a model that never heard them."""

    @property
    def settings(self) -> Settings: ...

    def judge(self, waves: Waves, speakers: NDArray[np.str_]) -> Judgement: ...

    def model_for(self, speaker: str) -> WindowModel:
        """What would listen to this speaker in a call."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A model folder, which judges everybody."""

    model: EmotionModel

    @property
    def settings(self) -> Settings:
        return self.model.settings

    def judge(self, waves: Waves, speakers: NDArray[np.str_]) -> Judgement:
        logits = np.stack([self.model.logits(wave) for wave in waves]).astype(np.float64)
        return _judgement(logits, self.settings.temperature, self.model.labels, self.settings.upset_labels)

    def model_for(self, speaker: str) -> WindowModel:
        return self.model


@dataclass(frozen=True, slots=True)
class Refits:
    """The trainer's models, each fitted on all speakers but a few, and asked only about those few."""

    left_out: tuple[frozenset[str], ...]
    trained: tuple[Trained, ...]
    settings: Settings

    @classmethod
    def of(cls, corpus: Corpus, settings: Settings, progress: Progress) -> Refits:
        """Fit as often as there are folds. ``settings`` are those of the folder that the trainer ships."""
        utterances = [one.utterance for one in corpus.recordings]
        left_out = tuple(folds(utterances))
        trained = []
        for number, names in enumerate(left_out):
            progress(f"fitting without speakers {', '.join(sorted(names))}", number / len(left_out))
            trained.append(fit([one for one in utterances if one.speaker not in names]))
        return cls(left_out, tuple(trained), settings)

    def fold_of(self, speakers: NDArray[np.str_]) -> NDArray[np.int64]:
        """``[n]``: the fold in which each speaker was left out."""
        return np.array(
            [next(i for i, names in enumerate(self.left_out) if one in names) for one in speakers]
        )

    def judge(self, waves: Waves, speakers: NDArray[np.str_]) -> Judgement:
        log_odds = np.empty(len(waves))
        emotion = np.empty(len(waves), dtype=np.int64)
        fold_of = self.fold_of(speakers)
        for fold, trained in enumerate(self.trained):
            own = np.flatnonzero(fold_of == fold)
            if len(own):
                logits = trained.logits([waves[i] for i in own.tolist()])
                told = _judgement(logits, trained.temperature, LABELS, self.settings.upset_labels)
                log_odds[own], emotion[own] = told.log_odds, told.emotion
        return Judgement(log_odds, emotion)

    def model_for(self, speaker: str) -> WindowModel:
        [fold] = self.fold_of(np.array([speaker]))
        return _Listening(self.trained[fold], self.settings)


@dataclass(frozen=True, slots=True)
class _Listening:
    """A refit that a stream can listen with: no folder was written for it."""

    trained: Trained
    settings: Settings

    def classify(self, samples: NDArray[np.float32]) -> EmotionScores:
        [logits] = self.trained.logits([samples])
        probabilities = dict(zip(LABELS, softmax(logits, self.trained.temperature).tolist(), strict=True))
        upset = sum(probabilities[label] for label in self.settings.upset_labels)
        return EmotionScores(MappingProxyType(probabilities), upset, max(upset, 1 - upset))


def _judgement(
    logits: Floats, temperature: float, labels: tuple[str, ...], upset_labels: tuple[str, ...]
) -> Judgement:
    scaled = logits / temperature
    upset = np.isin(labels, upset_labels)
    log_odds = np.logaddexp.reduce(scaled[:, upset], axis=1) - np.logaddexp.reduce(scaled[:, ~upset], axis=1)
    column = {emotion_named(label): i for i, label in enumerate(labels)}
    if any(name not in column for name in FOUR):
        return Judgement(log_odds, np.full(len(logits), -1))
    return Judgement(log_odds, scaled[:, [column[name] for name in FOUR]].argmax(axis=1))
