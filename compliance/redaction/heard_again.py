"""Words of a call that were heard a second time, by an engine: masked wherever the first hearing was.

The two differ, so what is masked is found by aligning them: an engine that heard "smyth" where the record has "smith"
is masked there too. And since a number heard wrong is still the caller's, no number, spelled word or address stays,
whoever named it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rapidfuzz.distance import Levenshtein

from compliance.redaction.entities import Entity
from compliance.redaction.pieces import Found, Heard, Kind, Piece
from compliance.redaction.spans import Span

_SCORE = 0.99
_ALWAYS = {Kind.NUMBER: Entity.NUMBER, Kind.LETTERS: Entity.SPELLED, Kind.EMAIL: Entity.EMAIL}


def found_again(first: Heard, masked: Sequence[Span], second: Heard) -> list[Found]:
    """What of the second hearing is masked because of the first.

    Args:
        first: what is on record.
        masked: of its original.
        second: the other hearing.
    """
    return [*_strict(second), *_aligned(first, masked, second)]


def _strict(heard: Heard) -> Iterator[Found]:
    for piece in heard.pieces:
        if (entity := _ALWAYS.get(piece.kind)) is not None:
            yield Found(entity, piece.start, piece.end, _SCORE)


def _aligned(first: Heard, masked: Sequence[Span], second: Heard) -> Iterator[Found]:
    ours, theirs = first.words, second.words
    changes = Levenshtein.opcodes([piece.written for piece in ours], [piece.written for piece in theirs])
    for same, parts in groupby(changes, key=lambda part: part.tag == "equal"):
        stretch = list(parts)
        mine = ours[stretch[0].src_start : stretch[-1].src_end]
        other = theirs[stretch[0].dest_start : stretch[-1].dest_end]
        if same:
            for one, again in zip(mine, other, strict=True):
                if (entity := _entity_at(one, masked)) is not None:
                    yield Found(entity, again.start, again.end, _SCORE)
        elif other:
            # Words that only the second hearing has lie inside what is masked when they lie between masked words.
            around = mine or ours[max(stretch[0].src_start - 1, 0) : stretch[0].src_start + 1]
            entities = [entity for one in around if (entity := _entity_at(one, masked)) is not None]
            if entities:
                yield Found(entities[0], other[0].start, other[-1].end, _SCORE)


def _entity_at(piece: Piece, masked: Sequence[Span]) -> str | None:
    return next((span.entity for span in masked if span.start < piece.end and piece.start < span.end), None)
