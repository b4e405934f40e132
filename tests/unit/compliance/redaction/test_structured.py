"""JSON values that passed through a tool are masked and keep their structure."""

import json

import pytest

from compliance.redaction import Redactor

pytestmark = pytest.mark.unit


def test_fields_are_masked_by_their_names_and_the_rest_by_what_it_says(redactor: Redactor) -> None:
    value = {
        "orderId": 8053162,
        "customer": {"fullName": "Maria Lopez", "phone": 5550142778, "loyal": True, "since": None},
        "items": [{"name": "Washing machine", "price": 499.99, "qty": 1}],
        "shipping_address": {"line1": "12 Elm Street", "zip": "12345"},
        "note": "call 555 014 2778 about order 8053162",
    }

    assert redactor.redact_data(value) == {
        "orderId": 8053162,
        "customer": {"fullName": "<PERSON>", "phone": "<PHONE_NUMBER>", "loyal": True, "since": None},
        "items": [{"name": "Washing machine", "price": 499.99, "qty": 1}],
        "shipping_address": {"line1": "<ADDRESS>", "zip": "<ADDRESS>"},
        "note": "call <PHONE_NUMBER> about order 8053162",
    }


def test_json_inside_a_text_is_masked_as_json(redactor: Redactor) -> None:
    masked = redactor.redact_data(
        [{"type": "text", "text": json.dumps({"email": "a@example.com", "total": 12.5})}]
    )

    assert json.loads(masked[0]["text"]) == {"email": "<EMAIL_ADDRESS>", "total": 12.5}


def test_personal_keys_are_masked_and_stay_apart(redactor: Redactor) -> None:
    masked = redactor.redact_data({"a@example.com": 1, "b@example.com": 2})

    assert list(masked.values()) == [1, 2]
    assert all("example" not in key for key in masked)


def test_long_numbers_are_masked_as_numbers_and_as_text(redactor: Redactor) -> None:
    masked = redactor.redact_data(
        {"a": 4111111111111111, "b": "4111111111111111", "c": float("inf"), "d": 42}
    )

    assert masked == {"a": "<CREDIT_CARD>", "b": "<CREDIT_CARD>", "c": "inf", "d": 42}


def test_a_customer_record_teaches_the_names_of_the_call(redactor: Redactor) -> None:
    redactor.redact_data({"name": "Maria Lopez"})

    assert redactor.redact_spoken("how are you maria", speaker="agent").text == "how are you <PERSON>"
