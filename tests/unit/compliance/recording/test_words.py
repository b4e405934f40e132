"""Which stretch of a segment's audio its masked words are in."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.heard import Segment, Word
from compliance.recording.words import masked_ms, timed_words

pytestmark = pytest.mark.unit


@dataclass(frozen=True)
class Span:
    start: int
    end: int
    entity: str = "NUMBER"


TEXT = "my card number is four one one one thanks"


def segment(text: str = TEXT, *, first_ms: float = 1000, word_ms: float = 250, **changed: object) -> Segment:
    """One word after the other."""
    words = tuple(
        Word(word, first_ms + number * word_ms, first_ms + (number + 1) * word_ms)
        for number, word in enumerate(text.split())
    )
    given = {
        "start_ms": first_ms,
        "end_ms": first_ms + len(words) * word_ms,
        "text": text,
        "confidence": 0.9,
        "words": words,
        **changed,
    }
    return Segment(**given)  # type: ignore[arg-type]


WHOLE = [(1000.0, 3250.0)]
CARD = [Span(18, 34)]


def test_a_span_is_where_its_words_are() -> None:
    assert masked_ms(segment(), CARD) == [(2000.0, 3000.0)]


def test_nothing_masked_is_nowhere() -> None:
    assert masked_ms(segment(words=()), []) == []


def test_half_a_word_is_the_whole_word() -> None:
    assert masked_ms(segment(), [Span(20, 21)]) == [(2000.0, 2250.0)]


def test_pauses_between_the_words_of_a_span_belong_to_it() -> None:
    times = [(1000, 1200), (1300, 1500), (4000, 4200)]
    words = tuple(
        Word(text, start, end) for text, (start, end) in zip(("it", "is", "five"), times, strict=True)
    )
    spoken = segment("it is five", words=words, end_ms=4200)
    assert masked_ms(spoken, [Span(3, 10)]) == [(1300, 4200)]


def test_punctuation_and_capitals_of_a_recogniser_are_no_words() -> None:
    spoken = segment("It is: 4111, right?", words=segment("It is 4111 right").words, end_ms=2000)
    assert masked_ms(spoken, [Span(7, 11)]) == [(1500.0, 1750.0)]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param((), id="none"),
        pytest.param(segment().words[:-1], id="too few at the end"),
        pytest.param(segment().words[1:], id="too few at the beginning"),
        pytest.param(segment().words[:4] + segment().words[5:], id="too few in the middle"),
        pytest.param(segment(TEXT.replace("four", "for")).words, id="other words"),
        pytest.param(segment().words[::-1], id="backwards"),
        pytest.param(tuple(Word(w.text, 1000, 1000) for w in segment().words), id="all the same"),
        pytest.param(tuple(Word(w.text, 1000, 3250) for w in segment().words), id="each the whole"),
        pytest.param(
            tuple(Word(w.text, w.start_ms / 100, w.end_ms / 100) for w in segment().words), id="outside"
        ),
        pytest.param(
            tuple(Word(w.text, w.start_ms + 9000, w.end_ms + 9000) for w in segment().words), id="later"
        ),
        pytest.param(
            tuple(Word(w.text, w.end_ms, w.start_ms) for w in segment().words), id="ends before it begins"
        ),
        pytest.param(tuple(Word(w.text, float("nan"), w.end_ms) for w in segment().words), id="no numbers"),
        pytest.param((*segment().words, Word("", 3200, 3250)), id="a word without letters"),
        pytest.param(
            tuple(Word(w.text, 1000 + n, 1001 + n) for n, w in enumerate(segment().words)),
            id="too quick to say",
        ),
    ],
)
def test_the_whole_segment_is_masked_where_word_times_are_missing_or_poor(words: tuple[Word, ...]) -> None:
    assert timed_words(segment(words=words)) is None
    assert masked_ms(segment(words=words), CARD) == WHOLE


def test_the_whole_segment_is_masked_when_a_span_touches_no_word() -> None:
    assert masked_ms(segment(), [*CARD, Span(90, 99)]) == WHOLE
    assert masked_ms(segment(), [Span(17, 18)]) == WHOLE


@given(
    st.lists(st.sampled_from(["a", "aa", "four", "one", "card", "o'clock"]), min_size=1, max_size=12),
    st.data(),
)
def test_every_word_that_a_span_touches_is_inside_of_what_is_masked(
    words: list[str], data: st.DataObject
) -> None:
    spoken = segment(" ".join(words))
    start = data.draw(st.integers(0, len(spoken.text) - 1))
    end = data.draw(st.integers(start + 1, len(spoken.text)))
    found = masked_ms(spoken, [Span(start, end)])
    at = 0
    for word, timed in zip(words, spoken.words, strict=True):
        if at < end and start < at + len(word):
            assert any(a <= timed.start_ms and timed.end_ms <= b for a, b in found)
        at += len(word) + 1
