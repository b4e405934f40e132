"""What stands in the place of a value, by the policy's choice."""

from __future__ import annotations

import re

import pytest

from compliance.redaction import RedactionEngine, RedactionPolicy, Redactor
from compliance.redaction.entities import Entity
from compliance.redaction.masks import Masks
from compliance.redaction.names import NoNames

pytestmark = pytest.mark.unit

POLICY = RedactionPolicy.parse(
    """
redaction: {name: all-four, version: 1}
entities:
  PERSON: {action: surrogate}
  CREDIT_CARD: {action: keep_last_4}
  PHONE_NUMBER: {action: keep_last_4}
  EMAIL_ADDRESS: {action: hash}
  ORDER_NUMBER: {action: mask}
  LOYALTY_NUMBER: {action: mask}
  IBAN_CODE: {action: keep_last_4}
deny:
  - {entity: LOYALTY_NUMBER, pattern: 'l ?y[- ]?[0-9]{6}'}
  - {entity: PERSON, words: [Project Heron]}
allow: ["0800 555 0199", Ada Support]
"""
)


@pytest.fixture(scope="module")
def engine() -> RedactionEngine:
    return RedactionEngine(POLICY, names=NoNames())


@pytest.fixture
def redactor(engine: RedactionEngine) -> Redactor:
    return Redactor(engine)


def said(redactor: Redactor, text: str) -> str:
    return redactor.redact_spoken(text, speaker="caller").text


def test_a_person_has_the_same_number_throughout_a_call(redactor: Redactor) -> None:
    assert said(redactor, "my name is maria lopez") == "my name is <PERSON_1>"
    assert said(redactor, "my husband's name is karl weber") == "my husband's name is <PERSON_2>"
    assert said(redactor, "lopez with a z") == "<PERSON_1> with a z"
    assert said(redactor, "karl told me") == "<PERSON_2> told me"


def test_the_numbers_of_persons_end_with_the_call(redactor: Redactor) -> None:
    said(redactor, "my name is maria lopez")
    redactor.forget()

    assert said(redactor, "my name is karl weber") == "my name is <PERSON_1>"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("four one one one one one one one one one one one double one double one", "<CREDIT_CARD-1111>"),
        ("4111 1111 1111 1112", "<CREDIT_CARD>"),
        ("four one one one one one one one", "<CREDIT_CARD>"),
        ("five five five zero one four two seven seven eight", "<PHONE_NUMBER-2778>"),
    ],
)
def test_the_last_four_are_kept_of_a_whole_number_only(redactor: Redactor, text: str, kept: str) -> None:
    entity = Entity.PHONE if "PHONE" in kept else Entity.CREDIT_CARD
    redactor.expect(entity)

    assert said(redactor, text) == kept


def test_of_a_card_said_in_two_breaths_no_digit_is_kept(redactor: Redactor) -> None:
    redactor.expect(Entity.CREDIT_CARD)

    assert said(redactor, "four one one one one one one one") == "<CREDIT_CARD>"
    assert said(redactor, "one one one one one one one one") == "<CREDIT_CARD>"


def test_a_hash_is_the_same_for_the_same_value_in_any_form_under_one_key_only(
    engine: RedactionEngine,
) -> None:
    def masked(key: bytes | None, text: str) -> str:
        found = re.search(r"<[^<>]+>", said(Redactor(engine, key=key), text))
        assert found
        return found.group()

    spoken, written = "write to m dot lopez at example dot com", "write to m.lopez@example.com"
    one = masked(b"k" * 32, spoken)

    assert re.fullmatch(r"<EMAIL_ADDRESS#[a-z]{10}>", one)
    assert masked(b"k" * 32, written) == one
    assert masked(b"l" * 32, spoken) != one
    assert masked(None, spoken) != masked(None, spoken)


def test_nobody_reads_the_key_in_the_text_of_an_object() -> None:
    assert "kkkk" not in repr(Masks(POLICY, b"k" * 32))


def test_denied_words_and_patterns_are_masked_however_they_are_said(redactor: Redactor) -> None:
    assert said(redactor, "it is LY-123456") == "it is <LOYALTY_NUMBER>"
    assert said(redactor, "it is l y one two three four five six") == "it is <LOYALTY_NUMBER>"
    assert said(redactor, "what about project heron") == "what about <PERSON_1>"


def test_what_is_allowed_is_kept_however_it_is_said(redactor: Redactor) -> None:
    for text in ("call oh eight hundred five five five oh one nine nine", "my name is ada support"):
        assert said(redactor, text) == text


def test_an_order_number_is_masked_where_the_policy_says_so(redactor: Redactor) -> None:
    redactor.redact_spoken("What is your order number?", speaker="agent")

    assert said(redactor, "eight zero five three one six two") == "<ORDER_NUMBER>"
    assert redactor.redact_data({"order_id": "8053162"}) == {"order_id": "<ORDER_NUMBER>"}


def test_fields_of_a_tool_are_masked_by_the_same_actions(redactor: Redactor) -> None:
    masked = redactor.redact_data(
        {"name": "Maria Lopez", "phone": "555 014 2778", "card": "4111111111111111"}
    )

    assert masked == {"name": "<PERSON_1>", "phone": "<PHONE_NUMBER-2778>", "card": "<CREDIT_CARD-1111>"}
    assert said(redactor, "lopez here") == "<PERSON_1> here"


def test_a_pattern_without_end_withholds_the_text_it_hangs_on() -> None:
    slow = RedactionPolicy.parse(
        "redaction: {name: slow, version: 1}\nentities: {PERSON: {action: mask}}\n"
        "deny: [{entity: PERSON, pattern: '(a|aa)+$'}]\n"
    )
    redactor = Redactor(RedactionEngine(slow, names=NoNames()))

    assert redactor.redact_spoken("a" * 80 + "b", speaker="caller").failed
    assert redactor.last_failure == "TimeoutError"


def test_a_recogniser_of_another_language_is_used_when_the_policy_lists_it() -> None:
    policy = RedactionPolicy.parse(
        "redaction: {name: es, version: 1}\nlanguages: [en, es]\nentities: {ES_NIF: {action: mask}}\n"
    )
    redactor = Redactor(RedactionEngine(policy, names=NoNames()))

    assert said(redactor, "mi dni es 12345678Z") == "mi dni es <ES_NIF>"
