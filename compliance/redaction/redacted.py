"""A text after redaction, and long texts read in parts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from compliance.redaction.spans import Span

_LONGEST = 2_000
"""Characters read at once: minutes of speech, and far more than anybody says in one breath."""
_END_OF_SENTENCE = re.compile(r"[.?!]\s")
_SPACE = re.compile(r"\s")


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text with personal data replaced.

    Attributes:
        text: what is kept.
        entities: what was replaced, in order.
        failed: whether the whole text was withheld.
        spans: what of the original was replaced, in its offsets, in order and without overlaps; empty when it failed.
    """

    text: str
    entities: tuple[str, ...] = ()
    failed: bool = False
    spans: tuple[Span, ...] = ()


def parts_of(text: str) -> Iterator[str]:
    """``text`` cut after a sentence, or between two words, so that no part is too long; joined they are ``text``."""
    start = 0
    while len(text) - start > _LONGEST:
        window = text[start : start + _LONGEST]
        cuts = [m.end() for m in _END_OF_SENTENCE.finditer(window)] or [
            m.end() for m in _SPACE.finditer(window)
        ]
        end = start + (cuts[-1] if cuts else _LONGEST)
        yield text[start:end]
        start = end
    yield text[start:]


def joined(originals: Sequence[str], parts: Sequence[Redacted]) -> Redacted:
    """The parts of one text as one."""
    if len(parts) == 1:
        return parts[0]
    spans: list[Span] = []
    at = 0
    for original, part in zip(originals, parts, strict=True):
        spans += (replace(span, start=span.start + at, end=span.end + at) for span in part.spans)
        at += len(original)
    return Redacted("".join(p.text for p in parts), tuple(span.entity for span in spans), False, tuple(spans))
