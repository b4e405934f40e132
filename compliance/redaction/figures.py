"""Numbers in an utterance: where each is said with all that belongs to it, and what it cannot be."""

from __future__ import annotations

import re
from itertools import zip_longest

from compliance.redaction import lexicon
from compliance.redaction.entities import LONG_NUMBER_DIGITS, Entity
from compliance.redaction.pieces import Found, Heard, Kind, Piece

NO_DATE = 9
"""Digits that no date has."""
_UNFINISHED_DIGITS = 4
_UNFINISHED_PARTS = 3
CODES = frozenset({Entity.ACCOUNT, Entity.ID})
"""Numbers that have letters, too."""
SECRETS = frozenset({Entity.CVV, Entity.PIN})
_PRONOUN = re.compile(
    r"\b(?:a|an|new|old|this|that|another|other|different|same|which|right|wrong|first|second|last|next|the|my|your)\s+$",
    re.IGNORECASE,
)
_ORDINAL = re.compile(r"(?:st|nd|rd|th)\b", re.IGNORECASE)
AROUND_NUMBERS = lexicon.FILLERS | {"sure", "it's", "its", "is", "and", "that's"}
"""Words that may stand around a breath of a number."""
_AROUND_CODES = AROUND_NUMBERS | lexicon.words(
    """
    it it'll they're they are would will be should must that that'll this the a code cvv cvc pin number security mine my
    says say said reads read here there on back reverse see can think got i i've i'd i'm let me guess believe please
    thanks thank you hang now well oh what just one two last
    """
)
_SHOWN = re.compile(
    r"\b(?:(?:error|flight|room|page|gate|platform|bus|train|channel|model|version)(?: code| number)?"
    r"|(?:says?|saying|shows?|showing|displays?|displaying)(?: error)?(?: code)?)\W+$",
    re.IGNORECASE,
)
"""Before a number that a device shows or a door has on it."""


def may_be_digits(piece: Piece) -> bool:
    """Whether a piece is a number, or what a recogniser may have made of one."""
    return (
        piece.kind is Kind.NUMBER
        or piece.written == "o"
        or piece.written in lexicon.MISHEARD_DIGITS
        or piece.written in lexicon.REPEATS
    )


def is_dated(piece: Piece, heard: Heard) -> bool:
    """Whether a number belongs to a month, as in ``14 april 2026``."""
    words = heard.words
    i = next(i for i, word in enumerate(words) if word is piece)
    return any(word.written in lexicon.MONTHS for word in words[max(0, i - 2) : i + 3])


def is_unnamed_number(piece: Piece, heard: Heard) -> bool:
    """A number of which this may be only the first breath: nothing but digits, or digits up to the very end."""
    if len(piece.digits) < LONG_NUMBER_DIGITS and _SHOWN.search(heard.original, 0, piece.start):
        return False
    if not other_words(heard):
        return len(piece.digits) >= 3 and (len(piece.parts) >= 2 or len(piece.digits) > _UNFINISHED_DIGITS)
    said_digit_by_digit = len(piece.digits) >= _UNFINISHED_DIGITS and len(piece.parts) >= _UNFINISHED_PARTS
    return said_digit_by_digit and heard.words[-1] is piece


def is_pronoun(piece: Piece, heard: Heard) -> bool:
    """Whether a one stands for a thing: ``a new one``."""
    said = heard.original[piece.start : piece.end].lower()
    return said == "one" and _PRONOUN.search(heard.original, 0, piece.start) is not None


def is_part_of_word(piece: Piece, heard: Heard) -> bool:
    """Whether a short number has letters right behind it: ``401k``, ``the 80s``, and not ``3rd``."""
    behind = heard.original[piece.end : piece.end + 1].isalpha() and not _ORDINAL.match(
        heard.original, piece.end
    )
    return behind and len(piece.digits) <= _UNFINISHED_DIGITS


def other_words(heard: Heard) -> list[Piece]:
    """What is said besides numbers and fillers."""
    return [p for p in heard.words if p.kind is not Kind.NUMBER and p.written not in lexicon.FILLERS]


def tells_a_code(heard: Heard) -> bool:
    """Whether nothing but a number is told: ``on the back it says eighty eight``."""
    return all(p.written in _AROUND_CODES for p in other_words(heard))


def is_back_channel(heard: Heard) -> bool:
    """Whether nothing is said but ``mhm, go ahead``."""
    return all(p.written in lexicon.BACK_CHANNELS for p in heard.words)


def extent(piece: Piece, heard: Heard, entity: str, *, short: bool = False) -> tuple[int, int]:
    """Where a number is said, with a digit misheard as a word right before or after it (``for one one one``).

    The numbers of accounts and passports have letters, too: ``m q four four one``. ``short``: digits are missing.
    """
    start, end = code_around(piece, heard) if entity in CODES else (piece.start, piece.end)
    if len(piece.parts) >= _UNFINISHED_PARTS or (short and entity in SECRETS):
        for word in [p for p in heard.words if p.end <= piece.start][-1:]:
            start = word.start if word.written in lexicon.MISHEARD_DIGITS else start
        for word in [p for p in heard.words if p.start >= piece.end][:1]:
            end = word.end if word.written in lexicon.MISHEARD_DIGITS else end
    return start, end


def code_around(piece: Piece, heard: Heard) -> tuple[int, int]:
    """Where a number with the letters before and after it is said."""
    start, end = piece.start, piece.end
    i = next(i for i, word in enumerate(heard.words) if word is piece)
    for word in reversed(heard.words[:i]):
        if not _is_letter(word):
            break
        start = word.start
    for word, after in zip_longest(heard.words[i + 1 :], heard.words[i + 2 :]):
        speaks = word.written == "i" and after is not None and not _is_letter(after)
        if not _is_letter(word) or speaks:
            break  # "i think"
        end = word.end
    return start, end


def _is_letter(piece: Piece) -> bool:
    return piece.kind is Kind.LETTERS or (
        piece.kind is Kind.WORD and (len(piece.written) == 1 or piece.written in lexicon.NATO)
    )


def belong_together(left: Found, right: Found, heard: Heard) -> bool:
    """Two parts of one number around at most one word, which is then a misheard digit."""
    between = [p for p in heard.words if left.end <= p.start and p.end <= right.start]
    return left.entity == right.entity and len(between) <= 1
