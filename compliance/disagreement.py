"""How far two hearings of the same words agree: the record's recogniser and an engine's own.

Words are compared as they are meant, not as they are written: "four four one" and "441" are the same. They are aligned
with the fewest changes (Levenshtein), and the word error rate takes the record as the reference, which is a convention:
either may be wrong.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import groupby

from rapidfuzz.distance import Levenshtein

from compliance.redaction.spoken import hear

_MOST_WORDS = 2000
"""Alignment takes time that grows with the square; no turn is this long."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A stretch that was heard in two ways; one side is empty where only the other heard something."""

    record: str
    engine: str


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two hearings of one turn, aligned.

    Attributes:
        words: of the record.
        substituted, inserted, deleted: words of the engine's hearing against the record's.
        differences: in the order they were said.
    """

    words: int
    substituted: int
    inserted: int
    deleted: int
    differences: tuple[Difference, ...]

    @property
    def word_error_rate(self) -> float:
        """Wrong words per word of the record; above 1 when the engine heard much that the record has not."""
        return (self.substituted + self.inserted + self.deleted) / max(1, self.words)


def compare(record: str, engine: str) -> Disagreement:
    """Align what an engine heard with what is on record.

    >>> compare("my order is four four one", "my order is 449").differences
    (Difference(record='441', engine='449'),)
    """
    ours, theirs = _words(record)[:_MOST_WORDS], _words(engine)[:_MOST_WORDS]
    changed = Counter(change.tag for change in Levenshtein.editops(ours, theirs))
    differences = []
    for same, parts in groupby(Levenshtein.opcodes(ours, theirs), key=lambda part: part.tag == "equal"):
        if not same:  # changes that follow one another are one stretch
            stretch = list(parts)
            first, last = stretch[0], stretch[-1]
            differences.append(
                Difference(
                    " ".join(ours[first.src_start : last.src_end]),
                    " ".join(theirs[first.dest_start : last.dest_end]),
                )
            )
    return Disagreement(
        len(ours), changed["replace"], changed["insert"], changed["delete"], tuple(differences)
    )


def _words(text: str) -> list[str]:
    return [piece.written.replace("’", "'") for piece in hear(text).words]
