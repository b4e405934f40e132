"""Payment card numbers, spoken or written: 12 to 19 digits (ISO/IEC 7812-1)."""

from __future__ import annotations

from collections.abc import Iterator

from compliance.redaction.entities import Entity
from compliance.redaction.luhn import passes_luhn
from compliance.redaction.pieces import Found, Heard, Kind
from compliance.redaction.recognizers.rule import SpokenRule


class SpokenCard(SpokenRule):
    """The Luhn digit only raises the score: one misheard digit breaks it, and the other fifteen are still a card's."""

    entities = (Entity.CREDIT_CARD,)

    def find(self, heard: Heard) -> Iterator[Found]:
        for piece in heard.of_kind(Kind.NUMBER):
            if 12 <= len(piece.digits) <= 19 and not piece.written.startswith("+"):
                score = 1.0 if passes_luhn(piece.digits) else 0.75
                yield Found(Entity.CREDIT_CARD, piece.start, piece.end, score)
