"""Our own finder: a small convolutional network that was trained on speech, see ``../MODEL_CARD.md``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compliance.redaction.ner.errors import NameFinderError
from compliance.redaction.ner.reading import Question, Word, document, words_of
from compliance.redaction.pieces import Found

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHIPPED = Path(__file__).parents[1] / "model"
PIPE = "tagger"
NOTHING = "-"
"""The tag of a word that is not personal."""
MODEL_TYPE = "spoken_names"
WORDS = "words.txt"
"""In the model's folder: words that are no names."""
_CHUNK = 200  # words; what lies further apart than a few words does not matter to the model
_OVERLAP = 8
_WARM_UP = "hello my name is"


class SpokenNames:
    """Finds people, addresses, dates of birth and e-mails in speech. Reads neither case nor punctuation as certain.

    Safe to share between calls, not between threads. Nothing of what it read stays in memory.
    """

    def __init__(self, folder: Path = SHIPPED) -> None:
        """Loads and warms the model.

        Raises:
            NameFinderError: the folder holds no such model.
        """
        import spacy

        try:
            self._nlp = spacy.load(folder)
            self._tagger: Any
            self._tagger = self._nlp.get_pipe(PIPE)
            self._everyday = frozenset((folder / WORDS).read_text(encoding="utf-8").split())
            thresholds = json.loads((folder / "config.json").read_text(encoding="utf-8"))["thresholds"]
            self._asked, self._unasked = float(thresholds["asked"]), float(thresholds["unasked"])
        except (OSError, KeyError, ValueError) as error:
            raise NameFinderError(
                f"{folder}: not a model of `patchbay train redaction`: {error}; train one, or name another finder"
            ) from error
        self._labels = tuple(map(str, self._tagger.labels))
        self.find(_WARM_UP)

    def find(self, text: str, *, asked: str = "") -> list[Found]:
        """What ``text``, said after the agent's ``asked``, holds, in order; neighbouring words of one kind are one."""
        words = words_of(text)
        if not words:
            return []
        question = Question.of(asked)
        threshold = self._asked if question.is_personal else self._unasked
        found: list[Found] = []
        for word, label, score in self._told(words, question):
            if score < threshold:
                continue
            if found and found[-1].entity == label and not text[found[-1].end : word.start].strip(" .-’'"):
                found[-1] = Found(label, found[-1].start, word.end, max(found[-1].score, score))
            else:
                found.append(Found(label, word.start, word.end, score))
        return found

    def _told(self, words: list[Word], question: Question) -> Iterator[tuple[Word, str, float]]:
        """Each word with its likeliest label and the probability that it is personal at all."""
        for start in range(0, len(words), _CHUNK):
            first = max(0, start - _OVERLAP)
            scores = self.probabilities(words[first : start + _CHUNK + _OVERLAP], question)
            for word, row in zip(words[start : start + _CHUNK], scores[start - first :], strict=False):
                nothing = self._labels.index(NOTHING)
                likeliest = max((i for i in range(len(row)) if i != nothing), key=row.__getitem__)
                yield word, self._labels[likeliest], 1.0 - float(row[nothing])

    def probabilities(self, words: list[Word], question: Question) -> NDArray[Any]:
        """``[words, labels]``: the probability of each label for each word."""
        with self._nlp.memory_zone():  # or the vocabulary keeps every name it ever saw
            scores = self._tagger.model.predict([document(self._nlp.vocab, words, question, self._everyday)])[
                0
            ]
        kept: NDArray[Any] = scores[question.length :]
        return kept
