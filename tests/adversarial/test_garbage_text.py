"""Whatever text arrives, redacting it never fails and no long number comes out."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compliance.redaction import REDACTION_FAILED, Redactor

pytestmark = pytest.mark.adversarial

_SAID = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
# Written and spoken rules of their own, not the normaliser's.
_LONG_WRITTEN = re.compile(r"(?:\d[\W_]{0,3}){6}\d")
_LONG_SPOKEN = re.compile(
    rf"(?:\b(?:{'|'.join(_SAID)})\b[\W_]{{1,3}}){{6}}\b(?:{'|'.join(_SAID)})\b", re.IGNORECASE
)
_KEPT = re.compile(r"(?:[$£€¥]|\d{4}[-/.]\d\d?[-/.]\d\d?|\d[\W_]{0,3}%)")

_words = st.sampled_from(
    [
        *_SAID, "double", "triple", "oh", "for", "to", "hundred", "thousand", "and", "uh", "at", "dot", "com", "gmail",
        "my", "card", "phone", "is", "name", "email", "a", "b", "m", "as", "in", "mike", "what", "?", ".", "@", "-",
        "4111", "2234", "9", "55", "john", "street", "sorry", "then",
    ]
)  # fmt: skip
_speech = st.lists(_words, max_size=30).map(" ".join)
_numbers = st.text(alphabet="0123456789٣５-., ()/_\n\u200b", max_size=40)
_text = st.one_of(st.text(max_size=80), _speech, _numbers)
_turn = st.tuples(st.sampled_from(["caller", "agent"]), _text)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=8,
)
_settings = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@_settings
@given(st.lists(_turn, min_size=1, max_size=4))
def test_no_conversation_makes_redaction_fail_or_leaves_a_long_number(turns) -> None:
    redactor = Redactor()
    for speaker, text in turns:
        result = redactor.redact_spoken(text, speaker=speaker)

        assert not result.failed, redactor.last_failure
        assert result.text != REDACTION_FAILED or text == REDACTION_FAILED
        if not _KEPT.search(result.text):
            assert not _LONG_WRITTEN.search(result.text)
            assert not _LONG_SPOKEN.search(result.text)


@_settings
@given(_json)
def test_no_json_value_makes_redaction_fail(value) -> None:
    redactor = Redactor()

    redactor.redact_data(value)

    assert redactor.last_failure is None


def test_a_text_that_no_record_can_hold_is_made_storable() -> None:
    assert Redactor().redact_spoken("hi \ud800 there", speaker="caller").text == "hi ? there"


def test_json_nested_without_end_is_withheld() -> None:
    value: object = "x"
    for _ in range(500):
        value = [value]

    assert Redactor().redact_data(value) == REDACTION_FAILED


@pytest.mark.parametrize(
    "text", ["4 " * 5000, "at gmail " * 2000, "a " * 5000, "@." * 5000, "my name is " * 1000]
)
def test_a_very_long_text_is_redacted(text: str) -> None:
    assert not Redactor().redact_spoken(text, speaker="caller").failed
