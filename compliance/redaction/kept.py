"""Numbers that are not personal: amounts, times, and dates of this business rather than of a birth."""

from __future__ import annotations

import re

from compliance.redaction import lexicon
from compliance.redaction.pieces import Heard, Kind, Piece

_UNIT = re.compile(
    r"\s*-?\s*(?:%|(?:dollars?|cents?|pounds?|pence|bucks?|euros?|quid|usd|gbp|eur|percent|per cent"
    r"|minutes?|mins?|hours?|hrs?|days?|weeks?|months?|years?|seconds?|secs?|moments?|more|of|people|persons?"
    r"|guests?|adults?|child(?:ren)?|kids?|(?:bed)?rooms?|nights?|tickets?|items?|boxes|times|(?:o[' ]?)?clock"
    r"|am|pm|[ap]\.m|[ap] m|(?:in the )?(?:morning|evening|afternoon)|tonight|at night|noon|degrees|miles"
    r"|kilomet(?:er|re)s?|km"
    r"|kilograms?|kg|grams?|gigabytes?|gb|megabytes?|mb|mbps|megabits?|stars?|points?|units?|pieces?|working"
    r"|business|thousand|million|grand|percent|or so)\b)",
    re.IGNORECASE,
)
_CURRENCY = re.compile(r"(?:[$£€¥]|\b(?:usd|gbp|eur))\s*$", re.IGNORECASE)
_DATE = re.compile(
    r"\b(?:(?P<year>20[12]\d)[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])"
    r"|(?:0?[1-9]|[12]\d|3[01])[-/.](?:0?[1-9]|[12]\d|3[01])[-/.](?P<last>20[12]\d|1[5-9]|2\d))\b",
    re.ASCII,
)
_MONTH = "(?:" + "|".join(sorted(lexicon.MONTHS, key=len, reverse=True)) + ")"
_DAY = r"(?:the )?\d{1,2}(?:st|nd|rd|th)?"
_NAMED_DATE = re.compile(
    rf"\b(?:(?:{_DAY} (?:of )?)?{_MONTH}|{_MONTH} {_DAY}),? (?P<year>20[12]\d)\b", re.IGNORECASE | re.ASCII
)
_TIME = re.compile(r"\b(?:[01]?\d|2[0-3])[:.][0-5]\d\b(?![:.]?\d)", re.ASCII)
_RECENT_YEAR = 2015  # a written date before it may be a birth
_MAX_AMOUNT_DIGITS = 11
_MAX_AMOUNT_PARTS = 4  # a number said digit by digit is no amount, whatever word the recogniser put after it


def is_amount(piece: Piece, text: str) -> bool:
    """Whether a number is followed by a unit or preceded by a currency."""
    if len(piece.digits) > _MAX_AMOUNT_DIGITS or len(piece.parts) > _MAX_AMOUNT_PARTS:
        return False
    return bool(_UNIT.match(text, piece.end) or _CURRENCY.search(text, max(0, piece.start - 5), piece.start))


def amounts_and_dates(heard: Heard) -> list[tuple[int, int]]:
    """Where the original has numbers that are kept whatever the rules say."""
    spans = [(p.start, p.end) for p in heard.of_kind(Kind.NUMBER) if is_amount(p, heard.original)]
    exact = {(p.start, p.end) for p in heard.of_kind(Kind.NUMBER)}
    spans += [m.span() for m in _TIME.finditer(heard.original) if m.span() in exact]
    spans += [
        (m.start(), m.end())
        for m in _DATE.finditer(heard.original)
        if int(m["year"] or m["last"]) % 2000 >= _RECENT_YEAR % 2000 and m.span() in exact
    ]
    return spans


def recent_dates(text: str) -> list[tuple[int, int]]:
    """Where ``text`` writes a date of this business, such as ``9 October 2017``: too late for most callers' births."""
    return [m.span() for m in _NAMED_DATE.finditer(text) if int(m["year"]) >= _RECENT_YEAR]
