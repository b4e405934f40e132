"""Our own finder: a small convolutional network that was trained on speech, see ``../MODEL_CARD.md``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compliance.redaction.ner.errors import NameFinderError
from compliance.redaction.ner.network import Network
from compliance.redaction.ner.reading import Question, Word, attributes, is_cased, words_of
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
            nlp = spacy.load(folder)
            tagger: Any = nlp.get_pipe(PIPE)
            self._vocab = nlp.vocab
            self._network = Network(tagger.model)
            self._everyday = frozenset((folder / WORDS).read_text(encoding="utf-8").split())
            thresholds = json.loads((folder / "config.json").read_text(encoding="utf-8"))["thresholds"]
            self._asked, self._unasked, self._beside = (
                float(thresholds[name]) for name in ("asked", "unasked", "beside")
            )
        except (OSError, KeyError, ValueError) as error:
            raise NameFinderError(
                f"{folder}: not a model of `patchbay train redaction`: {error}; train one, or name another finder"
            ) from error
        self._labels = tuple(map(str, tagger.labels))
        self.find(_WARM_UP)

    def find(self, text: str, *, asked: str = "") -> list[Found]:
        """What ``text``, said after the agent's ``asked``, holds, in order; neighbouring words of one kind are one."""
        words = words_of(text)
        if not words:
            return []
        question = Question.of(asked)
        threshold = self._asked if question.is_personal else self._unasked
        beside = min(threshold, self._beside)
        found: list[Found] = []
        for word, label, score in self._told(words, question):
            if score < beside:
                continue
            if found and found[-1].entity == label and not text[found[-1].end : word.start].strip(" .-’'"):
                found[-1] = Found(label, found[-1].start, word.end, max(found[-1].score, score))
            else:
                found.append(Found(label, word.start, word.end, score))
        # A first name that is sure takes its surname along: on the development part that costs no other utterance.
        sure = [one for one in found if one.score >= threshold]
        if question.is_personal or not is_cased(text):
            return sure
        return [one for one in sure if not self._is_a_word(text[one.start : one.end])]

    def _is_a_word(self, said: str) -> bool:
        """Whether ``said``, which has no capital where others have one, is made of words that are no names."""
        return said.islower() and all(word.text in self._everyday for word in words_of(said))

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
        read = attributes(self._vocab, words, question, self._everyday)
        return self._network.probabilities(read)[question.length :]
