"""The values a call has already given away: an agent who reads them back is masked too.

Held in memory for the life of the call only, never written anywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from compliance.redaction import lexicon
from compliance.redaction.entities import MAX_KEPT_DIGITS
from compliance.redaction.pieces import Heard, Kind

_SHORTEST_NUMBER = 3
_SHORTEST_FRAGMENT = 4
_SHORTEST_WORD = 3
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


@dataclass(slots=True)
class Memory:
    """Masked digits and words, and the order numbers that stay readable."""

    numbers: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)

    def learn_number(self, digits: str) -> None:
        if len(digits) >= _SHORTEST_NUMBER and digits not in self.kept:
            self.numbers.add(digits)

    def keep_number(self, digits: str) -> None:
        """``digits`` is an order number, unless the call knows it as something personal."""
        if _SHORTEST_FRAGMENT <= len(digits) <= MAX_KEPT_DIGITS and not self.knows_number(digits):
            self.kept.add(digits)

    def learn_words(self, text: str) -> None:
        """Names and the parts of addresses; everyday words in them are not remembered."""
        for match in _WORD.finditer(text):
            word = match.group().lower().removesuffix("'s").removesuffix("’s")
            if len(word) >= _SHORTEST_WORD and word not in lexicon.COMMON and word not in lexicon.DIGITS:
                self.words.add(word)

    def knows_number(self, digits: str) -> bool:
        """Whether ``digits`` is a remembered number, a piece of one of at least four digits, or contains one."""
        if digits in self.kept or len(digits) < _SHORTEST_NUMBER:
            return False
        if digits in self.numbers:
            return True
        return len(digits) >= _SHORTEST_FRAGMENT and any(
            digits in known or (len(known) >= _SHORTEST_FRAGMENT and known in digits)
            for known in self.numbers
        )

    def numbers_in(self, heard: Heard) -> list[tuple[int, int]]:
        return [(p.start, p.end) for p in heard.of_kind(Kind.NUMBER) if self.knows_number(p.digits)]

    def words_in(self, heard: Heard) -> list[tuple[int, int]]:
        return [
            (m.start(), m.end())
            for m in _WORD.finditer(heard.original)
            if m.group().lower().removesuffix("'s").removesuffix("’s") in self.words
        ]

    def forget(self) -> None:
        self.numbers.clear()
        self.words.clear()
        self.kept.clear()
