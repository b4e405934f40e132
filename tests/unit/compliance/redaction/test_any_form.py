"""Whatever the form in which a value is said and however it is split, it is masked in full."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compliance.redaction import Redacted, RedactionEngine, Redactor
from compliance.redaction.entities import Entity

from .saying import ONES, TEENS, TENS, breaths, digits_said, numbers, spelled

pytestmark = pytest.mark.unit

SPOKEN = re.compile(
    rf"\b(?:oh|hundred|double|triple|{'|'.join((*ONES, *TEENS, *TENS[2:]))})\b|\d", re.IGNORECASE
)
QUESTIONS = {
    Entity.CREDIT_CARD: (16, "What is your card number?"),
    Entity.PHONE: (10, "Could I have a phone number for you?"),
    Entity.SSN: (9, "And your social security number, please."),
    Entity.ACCOUNT: (9, "What's the account number?"),
}
_settings = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def readable(results: list[Redacted]) -> list[str]:
    return [word for one in results for word in SPOKEN.findall(re.sub(r"<[^<>]*>", "", one.text))]


@_settings
@given(st.data(), st.sampled_from(sorted(QUESTIONS)))
def test_a_number_that_was_asked_for_is_masked_in_any_form_and_any_number_of_breaths(
    rules: RedactionEngine, data: st.DataObject, entity: Entity
) -> None:
    length, question = QUESTIONS[entity]
    said = data.draw(breaths(data.draw(numbers(length, "23456789"))))
    redactor = Redactor(rules)
    redactor.redact_spoken(question, speaker="agent")
    results = []
    for breath in said:
        results.append(redactor.redact_spoken(breath, speaker="caller"))
        redactor.redact_spoken(data.draw(st.sampled_from(["mhm", "okay", "go on"])), speaker="agent")

    assert readable(results) == [], said


@_settings
@given(st.data())
def test_a_number_that_nobody_asked_for_is_masked_when_it_is_said_at_once(
    rules: RedactionEngine, data: st.DataObject
) -> None:
    said = " ".join(data.draw(digits_said(data.draw(numbers(data.draw(st.integers(9, 16)), "23456789")))))

    assert (
        readable([Redactor(rules).redact_spoken(f"it is {said} if you want it", speaker="caller")]) == []
    ), said


@_settings
@given(st.data())
def test_a_card_of_the_customer_record_is_masked_in_any_form_without_a_question(
    rules: RedactionEngine, data: st.DataObject
) -> None:
    redactor = Redactor(rules)
    redactor.know(Entity.CREDIT_CARD, "4111 1111 1111 1111")
    said = " ".join(data.draw(digits_said("4111111111111111")))
    result = redactor.redact_spoken(f"you have {said} on file, right", speaker="agent")

    assert readable([result]) == []
    assert set(result.entities) == {Entity.CREDIT_CARD}


@_settings
@given(st.data(), st.sampled_from(["mesmer", "stambaum", "tennantes", "banbasset"]))
def test_a_name_of_the_customer_record_is_masked_said_and_spelled(
    rules: RedactionEngine, data: st.DataObject, name: str
) -> None:
    redactor = Redactor(rules)
    redactor.know(Entity.PERSON, f"Ada {name.title()}")
    form = data.draw(st.one_of(st.just(name), spelled(name)))
    result = redactor.redact_spoken(f"that parcel went to {form} yesterday", speaker="caller")

    assert re.sub(r"<[^<>]*>", "_", result.text) == "that parcel went to _ yesterday"


@pytest.mark.parametrize(
    ("entity", "written", "said"),
    [
        (Entity.EMAIL, "m.lopez42@example.com", "m dot lopez forty two at example dot com"),
        (Entity.EMAIL, "m.lopez42@example.com", "em dot lopez four two at example dot com"),
        (Entity.EMAIL, "johnsmith@example.com", "john smith at example dot com"),
        (Entity.ADDRESS, "12 Elm Street, Springfield", "twelve elm street springfield"),
        (Entity.ADDRESS, "SW1A 2AA", "s w one a two double a"),
        (Entity.BIRTH, "1985-03-04", "the fourth of march nineteen eighty five"),
        (Entity.BIRTH, "1985-03-04", "march fourth eighty five"),
        (Entity.BIRTH, "1985-03-21", "twenty first of march nineteen eighty five"),
        (Entity.BIRTH, "04/03/1985", "oh four oh three nineteen eighty five"),
        (Entity.BIRTH, "4 March 2005", "march the fourth two thousand five"),
        (Entity.PHONE, "+1 (555) 014-2778", "five five five zero one four two double seven eight"),
        (Entity.PERSON, "Ada Lovelace", "lovelace"),
        (Entity.SSN, "123-45-6789", "ending in sixty seven eighty nine"),
    ],
)
def test_what_a_record_holds_is_masked_as_it_is_said(
    redactor: Redactor, entity: Entity, written: str, said: str
) -> None:
    redactor.know(entity, written)
    left = re.sub(r"<[^<>]*>", "", redactor.redact_spoken(f"hm, {said}", speaker="agent").text)

    assert set(re.findall(r"\w+", left)) <= {"hm", "at", "dot", "com", "example", "the", "of", "ending", "in"}


utterances = st.lists(
    st.tuples(
        st.sampled_from(["caller", "agent"]),
        st.one_of(
            st.text(max_size=60),
            st.lists(
                st.sampled_from(
                    ["my", "card", "is", "four", "one", "double", "oh", "maria", "at", "gmail", "dot", "com", "m",
                     "as", "in", "mike", "12", "elm", "street", "march", "what", "name", "?", "<PERSON>", "pin"]
                ),
                max_size=14,
            ).map(" ".join),
        ),
    ),
    min_size=1,
    max_size=4,
)  # fmt: skip


@_settings
@given(utterances)
def test_spans_lie_in_the_original_in_order_and_are_what_was_replaced(
    rules: RedactionEngine, said: list[tuple[str, str]]
) -> None:
    redactor = Redactor(rules)
    for speaker, text in said:
        result = redactor.redact_spoken(text, speaker=speaker)  # type: ignore[arg-type] # one of the two
        ends = [0, *(edge for span in result.spans for edge in (span.start, span.end)), len(text)]
        kept = [text[a:b] for a, b in zip(ends[::2], ends[1::2], strict=True)]

        assert ends == sorted(ends)
        assert all(span.start < span.end for span in result.spans)
        assert tuple(span.entity for span in result.spans) == result.entities
        labels = [f"<{entity}>" for entity in result.entities]
        assert result.text == "".join(a + b for a, b in zip(kept, [*labels, ""], strict=True))


@_settings
@given(utterances)
def test_what_is_redacted_stays_as_it_is_when_it_is_redacted_again(
    rules: RedactionEngine, said: list[tuple[str, str]]
) -> None:
    for _, text in said:
        once = Redactor(rules).redact_spoken(text, speaker="caller").text

        assert Redactor(rules).redact_spoken(once, speaker="caller").text == once
