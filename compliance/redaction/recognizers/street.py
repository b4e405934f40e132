"""Street addresses: a house number and a street."""

from __future__ import annotations

import re
from collections.abc import Iterator

from compliance.redaction import lexicon
from compliance.redaction.entities import Entity
from compliance.redaction.kept import is_amount
from compliance.redaction.pieces import Found, Heard, Kind
from compliance.redaction.recognizers.rule import SpokenRule

_NOT_IN_A_NAME = "|".join(
    sorted({*lexicon.CLAUSE, "of", "in", "at", "on", "the", "a", "an", "for", "to", "and"})
)
_UNIT = r"(?:,? (?:apartment|apt|unit|suite|flat) ?\w+)?"
_STREET = re.compile(
    rf"\b\d{{1,8}}[a-z]? (?:[^\W\d_]+ ){{1,3}}?(?:{'|'.join(sorted(lexicon.STREET_WORDS))})\b{_UNIT}",
    re.IGNORECASE,
)
# These are other things as well, so the number is long and what stands between is a name.
_WAY = re.compile(
    rf"\b\d{{2,8}} (?:(?!(?:{_NOT_IN_A_NAME})\b)\w+ ){{1,2}}?(?:way|place|square|circle|row)\b{_UNIT}",
    re.IGNORECASE,
)


class StreetAddress(SpokenRule):
    """Reads the written form, so that ``one twenty three maple street`` is found, and the town and code after it."""

    entities = (Entity.ADDRESS,)

    def find(self, heard: Heard) -> Iterator[Found]:
        for street in _STREET.finditer(heard.text):
            yield _address(heard, *heard.said_at(*street.span()))
        for way in _WAY.finditer(heard.text):
            start, end = heard.said_at(*way.span())
            if not any(p.start == start and is_amount(p, heard.original) for p in heard.of_kind(Kind.NUMBER)):
                yield _address(heard, start, end)


def _address(heard: Heard, start: int, end: int) -> Found:
    return Found(Entity.ADDRESS, start, _end_of_town(heard, end), 0.8)


def _end_of_town(heard: Heard, end: int) -> int:
    """Where ``springfield illinois six two seven oh one`` ends, which begins at ``end``."""
    for piece in heard.words:
        if piece.start < end:
            continue
        if piece.kind is Kind.WORD:
            is_place = piece.written in lexicon.PLACE_WORDS or piece.written in ("new", "san", "saint", "st")
            if len(piece.written) > 1 and not is_place and piece.written in lexicon.EVERYDAY:
                break
        elif is_amount(piece, heard.original):
            break
        end = piece.end
    return end
