"""A call's vault: a value has one placeholder, and comes back only where that placeholder was given out."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.redaction.spans import Span
from engines.vault import Refill, Vault, VaultClosedError

pytestmark = pytest.mark.unit

ENTITIES = ("CREDIT_CARD", "PERSON", "EMAIL_ADDRESS", "US_BANK_NUMBER", "LOYALTY")
VALUES = st.text(st.sampled_from("abcdefgh 0123456789@.-"), min_size=1, max_size=20).filter(
    lambda text: any(c.isalnum() for c in text)
)
AROUND = st.text(st.sampled_from("xyz [](),.:_CARD1NAME"), max_size=20)
PIECES = st.lists(st.tuples(AROUND, VALUES, st.sampled_from(ENTITIES)), max_size=6)


def said(pieces: list[tuple[str, str, str]], rest: str = "") -> tuple[str, list[Span]]:
    """A text, and where the values are in it."""
    text, spans = "", list[Span]()
    for around, value, entity in pieces:
        text += around
        spans.append(Span(len(text), len(text) + len(value), entity))
        text += value
    return text + rest, spans


def one_form_each(pieces: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Every value said in one way throughout: one placeholder brings back the words it was first said in."""
    forms: dict[tuple[str, str], str] = {}
    vault = Vault()
    return [
        (around, forms.setdefault((vault.put(entity, value), entity), value), entity)
        for around, value, entity in pieces
    ]


@given(PIECES, AROUND)
def test_what_was_masked_is_filled_as_it_was_said(pieces: list[tuple[str, str, str]], rest: str) -> None:
    vault = Vault()
    text, spans = said(one_form_each(pieces), rest)
    assert vault.fill(vault.masked(text, spans)) == text
    assert vault.unknown == set()


@given(PIECES, AROUND)
def test_nothing_of_a_value_is_left(pieces: list[tuple[str, str, str]], rest: str) -> None:
    vault = Vault()
    marked = [(around, f"q{value}q", entity) for around, value, entity in pieces]
    assert "q" not in vault.masked(*said(marked, rest))


@given(st.text(max_size=60), st.integers(1, 3))
def test_a_caller_who_says_a_placeholder_reads_no_value(words: str, number: int) -> None:
    vault = Vault()
    vault.put("CREDIT_CARD", "4111111111111111")
    text = f"{words}[CARD_{number}]{words}[CARD_1:last4]"
    shown = vault.masked(text, [])
    assert vault.fill(shown) == vault.aloud(shown) == text
    assert vault.fill_arguments({"said": shown}) == {"said": text}


@given(PIECES, st.integers(1, 9), st.data())
def test_a_stream_cut_anywhere_is_filled_as_if_it_were_whole(
    pieces: list[tuple[str, str, str]], cuts: int, data: st.DataObject
) -> None:
    vault = Vault()
    text = vault.masked(*said(pieces, " [CARD_7] [NAME"))
    places = sorted(data.draw(st.integers(0, len(text))) for _ in range(cuts))
    refill = Refill(vault.aloud)
    out = [refill.feed(text[a:b]) for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    assert "".join(out) + refill.end() == vault.aloud(text)


def test_words_are_not_held_back_but_for_the_beginning_of_a_placeholder() -> None:
    vault = Vault()
    vault.put("CREDIT_CARD", "4111 1111")
    refill = Refill(vault.aloud)
    assert [refill.feed(chunk) for chunk in ("It is [CA", "RD_1", "] [see", " below] [")] == [
        "It is ",
        "",
        "4 1 1 1, 1 1 1 1 [see",
        " below] ",
    ]
    assert refill.end() == "["


@pytest.mark.parametrize(
    "form", ["4111 1111", "four one one one, one one one one", "forty one eleven double one double one"]
)
def test_a_value_has_one_placeholder_however_it_is_said(form: str) -> None:
    vault = Vault()
    assert vault.put("CREDIT_CARD", "41111111") == vault.put("CREDIT_CARD", form) == "[CARD_1]"
    assert vault.put("CREDIT_CARD", "5500") == "[CARD_2]"
    assert vault.put("PERSON", "41111111") == "[NAME_1]"


def test_a_placeholder_that_a_model_made_up_is_left_and_counted() -> None:
    vault = Vault()
    assert vault.aloud("Hello [NAME_4].") == "Hello [NAME_4]."
    assert vault.fill_arguments(["[CARD_1]", "[CARD_2:last4]"]) == ["[CARD_1]", "[CARD_2:last4]"]
    assert vault.unknown == {"[NAME_4]", "[CARD_1]", "[CARD_2:last4]"}


def test_tools_are_given_values_as_they_are_written() -> None:
    vault = Vault()
    vault.put("CREDIT_CARD", "four one one one")
    vault.put("CREDIT_CARD", "two two three four")
    vault.put("EMAIL_ADDRESS", "m dot lopez at example dot com")
    arguments = {
        "card": "[CARD_1] [CARD_2]",
        "note": 'from [EMAIL_1]: "[CARD_1]"',
        "more": [{"inner": json.dumps({"card": "[CARD_2]"})}, 7, None, True],
    }
    assert vault.fill_arguments(arguments) == {
        "card": "41112234",
        "note": 'from m.lopez@example.com: "4111"',
        "more": [{"inner": '{"card": "2234"}'}, 7, None, True],
    }


def test_a_value_inside_json_stays_json() -> None:
    vault = Vault()
    assert json.loads(vault.fill_arguments(json.dumps({"name": vault.put("PERSON", 'Kim "Ace" Doe')}))) == {
        "name": 'Kim "Ace" Doe'
    }


def test_callers_hear_numbers_digit_by_digit_and_addresses_by_their_signs() -> None:
    vault = Vault()
    vault.put("CREDIT_CARD", "four one one one two two three four")
    vault.put("EMAIL_ADDRESS", "kim_doe@example.com")
    vault.put("PERSON", "Kim Doe")
    assert vault.aloud("[CARD_1], ending in [CARD_1:last4], [NAME_1] at [EMAIL_1]") == (
        "4 1 1 1, 2 2 3 4, ending in 2 2 3 4, Kim Doe at kim underscore doe at example dot com"
    )


def test_a_tool_result_keeps_its_structure() -> None:
    vault = Vault()
    result = {
        "customer": {"name": "Kim Doe", "since": 2019},
        "notes": ["call Kim Doe back", "[NAME_1]"],
        "ok": True,
    }
    redacted = {
        "customer": {"name": "<PERSON>", "since": 2019},
        "notes": ["call <PERSON> back", "[NAME_1]"],
        "ok": True,
    }
    shown = vault.masked_data(result, redacted)
    assert shown == {
        "customer": {"name": "[NAME_1]", "since": 2019},
        "notes": ["call [NAME_1] back", "[TEXT_1]"],
        "ok": True,
    }
    assert json.loads(vault.fill_data(json.dumps(shown))) == result


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("a b c", "something else"),
        ("Kim Doe", 7),
        ("Kim a Doe a", "<PERSON> a <PERSON>a"),
        ("KimDoe", "<PERSON><ADDRESS>"),
    ],
)
def test_what_cannot_be_followed_is_hidden_whole(text: str, redacted: object) -> None:
    vault = Vault()
    assert vault.masked_data(text, redacted) in ("[TEXT_1]", "[NAME_1] a [NAME_2]a")
    assert vault.fill(vault.masked_data(text, redacted)) == text


def test_what_a_model_wrote_keeps_its_placeholders_and_hides_the_rest() -> None:
    vault = Vault()
    vault.put("PERSON", "Kim Doe")
    text = "Hello [NAME_1] and [NAME_2], or 5550142"
    spans = [Span(6, 14, "PERSON"), Span(text.index("555"), len(text), "PHONE_NUMBER")]
    assert vault.masked(text, spans, ours=True) == "Hello [NAME_1] and [TEXT_1], or [PHONE_1]"


def test_a_vault_is_never_shown_copied_or_written() -> None:
    vault = Vault()
    vault.put("PERSON", "Kim Doe")
    assert repr(vault) == "<Vault of 1 value(s)>"
    for leave in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="stays in the memory of its call"):
            leave(vault)


def test_nothing_is_left_when_the_call_is_over() -> None:
    vault = Vault()
    shown = vault.put("PERSON", "Kim Doe")
    vault.wipe()
    assert (vault.fill(shown), len(vault)) == (shown, 0)
    with pytest.raises(VaultClosedError):
        vault.put("PERSON", "Kim Doe")
