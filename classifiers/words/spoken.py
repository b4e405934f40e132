"""What a spoken word stands for when somebody reads out a number, a code, a date or an address.

The classes are those of the words alone; whether ``i`` is a letter or a person is decided by what stands beside it
(:mod:`~classifiers.words.reading`). Recognisers write figures or words, letters alone or in clusters (``g26 5wb``).
"""
# ruff: noqa: SIM905 - lists of words read as words

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass, replace
from enum import StrEnum

MAX_TOKENS = 120
"""The end of a longer text is looked at."""

_TOKEN = re.compile(
    r"[£$€]\s?\d[\d.,]{0,20}|\d{1,20}(?:[.,:]\d{1,6}){1,4}"  # an amount, a time: nothing that is read out sign by sign
    r"|\d{1,2}\s?[ap]\.?\s?m\b|[^\W\d_]+(?:['’][^\W\d_]+)*|\d+|@"
)


class Role(StrEnum):
    """The part that a word plays in a read-out."""

    DIGIT = "digit"
    LETTER = "letter"
    DATE = "date"
    """A month or an ordinal."""
    JOINT = "joint"
    """``dot``, ``at``, ``dash``: more must follow."""
    REPEAT = "repeat"
    """``double``: more must follow."""
    DOMAIN = "domain"
    """``com``: an address ends in it."""
    FILLER = "filler"
    WORD = "word"


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word, its role, how many characters it stands for, and whether its role needs a neighbour to be believed."""

    text: str
    role: Role
    symbols: int = 0
    doubtful: bool = False


def _table(role: Role, symbols: int, words: str | Set[str], *, doubtful: bool = False) -> dict[str, Spoken]:
    listed = words.split() if isinstance(words, str) else words
    return {word: Spoken(word, role, symbols, doubtful) for word in listed}


NATO = frozenset(
    "alpha alfa bravo charlie delta echo foxtrot golf hotel india juliet juliett kilo lima mike november "
    "oscar papa quebec romeo sierra tango uniform victor whiskey whisky xray yankee zulu".split()
)
"""The radio alphabet: words that are also words."""

_UNITS = frozenset("one two three four five six seven eight nine".split())
_TEENS = frozenset("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split())
_TENS = frozenset("twenty thirty forty fourty fifty sixty seventy eighty ninety".split())
NUMBERS = _UNITS | _TEENS | _TENS | {"zero", "nought", "naught", "nil", "niner", "hundred", "thousand"}

_WORDS = {
    **_table(Role.FILLER, 0, "uh um uhm er erm hm hmm mm ah eh and then so like sorry wait comma space of"),
    **_table(Role.DIGIT, 1, _UNITS | {"zero", "nought", "naught", "nil", "niner"}),
    **_table(Role.DIGIT, 2, _TEENS | _TENS | {"hundred"}),
    **_table(Role.DIGIT, 3, {"thousand"}),
    **_table(Role.DIGIT, 1, "oh o to too for won ate tree free", doubtful=True),
    **_table(Role.LETTER, 1, "b c d e f g h j k l m n p q r s t u v w x y z zed zee"),
    **_table(Role.LETTER, 1, "a i", doubtful=True),
    **_table(
        Role.LETTER,
        1,
        "bee see sea dee gee jay kay ell el em en pee queue cue are ess tee tea vee ex eff",
        doubtful=True,
    ),
    **_table(Role.LETTER, 1, NATO, doubtful=True),
    **_table(Role.JOINT, 1, "@ dot dash hyphen underscore slash"),
    **_table(Role.JOINT, 1, "at point minus plus", doubtful=True),
    **_table(Role.REPEAT, 0, "double triple treble"),
    **_table(Role.DOMAIN, 3, "com org gmail hotmail outlook yahoo icloud"),
    **_table(Role.DOMAIN, 2, "net co uk", doubtful=True),
    **_table(
        Role.DATE,
        2,
        "january february april june july august september october november december first second third "
        "fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
        "sixteenth seventeenth eighteenth nineteenth twentieth thirtieth",
    ),
    **_table(Role.DATE, 2, "march may", doubtful=True),
}  # fmt: skip
_ORDINAL_ENDINGS = frozenset({"st", "nd", "rd", "th"})
_TIMES = {"double": 2, "triple": 3, "treble": 3}
_VOWELS = frozenset("aeiou")


def spoken(text: str) -> list[Spoken]:
    """The last ``MAX_TOKENS`` words of ``text`` with their roles.

    >>> [(word.text, word.symbols) for word in spoken("twenty one double seven")]
    [('twenty', 2), ('one', 0), ('double', 0), ('seven', 2)]
    """
    found: list[Spoken] = []
    for word in _TOKEN.findall(text[-8 * MAX_TOKENS :].lower())[-MAX_TOKENS:]:
        before = found[-1].text if found else ""
        if word in _UNITS and before in _TENS:
            found.append(Spoken(word, Role.DIGIT))
        elif word in _ORDINAL_ENDINGS and before.isdecimal():
            found.append(Spoken(word, Role.DATE))
        else:
            token = _spoken(word)
            found.append(replace(token, symbols=token.symbols * _TIMES.get(before, 1)))
    return found


def _spoken(word: str) -> Spoken:
    known = _WORDS.get(word)
    if known is not None:
        return known
    if word.isdecimal():
        return Spoken(word, Role.DIGIT, len(word))
    if len(word) == 1:
        return Spoken(word, Role.LETTER, 1)
    if len(word) <= 3 and not _VOWELS & set(word):
        return Spoken(word, Role.LETTER, len(word), doubtful=True)
    return Spoken(word, Role.WORD)
