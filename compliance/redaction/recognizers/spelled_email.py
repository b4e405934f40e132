"""E-mail addresses, spelled, spoken or written, also with words the recogniser put between the letters."""

from __future__ import annotations

from collections.abc import Iterator

from compliance.redaction.entities import Entity
from compliance.redaction.pieces import Found, Heard, Kind
from compliance.redaction.recognizers.rule import SpokenRule


class SpelledEmail(SpokenRule):
    """Presidio's own rule needs a valid top-level domain; a misheard ``gmail dot con`` has none."""

    entities = (Entity.EMAIL,)

    def find(self, heard: Heard) -> Iterator[Found]:
        for piece in heard.of_kind(Kind.EMAIL):
            yield Found(Entity.EMAIL, piece.start, piece.end, 1.0)
