"""Pieces of speech and their written form, aligned to the original characters."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What a piece of speech is."""

    WORD = "word"
    MARK = "mark"
    NUMBER = "number"
    LETTERS = "letters"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Part:
    """Written characters and where the original says them."""

    written: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of speech and its written form."""

    kind: Kind
    parts: tuple[Part, ...]
    certain: bool = True
    """For letters: spelled with an example word, or three or more in a row."""
    digits: str = field(init=False, repr=False, compare=False)
    """The decimal digits in it, in order."""

    def __post_init__(self) -> None:
        digits = "".join([c for part in self.parts for c in part.written if c.isdecimal()])
        object.__setattr__(self, "digits", digits)

    @property
    def start(self) -> int:
        return self.parts[0].start

    @property
    def end(self) -> int:
        return self.parts[-1].end

    @property
    def written(self) -> str:
        return "".join(part.written for part in self.parts)


@dataclass(frozen=True, slots=True)
class Heard:
    """``text`` is the written form; character ``i`` of it is said at ``offsets[i]`` of ``original``."""

    original: str
    text: str
    offsets: tuple[tuple[int, int], ...]
    pieces: tuple[Piece, ...]
    words: tuple[Piece, ...] = field(init=False)
    """The pieces that are not punctuation."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", tuple(p for p in self.pieces if p.kind is not Kind.MARK))

    def said_at(self, start: int, end: int) -> tuple[int, int]:
        """Where the original says ``text[start:end]``."""
        return self.offsets[start][0], self.offsets[end - 1][1]

    def written_at(self, start: int, end: int) -> str:
        """The written form of what the original says from ``start`` to ``end``."""
        parts = (
            part for piece in self.pieces for part in piece.parts if part.start < end and start < part.end
        )
        joined: list[str] = []
        last = start
        for part in parts:
            joined += " " * (part.start > last), part.written
            last = part.end
        return "".join(joined)

    def of_kind(self, kind: Kind) -> tuple[Piece, ...]:
        return tuple(piece for piece in self.pieces if piece.kind is kind)


@dataclass(frozen=True, slots=True)
class Found:
    """Characters ``start`` to ``end`` of the original are ``entity``."""

    entity: str
    start: int
    end: int
    score: float

    def within(self, spans: list[tuple[int, int]]) -> bool:
        return any(start <= self.start and self.end <= end for start, end in spans)
