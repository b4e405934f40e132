"""A value as it was said, as a tool wants it, and as a voice should read it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from compliance.redaction.spoken import hear

_DIGITS = re.compile(r"[\d\s().+-]+")
_MAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_GROUP = 4
"""Digits that are read in one breath."""
_FEWEST_SPELLED = 3


@dataclass(frozen=True, slots=True, repr=False)
class Value:
    """One value of a caller. It has no ``repr``: what is printed by accident is kept by somebody."""

    said: str
    """In the caller's words: ``four one one one``."""
    written: str
    """As tools are given it: ``4111``."""

    @classmethod
    def of(cls, said: str) -> Value:
        """The value that was said, or written, like this."""
        written = hear(said).text.strip(" \t\r\n,;:!?")
        return cls(said, written or said)

    @property
    def key(self) -> str:
        """What counts when two are compared: letters and digits, in lower case."""
        return "".join(c for c in self.written.casefold() if c.isalnum()) or self.said

    @property
    def digits(self) -> str:
        """Its digits, where it has nothing else but what parts them; else nothing."""
        return "".join(c for c in self.written if c.isdecimal()) if _DIGITS.fullmatch(self.written) else ""

    @property
    def last4(self) -> str:
        """The last four letters or digits."""
        return "".join(c for c in self.written if c.isalnum())[-4:]

    @property
    def aloud(self) -> str:
        """As a voice reads it so that it can be followed: numbers digit by digit, the signs of an address by name."""
        if len(self.digits) >= _FEWEST_SPELLED:
            return read_digits(self.digits)
        if _MAIL.fullmatch(self.written):
            return re.sub(r"[@._-]", lambda sign: f" {_SIGNS[sign.group()]} ", self.written)
        return self.written


_SIGNS = {"@": "at", ".": "dot", "_": "underscore", "-": "dash"}


def read_digits(digits: str) -> str:
    """``4 1 1 1, 1 1 1 1``: in groups, with a pause between them."""
    groups = (digits[at : at + _GROUP] for at in range(0, len(digits), _GROUP))
    return ", ".join(" ".join(group) for group in groups)
