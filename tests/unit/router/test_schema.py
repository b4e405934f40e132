"""The JSON Schema of policies: it accepts what the reader accepts, and refuses what is out of place."""

from __future__ import annotations

import ast
import copy
import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from policies import Document, DocumentError, shipped
from router import CATALOGUE, Policy
from router.conditions import Language
from router.keys import POLICY_KEYS, definition
from router.schema import EXAMPLES, READINGS, schema
from router.signals import ENGINES, Kind, catalogue
from tests.random_policies import THOROUGH, documents, loaded

pytestmark = pytest.mark.unit

TESTS = Path(__file__).parents[2]
ANY_ENGINES = Draft202012Validator(schema(), format_checker=FormatChecker(["date"]))

EVERYTHING: dict[str, Any] = {
    "policy": {"name": "everything", "version": 3, "salt": "2026-q4"},
    "params": {"high": {"value": 0.6, "min": 0.1, "max": 0.9}, "chars": {"value": 50}},
    "derived": {
        "mood": {"from": "emotion.upset", "only_if": "turn.words > 1", "ewma": 0.5, "unknown": 0.0, "noise": 0.1},
    },
    "emotion": {"unless": 'caller.region == "eu"', "because": "the contract"},
    "questions": {"churn": {"ask": "The caller threatens to leave.", "unknown": 0.1, "noise": 0.2}},
    "engines": {
        "fast": {"fallback": ["standard"]},
        "standard": None,
        "realtime": {"fallback": ["fast", "standard"], "min_turns": 2, "warm": "mood > 0.3"},
    },
    "last_resort": "standard",
    "stability": {"max_switches": 4, "cooldown_turns": 1},
    "answer_within_ms": 4000,
    "guards": [
        {"id": "consent", "when": "!caller.consent_voice_ai", "deny": ["realtime"], "because": "no consent"},
        {"id": "person", "when": "call.asked_human", "force": "standard", "because": "asked"},
    ],
    "rules": [
        {
            "id": "upset",
            "when": "mood >= p.high",
            "hold": "mood >= 0.3",
            "route": "realtime",
            "else_route": "standard",
            "schedule": {
                "days": "mon-fri, sun", "from": "8:00", "to": "24:00", "tz": "Europe/Berlin",
                "since": "2026-12-01", "until": "2026-12-31",
            },
            "rollout": {"percent": 20, "by": "call.queue"},
            "endpointing_ms": 900,
            "because": "sounds upset",
        },
        {
            "id": "short", "when": "turn.chars < p.chars", "route": "fast", "because": "short",
            "schedule": {"days": ["Mon", "wed-fri"], "tz": "UTC"},
        },
        {"id": "otherwise", "when": True, "route": "standard", "because": "nothing else"},
    ],
    "shadow": [
        {"id": "lower", "replaces": "short", "when": "turn.chars < 80", "route": "fast", "because": "would it do"},
    ],
    "experiments": [
        {
            "id": "which", "rule": "upset", "by": "call.id", "until": "2026-12-31", "because": "which is better",
            "arms": {"control": 90, "other": {"weight": 10, "route": "fast"}},
        },
    ],
    "never": [
        {"id": "law", "route": "realtime", "when": "!caller.consent_voice_ai", "because": "the law"},
        {"id": "dear", "route": ["realtime", "fast"], "when": "cost.usd > 9.0", "because": "the budget"},
    ],
    "overlays": {
        "acme": {
            "params": {"chars": 80},
            "disable": ["short"],
            "insert": [
                {"before": "upset", "id": "vip", "when": 'call.queue == "vip"', "route": "fast", "because": "they pay"},
            ],
            "guards": [{"id": "night", "when": "time.hour < 6", "deny": ["realtime"], "because": "nobody is there"}],
        },
        "Beta-2.x": None,
    },
}  # fmt: skip
"""Every key that a policy may hold, at least once."""


def complaints(document: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in ANY_ENGINES.iter_errors(document)]


def as_json(value: Any) -> Any:
    """What an editor takes a document for: in the core schema of YAML 1.2, dates are text."""
    match value:
        case dict():
            return {str(key): as_json(inner) for key, inner in value.items()}
        case list():
            return [as_json(inner) for inner in value]
        case date():
            return value.isoformat()
        case bool() | None:
            return value
        case int() | float() | str():
            return next(kind(value) for kind in (int, float, str) if isinstance(value, kind))
    raise AssertionError(value)


def policies_in(folder: Path) -> Iterator[str]:
    """The texts in Python files that are whole policies."""
    for path in sorted(folder.rglob("*.py")):
        for part in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(part, ast.Constant) and isinstance(part.value, str) and "rules:" in part.value:
                try:
                    Policy.parse(part.value)
                except DocumentError:
                    continue
                yield part.value


# -- what it accepts ----------------------------------------------------------------------------------------
def test_it_is_a_schema_of_the_dialect_that_it_names() -> None:
    for engines in (None, ENGINES):
        Draft202012Validator.check_schema(schema(engines))


@pytest.mark.parametrize("name", ["default.yaml", "reference.yaml"])
def test_the_shipped_policies_are_valid(name: str) -> None:
    document = as_json(Document.load(shipped(name)).root.value)
    assert complaints(document) == []
    assert Draft202012Validator(schema(ENGINES)).is_valid(document)


def test_a_policy_with_everything_is_valid_and_loads() -> None:
    assert complaints(EVERYTHING) == []
    loaded(EVERYTHING)


def test_that_policy_has_every_key() -> None:
    def pairs(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from value
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from pairs(inner)

    assert {key for keys in POLICY_KEYS.values() for key in keys} <= set(pairs(EVERYTHING))


def test_every_whole_policy_in_the_tests_is_valid() -> None:
    texts = list(policies_in(TESTS))
    assert texts
    for text in texts:
        assert complaints(as_json(Document.parse(text).root.value)) == [], text


@given(documents())
@settings(max_examples=25 * THOROUGH, deadline=None)
def test_every_policy_that_loads_is_valid(document: dict[str, Any]) -> None:
    loaded(document)
    assert complaints(document) == []


# -- what it refuses ----------------------------------------------------------------------------------------
OUT_OF_PLACE = re.compile(
    r"unknown key '|`\w+` is missing|must be (?:a mapping|a list|text|a whole number|a number, |a date|a time|from )"
    r"|must be (?:at least |at most |above )|cannot be an? (?:id|name|tenant|arm)|is taken|is empty|is no day|names no "
    r"|a guard needs|at least one rule|too large a number|cannot be sorted by"
)
"""What the reader says of something that stands where it may not, or is not of the kind that stands there."""
JUNK = st.sampled_from([None, True, 0, -1, 7, 0.25, 1.5, -0.5, 10**17]) | st.sampled_from(
    [
        "",
        " ",
        "x",
        "Loud",
        "fast",
        "18:00",
        "mon",
        "2026-12-31",
        [],
        ["fast"],
        ["x"],
        [3],
        {},
        {"x": 1},
        {"fast": None},
    ]
).map(copy.deepcopy)


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """A policy in which something was replaced, taken out, added or called otherwise."""
    document = copy.deepcopy(draw(st.just(EVERYTHING) | documents()))
    for _ in range(draw(st.integers(1, 2))):
        places = list(_places(document))
        holder, key = draw(st.sampled_from(places))
        match draw(st.sampled_from(["replace", "remove", "add", "rename"])):
            case "replace":
                holder[key] = draw(JUNK)
            case "remove":
                del holder[key]
            case "add" if isinstance(holder, dict):
                holder[draw(st.sampled_from(["whem", "id", "params", "dwell", "p", "turn", "if", "Big"]))] = (
                    draw(JUNK)
                )
            case "rename" if isinstance(holder, dict):
                holder[draw(st.sampled_from(["health", "emotion", "x y", "while", "n2"]))] = holder.pop(key)
    return document


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


@given(damaged())
@settings(max_examples=60 * THOROUGH, deadline=None)
def test_it_refuses_what_is_out_of_place_and_nothing_that_loads(document: dict[str, Any]) -> None:
    try:
        Policy.parse(json.dumps(document))
    except DocumentError as error:
        misplaced = [problem.message for problem in error.problems if OUT_OF_PLACE.search(problem.message)]
        if misplaced:
            assert complaints(document), misplaced
    else:
        assert complaints(document) == []


@pytest.mark.parametrize(
    ("section", "entry", "complaint"),
    [
        ("mode", "enforce", "'mode' was unexpected"),
        ("policy", {"name": "x"}, "'version' is a required property"),
        ("policy", {"name": " ", "version": 1}, "does not match"),
        ("params", {"while": {"value": 1}}, "does not match"),
        ("derived", {"turn": {"from": "emotion.upset", "ewma": 0.5}}, "does not match"),
        (
            "guards",
            [{"id": "g", "when": "true", "because": "so"}],
            "is not valid under any of the given schemas",
        ),
        ("rules", [], "should be non-empty"),
        ("rules", [{"id": "health", "when": True, "route": "fast", "because": "so"}], "does not match"),
        ("rules", [{"id": "r", "when": True, "route": "fast"}], "'because' is a required property"),
        ("overlays", {"a b": None}, "does not match"),
        ("params", {"x": {"value": "1"}}, "is not of type 'number'"),
    ],
)
def test_it_says_what_is_out_of_place(section: str, entry: Any, complaint: str) -> None:
    found = complaints({**EVERYTHING, section: entry})
    assert any(complaint in one for one in found), found


def test_engines_are_those_of_the_catalogue_where_it_is_known() -> None:
    mine = Draft202012Validator(schema(["fast", "standard"]))
    assert [
        error.message for error in mine.iter_errors(EVERYTHING) if "'realtime' is not one of" in error.message
    ]
    assert not mine.is_valid({**EVERYTHING, "last_resort": "tool"})


# -- what it explains ---------------------------------------------------------------------------------------
def test_every_key_is_explained() -> None:
    made = schema()
    for kind, keys in POLICY_KEYS.items():
        thing = made if kind == "the document" else made["$defs"][definition(kind)]
        assert list(thing["properties"]) == list(keys)
        for name, key in keys.items():
            assert thing["properties"][name]["description"].startswith(key.meaning)


def test_a_condition_is_explained_with_every_signal_that_it_may_ask_about() -> None:
    when = schema()["$defs"]["rule"]["properties"]["when"]["description"]
    assert not [name for name in CATALOGUE if f"- `{name}` (" not in when]
    half = schema(["half"])["$defs"]["derived-signal"]["properties"]["from"]["description"]
    assert "`provider.half_p95_ms` (int, 0 to 600,000 ms): 95th percentile" in half


@pytest.mark.parametrize(
    ("example", "kind"),
    [*((text, Kind.BOOL) for text in EXAMPLES), *((text, Kind.DOUBLE) for text in READINGS)],
)
def test_every_example_is_a_condition(example: str, kind: Kind) -> None:
    document = Document.parse(f"when: |-\n  {example}\n")
    node = document.root.get("when")
    assert node is not None
    assert Language(catalogue()).compile(node, gives=kind), document.problems


def test_every_reference_leads_somewhere() -> None:
    made = schema()
    leads = {found.removeprefix("#/$defs/") for found in re.findall(r'"\$ref": "([^"]+)"', json.dumps(made))}
    assert leads == set(made["$defs"])
