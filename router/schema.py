"""The JSON Schema of policy files, for editors: generated from the keys and the signal catalogue.

It knows what stands where, not what it means: conditions are text, and names are not looked up. A document that it
refuses cannot be loaded; ``patchbay policy check`` finds the rest. Dialect: JSON Schema 2020-12,
https://json-schema.org/draft/2020-12; descriptions and examples are what yaml-language-server shows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from router.gate_reader import sorting_keys
from router.keys import (
    CONDITION,
    ID_PATTERN,
    NAME_PATTERN,
    POLICY_KEYS,
    READING,
    TENANT_PATTERN,
    Key,
    Keys,
    definition,
)
from router.signals import ENGINES, Spec, catalogue

Schema = dict[str, Any]

EXAMPLES = (
    "true",
    "call.asked_human || call.tool_failures >= 3",
    "!caller.consent_voice_ai",
    "turn.count == 1 && turn.chars < 50",
    'emotion.label in ["frustrated", "upset"] && emotion.upset >= 0.7',
    'caller.region == "eu" && call.transport == "sip"',
    "cost.usd >= cost.budget_usd",
)
"""Conditions that editors offer."""
READINGS = ("emotion.upset", "turn.tool_p", 'emotion.label == "upset" ? emotion.confidence : 0.0')
"""What they offer for the reading of a derived signal."""


def schema(engines: Collection[str] | None = None) -> Schema:
    """The schema as JSON values. ``engines`` are the names in the engine catalogue; ``None`` allows any."""
    signals = catalogue(ENGINES if engines is None else engines)
    listed = _listed(signals.values())
    definitions = {definition(kind): _object(keys, listed) for kind, keys in POLICY_KEYS.items()}
    definitions["guard"]["anyOf"] = [{"required": ["deny"]}, {"required": ["force"]}]
    document = definitions.pop("document")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Patchbay routing policy",
        "description": "Which engine answers each turn of a call. Written by `patchbay policy schema`.",
        **document,
        "$defs": {**definitions, **_scalars(engines, signals)},
    }


def _object(keys: Keys, listed: str) -> Schema:
    return {
        "type": "object",
        "properties": {name: _property(key, listed) for name, key in keys.items()},
        "required": [name for name, key in keys.items() if key.required],
        "additionalProperties": False,
    }


def _property(key: Key, listed: str) -> Schema:
    # Said here and not where the $ref leads: beside a $ref, editors show the nearer description only.
    more = _CONDITION if key.shape == CONDITION else _READING if key.shape == READING else ""
    return {"description": key.meaning + more.format(signals=listed), **key.shape}


_CONDITION = (
    "\n\nA [CEL](https://cel.dev) expression over these signals, `p.NAME` for a param and `NAME` for a derived "
    "signal:\n\n{signals}"
)
_READING = "\n\nA [CEL](https://cel.dev) expression over these signals and `p.NAME` for a param:\n\n{signals}"


def _scalars(engines: Collection[str] | None, signals: Mapping[str, Spec]) -> Schema:
    """What the shapes of the keys refer to, besides kinds of things."""
    families = sorted({name.split(".")[0] for name in signals} | {"p", "question"})
    return {
        "condition": {"type": ["string", "boolean"], "pattern": r"\S", "examples": list(EXAMPLES)},
        "reading": {"type": "string", "pattern": r"\S", "examples": list(READINGS)},
        "name": _matching(NAME_PATTERN.pattern),
        "derived-name": _matching(f"(?!(?:{'|'.join(families)})$){NAME_PATTERN.pattern}"),
        "engine-name": _matching(NAME_PATTERN.pattern) if engines is None else _one_of(engines),
        "id": _matching(ID_PATTERN.pattern),
        "label": _matching(TENANT_PATTERN.pattern),
        "date": {"type": "string", "format": "date", "examples": ["2026-12-31"]},
        "sorting-key": _one_of(sorting_keys(signals)),
    }


def _matching(pattern: str) -> Schema:
    return {"type": "string", "pattern": f"^{pattern}$"}


def _one_of(names: Iterable[str]) -> Schema:
    return {"type": "string", "enum": list(names)}


def _listed(signals: Iterable[Spec]) -> str:
    """A line of Markdown for each signal."""
    return "\n".join(
        f"- `{spec.name}` ({spec.kind}, {spec.domain}{spec.unit and ' ' + spec.unit}): {spec.meaning}"
        for spec in signals
    )
