"""Cues in what a caller says that the policy may ask about: plain phrases, cheap enough for every turn."""

from __future__ import annotations

import re
from dataclasses import dataclass

from compliance.redaction.lexicon import DIGITS, REPEATS, TEENS, TENS
from compliance.redaction.pieces import Kind
from compliance.redaction.spoken import hear

_HUMAN = re.compile(
    r"\b(?:(?:real|actual|living) (?:person|human|agent)|human(?: being)?|supervisor|manager|representative"
    r"|(?:talk|speak|transfer me|put me through|connect me) (?:to|with) (?:an? |the |your |some)?"
    r"(?:person|human|agent|someone|somebody|colleague|operator)"
    r"|(?:not?|don't|do not|won't) (?:want to )?(?:talk(?:ing)?|speak(?:ing)?) (?:to|with) "
    r"(?:a |an |this |your )?(?:machine|robot|computer|bot|recording))\b",
    re.IGNORECASE,
)
_REPEAT = re.compile(
    r"\b(?:i(?: have|'ve)? already (?:told|said|gave|explained|checked)|as i said|like i said|i (?:just )?told you"
    r"|(?:keep|stop) (?:saying|reading|repeating|asking)|(?:second|third|fourth|fifth) time|(?:once )?again)\b",
    re.IGNORECASE,
)
_UNIT, _TEEN, _TEN = ("|".join(sorted(words)) for words in (DIGITS.keys() - {"o", "oh"}, TEENS, TENS))
_NUMBER = rf"(?>\d+(?:[.,]\d+)*|(?:{_TEN})(?:[ -](?:{_UNIT}))?|{_TEEN}|{_UNIT})\b"
_CORRECTION = re.compile(
    r"\b(?:no,? (?:no,? )?i (?:just )?said|i (?:never|did not|didn't) (?:say|said|ask|mean)"
    r"|(?:that|this)(?:'s| is| was|'s just| is just)? not (?:what|how|where|when|who|the \w+) (?:i|we)\b"
    r"|(?:that(?:'s| is)|you(?:'re| are)|it(?:'s| is)) (?:wrong|incorrect|mistaken)\b(?! with)"
    r"|that(?:'s| is) not (?:it|right|correct|true)\b|not that one|no,? the other (?:one|\w+ one)"
    r"|you(?:'ve| have)? (?:got|have|heard|took|wrote|read) (?:it|that|this|me|my \w+|the \w+) (?:all )?wrong"
    r"|you(?:'ve| have)? (?:got|have) the wrong|(?:you|you've|you have) (?:misheard|misunderstood)"
    r"|you (?:did not|didn't|don't) (?:understand|hear) me|i meant (?!to\b)|what i meant|let me correct"
    r"|not the \w+(?: one)?,? but the"
    rf"|not (?:{_NUMBER},? )+(?:but |it's |it is |i said )?{_NUMBER}|{_NUMBER},? not {_NUMBER}"
    rf"|no,? (?:not {_NUMBER}|(?:it|that)(?:'s| is| was) (?:{_NUMBER}|[a-z] [a-z]\b)))"
    r"|^correction\b",
    re.IGNORECASE,
)
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


def asks_for_human(text: str) -> bool:
    """Whether the caller asks for a person."""
    return _HUMAN.search(text) is not None


def repeats_themselves(text: str) -> bool:
    """Whether the caller says that they had to say this before."""
    return _REPEAT.search(text) is not None


def corrects(text: str) -> bool:
    """Whether the caller says that the agent got something wrong."""
    return _CORRECTION.search(text) is not None
