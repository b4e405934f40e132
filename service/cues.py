"""The digits in what a caller says; the other cues are in :mod:`classifiers.words`."""

from __future__ import annotations

from dataclasses import dataclass

from compliance.redaction.lexicon import REPEATS
from compliance.redaction.pieces import Kind
from compliance.redaction.spoken import hear

_STILL_READING = {
    "uh", "um", "uhm", "er", "erm", "hmm", "hm", "mm", "ah", "and", "then", "dash", "hyphen", "minus", "slash", *REPEATS
}  # fmt: skip
"""After a digit, these do not end a number that is being read out."""


@dataclass(frozen=True, slots=True)
class Digits:
    """The digits in what was said: how many, and whether it ends in one, hesitation aside."""

    count: int
    at_end: bool


def digits(text: str) -> Digits:
    """The digits of ``text``, as figures or in words: ``four two``, ``double five``, ``oh``."""
    count, at_end = 0, False
    for piece in hear(text).words:
        if piece.kind is Kind.WORD and piece.written in _STILL_READING:
            continue
        spoken = text[piece.start : piece.end].lower()
        found = 0 if spoken == "oh" else len(piece.digits)  # alone it is an exclamation
        count, at_end = count + found, found > 0 and piece.written[-1].isdecimal()
    return Digits(count, at_end)
