"""Telephone numbers said digit by digit: 10 or 11 digits, as Presidio's own rule wants separators and regions."""

from __future__ import annotations

from collections.abc import Iterator

from compliance.redaction.entities import Entity
from compliance.redaction.pieces import Found, Heard, Kind
from compliance.redaction.recognizers.rule import SpokenRule


class SpokenPhone(SpokenRule):
    """National numbers with their area code, with or without the country's ``1`` or ``0``."""

    entities = (Entity.PHONE,)

    def find(self, heard: Heard) -> Iterator[Found]:
        for piece in heard.of_kind(Kind.NUMBER):
            if len(piece.digits) in (10, 11):
                yield Found(Entity.PHONE, piece.start, piece.end, 0.7)
