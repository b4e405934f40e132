"""Joins the pieces of a spoken or written e-mail address: ``j o h n dot smith at gmail dot com``."""

from __future__ import annotations

from compliance.redaction import lexicon
from compliance.redaction.pieces import Kind, Part, Piece

_NEVER_LOCAL = frozenset(
    {
        "me",
        "us",
        "you",
        "it",
        "them",
        "him",
        "her",
        "is",
        "was",
        "look",
        "looking",
        "arrive",
        "arrived",
        "stay",
        "home",
    }
)
_SURE_DOMAINS = frozenset({"com", "net", "org"})
_MAX_NOISE = 2  # words a recogniser may put between spelled letters: "s m i t the age at"


def join_addresses(pieces: list[Piece], text: str) -> list[Piece]:
    """``pieces`` of ``text`` with every e-mail address made one piece. A domain without a name before it counts too."""
    joined: list[Piece] = []
    first: list[int] = []  # for each joined piece, the index in `pieces` where it begins
    i = 0
    while i < len(pieces):
        anchor = i + 1 if _is_at(pieces[i]) else i
        end = _domain_end(pieces, anchor, text)
        if end is None or (anchor == i and not _follows_spelling(pieces, i)):
            joined.append(pieces[i])
            first.append(i)
            i += 1
            continue
        start = _local_start(pieces, i, text)
        while first and first[-1] >= start:
            joined.pop()
            first.pop()
        joined.append(_address(pieces, start, i, anchor, end))
        first.append(start)
        i = end
    return joined


def _is_at(piece: Piece) -> bool:
    return piece.written in ("at", "@") and piece.kind in (Kind.WORD, Kind.MARK)


def _follows_spelling(pieces: list[Piece], i: int) -> bool:
    # The recogniser dropped the "at": believed only between a mail provider and what is no everyday word.
    if i == 0 or pieces[i].written not in lexicon.MAIL_PROVIDERS:
        return False
    before = pieces[i - 1]
    named = before.kind is Kind.WORD and before.written not in lexicon.EVERYDAY
    return before.kind in (Kind.LETTERS, Kind.NUMBER) or named


def _is_tight(piece: Piece, text: str) -> bool:
    """Whether no space surrounds a mark, as in ``gmail.com``."""
    before, after = text[piece.start - 1 : piece.start], text[piece.end : piece.end + 1]
    return bool(before and after) and not before.isspace() and not after.isspace()


def _is_dot(piece: Piece, text: str) -> bool:
    if piece.kind is Kind.MARK:
        return piece.written == "." and _is_tight(piece, text)
    return piece.kind is Kind.WORD and piece.written in ("dot", "point", "period")


def _domain_end(pieces: list[Piece], i: int, text: str) -> int | None:
    """The index after ``gmail dot com`` or ``example dot co dot uk`` that begins at ``i``; None if it is no domain."""
    if i >= len(pieces) or pieces[i].kind in (Kind.MARK, Kind.EMAIL):
        return None
    provider = pieces[i].written in lexicon.MAIL_PROVIDERS
    end = i + 1 if provider else None
    chunks = 1
    j = i + 1
    while j + 1 < len(pieces) and j < i + 10:
        piece, following = pieces[j], pieces[j + 1]
        if _is_dot(piece, text):
            known = following.written in (
                lexicon.TOP_LEVEL_DOMAINS if piece.written in ("dot", ".") else _SURE_DOMAINS
            )
            if known or (provider and end == i + 1 and following.kind is not Kind.MARK):
                end = j + 2
            elif following.kind is Kind.MARK:
                break
            j += 2
        elif end is None and chunks < 3 and piece.kind is not Kind.EMAIL:
            chunks += piece.kind is not Kind.MARK
            j += 1
        else:
            break
    if end is None and j < len(pieces) and pieces[j].written == "dotcom":
        end = j + 1
    elif provider and end == i + 1 and end < len(pieces) and pieces[end].written == "dotcom":
        end += 1
    return end


def _local_start(pieces: list[Piece], at: int, text: str) -> int:
    """The index where the name before ``at`` begins; ``at`` itself when there is none."""
    start = at
    joint = True
    words = 0
    j = at - 1
    while j >= 0:
        piece = pieces[j]
        if piece.kind is Kind.MARK:
            if piece.written not in ".,-_+'":
                break
            joint = joint or _is_tight(piece, text)
        elif piece.kind in (Kind.LETTERS, Kind.NUMBER) or (
            piece.kind is Kind.WORD and len(piece.written) == 1
        ):
            start, joint = j, False
        elif piece.kind is Kind.EMAIL:
            break
        elif piece.written in lexicon.ADDRESS_JOINTS:
            joint = True
        elif joint and not (j == at - 1 and piece.written in _NEVER_LOCAL):
            start, joint = j, False
            words += 1
        elif (spelled := _spelled_before(pieces, j)) is not None:
            start, joint, j = spelled, False, spelled
        elif piece.written not in lexicon.COMMON and words < 3:
            start, joint = j, False
            words += 1
        else:
            break
        j -= 1
    return start


def _spelled_before(pieces: list[Piece], i: int) -> int | None:
    for j in range(i - 1, max(i - 1 - _MAX_NOISE, -1), -1):
        if pieces[j].kind is Kind.LETTERS:
            return j
    return None


def _address(pieces: list[Piece], start: int, i: int, anchor: int, end: int) -> Piece:
    parts: list[Part] = []
    for j in range(start, end):
        piece = pieces[j]
        if j == i and anchor > i:
            parts.append(Part("@", piece.start, piece.end))
            continue
        if j == i:
            parts.append(Part("@", piece.start, piece.start))
        written = piece.written
        if piece.kind is Kind.WORD and written in lexicon.ADDRESS_JOINTS:
            parts.append(Part(lexicon.ADDRESS_JOINTS[written], piece.start, piece.end))
        elif piece.kind is Kind.WORD and written == "dotcom":
            parts.append(Part(".com", piece.start, piece.end))
        elif piece.kind is not Kind.MARK or written in "._-+":
            parts.extend(piece.parts)
    return Piece(Kind.EMAIL, tuple(parts))
