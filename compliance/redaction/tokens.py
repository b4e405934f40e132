"""The words, numbers and marks of a text."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(r"[xX]-ray\b|[^\W\d_]+(?:['’][^\W\d_]+)*|\d+|\S")


@dataclass(frozen=True, slots=True)
class Token:
    """One of them, as written and in lower case."""

    text: str
    low: str
    start: int
    end: int

    @property
    def is_mark(self) -> bool:
        return not (self.low[0].isalnum())


def tokens_of(text: str) -> list[Token]:
    """In order; white space is none."""
    return [Token(m.group(), m.group().lower(), m.start(), m.end()) for m in _TOKEN.finditer(text)]
