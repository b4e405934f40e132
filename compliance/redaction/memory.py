"""The values a call has already given away: an agent who reads them back is masked too.

Held in memory for the life of the call only, never written anywhere. A value is known by its written form, and heard in
any spoken one: ``4111 1111`` as ``forty one eleven, double one double one``, ``m.lopez`` as ``m dot lopez``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from compliance.redaction import lexicon
from compliance.redaction.dates import forms_of
from compliance.redaction.entities import MAX_KEPT_DIGITS, Entity
from compliance.redaction.masks import canonical
from compliance.redaction.pieces import Found, Heard, Kind
from compliance.redaction.spoken import hear

REMEMBERED = 0.45
"""How sure a value is that the call knows: any other finding says more of what it is."""
_SHORTEST_NUMBER = 3
_SHORTEST_FRAGMENT = 4
_SHORTEST_WORD = 3
_SHORTEST_PHRASE = 4
_MOST = 2_000
_LONGEST_VALUE = 400  # a field of that length is a text, not a value
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_WORDY = frozenset({Entity.PERSON, Entity.EMAIL, Entity.ADDRESS, Entity.SPELLED})


@dataclass(slots=True)
class Memory:
    """Masked digits, words and whole values with what they are, and the order numbers that stay readable."""

    numbers: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    phrases: dict[str, str] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)

    def learn_value(self, entity: str, value: str) -> None:
        """Remembers a value as written, to hear it in any spoken form, whole and in its telling parts."""
        value = value[:_LONGEST_VALUE]
        heard = hear(value)
        digits = "".join(c for c in value if c.isdecimal())
        whole = canonical(heard.text)
        if entity == Entity.BIRTH and (forms := forms_of(value)):
            for form in forms:
                _remember(self.phrases, form, entity)
            return
        if len(whole) >= _SHORTEST_PHRASE and not self._is_everyday(value):
            _remember(self.phrases, whole, entity)
        if entity in _WORDY:
            self.learn_words(value.partition("@")[0] if entity == Entity.EMAIL else value, entity)
            for piece in heard.of_kind(Kind.NUMBER):
                if len(piece.digits) >= _SHORTEST_FRAGMENT:
                    self.learn_number(piece.digits, entity)
        else:
            self.learn_number(digits, entity)
            if not digits:
                self.learn_words(value, entity)

    def learn_number(self, digits: str, entity: str = Entity.NUMBER) -> None:
        named = self.numbers.get(digits, Entity.NUMBER) != Entity.NUMBER
        if len(digits) >= _SHORTEST_NUMBER and digits not in self.kept and not named:
            _remember(self.numbers, digits, entity)

    def keep_number(self, digits: str) -> None:
        """``digits`` is an order number, unless the call knows it as something personal."""
        if _SHORTEST_FRAGMENT <= len(digits) <= MAX_KEPT_DIGITS and not self.knows_number(digits):
            self.kept.add(digits)

    def learn_words(self, text: str, entity: str = Entity.PERSON) -> None:
        """Names and the parts of addresses; everyday words in them are not remembered."""
        for match in _WORD.finditer(text):
            word = _plain(match.group())
            if len(word) >= _SHORTEST_WORD and word not in lexicon.EVERYDAY and word not in _SAID_OFTEN:
                _remember(self.words, word, entity)

    def knows_number(self, digits: str) -> bool:
        """Whether ``digits`` is a remembered number, a piece of one of at least four digits, or contains one."""
        return self._entity_of(digits) is not None

    def found_in(self, heard: Heard) -> list[Found]:
        """Every value that the call knows, wherever ``heard`` says it."""
        return [*self._numbers_in(heard), *self._words_in(heard), *self._phrases_in(heard)]

    def forget(self) -> None:
        for known in (self.numbers, self.words, self.phrases, self.kept):
            known.clear()

    def _entity_of(self, digits: str) -> str | None:
        if digits in self.kept or len(digits) < _SHORTEST_NUMBER:
            return None
        if digits in self.numbers:
            return self.numbers[digits]
        if len(digits) < _SHORTEST_FRAGMENT:
            return None
        for known, entity in self.numbers.items():
            if digits in known or (len(known) >= _SHORTEST_FRAGMENT and known in digits):
                return entity
        return None

    def _numbers_in(self, heard: Heard) -> Iterator[Found]:
        for piece in heard.pieces:
            if piece.kind in (Kind.NUMBER, Kind.LETTERS) and (entity := self._entity_of(piece.digits)):
                yield Found(entity, piece.start, piece.end, REMEMBERED)

    def _words_in(self, heard: Heard) -> Iterator[Found]:
        if self.words:
            for match in _WORD.finditer(heard.original):
                if entity := self.words.get(_plain(match.group())):
                    yield Found(entity, match.start(), match.end(), REMEMBERED)
            for piece in heard.of_kind(Kind.LETTERS):
                if entity := self.words.get(piece.written):
                    yield Found(entity, piece.start, piece.end, REMEMBERED)

    def _phrases_in(self, heard: Heard) -> Iterator[Found]:
        """Values of several words, also where the words are cut otherwise: ``john smith`` for ``johnsmith``."""
        if not self.phrases:
            return
        said: list[str] = []
        begins: dict[int, int] = {}
        ends: dict[int, int] = {}
        at = 0
        for piece in heard.words:
            for part in piece.parts:
                if letters := canonical(part.written):
                    begins[at] = part.start
                    at += len(letters)
                    ends[at] = part.end
                    said.append(letters)
        flat = "".join(said)
        for phrase, entity in self.phrases.items():
            start = flat.find(phrase)
            while start >= 0:
                if start in begins and start + len(phrase) in ends:
                    yield Found(entity, begins[start], ends[start + len(phrase)], REMEMBERED)
                start = flat.find(phrase, start + 1)

    @staticmethod
    def _is_everyday(value: str) -> bool:
        words = [_plain(m.group()) for m in _WORD.finditer(value)]
        return len(words) == 1 and words[0] in lexicon.EVERYDAY and not any(c.isdecimal() for c in value)


def _remember(known: dict[str, str], value: str, entity: str) -> None:
    """Adds a value. The oldest goes where there are too many: no call has them, a text made to fill memory does."""
    known[value] = entity
    if len(known) > _MOST:
        del known[next(iter(known))]


_SAID_OFTEN = frozenset(lexicon.DIGITS) | lexicon.PLACE_WORDS | lexicon.MONTHS | lexicon.ORDINALS


def _plain(word: str) -> str:
    return word.lower().removesuffix("'s").removesuffix("’s")
