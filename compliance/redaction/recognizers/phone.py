"""Telephone numbers said digit by digit: 10 or 11 digits, as Presidio's own rule wants separators and regions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from compliance.redaction.entities import Entity
from compliance.redaction.pieces import Found, Heard, Kind, Piece
from compliance.redaction.recognizers.rule import SpokenRule

_AREA_CODE = re.compile(r"\barea code\W+$", re.IGNORECASE)


class SpokenPhone(SpokenRule):
    """National numbers with their area code, with or without the country's ``1`` or ``0``, and any with a ``+``."""

    entities = (Entity.PHONE,)

    def find(self, heard: Heard) -> Iterator[Found]:
        for piece in heard.of_kind(Kind.NUMBER):
            if piece.written.startswith("+"):
                yield Found(Entity.PHONE, piece.start, piece.end, 0.9)
            elif len(piece.digits) in (10, 11):
                yield Found(Entity.PHONE, _start(piece, heard), piece.end, 0.7)


def _start(piece: Piece, heard: Heard) -> int:
    """Where a number begins, with the ``area code`` that announces its first digits."""
    before = _AREA_CODE.search(heard.original, 0, piece.start)
    return before.start() if before else piece.start
