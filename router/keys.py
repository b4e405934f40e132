"""Every key that a policy, or a file of tests for one, may hold: its meaning, its values, its place among the others.

One declaration, from which come the reference in ``docs/reference/policy.md``, the JSON Schema for editors
(:mod:`router.schema`) and the order in which ``patchbay policy fmt`` writes (:mod:`router.layout`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from policies.document import LARGEST
from router.gates import DAYS

STAGES = ("dwell", "stability", "health")
"""Names in a decision's trace that are not the ids of guards and rules."""

# Reserved words, literals and types of CEL: https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax
_RESERVED = (
    "as|break|const|continue|else|false|for|function|if|import|in|let|loop|namespace|null|package|return|true"
    "|var|void|while|bool|bytes|double|dyn|int|list|map|null_type|string|type|uint"
)
NAME_PATTERN = re.compile(f"(?!(?:{_RESERVED})$)[a-z][a-z0-9_]*")
"""Names that conditions use: of params, derived signals and engines."""
ID_PATTERN = re.compile(f"(?!(?:{'|'.join(STAGES)})$)[a-z][a-z0-9-]*")
"""Ids of guards, rules and what else stands in a record."""
TENANT_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What operators name as they like: tenants and arms."""

Shape = Mapping[str, Any]
"""A JSON Schema, 2020-12. A ``$ref`` names a kind of thing, or one of the definitions of :mod:`router.schema`."""


@dataclass(frozen=True, slots=True)
class Key:
    """What one key means, and what its value may be."""

    meaning: str
    shape: Shape = field(repr=False)
    required: bool = False


Keys = Mapping[str, Key]
"""By name, in the order in which they are written."""


def definition(kind: str) -> str:
    """The name under which a schema defines a kind of thing: ``derived-signal`` for ``a derived signal``."""
    words = kind.replace("`", "").split()
    return "-".join(word for word in words if word not in ("a", "an", "the"))


def _ref(kind: str) -> Shape:
    return {"$ref": f"#/$defs/{definition(kind)}"}


def _list(shape: Shape, **more: int) -> Shape:
    return {"type": "array", "items": shape, **more}


def _optional(shape: Shape) -> Shape:
    """What may also stand there empty."""
    if "$ref" in shape:
        return {"anyOf": [shape, {"type": "null"}]}
    return {**shape, "type": [shape["type"], "null"]}


def _named(names: str, shape: Shape, **more: int) -> Shape:
    return {"type": "object", "propertyNames": _ref(names), "additionalProperties": shape, **more}


def _number(**bounds: float) -> Shape:
    return {"type": "number", **bounds}


def _whole(least: int = 0, most: int = LARGEST) -> Shape:
    return {"type": "integer", "minimum": least, "maximum": most}


DOCUMENT = _ref("the document")
TESTS = _ref("the tests")
TEXT: Shape = {"type": "string"}
WORDS: Shape = {"type": "string", "pattern": r"\S"}
CONDITION = _ref("condition")
READING = _ref("reading")
ENGINE = _ref("engine-name")
ID = _ref("id")
DAY = _ref("date")
SORTING_KEY = _ref("sorting-key")
CLOCK: Shape = {"type": "string", "pattern": r"^(([01]?\d|2[0-3]):[0-5]\d|24:00)$", "examples": ["18:00"]}


def _days() -> Shape:
    day = "(" + "|".join("".join(f"[{letter.upper()}{letter}]" for letter in name) for name in DAYS) + ")"
    span = f"{day}( *- *{day})?"
    text = {"type": "string", "pattern": f"^ *{span}( *, *{span})* *$", "examples": ["mon-fri", "sat,sun"]}
    return {"anyOf": [text, _list(text, minItems=1)]}


_ID = Key("its name in records: lower-case letters, digits and `-`", ID, required=True)
_BECAUSE = Key("the reason, in words, for whoever reads the record of a call", WORDS, required=True)
_BY = Key(
    "what calls are sorted by: `call.id`, by default, or a signal that is text and stays as it is during a call; all "
    "calls with the same value fall together",
    SORTING_KEY,
)
_RULE: Keys = {
    "id": _ID,
    "when": Key(
        "a condition; one that cannot be evaluated counts as false. The last rule's is `true`",
        CONDITION,
        required=True,
    ),
    "hold": Key(
        "keeps the rule chosen last turn while this is true, though `when` no longer is: hysteresis",
        CONDITION,
    ),
    "route": Key("the engine", ENGINE, required=True),
    "else_route": Key("the engine when a guard denies `route`", ENGINE),
    "schedule": Key("the hours in which the rule exists at all", _ref("a schedule")),
    "rollout": Key("the share of calls for which the rule exists at all", _ref("a rollout")),
    "endpointing_ms": Key(
        "silence in ms that ends the caller's turn while this rule would answer it, and in the turn after it: 100 to "
        "5,000; by default as the engine catalogue says",
        _whole(100, 5_000),
    ),
    "because": _BECAUSE,
}

POLICY_KEYS: Mapping[str, Keys] = {
    "the document": {
        "policy": Key("which policy this is", _ref("`policy`"), required=True),
        "params": Key(
            "name → a number that conditions read as `p.NAME`", _optional(_named("name", _ref("a param")))
        ),
        "derived": Key(
            "name → a signal smoothed over turns, which conditions read as `NAME`",
            _optional(_named("derived-name", _ref("a derived signal"))),
        ),
        "engines": Key(
            "the engines it may choose, of those in the catalogue",
            _named("engine-name", _optional(_ref("an engine")), minProperties=1),
            required=True,
        ),
        "emotion": Key("when the caller's voice is not judged", _ref("`emotion`")),
        "questions": Key(
            "name → what a decision model is asked about every turn, which conditions read as `question.NAME`; needs "
            "`decisions` in the engine catalogue",
            _optional(_named("name", _ref("a question"))),
        ),
        "last_resort": Key(
            "the engine that no guard may deny and that answers when routing fails; by default the last rule's route",
            ENGINE,
        ),
        "stability": Key("limits on switching", _ref("`stability`")),
        "answer_within_ms": Key(
            "what a caller may wait for an answer: an engine has half of it to begin, so that the next still answers "
            "in time; by default only the engine catalogue limits engines",
            _whole(1000, 60_000),
        ),
        "guards": Key("take engines away, before any rule is asked", _optional(_list(_ref("a guard")))),
        "rules": Key(
            "tried in order; the first that matches, and whose engine is left, chooses",
            _list(_ref("a rule"), minItems=1),
            required=True,
        ),
        "shadow": Key(
            "rules that are evaluated and logged, never served", _optional(_list(_ref("a shadow rule")))
        ),
        "experiments": Key(
            "send the calls for which a rule chooses to its arms, by weight",
            _optional(_list(_ref("an experiment"))),
        ),
        "never": Key(
            "properties: `patchbay policy lint` proves that no turn breaks one, and the last check of every decision "
            "refuses a turn that would",
            _optional(_list(_ref("a property"))),
        ),
        "overlays": Key(
            "tenant → what it has otherwise; a tenant cannot remove a guard",
            _named("label", _optional(_ref("an overlay"))),
        ),
    },
    "`policy`": {
        "name": Key("stands in every call's record", WORDS, required=True),
        "version": Key("a whole number, raised by whoever edits", _whole(1), required=True),
        "salt": Key(
            "goes into the hash that sorts calls into rollouts and arms, so a new one sorts them anew; by default the "
            "name",
            TEXT,
        ),
    },
    "a param": {
        "value": Key(
            "the number; `0.6` is a double, `3` an int, and CEL tells them apart",
            _number(minimum=-LARGEST, maximum=LARGEST),
            required=True,
        ),
        "min": Key("the least that tenants and `patchbay policy tune` may set", _number()),
        "max": Key("the most", _number()),
    },
    "a derived signal": {
        "from": Key("the reading of a turn: an expression that gives a double", READING, required=True),
        "only_if": Key("a turn for which it is false leaves the value as it was", CONDITION),
        "ewma": Key(
            "weight of the newest reading, above 0 to 1: `ewma * reading + (1 - ewma) * value before`",
            _number(exclusiveMinimum=0, maximum=1),
            required=True,
        ),
        "unknown": Key("the value before the first reading; by default 0", _number()),
        "noise": Key("how far two readings of an unchanged call may lie apart", _number(minimum=0)),
    },
    "an engine": {
        "fallback": Key(
            "engines to try, in order, when this one is unhealthy, denied or fails", _list(ENGINE)
        ),
        "min_turns": Key("turns it answers before a rule may leave it", _whole()),
        "warm": Key(
            "when it is worth paying for a session that waits; never while a guard denies the engine",
            CONDITION,
        ),
    },
    "`emotion`": {
        "unless": Key(
            "the voice is not judged while this is true, besides where the caller has not consented; one that cannot "
            "be evaluated counts as true. It cannot read `emotion.*` or derived signals",
            CONDITION,
            required=True,
        ),
        "because": _BECAUSE,
    },
    "a question": {
        "ask": Key(
            "a statement about the caller or the call so far, in words: the signal is the probability that it is true",
            WORDS,
            required=True,
        ),
        "unknown": Key(
            "the value until an answer for the turn has come; by default 0", _number(minimum=0, maximum=1)
        ),
        "noise": Key(
            "how far two answers about an unchanged call may lie apart; by default 0.1", _number(minimum=0)
        ),
    },
    "`stability`": {
        "max_switches": Key("switches by rules in one call", _whole()),
        "cooldown_turns": Key("turns after a switch in which rules do not switch again", _whole()),
    },
    "a guard": {
        "id": _ID,
        "when": Key(
            "a condition; one that cannot be evaluated counts as true, so a guard fails closed",
            CONDITION,
            required=True,
        ),
        "deny": Key(
            "engines that may not answer this turn; a guard needs this or `force`",
            _list(ENGINE, minItems=1),
        ),
        "force": Key("the engine that must", ENGINE),
        "because": _BECAUSE,
    },
    "a rule": _RULE,
    "a schedule": {
        "days": Key(
            "days on which it begins: `mon-fri`, `sat,sun` or a list of such; by default every day", _days()
        ),
        "from": Key('time of day at which it begins, in quotes: `"18:00"`; by default midnight', CLOCK),
        "to": Key(
            'time of day at which it ends, in quotes; one before `from` is on the next day; by default `"24:00"`',
            CLOCK,
        ),
        "tz": Key(
            "IANA time zone of those times",
            {"type": "string", "examples": ["Europe/Berlin", "America/New_York", "UTC"]},
            required=True,
        ),
        "since": Key("the first day", DAY),
        "until": Key("the last day", DAY),
    },
    "a rollout": {
        "percent": Key(
            "the share, 0 to 100; raising it only adds calls", _number(minimum=0, maximum=100), required=True
        ),
        "by": _BY,
    },
    "a shadow rule": {
        "id": _ID,
        "replaces": Key(
            "the rule in whose place it is evaluated; without it, it stands before all rules", ID
        ),
        **{key: one for key, one in _RULE.items() if key not in ("id", "endpointing_ms")},
    },
    "an experiment": {
        "id": _ID,
        "rule": Key("the rule whose calls take part; a rule is in one experiment at most", ID, required=True),
        "by": _BY,
        "arms": Key(
            "name → weight, or an arm; an arm without a `route` is the rule as it stands",
            _named("label", {"anyOf": [_number(minimum=0, maximum=1e6), _ref("an arm")]}, minProperties=2),
            required=True,
        ),
        "until": Key("the last day, in UTC; after it the rule is as it stands", DAY),
        "because": _BECAUSE,
    },
    "an arm": {
        "weight": Key(
            "its share of the calls, relative to the other arms",
            _number(minimum=0, maximum=1e6),
            required=True,
        ),
        "route": Key("the engine instead of the rule's", ENGINE),
    },
    "a property": {
        "id": _ID,
        "route": Key(
            "the engine, or a list of them, that must not answer",
            {"anyOf": [ENGINE, _list(ENGINE, minItems=1)]},
            required=True,
        ),
        "when": Key(
            "a turn for which this is true; one that cannot be evaluated counts as true",
            CONDITION,
            required=True,
        ),
        "because": _BECAUSE,
    },
    "an overlay": {
        "params": Key("param → its value for this tenant, inside `min` to `max`", _named("name", _number())),
        "disable": Key("rules that do not exist for this tenant; not the last one", _list(ID)),
        "insert": Key("rules of its own", _optional(_list(_ref("an inserted rule")))),
        "guards": Key("guards of its own, besides the policy's", _optional(_list(_ref("a guard")))),
    },
    "an inserted rule": {
        "before": Key("the rule before which it stands", ID, required=True),
        **_RULE,
    },
}
"""What a policy may say, by the kind of thing that says it."""

_SIGNALS: Shape = {"type": "object", "additionalProperties": {"type": ["boolean", "number", "string"]}}
_NAMED_TEXTS: Shape = {"type": "object", "additionalProperties": TEXT}
_SETTING: Keys = {
    "name": Key("what the test says; it stands in every report", TEXT, required=True),
    "tenant": Key("the tenant whose overlay applies; by default none", TEXT),
    "params": Key("param → its value in this test, inside `min` to `max`", _named("name", _number())),
    "call_id": Key("what sorts the call into rollouts and arms; by default the test's name", TEXT),
}
_TURN: Keys = {
    "at": Key(
        "the moment, with its offset, such as `2026-12-24T19:00:00+01:00`: sets `time.unix_s`, `time.hour` and "
        "`time.weekday`",
        TEXT,
    ),
    "signals": Key("signal → its value; those that are not given are unknown", _SIGNALS),
    "fails": Key(
        "the engine, or a list of them, that fails when asked to answer", {"anyOf": [TEXT, _list(TEXT)]}
    ),
    "engine": Key("the engine that the policy must decide for", TEXT),
    "rule": Key("the rule, or the guard that forces an engine, that must put it there", TEXT),
    "denied": Key(
        "the engines that must be denied, no more and no fewer: a list, or engine → the guard that says so first",
        {"anyOf": [_list(TEXT), _NAMED_TEXTS]},
    ),
    "switched": Key("whether another engine answered the turn before", {"type": "boolean"}),
    "voice_judged": Key(
        "whether the caller's voice may be judged in this turn; consent and `emotion.unless` decide",
        {"type": "boolean"},
    ),
    "endpointing_ms": Key(
        "silence in ms that must end the turn; empty: as the engine catalogue says",
        {"type": ["integer", "null"]},
    ),
    "arm": Key("experiment → the arm in which the call must be", _NAMED_TEXTS),
    "shadow": Key("shadow rule → the engine that would have answered", _NAMED_TEXTS),
    "moved_to": Key("the engine that must answer in the end, after those in `fails`", TEXT),
}

TEST_KEYS: Mapping[str, Keys] = {
    "the tests": {
        "given": Key("signal → its value in every test that does not say otherwise", _SIGNALS),
        "cases": Key("tests of one turn", _list(_ref("a case"))),
        "scenarios": Key("tests of several turns of one call", _list(_ref("a scenario"))),
    },
    "a case": {**_SETTING, **_TURN, "engine": replace(_TURN["engine"], required=True)},
    "a scenario": {
        **_SETTING,
        "signals": Key("signal → its value from the first turn on", _SIGNALS),
        "turns": Key(
            "in order; `turn.count` counts by itself", _list(_ref("a turn"), minItems=1), required=True
        ),
    },
    "a turn": {**_TURN, "signals": Key("signal → its value from this turn on", _SIGNALS)},
}
"""What a test file beside a policy may say, by the kind of thing that says it."""

_KINDS: Mapping[str, Keys] = {
    f"#/$defs/{definition(kind)}": keys for kind, keys in {**POLICY_KEYS, **TEST_KEYS}.items()
}


# -- what is in what ----------------------------------------------------------------------------------------
def keys_of(shape: Shape) -> Keys | None:
    """The keys of what has this shape; ``None`` if it has names of its own, or none."""
    return next((_KINDS[one["$ref"]] for one in _choices(shape) if one.get("$ref") in _KINDS), None)


def member_of(shape: Shape, key: str) -> Shape:
    """The shape of the value of ``key``; empty when there is no such key."""
    keys = keys_of(shape)
    if keys is not None:
        return keys[key].shape if key in keys else {}
    return next((one["additionalProperties"] for one in _choices(shape) if "additionalProperties" in one), {})


def element_of(shape: Shape) -> Shape:
    """The shape of the elements of a list."""
    return next((one["items"] for one in _choices(shape) if "items" in one), {})


def _choices(shape: Shape) -> list[Shape]:
    choices: list[Shape] = shape.get("anyOf", [shape])
    return choices
