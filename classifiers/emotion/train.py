"""Train the emotion model: recordings of acted emotions -> a model folder.

The same utterances give the same weights every time. The temperature is fitted on speakers that an inner fit left out,
so ``fit`` on some speakers and a look at the others is an honest measurement; ``classifiers.evaluation`` does that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from classifiers.emotion.model import EmotionModel
from classifiers.emotion.training.augment import add_noise, as_in_a_call, telephone
from classifiers.emotion.training.corpus import LABELS, Utterance, read_corpus
from classifiers.emotion.training.export import write_folder
from classifiers.emotion.training.frontend import SAMPLE_RATE_HZ, log_mel, repeat_to, unit_variance
from classifiers.emotion.training.linear import Linear
from classifiers.emotion.training.parity import PARITY
from classifiers.emotion.training.statistics import statistics
from classifiers.errors import ClassifierError
from classifiers.measures import softmax

Floats = NDArray[np.float32]
Logits = NDArray[np.float64]
Progress = Callable[[str, float], None]  # what is being done, and how much of it is done, 0 to 1

SEED = 3
FOLDS = 5
UPSET_LABELS = ("angry",)
PLAIN = 3  # views of each utterance that the temperature is fitted on
DRAWS = 10  # augmented views of each utterance
WINDOW_S = 3.0
HOP_S = 0.5
WINDOW = round(WINDOW_S * SAMPLE_RATE_HZ)


@dataclass(frozen=True, slots=True)
class Trained:
    """A fitted model, before export.

    Attributes:
        model: the weights.
        temperature: logits are divided by it; fitted on speakers that inner fits left out.
    """

    model: Linear
    temperature: float

    def logits(self, waves: Sequence[Floats]) -> Logits:
        """Mono 16 kHz waves -> ``[n, labels]``; each is heard as ``EmotionModel.logits`` hears it."""
        return self.model.logits(_statistics(repeat_to(wave[-WINDOW:], WINDOW) for wave in waves))


@dataclass(frozen=True, slots=True)
class Report:
    """What ``train`` made.

    Attributes:
        out: the model folder.
        utterances: how many it learnt from.
        speakers: how many people said them.
        temperature: see ``Trained``.
        largest_difference: between any logit of the exported graph and of the trainer, over the whole corpus.
    """

    out: Path
    utterances: int
    speakers: int
    temperature: float
    largest_difference: float


def folds(utterances: Sequence[Utterance]) -> list[frozenset[str]]:
    """Speakers to leave out together, in up to five folds of like size; every speaker stands in one."""
    speakers = sorted({utterance.speaker for utterance in utterances})
    return [frozenset(speakers[fold::FOLDS]) for fold in range(min(FOLDS, len(speakers)))]


def fit(utterances: Sequence[Utterance], *, progress: Progress = lambda stage, done: None) -> Trained:
    """Learn from these utterances and nothing else.

    Raises:
        ValueError: fewer than two speakers, so no temperature can be fitted.
    """
    left_out = folds(utterances)
    if len(left_out) < 2:
        raise ValueError("training needs the voices of two speakers or more")
    targets = np.array([utterance.target for utterance in utterances])
    speakers = np.array([utterance.speaker for utterance in utterances])
    heard = []
    for number, utterance in enumerate(utterances):
        progress("hearing each recording over many lines", number / len(utterances))
        heard.append(_views(utterance))
    views = np.stack(heard, axis=1)  # [views, utterances, statistics]
    plain = views[:PLAIN]

    def fitted(chosen: NDArray[np.bool_]) -> Linear:
        inputs = np.concatenate([view[chosen] for view in views])
        counted = np.tile(_weights(targets[chosen]), len(views))
        return Linear.fit(inputs, np.tile(targets[chosen], len(views)), counted, len(LABELS))

    unheard = np.zeros((len(plain), len(utterances), len(LABELS)))
    for number, names in enumerate(left_out):
        progress("fitting the temperature", number / len(left_out))
        held = np.isin(speakers, sorted(names))
        model = fitted(~held)
        for view, inputs in enumerate(plain):
            unheard[view, held] = model.logits(inputs[held])
    temperature = _temperature(unheard.reshape(-1, len(LABELS)), np.tile(targets, len(plain)))
    progress("fitting", 1.0)
    return Trained(fitted(np.ones(len(utterances), dtype=bool)), temperature)


def train(data: Path, out: Path, *, progress: Progress = lambda stage, done: None) -> Report:
    """Learn from the corpus in ``data``, write the folder ``out`` and prove that it says what the trainer says.

    Raises:
        ClassifierError: ``data`` is no corpus, or the exported graph differs from the trainer.
    """
    utterances = read_corpus(data)
    trained = fit(utterances, progress=progress)
    settings: dict[str, object] = {
        "window_s": WINDOW_S,
        "hop_s": HOP_S,
        "temperature": round(trained.temperature, 4),
        "upset_labels": list(UPSET_LABELS),
        "upset_at": 0.5,
        "confident_at": 0.6,
        "min_voice_s": 1.0,
        "min_windows": 2,
    }
    write_folder(out, trained.model, LABELS, settings)
    progress("comparing the export with the trainer", 0.0)
    exported = EmotionModel.load(out)
    waves = [utterance.wave for utterance in utterances]
    heard = np.stack([exported.logits(wave) for wave in waves])
    worst = float(np.abs(heard - trained.logits(waves)).max())
    if worst >= PARITY:
        raise ClassifierError(
            out, f"the exported graph differs from the trainer by {worst:.2e}", f"allowed is {PARITY}"
        )
    progress("done", 1.0)
    return Report(out, len(utterances), len({u.speaker for u in utterances}), trained.temperature, worst)


def _weights(targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Labels that are not upset count the same in sum; upset keeps its share, for its probability is what is used."""
    weights = np.ones(len(targets))
    calm = [label for label in set(targets.tolist()) if LABELS[label] not in UPSET_LABELS]
    for label in calm:
        weights[targets == label] = np.isin(targets, calm).sum() / len(calm) / np.sum(targets == label)
    return weights


def _temperature(logits: Logits, targets: NDArray[np.int64]) -> float:
    """The temperature at which the probability of upset, the one that is used, has the least log loss."""
    upset_labels = [LABELS.index(label) for label in UPSET_LABELS]
    upset = np.isin(targets, upset_labels)

    def loss(temperature: float) -> float:
        stated = softmax(logits, temperature)[:, upset_labels].sum(axis=1)
        return float(-np.log(np.where(upset, stated, 1 - stated) + 1e-12).mean())

    return float(min(np.geomspace(0.25, 4.0, 200), key=loss))


@lru_cache(maxsize=4096)  # folds share most of their utterances
def _views(utterance: Utterance) -> Floats:
    """``[PLAIN + DRAWS, statistics]``: as recorded, over the telephone, there with noise; then drawn at random.

    The draws depend on the recording alone, not on which others are learnt from.
    """
    wave = utterance.wave
    rng = np.random.default_rng([SEED, crc32(wave.tobytes())])
    middle = max(0, (len(wave) - WINDOW) // 2)
    window = repeat_to(wave[middle : middle + WINDOW], WINDOW)
    plain = [window, telephone(window), telephone(add_noise(window, 10, 1, rng))]
    return _statistics([*plain, *(as_in_a_call(wave, WINDOW, rng) for _ in range(DRAWS))])


def _statistics(windows: Iterable[Floats]) -> Floats:
    return np.concatenate([statistics(log_mel(unit_variance(window)[None])) for window in windows])
