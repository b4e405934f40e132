"""Reads a policy document. Every problem is reported with its place; one reading finds them all."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from policies.document import LARGEST, Document, Node, did_you_mean
from router.conditions import Language
from router.content import Content, Deaf, Derived, Engine, Param, Question, Stability
from router.keys import NAME_PATTERN, POLICY_KEYS
from router.rule_reader import RuleReader, names, reason_of
from router.signals import ENGINES, Kind, Scalar, Spec, catalogue, question


def read(document: Document, *, engines: Collection[str] | None) -> Content:
    """The policy in ``document``. ``engines`` are those that exist; ``None`` takes the document's word for it.

    Raises:
        policies.DocumentError: with every problem as ``file:line:column: message``.
    """
    root = document.root
    root.only(POLICY_KEYS["the document"])
    name, version, salt = _identity(root)
    params = {param.name: param for param in _params(root)}
    constants = {param.name: _number(param.name, param.value) for param in params.values()}
    entries = dict(_engine_entries(root, engines))
    questions = {each.name: each for each in _questions(root)}
    signals = {
        **catalogue({*ENGINES, *entries}),
        **{each.spec.name: each.spec for each in questions.values()},
    }
    smoothed = {spec.name: spec for spec in _smoothed(root, signals)}
    derived = tuple(_derived(root, smoothed, Language({**signals, **constants})))
    variables = {**signals, **constants, **smoothed}
    language = Language(variables)
    rules = RuleReader(root, language, tuple(entries), signals, params)
    content = Content(
        name=name,
        version=version,
        hash="",
        salt=salt,
        params=params,
        variables=variables,
        derived=derived,
        engines={name: _engine(name, node, language, tuple(entries)) for name, node in entries.items()},
        stability=_stability(root),
        answer_within_ms=_budget(root),
        emotion=_emotion(root, {**signals, **constants}),
        questions=questions,
        guards=tuple(rules.guards(root)),
        rules=tuple(rules.rules()),
        last_resort=rules.last_resort(),
        shadow=tuple(rules.shadow()),
        experiments=tuple(rules.experiments()),
        never=tuple(rules.never()),
        overlays={overlay.tenant: overlay for overlay in rules.overlays()},
        file=document.file,
        source=document.source,
    )
    document.finish()
    return replace(content, hash=content_hash(document))


def _identity(root: Node) -> tuple[str, int, str]:
    node = root.require("policy")
    if node is None:
        return "", 0, ""
    node.only(POLICY_KEYS["`policy`"])
    name, version, salt = node.require("name"), node.require("version"), node.get("salt")
    called = (name and name.text()) or ""
    if name and isinstance(name.value, str) and not called.strip():
        name.problem("is empty: every decision on record carries the policy's name")
    return called, (version and version.integer(least=1)) or 0, (salt and salt.text()) or called


def content_hash(document: Document) -> str:
    """SHA-256 of what the document says: layout, comments and the order of keys do not count."""
    canonical = json.dumps(_plain(document.root.value), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Lists, mappings and scalars without ruamel's annotations; only called on a document without problems."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value.isoformat() if isinstance(value, date) else None


# -- names --------------------------------------------------------------------------------------------------
def _entries(root: Node, section: str) -> Iterator[tuple[str, Node]]:
    """The named entries of an optional mapping; names that conditions could not use are reported."""
    node = root.get(section)
    if node is None or node.value is None:
        return
    for name, entry in node.items():
        if not NAME_PATTERN.fullmatch(name):
            message = (
                f"'{name}' cannot be a name: use lower-case letters, digits and _, not a word of CEL's own"
            )
            node.key(name).problem(message)
        else:
            yield name, entry


def _number(name: str, value: Scalar, *, noise: float = 0.0) -> Spec:
    kind = Kind.INT if isinstance(value, int) else Kind.DOUBLE
    return Spec(name, kind, "", "policy", value, noise=noise)


def _params(root: Node) -> Iterator[Param]:
    for name, entry in _entries(root, "params"):
        entry.only(POLICY_KEYS["a param"])
        value = entry.require("value")
        if value is None:
            continue
        bounds = (bound.number() if (bound := entry.get(key)) is not None else None for key in ("min", "max"))
        low, high = (
            fallback if bound is None else bound
            for bound, fallback in zip(bounds, (-math.inf, math.inf), strict=True)
        )
        place = (value.line, value.column)
        if value.number(least=-LARGEST, most=LARGEST) is None:
            # Conditions are checked against it all the same.
            yield Param(f"p.{name}", 0.0, low, high, *place)
            continue
        number = int(value.value) if isinstance(value.value, int) else float(value.value)
        param = Param(f"p.{name}", number, low, high, *place)
        yield param
        if low > high:
            entry.problem(f"`min` {low:g} is above `max` {high:g}")
        elif not param.allows(number):
            value.problem(f"{number} is outside its own range of {param.range}")


def _smoothed(root: Node, signals: Mapping[str, Spec]) -> Iterator[Spec]:
    """The declarations of the derived signals, so that conditions can be checked whatever else is wrong."""
    families = {name.split(".")[0] for name in signals} | {"p", "question"}
    node = root.get("derived")
    for name, entry in _entries(root, "derived"):
        if node and name in families:
            node.key(name).problem(f"'{name}' is taken: signals begin with it")
            continue
        unknown, noise = entry.get("unknown"), entry.get("noise")
        start = unknown.number() if unknown else None
        spread = noise.number(least=0.0) if noise else None
        yield _number(name, start or 0.0, noise=spread or 0.0)


def _derived(root: Node, specs: Mapping[str, Spec], language: Language) -> Iterator[Derived]:
    for name, entry in _entries(root, "derived"):
        entry.only(POLICY_KEYS["a derived signal"])
        source, only_if, ewma = entry.require("from"), entry.get("only_if"), entry.require("ewma")
        reading = language.compile(source, gives=Kind.DOUBLE) if source else None
        counts = language.compile(only_if) if only_if else None
        weight = ewma.number(least=0.0, most=1.0) if ewma else None
        if ewma is not None and weight == 0.0:
            ewma.problem("must be above 0: at 0 no reading would ever count")
        if reading and weight and name in specs:
            spec = specs[name]
            yield Derived(name, reading, counts, weight, float(spec.unknown), spec.noise)


# -- what is listened for -----------------------------------------------------------------------------------
def _questions(root: Node) -> Iterator[Question]:
    for name, entry in _entries(root, "questions"):
        entry.only(POLICY_KEYS["a question"])
        ask, unknown, noise = entry.require("ask"), entry.get("unknown"), entry.get("noise")
        words = (ask and ask.text()) or ""
        if ask and isinstance(ask.value, str) and not words.strip():
            ask.problem("is empty: a decision model has to be asked something")
        start = unknown.number(least=0.0, most=1.0) if unknown else None
        spread = noise.number(least=0.0) if noise else None
        spec = question(name, unknown=start or 0.0, **({} if spread is None else {"noise": spread}))
        yield Question(name, words, spec)


def _emotion(root: Node, variables: Mapping[str, Spec]) -> Deaf | None:
    """Read with a language of its own: what the voice says cannot decide whether it is listened to."""
    node = root.get("emotion")
    if node is None:
        return None
    node.only(POLICY_KEYS["`emotion`"])
    unless, reason = node.require("unless"), reason_of(node)
    language = Language({name: spec for name, spec in variables.items() if not name.startswith("emotion.")})
    condition = language.compile(unless) if unless else None
    return Deaf(condition, reason) if condition else None


# -- engines ------------------------------------------------------------------------------------------------
def _engine_entries(root: Node, known: Collection[str] | None) -> Iterator[tuple[str, Node]]:
    node = root.require("engines")
    if node is None:
        return
    for name, entry in _entries(root, "engines"):
        if known is not None and name not in known:
            node.key(name).problem(f"the engine catalogue has no '{name}'{did_you_mean(name, known)}")
        yield name, entry


def _stability(root: Node) -> Stability:
    node = root.get("stability")
    if node is None:
        return Stability()
    node.only(POLICY_KEYS["`stability`"])
    switches, cooldown = node.get("max_switches"), node.get("cooldown_turns")
    return Stability(
        max_switches=switches.integer(least=0) if switches else None,
        cooldown_turns=(cooldown and cooldown.integer(least=0)) or 0,
    )


def _budget(root: Node) -> int | None:
    node = root.get("answer_within_ms")
    return None if node is None else node.integer(least=1000, most=60_000)


def _engine(name: str, entry: Node, language: Language, engines: tuple[str, ...]) -> Engine:
    if entry.value is None:  # `fast:` alone
        return Engine(name)
    entry.only(POLICY_KEYS["an engine"])
    min_turns, warm = entry.get("min_turns"), entry.get("warm")
    return Engine(
        name,
        fallback=names(entry, "fallback", engines, what="engine"),
        min_turns=(min_turns and min_turns.integer(least=0)) or 0,
        warm=language.compile(warm) if warm else None,
    )
