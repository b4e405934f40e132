"""What spoken text stands for: digits, spelled letters and e-mail addresses, aligned to the original characters.

``"four double one, m as in mike"`` is heard as ``"411, m"``. Every character of the written form knows which characters
of the original said it, so whatever is recognised in the written form is masked in the original.
"""

from __future__ import annotations

from compliance.redaction.addresses import join_addresses
from compliance.redaction.letters import letter_run
from compliance.redaction.numbers import number_run
from compliance.redaction.pieces import Heard, Kind, Part, Piece
from compliance.redaction.tokens import Token, tokens_of


def hear(text: str) -> Heard:
    """Reads ``text`` as speech."""
    pieces = join_addresses(_pieces(tokens_of(text)), text)
    written: list[str] = []
    offsets: list[tuple[int, int]] = []
    at = 0
    for piece in pieces:
        for i in range(at, piece.start):
            written.append(text[i])
            offsets.append((i, i + 1))
        for part in piece.parts:
            if piece.kind in (Kind.WORD, Kind.MARK):
                offsets.extend((i, i + 1) for i in range(part.start, part.end))
                written.append(text[part.start : part.end])
            else:
                written.append(part.written)
                offsets.extend((part.start, part.end) for _ in part.written)
        at = piece.end
    for i in range(at, len(text)):
        written.append(text[i])
        offsets.append((i, i + 1))
    return Heard(text, "".join(written), tuple(offsets), tuple(pieces))


def _pieces(tokens: list[Token]) -> list[Piece]:
    pieces: list[Piece] = []
    i = 0
    while i < len(tokens):
        found = number_run(tokens, i) or letter_run(tokens, i)
        if found is None:
            token = tokens[i]
            kind = Kind.MARK if token.is_mark else Kind.WORD
            found = Piece(kind, (Part(token.low, token.start, token.end),)), i + 1
        piece, i = found
        pieces.append(piece)
    return pieces
