"""The JSON Schema of redaction policies, for editors. Dialect: JSON Schema 2020-12.

It knows what stands where, which entities there are and which action is possible for which;
``patchbay redaction check`` finds the rest.
"""

from __future__ import annotations

from typing import Any

from compliance.redaction.placeholders import ALL, WHEN_LOST
from compliance.redaction.policy import FAILOVERS, LANGUAGES, MODELS
from compliance.redaction.traits import MEANINGS, NAMED, OURS, STOCK, Action, Traits, traits_of

Schema = dict[str, Any]

_WORDS: Schema = {"type": "string", "pattern": r"\S"}
_MADE_UP = "^[A-Z][A-Z_]{0,38}[A-Z]$"
_ACTIONS = "\n".join(f"- `{action}`: {meaning}" for action, meaning in MEANINGS.items())


def schema() -> Schema:
    """The schema as JSON values."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Patchbay redaction policy",
        "description": "What the record has in the place of personal data. Written by `patchbay redaction schema`.",
        **_object(
            {
                "redaction": _object(
                    {"name": _WORDS, "version": {"type": "integer", "minimum": 1}}, "name", "version"
                ),
                "languages": {
                    "description": "languages of the written recognisers; `en`, with the spoken forms, is always one",
                    "type": "array",
                    "items": {"enum": list(LANGUAGES)},
                    "contains": {"const": "en"},
                },
                "ner": {
                    "description": "what finds names that nobody asked for: `ours`, or a model by its name or path",
                    "anyOf": [
                        {"const": "ours"},
                        {**_object(dict.fromkeys(MODELS, _WORDS)), "minProperties": 1, "maxProperties": 1},
                    ],
                },
                "failover": {
                    "description": "when a model of one's own fails: `withhold` the text, or find names by `ours`",
                    "enum": list(FAILOVERS),
                },
                "entities": {
                    "description": "what is done with each entity; what is not listed of ours is masked",
                    "type": "object",
                    "properties": {name: _entity(name) for name in (*OURS, *STOCK, *NAMED)},
                    "patternProperties": {_MADE_UP: {"type": "object"}},
                    "additionalProperties": False,
                },
                "deny": {
                    "description": "what is always masked",
                    "type": "array",
                    "items": {
                        **_object(
                            {
                                "entity": {"type": "string", "pattern": _MADE_UP},
                                "words": {"type": "array", "items": _WORDS, "minItems": 1},
                                "pattern": {
                                    "type": "string",
                                    "description": "a regular expression; case is ignored",
                                },
                                "because": _WORDS,
                            },
                            "entity",
                        ),
                        "oneOf": [{"required": ["words"]}, {"required": ["pattern"]}],
                    },
                },
                "placeholders": {
                    "description": "which models see placeholders such as `[CARD_1]` in the place of what is masked",
                    **_object(
                        {
                            "engines": {
                                "description": "engines of the catalogue, and `questions` for the decision model; "
                                "`all` also keeps every engine closed that hears the caller's voice",
                                "anyOf": [
                                    {"const": ALL},
                                    {"type": "array", "items": _WORDS, "minItems": 1},
                                ],
                            },
                            "entities": {
                                "description": "of what; by default of all that is masked",
                                "type": "array",
                                "items": {"type": "string", "pattern": _MADE_UP},
                                "minItems": 1,
                            },
                            "when_lost": {
                                "description": "while values cannot be found: `withhold` the words from the model, or "
                                "have the `other_engine` answer",
                                "enum": list(WHEN_LOST),
                            },
                        },
                        "engines",
                    ),
                },
                "allow": {
                    "description": "what is never masked, such as the line's own number; never the number of a card",
                    "type": "array",
                    "items": {"type": "string", "minLength": 3},
                },
            },
            "redaction",
            "entities",
        ),
    }


def _object(properties: Schema, *required: str) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        **({"required": list(required)} if required else {}),
        "additionalProperties": False,
    }


def _entity(name: str) -> Schema:
    traits: Traits = traits_of(name)
    actions = [action for action in Action if action in traits.actions]
    reveal: Schema = {"type": "boolean"} if traits.may_be_revealed else {"const": False}
    return {
        "description": traits.meaning,
        **_object(
            {
                "action": {"description": f"what stands in its place:\n\n{_ACTIONS}", "enum": actions},
                "reveal": {
                    "description": "whether a privacy officer may ask to see the value again",
                    **reveal,
                },
                "because": _WORDS,
            },
            "action",
        ),
    }
