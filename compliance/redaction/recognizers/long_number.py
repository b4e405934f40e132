"""The net under all other rules: any long number, whatever it is."""

from __future__ import annotations

from collections.abc import Iterator

from compliance.redaction.entities import LONG_NUMBER_DIGITS, Entity
from compliance.redaction.pieces import Found, Heard, Kind
from compliance.redaction.recognizers.rule import SpokenRule


class LongNumber(SpokenRule):
    """Amounts, recent dates and order numbers are taken out again by the call's redactor, which knows the context."""

    entities = (Entity.NUMBER,)

    def find(self, heard: Heard) -> Iterator[Found]:
        for piece in heard.pieces:
            if piece.kind in (Kind.NUMBER, Kind.LETTERS) and len(piece.digits) >= LONG_NUMBER_DIGITS:
                yield Found(Entity.NUMBER, piece.start, piece.end, 0.5)
