"""Anything spelled letter by letter: people spell names, addresses, postcodes and plates, and little else."""

from __future__ import annotations

from collections.abc import Iterator

from compliance.redaction import lexicon
from compliance.redaction.entities import Entity
from compliance.redaction.pieces import Found, Heard, Kind
from compliance.redaction.recognizers.rule import SpokenRule


class SpelledWord(SpokenRule):
    """Three letters or more, or one with an example word (``m as in mike``), unless they are a common acronym."""

    entities = (Entity.SPELLED,)

    def find(self, heard: Heard) -> Iterator[Found]:
        for piece in heard.of_kind(Kind.LETTERS):
            if piece.written not in lexicon.ACRONYMS:
                yield Found(Entity.SPELLED, piece.start, piece.end, 0.6)
