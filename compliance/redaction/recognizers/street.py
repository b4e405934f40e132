"""Street addresses: a house number and a street."""

from __future__ import annotations

import re
from collections.abc import Iterator

from compliance.redaction import lexicon
from compliance.redaction.entities import Entity
from compliance.redaction.pieces import Found, Heard
from compliance.redaction.recognizers.rule import SpokenRule

_STREET = re.compile(
    rf"\b\d{{1,6}}[a-z]? (?:[^\W\d_]+ ){{1,3}}?(?:{'|'.join(sorted(lexicon.STREET_WORDS))})\b"
    r"(?:,? (?:apartment|apt|unit|suite|flat) ?\w+)?",
    re.IGNORECASE,
)


class StreetAddress(SpokenRule):
    """Reads the written form, so that ``one twenty three maple street`` is found too."""

    entities = (Entity.ADDRESS,)

    def find(self, heard: Heard) -> Iterator[Found]:
        for match in _STREET.finditer(heard.text):
            start, end = heard.said_at(match.start(), match.end())
            yield Found(Entity.ADDRESS, start, end, 0.8)
