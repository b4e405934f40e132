"""Judging: what counts as masked to the last character, and what as masked too much."""

import pytest

from compliance.redaction import Redacted, Redactor
from compliance.redaction.evaluation.trial import Line, Measure, Trial, covers, judge
from compliance.redaction.spans import Span
from compliance.redaction.training.utterance import Mark

pytestmark = pytest.mark.unit

CARD = "my card is 4111 1111 1111 1111"


def test_one_digit_that_is_left_is_a_miss() -> None:
    mark = Mark(11, 30, "CREDIT_CARD")
    assert covers(Redacted("", spans=(Span(11, 30, "CREDIT_CARD"),)), CARD, mark)
    assert not covers(Redacted("", spans=(Span(11, 29, "CREDIT_CARD"),)), CARD, mark)


def test_parts_count_together_and_spaces_between_them_tell_nothing() -> None:
    parts = tuple(Span(at, at + 4, "NUMBER") for at in (11, 16, 21, 26))
    assert covers(Redacted("", spans=parts), CARD, Mark(11, 30, "CREDIT_CARD"))
    assert not covers(Redacted("", spans=parts[:3]), CARD, Mark(11, 30, "CREDIT_CARD"))


def test_a_text_that_was_withheld_tells_nothing() -> None:
    assert covers(Redacted("[REDACTION_FAILED]", failed=True), CARD, Mark(11, 30, "CREDIT_CARD"))


def test_a_call_is_judged_line_by_line_in_one_session() -> None:
    said = "four one one one"
    lines = (
        Line("agent", "What is your card number?"),
        Line("caller", said, (Mark(0, len(said), "CREDIT_CARD"),)),
        Line("agent", "mm hmm"),
        Line("caller", said, (Mark(0, len(said), "CREDIT_CARD"),)),
    )
    outcomes = list(judge(Trial(Measure.BREATHS, "CREDIT_CARD", lines), Redactor()))
    assert [outcome.hit for outcome in outcomes] == [True, True]


def test_of_a_line_to_be_kept_any_mask_is_too_much() -> None:
    lines = (Line("caller", "the fee was ninety five dollars", keep=True), Line("caller", CARD, keep=True))
    outcomes = judge(Trial(Measure.NOTHING_PERSONAL, "bank", lines), Redactor())
    assert [outcome.hit for outcome in outcomes] == [False, True]


def test_each_entity_of_a_line_is_an_outcome() -> None:
    text = f"{CARD} a@example.com"
    marks = (Mark(11, 30, "CREDIT_CARD"), Mark(31, len(text), "EMAIL_ADDRESS"))
    outcomes = judge(Trial(Measure.STRUCTURED, "", (Line("caller", text, marks),)), Redactor())
    assert [(outcome.part, outcome.hit) for outcome in outcomes] == [
        ("CREDIT_CARD", True),
        ("EMAIL_ADDRESS", True),
    ]
