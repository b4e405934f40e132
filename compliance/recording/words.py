"""Where in the audio of a segment its masked words are.

The redactor masks characters of the text, the recogniser times its words: this lays one on the other. Wherever that is
not certain, the answer is the whole segment.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from compliance.heard import Segment

_OUTSIDE_MS = 100.0
"""Recognisers round the ends of segments and of words differently."""
_OVERLAP_MS = 50.0
_SHORTEST_WORD_MS = 20.0
"""Words that are on average shorter than this were not timed, only numbered."""


class Span(Protocol):
    """Something that was masked: ``[start, end)`` in characters of the text as it was said, and its entity."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def entity(self) -> str: ...


class TimedWord(NamedTuple):
    """A word in characters of its segment's text, and in milliseconds of the call."""

    start: int
    end: int
    start_ms: float
    end_ms: float


def masked_ms(segment: Segment, spans: Sequence[Span]) -> list[tuple[float, float]]:
    """When ``spans`` of the segment's text were said: from when to when, in milliseconds of the call.

    What was said between the first and the last word of a span is part of it. The whole segment when its word times
    are missing or poor, or a span touches no word.
    """
    if not spans:
        return []
    whole = [(segment.start_ms, segment.end_ms)]
    words = timed_words(segment)
    if words is None:
        return whole
    found = []
    for span in spans:
        said = [word for word in words if word.start < span.end and span.start < word.end]
        if not said:
            return whole
        found.append((said[0].start_ms, max(word.end_ms for word in said)))
    return found


def spoken_ms(segment: Segment) -> list[tuple[float, float]]:
    """When each word of the segment was said; the whole segment where word times are missing or poor."""
    words = timed_words(segment)
    if words is None:
        return [(segment.start_ms, segment.end_ms)]
    return [(word.start_ms, word.end_ms) for word in words]


def timed_words(segment: Segment) -> tuple[TimedWord, ...] | None:
    """The words of a segment where its text has them; None unless every word has a time that can be believed.

    Times are poor when a word of the text has none, when they run backwards, lie outside of the segment, overlap, are
    no numbers, or leave a word no time to be said in.
    """
    found: list[TimedWord] = []
    at = 0
    for word in segment.words:
        start = segment.text.find(word.text, at) if word.text else -1
        if start < 0 or _has_word(segment.text[at:start]):
            return None
        at = start + len(word.text)
        found.append(TimedWord(start, at, word.start_ms, word.end_ms))
    if not found or _has_word(segment.text[at:]) or not _plausible(found, segment):
        return None
    return tuple(found)


def _has_word(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _plausible(words: Sequence[TimedWord], segment: Segment) -> bool:
    before_ms = segment.start_ms - _OUTSIDE_MS
    after_ms = segment.end_ms + _OUTSIDE_MS
    since_ms = before_ms
    for word in words:
        if not (math.isfinite(word.start_ms) and math.isfinite(word.end_ms)):
            return False
        if not max(before_ms, since_ms - _OVERLAP_MS) <= word.start_ms < word.end_ms <= after_ms:
            return False
        since_ms = word.end_ms
    # A recogniser that has no times of words gives each of them the same, or spreads them over nothing.
    return words[-1].end_ms - words[0].start_ms >= _SHORTEST_WORD_MS * len(words)
