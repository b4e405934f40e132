"""Asks a caller for a number and a time to be called back on, turn by turn, without any model."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from classifiers import words
from compliance.redaction.pieces import Kind
from compliance.redaction.spoken import hear
from engines.people import TransferWords

FEWEST_DIGITS = 7
"""Shorter numbers cannot be called from outside (ITU-T E.164 has no least; national numbers begin about here)."""
MOST_DIGITS = 15
"""E.164."""
MOST_TRIES = 3
_YES = frozenset(("yes", "yeah", "yep", "yup", "right", "correct", "exactly", "okay", "ok"))
_NO = frozenset(("no", "nope", "not", "isn't", "wrong", "incorrect"))


@dataclass(frozen=True, slots=True)
class Wish:
    """What the caller gave: raw, for the recorder and nobody else."""

    number: str
    best_time: str


class CallbackForm:
    """Pure: what the caller says in, what is said next out.

    Attributes:
        wish: once the caller has given all of it.
        over: whether nothing more is asked.
    """

    def __init__(self, say: TransferWords) -> None:
        self._words = say
        self._digits = ""
        self._tries = 0
        self._step: Callable[[str], str] = self._number
        self.wish: Wish | None = None
        self.over = False

    @property
    def number(self) -> str:
        """The number that is being confirmed, or was."""
        return self._digits if self._step != self._number else ""

    @property
    def opening(self) -> str:
        """What is asked first."""
        return self._words.number

    def heard(self, text: str) -> str:
        """The caller said ``text``; returns what to say next, which may be nothing yet."""
        return self._step(text)

    def _number(self, text: str) -> str:
        self._digits += digits_of(text)
        if not digits_of(text) and words.refuses(text):
            return self._end()
        if FEWEST_DIGITS <= len(self._digits) <= MOST_DIGITS:
            self._step = self._confirmed
            return self._words.confirm.replace("{number}", " ".join(self._digits))
        if digits_of(text) and len(self._digits) < FEWEST_DIGITS:
            return ""  # a number comes in several breaths
        return self._again()

    def _confirmed(self, text: str) -> str:
        more = digits_of(text)
        if more and not words.refuses(text) and len(self._digits + more) <= MOST_DIGITS:
            self._digits += more  # the rest of the number, said while it was being read back
            return self._words.confirm.replace("{number}", " ".join(self._digits))
        if _is_yes(text):
            self._step = self._time
            return self._words.time
        self._step = self._number
        self._digits = ""
        return self._number(text) if more else self._again()

    def _time(self, text: str) -> str:
        self.wish, self.over = Wish(self._digits, text), True
        return self._words.noted

    def _again(self) -> str:
        self._digits = ""
        self._tries += 1
        return self._end() if self._tries >= MOST_TRIES else self._words.number_again

    def _end(self) -> str:
        self.over = True
        return self._words.no_callback


def _is_yes(text: str) -> bool:
    said = set(re.findall(r"[a-z']+", text.lower()))
    return bool(said & _YES) and not said & _NO


def digits_of(text: str) -> str:
    """The digits of a text as they were said or written: "double four one" is ``441``."""
    return "".join(piece.digits for piece in hear(text).of_kind(Kind.NUMBER))
