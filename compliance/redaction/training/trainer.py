"""Trains the name finder: a convolutional tagger over hashed words (spaCy's tok2vec), reproducibly.

A tagger rather than a transition-based recogniser: it tells a probability for each word, so how much is masked in
doubt is a choice, made on the development split.
"""
# ruff: noqa: S311 - seeded choices, no secrets

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from compliance.redaction.ner.reading import Question, document, words_of
from compliance.redaction.ner.spoken_names import MODEL_TYPE, NOTHING, PIPE, WORDS
from compliance.redaction.training import corpora
from compliance.redaction.training.lessons import INVENTED, LABELS, REQUESTS, lessons
from compliance.redaction.training.lexicon import everyday_words
from compliance.redaction.training.utterance import Utterance

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.training import Example

SEED = 20
EPOCHS = 7
WIDTH = 64
DEPTH = 4
ROWS = {"NORM": 10000, "PREFIX": 500, "SUFFIX": 4000, "SHAPE": 500, "LEMMA": 100, "TAG": 50}
"""Rows of each hash table; with ``WIDTH`` they make the size of the model."""
LEARN_RATE = 0.002
DROPOUT = 0.2
LABEL_SMOOTHING = 0.05
_BATCH = (100, 500, 1.002)
THRESHOLDS = {"asked": 0.4, "unasked": 0.982, "beside": 0.7}
"""Probabilities at which a word is masked: answering a question, by itself, and next to one that is; chosen on the
development split."""

Progress = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Report:
    """What a training did."""

    utterances: int
    epochs: int
    size_mb: float
    cpu_s: float


def train(
    data: Path,
    out: Path,
    *,
    progress: Progress = lambda stage, done=0.0: None,
    epochs: int = EPOCHS,
    invented: int = INVENTED,
) -> Report:
    """Fits the model on the training parts of the corpora in ``data`` and writes it into ``out``.

    The same corpora and packages give the same model on the same machine, on one thread.

    Raises:
        CorpusError: a corpus is missing or malformed.
    """
    from spacy.training import Example
    from spacy.util import minibatch
    from thinc.api import compounding, fix_random_seed

    before = time.process_time()
    fix_random_seed(SEED)
    rng = Random(SEED)
    progress("Writing lessons", 0.0)
    nlp = _blank()
    taught = list(lessons(data, rng, invented))
    everyday = everyday_words(said for said in taught if not said.marks and said.source in REQUESTS)
    examples = [_example(nlp, said, everyday, Example) for said in taught]
    rng.shuffle(examples)
    optimizer = nlp.initialize(lambda: examples[:3000])
    for epoch in range(epochs):
        progress("Training", epoch / epochs)
        optimizer.learn_rate = LEARN_RATE * min(1.0, 2.0 * (1 - epoch / epochs))
        rng.shuffle(examples)
        for batch in minibatch(examples, size=compounding(*_BATCH)):  # type: ignore[no-untyped-call]
            nlp.update(batch, sgd=optimizer, drop=DROPOUT)
    _write(nlp, out, everyday, Counter(said.source for said in taught))
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    return Report(len(examples), epochs, round(size / 1e6, 2), round(time.process_time() - before))


def _write(nlp: Language, out: Path, everyday: frozenset[str], taught: Mapping[str, int]) -> None:
    """The pipeline with an empty vocabulary, for the trained one holds every name of the lessons."""
    fresh = _blank()
    fresh.initialize()
    tagger: Any = fresh.get_pipe(PIPE)
    trained: Any = nlp.get_pipe(PIPE)
    tagger.from_bytes(trained.to_bytes(exclude=["vocab"]), exclude=["vocab"])
    fresh.meta.update(_META)
    out.mkdir(parents=True, exist_ok=True)
    fresh.to_disk(out)
    (out / WORDS).write_text("\n".join(sorted(everyday)) + "\n", encoding="utf-8")
    config = {"model_type": MODEL_TYPE, "thresholds": THRESHOLDS, "lessons": dict(taught), "seed": SEED}
    (out / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def _blank() -> Language:
    import spacy

    nlp = spacy.blank("en")
    tagger: Any = nlp.add_pipe(
        PIPE,
        config={
            "overwrite": True,
            "label_smoothing": LABEL_SMOOTHING,
            "model": {
                "@architectures": "spacy.Tagger.v2",
                "normalize": True,
                "tok2vec": {
                    "@architectures": "spacy.Tok2Vec.v2",
                    "embed": {
                        "@architectures": "spacy.MultiHashEmbed.v2",
                        "width": WIDTH,
                        "attrs": list(ROWS),
                        "rows": list(ROWS.values()),
                        "include_static_vectors": False,
                    },
                    "encode": {
                        "@architectures": "spacy.MaxoutWindowEncoder.v2",
                        "width": WIDTH,
                        "window_size": 1,
                        "maxout_pieces": 3,
                        "depth": DEPTH,
                    },
                },
            },
        },
    )
    for label in (NOTHING, *LABELS):
        tagger.add_label(str(label))
    return nlp


def _example(nlp: Language, said: Utterance, everyday: frozenset[str], make: type[Example]) -> Example:
    """The words of ``said`` with their tags; those of the question have none and teach nothing."""
    words, question = words_of(said.text), Question.of(said.asked)
    tags = [""] * question.length
    for word in words:
        mark = next((m for m in said.marks if m.start < word.end and word.start < m.end), None)
        tags.append(NOTHING if mark is None else _TAGS.get(mark.label, NOTHING))
    predicted = document(nlp.vocab, words, question, everyday)
    reference = predicted.copy()
    for token, tag in zip(reference, tags, strict=True):
        token.tag_ = tag
    return make(predicted, reference)


_TAGS = {str(label): str(label) for label in LABELS} | {corpora.ARTIST: ""}
"""The tag of each label; none for those of artists, who may be masked or not."""
_META: dict[str, Any] = {
    "name": "spoken_names",
    "version": "1.0.0",
    "description": "People, addresses, dates of birth and e-mails in transcribed speech.",
    "license": "Apache-2.0",
}
