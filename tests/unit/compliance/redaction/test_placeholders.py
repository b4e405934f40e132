"""Which models see placeholders, as a redaction policy says."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from compliance.redaction.placeholders import Placeholders
from compliance.redaction.policy import RedactionPolicy
from compliance.redaction.schema import schema
from policies import DocumentError, shipped

pytestmark = pytest.mark.unit

HEAD = """redaction: {name: a, version: 1}
entities: {PERSON: {action: mask}, ORDER_NUMBER: {action: keep}, LOYALTY: {action: mask}}
deny: [{entity: LOYALTY, words: [gold]}]
"""


def read(value: str) -> Placeholders:
    return RedactionPolicy.parse(f"{HEAD}placeholders: {value}\n", file="r.yaml").placeholders


def test_no_model_sees_placeholders_unless_a_policy_says_so() -> None:
    for policy in (RedactionPolicy.parse(HEAD), RedactionPolicy.load(shipped("redaction.yaml"))):
        assert not policy.placeholders.covers("standard")
        assert not policy.placeholders.demanded


def test_the_engines_listed_see_them_for_everything_that_is_masked() -> None:
    wanted = read("{engines: [standard]}")
    assert (wanted.covers("standard"), wanted.covers("realtime"), wanted.demanded) == (True, False, False)
    assert wanted.hides("PERSON")
    assert wanted.hides("IBAN_CODE")
    assert wanted.when_lost == "withhold"


def test_all_engines_are_all_that_there_will_ever_be() -> None:
    wanted = read("{engines: all, entities: [CREDIT_CARD, LOYALTY], when_lost: other_engine}")
    assert (wanted.covers("anything"), wanted.demanded, wanted.when_lost) == (True, True, "other_engine")
    assert [name for name in ("CREDIT_CARD", "LOYALTY", "PERSON") if wanted.hides(name)] == [
        "CREDIT_CARD",
        "LOYALTY",
    ]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("{entities: [PERSON]}", "r.yaml:4:15: `engines` is missing"),
        ("{engines: every}", "r.yaml:4:25: must be `all` or a list of engines"),
        ("{engines: []}", "r.yaml:4:25: must name at least one engine"),
        ("{engines: all, entities: []}", "r.yaml:4:40: must name at least one entity"),
        ("{engines: all, entities: [PERSO]}", "unknown entity 'PERSO', did you mean 'PERSON'?"),
        ("{engines: all, entities: [ORDER_NUMBER]}", "ORDER_NUMBER is kept on record, so nothing finds it"),
        ("{engines: all, when_lost: guess}", "unknown choice 'guess'"),
        ("{engine: all}", "unknown key 'engine', did you mean 'engines'?"),
    ],
)
def test_a_mistake_is_told_with_its_place(value: str, problem: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read(value)
    assert problem in str(caught.value)


def test_the_schema_knows_the_key() -> None:
    policy = {"redaction": {"name": "a", "version": 1}, "entities": {}}
    valid = Draft202012Validator(schema()).is_valid
    assert valid(
        {**policy, "placeholders": {"engines": "all", "entities": ["PERSON"], "when_lost": "withhold"}}
    )
    assert valid({**policy, "placeholders": {"engines": ["tool"]}})
    assert not valid({**policy, "placeholders": {"engines": "tool"}})
    assert not valid({**policy, "placeholders": {"entities": ["PERSON"]}})


def test_the_digest_changes_with_it_and_not_with_its_place() -> None:
    plain = RedactionPolicy.parse(HEAD)
    hidden = RedactionPolicy.parse(f"{HEAD}placeholders: {{engines: [a, b]}}\n")
    moved = RedactionPolicy.parse(f"placeholders: {{engines: [b, a]}}\n{HEAD}")
    assert plain.digest != hidden.digest == moved.digest
