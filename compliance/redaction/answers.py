"""The part of an utterance that has the shape of an answer said in words: a name, an address, a date, an e-mail."""

from __future__ import annotations

from compliance.redaction import lexicon
from compliance.redaction.entities import Shape
from compliance.redaction.pieces import Heard, Kind, Piece

_LONGEST_PLAIN_ANSWER = 8
_LONGEST_NAME = 4
_LONGEST_ADDRESS = 14
_FEWEST_BITS = 4
_LEAST_DATE = 3
_AMBIGUOUS_MONTHS = frozenset({"may", "march"})


def words_of_answer(
    shape: Shape, heard: Heard, start: int, amounts: list[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Spans of the original, from character ``start`` on, that answer a question for something of ``shape``.

    ``amounts`` are numbers that answer nothing.
    """
    words = [p for p in heard.words if p.start >= start and (p.start, p.end) not in amounts]
    match shape:
        case Shape.DATE:
            return _date(words)
        case Shape.MAIL:
            return _spelled(words) + _jointed(words) + _unusual(words)
        case Shape.NAME:
            return _spelled(words) + _unusual(words)
        case Shape.PLACE:
            return _spelled(words) + (_place(words) or _unusual(words))
        case Shape.DIGITS:
            return []


def _spelled(words: list[Piece]) -> list[tuple[int, int]]:
    """Every spelled letter, even one alone: asked for a name, ``m q`` is part of it.

    Recognisers write spelled names as ``G EO R GI n a``: an answer that is mostly such bits is masked from the first to
    the last of them.
    """
    bits = [p for p in words if p.kind is Kind.LETTERS or (p.kind is Kind.WORD and len(p.written) <= 2)]
    told = [p for p in bits if len(p.written) != 2 or p.written not in lexicon.COMMON]
    if told and len(bits) >= _FEWEST_BITS and 2 * len(bits) > len(words):
        return [(told[0].start, told[-1].end)]
    return [
        (p.start, p.end)
        for p in bits
        if p.kind is Kind.LETTERS or (len(p.written) == 1 and (p.written not in "ai" or len(words) <= 2))
    ]


def _jointed(words: list[Piece]) -> list[tuple[int, int]]:
    """``john underscore smith``: the words on both sides of a joint, also when the utterance ends or begins with it."""
    spans = []
    for i, piece in enumerate(words):
        if piece.written in ("dot", "underscore", "dash", "hyphen", "at"):
            left = words[i - 1] if i and _may_be_part(words[i - 1]) else piece
            right = words[i + 1] if i + 1 < len(words) and _may_be_part(words[i + 1]) else piece
            if piece.written != "at" or (
                i + 1 < len(words) and words[i + 1].written in lexicon.MAIL_PROVIDERS
            ):
                spans.append((left.start, right.end))
    return spans


def _may_be_part(piece: Piece) -> bool:
    return piece.kind is not Kind.WORD or piece.written not in (
        "is",
        "it",
        "it's",
        "the",
        "then",
        "and",
        "my",
    )


def _is_unusual(piece: Piece) -> bool:
    return (
        piece.kind is Kind.WORD
        and len(piece.written) > 1
        and piece.written not in lexicon.COMMON
        and piece.written not in lexicon.FILLERS
        and piece.written not in lexicon.BACK_CHANNELS
    )


def _unusual(words: list[Piece]) -> list[tuple[int, int]]:
    """The words of a short answer that are not everyday words."""
    unusual = [p for p in words if _is_unusual(p)]
    if len(words) > _LONGEST_PLAIN_ANSWER or len(unusual) > _LONGEST_NAME:
        return []
    return [(p.start, p.end) for p in unusual]


def _place(words: list[Piece]) -> list[tuple[int, int]]:
    """From the first house number or unusual word to the last, when there is a number or a street word at all."""
    anchors = [p for p in words if p.kind in (Kind.NUMBER, Kind.LETTERS) or p.written in lexicon.STREET_WORDS]
    if not anchors:
        return []
    telling = [p for p in words if p in anchors or (_is_unusual(p) and len(words) <= _LONGEST_ADDRESS)]
    return [(telling[0].start, telling[-1].end)]


def _date(words: list[Piece]) -> list[tuple[int, int]]:
    dated = [
        p
        for i, p in enumerate(words)
        if _is_date_word(p)
        or (p.written in _AMBIGUOUS_MONTHS and any(_is_date_word(q) for q in words[max(0, i - 2) : i + 2]))
    ]
    weight = sum(len(p.digits) for p in dated) + 2 * sum(p.kind is Kind.WORD for p in dated)
    if not dated or (weight < _LEAST_DATE and len(dated) < len(words)):
        return []
    return [(dated[0].start, dated[-1].end)]


def _is_date_word(piece: Piece) -> bool:
    return (
        piece.kind is Kind.NUMBER
        or piece.written in lexicon.ORDINALS
        or piece.written in lexicon.MONTHS - _AMBIGUOUS_MONTHS
    )
