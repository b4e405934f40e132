"""Make ``emotion_logits.json`` and ``emotion_left_out.json`` again, after the emotion model was trained anew.

``uv run --all-extras python -m tests.unit.classifiers.make_emotion_logits ../shared/data/emotion/emodb``: six fits,
some two minutes on two cores. The first file holds what the trainer says of sounds that anyone can make; the second,
what it says of each speaker of EmoDB when it never heard that speaker, divided by the temperature of that fit.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from classifiers.emotion.train import fit, folds
from classifiers.emotion.training.augment import telephone
from classifiers.emotion.training.corpus import LABELS, read_corpus
from classifiers.emotion.training.parity import waveforms

HERE = Path(__file__).parent
CONDITIONS = {"16 kHz": lambda wave: wave, "mu-law 8 kHz": telephone}


def main(corpus: Path) -> None:
    utterances = read_corpus(corpus)
    sounds = waveforms()
    logits = fit(utterances).logits(list(sounds.values())).round(6).tolist()
    _write(HERE / "emotion_logits.json", dict(zip(sounds, logits, strict=True)))

    unheard = {name: np.zeros((len(utterances), len(LABELS))) for name in CONDITIONS}
    for left_out in folds(utterances):
        trained = fit([utterance for utterance in utterances if utterance.speaker not in left_out])
        own = [number for number, utterance in enumerate(utterances) if utterance.speaker in left_out]
        for name, heard in CONDITIONS.items():
            waves = [heard(utterances[number].wave) for number in own]
            unheard[name][own] = trained.logits(waves) / trained.temperature
    _write(
        HERE / "emotion_left_out.json",
        {
            "emotions": [utterance.emotion for utterance in utterances],
            "speakers": [utterance.speaker for utterance in utterances],
            "logits": {name: values.round(2).tolist() for name, values in unheard.items()},
        },
    )


def _write(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
