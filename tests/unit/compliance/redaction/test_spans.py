"""Where several entities were found, each character belongs to one, and none is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.redaction.pieces import Found
from compliance.redaction.spans import Span, resolved

pytestmark = pytest.mark.unit

TEXT = "one two three four five six"


def test_of_two_that_overlap_the_surer_keeps_its_characters() -> None:
    assert resolved("abcdefgh", [Found("A", 0, 5, 0.5), Found("B", 3, 8, 0.9)]) == (
        Span(0, 3, "A"),
        Span(3, 8, "B"),
    )


def test_one_inside_another_disappears_in_it_unless_it_is_surer() -> None:
    outer = Found("ADDRESS", 0, 13, 0.8)

    assert resolved(TEXT, [outer, Found("PERSON", 4, 7, 0.5)]) == (Span(0, 13, "ADDRESS"),)
    assert [s.entity for s in resolved(TEXT, [outer, Found("PERSON", 4, 7, 0.9)])] == [
        "ADDRESS",
        "PERSON",
        "ADDRESS",
    ]


def test_what_may_never_be_revealed_keeps_its_name() -> None:
    spans = resolved(TEXT, [Found("ADDRESS", 0, 13, 1.0), Found("CREDIT_CARD", 4, 7, 0.4)])

    assert Span(4, 7, "CREDIT_CARD") in spans


def test_neighbours_of_one_kind_are_one() -> None:
    assert resolved("a, b", [Found("A", 0, 1, 1), Found("A", 3, 4, 1)]) == (Span(0, 4, "A"),)


@given(
    st.lists(
        st.builds(
            lambda entity, start, length, score: Found(entity, start, min(start + length, len(TEXT)), score),
            st.sampled_from(["PERSON", "ADDRESS", "CREDIT_CARD", "NUMBER"]),
            st.integers(0, len(TEXT) - 1),
            st.integers(1, 12),
            st.sampled_from([0.4, 0.6, 0.9]),
        ),
        max_size=6,
    )
)
def test_every_letter_that_was_found_is_covered_once(found: list[Found]) -> None:
    spans = resolved(TEXT, found)
    covered = [i for span in spans for i in range(span.start, span.end)]

    assert covered == sorted(set(covered))
    wanted = {i for f in found for i in range(f.start, f.end) if TEXT[i].isalnum()}
    assert wanted <= set(covered)
