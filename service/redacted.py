"""Redacted text as it is stored: which stretches are masks, and of what.

The redactor replaces what identifies a person by the name of its kind in angle or square brackets,
such as ``<CREDIT_CARD>`` or ``<PERSON_2>`` (Presidio's default form). Everything that shows text to
people finds masks here, so that they look the same in a terminal and in a report.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from compliance.events import Event, redactable

_MASK = re.compile(r"[<\[]([A-Z][A-Z_]*[A-Z])(?:[_:#-]?\d+|#[a-z]{10})?[>\]]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of stored text. ``entity`` names the kind that was masked, or is empty for plain words."""

    text: str
    entity: str = ""


def pieces(text: str) -> tuple[Piece, ...]:
    """``text`` cut at its masks; the pieces' texts joined give ``text`` again."""
    found: list[Piece] = []
    end = 0
    for mask in _MASK.finditer(text):
        if mask.start() > end:
            found.append(Piece(text[end : mask.start()]))
        found.append(Piece(mask.group(), mask.group(1)))
        end = mask.end()
    if end < len(text):
        found.append(Piece(text[end:]))
    return tuple(found)


def masked(events: Iterable[Event]) -> dict[str, int]:
    """How often each kind of entity is masked in ``events``, the most frequent first."""
    counts: Counter[str] = Counter()
    for event in events:
        for text in texts(event):
            counts.update(piece.entity for piece in pieces(text) if piece.entity)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def texts(event: Event) -> Iterator[str]:
    """Every redacted text of an event."""
    for field in redactable(event):
        yield from _texts(getattr(event, field))


def _texts(value: object) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
