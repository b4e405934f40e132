"""Redaction policies: what they say, and every way in which one may be wrong."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from compliance.redaction import RedactionPolicy
from compliance.redaction.entities import Entity
from compliance.redaction.policy import Rule
from compliance.redaction.schema import schema
from compliance.redaction.traits import NAMED, OURS, STOCK, Action, traits_of
from policies import Document, DocumentError, shipped
from service.cli.redaction.schema import schema_text

pytestmark = pytest.mark.unit

HEAD = "redaction: {name: mine, version: 3}\n"
ENTITIES = "entities:\n  PERSON: {action: surrogate}\n"


def parsed(text: str) -> RedactionPolicy:
    return RedactionPolicy.parse(HEAD + text, file="mine.yaml")


def problems(text: str) -> list[str]:
    with pytest.raises(DocumentError) as raised:
        parsed(text)
    return str(raised.value).splitlines()


# -- what ships ---------------------------------------------------------------------------------------------
def test_the_shipped_policy_masks_all_but_order_numbers() -> None:
    policy = RedactionPolicy.load(shipped("redaction.yaml"))

    assert {name for name in OURS if policy.rule(name).action is not Action.MASK} == {Entity.ORDER}
    assert set(OURS) <= set(policy.entities)


def test_no_policy_can_reveal_a_card_or_what_opens_it() -> None:
    policy = RedactionPolicy.default()

    assert not any(policy.may_reveal(entity) for entity in (Entity.CREDIT_CARD, Entity.CVV, Entity.PIN))
    assert not any(policy.may_reveal(entity) for entity in policy.entities)  # unless it says so


def test_a_policy_is_plain_data_that_another_process_can_have() -> None:
    policy = RedactionPolicy.default()

    assert pickle.loads(pickle.dumps(policy)) == policy  # noqa: S301 # our own


def test_the_digest_is_of_what_is_said_and_not_of_how() -> None:
    policy = parsed(ENTITIES)

    assert parsed("# a comment\n" + ENTITIES).digest == policy.digest
    assert parsed(ENTITIES.replace("surrogate", "hash")).digest != policy.digest


# -- what it says -------------------------------------------------------------------------------------------
def test_a_policy_with_everything() -> None:
    policy = parsed(
        """
languages: [en, es]
ner: {spacy: en_core_web_lg}
failover: ours
entities:
  PERSON: {action: surrogate, reveal: false, because: we never call back}
  CREDIT_CARD: {action: keep_last_4}
  ES_NIF: {action: hash}
  LOCATION: {action: mask}
  LOYALTY_NUMBER: {action: mask}
deny:
  - {entity: LOYALTY_NUMBER, pattern: 'ly-?[0-9]{6}', because: ours have letters}
  - {entity: PERSON, words: [Falconbridge]}
allow: [0800 555 0199]
"""
    )

    assert policy.rule("PERSON") == Rule(Action.SURROGATE, reveal=False, because="we never call back")
    assert policy.rule("US_SSN") == Rule(Action.MASK)
    assert policy.languages == ("en", "es")
    assert (policy.ner, policy.failover) == ({"spacy": "en_core_web_lg"}, "ours")
    assert [d.entity for d in policy.deny] == ["LOYALTY_NUMBER", "PERSON"]
    assert policy.looks_for("US_SSN")
    assert policy.looks_for("ES_NIF")
    assert not policy.looks_for("UK_NHS")


# -- what is wrong ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "entities:\n  CVV: {action: mask, reveal: true}\n",
            "3:31: CVV, the security code of a card, is never",
        ),
        (
            "entities:\n  CREDIT_CARD: {action: mask, reveal: true}\n",
            "3:39: CREDIT_CARD, the number of a payment",
        ),
        ("entities:\n  CVV: {action: hash}\n", "3:17: `hash` is not possible for CVV, the security code"),
        (
            "entities:\n  PERSON: {action: keep_last_4}\n",
            "3:20: `keep_last_4` is not possible for PERSON, a person's",
        ),
        ("entities:\n  PERSON: {action: keep}\n", "3:20: `keep` is not possible for PERSON"),
        ("entities:\n  PERSN: {action: mask}\n", "3:3: unknown entity 'PERSN', did you mean 'PERSON'?"),
        ("entities:\n  PERSON: {action: masc}\n", "3:20: unknown action 'masc', did you mean 'mask'?"),
        ("entities:\n  PERSON: {}\n", "3:11: `action` is missing"),
        (
            "entities:\n  PERSON: {action: mask, revel: true}\n",
            "3:26: unknown key 'revel', did you mean 'reveal'?",
        ),
        ("entities:\n  ES_NIF: {action: mask}\n", "3:3: is written in `es`, which is not among `languages`"),
        ("languages: [es]\n" + ENTITIES, "2:12: must hold `en`"),
        ("languages: [en, xx]\n" + ENTITIES, "2:17: unknown language 'xx'"),
        ("ner: {spacy: a, gliner: b}\n" + ENTITIES, "2:6: must name one model"),
        ("ner: bert\n" + ENTITIES, "2:6: unknown model 'bert'"),
        ("ner: ours\nfailover: ours\n" + ENTITIES, "3:11: `ours` is the model that would have failed"),
        ("deny: [{entity: PERSON}]\n" + ENTITIES, "2:8: needs either `words` or `pattern`"),
        (
            "deny: [{entity: PERSON, pattern: 'a(b'}]\n" + ENTITIES,
            "2:38: is no regular expression: missing )",
        ),
        ("deny: [{entity: PERSON, pattern: 'a*'}]\n" + ENTITIES, "2:34: matches the empty text"),
        ("deny: [{entity: person, words: [ab]}]\n" + ENTITIES, "2:17: must be a name in capitals"),
        (
            "deny: [{entity: ORDER_NUMBER, words: [ab]}]\n" + ENTITIES,
            "2:17: ORDER_NUMBER is what may be kept",
        ),
        ("deny: [{entity: PERSON, words: []}]\n" + ENTITIES, "2:32: must hold at least one word"),
        ("allow: ['4111 1111 1111 1111']\n" + ENTITIES, "2:9: is the number of a card"),
        ("allow: [a]\n" + ENTITIES, "2:9: must have at least 3 characters"),
        ("entity: {}\n" + ENTITIES, "2:1: unknown key 'entity', did you mean 'entities'?"),
    ],
)
def test_what_is_wrong_is_named_where_it_stands(text: str, message: str) -> None:
    assert problems(text)[0].startswith(f"mine.yaml:{message}"), problems(text)


def test_every_problem_is_named_at_once() -> None:
    assert (
        len(problems("languages: [xx]\nentities:\n  CVV: {action: hash}\n  X: {action: mask}\nallow: [a]\n"))
        == 4
    )


# -- its schema ---------------------------------------------------------------------------------------------
def test_the_schema_that_ships_is_the_one_that_is_generated() -> None:
    Draft202012Validator.check_schema(schema())

    assert shipped("redaction.schema.json").read_text(encoding="utf-8") == schema_text()
    first = shipped("redaction.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=redaction.schema.json"


def plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def test_the_schema_accepts_what_ships_and_refuses_what_cannot_be() -> None:
    judge = Draft202012Validator(schema())
    document = plain(Document.load(shipped("redaction.yaml")).root.value)

    assert judge.is_valid(document)
    for entity in OURS:
        for action in Action:
            possible = judge.is_valid({**document, "entities": {entity: {"action": str(action)}}})
            assert possible == (action in traits_of(entity).actions)
    assert not judge.is_valid({**document, "entities": {"CVV": {"action": "mask", "reveal": True}}})


# -- the tables behind it -----------------------------------------------------------------------------------
def test_every_recogniser_that_a_policy_can_name_is_presidios_and_finds_that_entity() -> None:
    from presidio_analyzer import predefined_recognizers

    for entity, stock in STOCK.items():
        recognizer = getattr(predefined_recognizers, stock.recognizer)(supported_language=stock.language)
        assert recognizer.supported_entities == [entity]


def test_no_entity_is_in_two_tables() -> None:
    assert len({*OURS, *STOCK, *NAMED}) == len(OURS) + len(STOCK) + len(NAMED)
    assert set(OURS) == set(Entity)
