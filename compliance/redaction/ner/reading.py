"""How the name finder reads an utterance: words without case or punctuation, and what the agent asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from compliance.redaction.entities import asked_for

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.tokens import Doc
    from spacy.vocab import Vocab

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_CAPITALISED = re.compile(r"\b[A-Z][a-z]")
_POSSESSIVE = re.compile(r"['’]s$", re.IGNORECASE)
_QUESTION_WORDS = 3  # with the bar, as far as the first word of the answer can see back
_BAR = "|"
_OF_A_FORM = ("NORM", "PREFIX", "SUFFIX", "SHAPE")
ATTRIBUTES = (*_OF_A_FORM, "LEMMA", "TAG")
"""What the model sees of a token."""
_NOTHING, _SOMETHING = "none", "else"


@dataclass(frozen=True, slots=True)
class Word:
    """A word and where it is said."""

    text: str
    start: int
    end: int


def words_of(text: str) -> list[Word]:
    """The words of ``text``; ``'s`` after a name is a word of its own."""
    words: list[Word] = []
    for match in _WORD.finditer(text):
        start, end, word = match.start(), match.end(), match.group()
        if possessive := _POSSESSIVE.search(word):
            cut = start + possessive.start()
            words += Word(word[: possessive.start()], start, cut), Word("'s", cut, end)
        else:
            words.append(Word(word, start, end))
    return words


def is_cased(text: str) -> bool:
    """Whether the recogniser writes capitals, so that a name would have one."""
    return _CAPITALISED.search(text) is not None


@dataclass(frozen=True, slots=True)
class Question:
    """What the agent said last, as the model sees it: its last words, and the entity that it asks for."""

    words: tuple[str, ...] = ()
    kind: str = _NOTHING

    @classmethod
    def of(cls, asked: str) -> Question:
        words = tuple(word.text.lower() for word in words_of(asked[-200:])[-_QUESTION_WORDS:])
        if not words:
            return cls()
        specs = asked_for(asked)
        return cls(words, "+".join(sorted({str(spec.shape) for spec in specs})) or _SOMETHING)

    @property
    def is_personal(self) -> bool:
        """Whether it asks for something personal."""
        return self.kind not in (_NOTHING, _SOMETHING)

    @property
    def length(self) -> int:
        """How many tokens stand before those of the utterance."""
        return len(self.words) + 1


def document(vocab: Vocab, words: list[Word], question: Question, everyday: frozenset[str]) -> Doc:
    """``question | words`` as spaCy reads it; lemmas tell what was asked for, tags which words are ``everyday``.

    A convolution of four layers sees four words to each side; the lemma carries the question to those further off.
    """
    from spacy.tokens import Doc

    tokens = _tokens(words, question)
    return Doc(
        vocab,
        words=tokens,
        lemmas=[question.kind] * len(tokens),
        tags=[_sort(token, everyday) for token in tokens],
    )


def attributes(
    vocab: Vocab, words: list[Word], question: Question, everyday: frozenset[str]
) -> NDArray[np.uint64]:
    """``[tokens, 6]``: ``document(...).to_array(ATTRIBUTES)`` without a document, and without a trace in ``vocab``."""
    number = vocab.strings  # of a string: it is computed and not kept
    getters: Any = vocab.lex_attr_getters  # type: ignore[attr-defined] # its stubs do not know it
    forms = [getters[number[name]] for name in _OF_A_FORM]
    kind = number[question.kind]
    return np.array(
        [
            (*(number[form(token)] for form in forms), kind, number[_sort(token, everyday)])
            for token in _tokens(words, question)
        ],
        dtype=np.uint64,
    )


def _tokens(words: list[Word], question: Question) -> list[str]:
    return [*question.words, _BAR, *(word.text for word in words)]


def _sort(token: str, everyday: frozenset[str]) -> str:
    if token.lower() in everyday:
        return "word"
    return "letter" if len(token) == 1 else "rare" if token.isalpha() else "figure"
