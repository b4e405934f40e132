"""Train the emotion model.

``python -m classifiers.emotion.train --data EMODB --out classifiers/emotion/model``

Prints, for speakers that were left out, how well anger is told apart in each listening condition; then trains on all
speakers, exports and proves that the exported graph says what the trainer says. Same data, same seed, same weights.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers.emotion.model import EmotionModel
from classifiers.emotion.training.augment import add_noise, as_in_a_call, presence_boost, telephone
from classifiers.emotion.training.corpus import CALM_LIKE, FEMALE_SPEAKERS, LABELS, Utterance, read_corpus
from classifiers.emotion.training.export import write_folder
from classifiers.emotion.training.frontend import SAMPLE_RATE_HZ, log_mel, repeat_to, unit_variance
from classifiers.emotion.training.linear import Linear, statistics
from classifiers.emotion.training.parity import PARITY, waveforms
from classifiers.measures import auroc, expected_calibration_error, fit_temperature, softmax

Floats = NDArray[np.float32]
Logits = NDArray[np.float64]

SEED = 3
FOLDS = 5
DRAWS = 8  # augmented copies of each utterance
WINDOW_S = 2.5
HOP_S = 0.5
WINDOW = round(WINDOW_S * SAMPLE_RATE_HZ)
# Those the model is fitted to and calibrated on; a brighter headset is only looked at.
LEARNT_CONDITIONS = ("16 kHz", "mu-law 8 kHz", "mu-law 8 kHz, 10 dB noise")


@dataclass(frozen=True, slots=True)
class Corpus:
    """Statistics of every utterance under every condition, and the augmented copies."""

    utterances: list[Utterance]
    conditions: dict[str, Floats]
    augmented: list[Floats]

    @property
    def targets(self) -> NDArray[np.int64]:
        return np.array([u.target for u in self.utterances])

    @property
    def speakers(self) -> NDArray[np.str_]:
        return np.array([u.speaker for u in self.utterances])

    @property
    def emotions(self) -> NDArray[np.str_]:
        return np.array([u.emotion for u in self.utterances])


def prepare(utterances: list[Utterance]) -> Corpus:
    """Hear every utterance under every condition."""

    def heard(change: Callable[[Floats, np.random.Generator], Floats]) -> Floats:
        windows = []
        for i, utterance in enumerate(utterances):
            middle = max(0, (len(utterance.wave) - WINDOW) // 2)
            wave = repeat_to(utterance.wave[middle : middle + WINDOW], WINDOW)
            windows.append(change(wave, np.random.default_rng([SEED, i])))
        return _statistics(windows)

    conditions = {
        "16 kHz": heard(lambda wave, _: wave),
        "mu-law 8 kHz": heard(lambda wave, _: telephone(wave)),
        "mu-law 8 kHz, 10 dB noise": heard(lambda wave, rng: telephone(add_noise(wave, 10, 1, rng))),
        "+6 dB presence": heard(lambda wave, _: presence_boost(wave, 6)),
        "+9 dB presence": heard(lambda wave, _: presence_boost(wave, 9)),
    }
    augmented = []
    for draw in range(DRAWS):
        rng = np.random.default_rng([SEED, 1000 + draw])
        augmented.append(_statistics([as_in_a_call(u.wave, WINDOW, rng) for u in utterances]))
    return Corpus(utterances, conditions, augmented)


def fit(corpus: Corpus, chosen: NDArray[np.bool_]) -> Linear:
    """One model from the chosen utterances, as recorded, over the telephone and augmented."""
    views = [*corpus.augmented, *(corpus.conditions[name] for name in LEARNT_CONDITIONS)]
    return Linear.fit(
        np.concatenate([view[chosen] for view in views]), np.tile(corpus.targets[chosen], len(views))
    )


def with_speakers_left_out(corpus: Corpus) -> dict[str, Logits]:
    """Logits of every utterance, by condition, from a model that never heard its speaker (grouped folds)."""
    names = sorted(set(corpus.speakers.tolist()))
    logits = {name: np.zeros((len(corpus.utterances), len(LABELS))) for name in corpus.conditions}
    for fold in range(FOLDS):
        unheard = np.isin(corpus.speakers, names[fold::FOLDS])
        model = fit(corpus, ~unheard)
        for name, inputs in corpus.conditions.items():
            logits[name][unheard] = model.logits(inputs[unheard])
    return logits


def report(corpus: Corpus, logits: dict[str, Logits], temperature: float) -> None:
    """Print the table of the model card."""
    anger = corpus.emotions == "anger"
    calm = np.isin(corpus.emotions, CALM_LIKE)
    female = np.isin(corpus.speakers, sorted(FEMALE_SPEAKERS))
    print(f"speakers left out, {FOLDS} grouped folds, temperature {temperature:.2f}")
    print("| condition | AUROC vs rest | vs calm-like | ECE | recall at .5 | calm-like over .5 |")
    print("|---|---|---|---|---|---|")
    for name, values in logits.items():
        _print_row(name, softmax(values, temperature)[:, 0], anger, calm)
    clean = softmax(logits["16 kHz"], temperature)[:, 0]
    for name, group in (("16 kHz, women", female), ("16 kHz, men", ~female)):
        _print_row(name, clean[group], anger[group], calm[group])
    for speaker in sorted(set(corpus.speakers.tolist())):
        own = corpus.speakers == speaker
        print(f"speaker {speaker}: AUROC {auroc(clean[own], anger[own]):.3f}")


def _print_row(name: str, upset: Logits, anger: NDArray[np.bool_], calm: NDArray[np.bool_]) -> None:
    either = anger | calm
    print(
        f"| {name} | {auroc(upset, anger):.3f} | {auroc(upset[either], anger[either]):.3f} "
        f"| {expected_calibration_error(upset, anger):.3f} | {np.mean(upset[anger] >= 0.5):.2f} "
        f"| {np.mean(upset[calm] >= 0.5):.3f} |"
    )


def trainer_logits(model: Linear, wave: Floats) -> Logits:
    """What the trainer says of one recording, heard as ``EmotionModel`` hears it."""
    window = repeat_to(wave[-WINDOW:], WINDOW)
    return np.asarray(model.logits(statistics(log_mel(unit_variance(window)[None])))[0])


def _statistics(windows: list[Floats]) -> Floats:
    pieces = [
        statistics(log_mel(np.stack([unit_variance(w) for w in windows[at : at + 32]])))
        for at in range(0, len(windows), 32)
    ]
    return np.concatenate(pieces)


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m classifiers.emotion.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with manifest.csv and the audio")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--fixture", type=Path, help="also write expected logits for the parity test")
    given = parser.parse_args(arguments)

    corpus = prepare(read_corpus(given.data))
    unheard = with_speakers_left_out(corpus)
    temperature = fit_temperature(
        np.concatenate([unheard[name] for name in LEARNT_CONDITIONS]),
        np.tile(corpus.targets, len(LEARNT_CONDITIONS)),
    )
    report(corpus, unheard, temperature)

    model = fit(corpus, np.ones(len(corpus.utterances), dtype=bool))
    settings: dict[str, object] = {
        "window_s": WINDOW_S,
        "hop_s": HOP_S,
        "temperature": round(temperature, 4),
        "upset_labels": ["angry"],
        "upset_at": 0.5,
        "confident_at": 0.6,
        "min_voice_s": 1.0,
        "min_windows": 2,
    }
    write_folder(given.out, model, LABELS, settings)
    exported = EmotionModel.load(given.out)
    waves = [utterance.wave for utterance in corpus.utterances]
    worst = max(float(np.abs(exported.logits(wave) - trainer_logits(model, wave)).max()) for wave in waves)
    if worst >= PARITY:
        raise SystemExit(f"the exported graph differs from the trainer by {worst:.2e}, allowed is {PARITY}")
    print(f"exported to {given.out}; largest difference from the trainer {worst:.1e}")
    if given.fixture:
        expected = {name: trainer_logits(model, wave).round(6).tolist() for name, wave in waveforms().items()}
        given.fixture.write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
