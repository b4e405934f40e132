"""Reads a policy document. Every problem is reported with its place; one reading finds them all."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from policies.document import Document, Node, did_you_mean
from router.conditions import Condition, Language
from router.content import Content, Derived, Engine, Guard, Rule, Stability
from router.signals import ENGINES, Kind, Scalar, Spec, catalogue

STAGES = ("dwell", "stability", "health")
"""Names in a decision's trace that are not the ids of guards and rules."""

_SECTIONS = ("policy", "params", "derived", "engines", "last_resort", "stability", "guards", "rules")
_LARGEST = 2**53  # what a double, and so JSON, holds exactly
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_ID = re.compile(r"[a-z][a-z0-9-]*")
# Reserved words and literals of CEL: https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax
_RESERVED = re.compile(
    "as|break|const|continue|else|false|for|function|if|import|in|let|loop|namespace|null|package|return|true"
    "|var|void|while"
)


def read(document: Document, *, engines: Collection[str] | None) -> Content:
    """The policy in ``document``. ``engines`` are those that exist; ``None`` takes the document's word for it.

    Raises:
        policies.DocumentError: with every problem as ``file:line:column: message``.
    """
    root = document.root
    root.only(_SECTIONS)
    name, version = _identity(root)
    params = {spec.name: spec for spec in _params(root)}
    entries = dict(_engine_entries(root, engines))
    signals = catalogue({*ENGINES, *entries})
    smoothed = {spec.name: spec for spec in _smoothed(root, signals)}
    derived = tuple(_derived(root, smoothed, Language({**signals, **params})))
    variables = {**signals, **params, **smoothed}
    body = _Body(root, Language(variables), tuple(entries))
    by_name = {name: body.engine(name, node) for name, node in entries.items()}
    stability = _stability(root)
    guards = tuple(body.guards())
    rules = tuple(body.rules())
    last_resort = body.last_resort()
    document.finish()
    return Content(
        name=name,
        version=version,
        hash=_hash(root.value),
        params={spec.name: spec.unknown for spec in params.values()},
        variables=variables,
        derived=derived,
        engines=by_name,
        last_resort=last_resort,
        stability=stability,
        guards=guards,
        rules=rules,
    )


def _identity(root: Node) -> tuple[str, int]:
    node = root.require("policy")
    if node is None:
        return "", 0
    node.only(("name", "version"))
    name, version = node.require("name"), node.require("version")
    return (name and name.text()) or "", (version and version.integer(least=1)) or 0


def _hash(value: object) -> str:
    """SHA-256 of what the document says: layout, comments and the order of keys do not count."""
    canonical = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))
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
    return None


# -- names --------------------------------------------------------------------------------------------------
def _entries(root: Node, section: str) -> Iterator[tuple[str, Node]]:
    """The named entries of an optional mapping; names that conditions could not use are reported."""
    node = root.get(section)
    if node is None or node.value is None:
        return
    for name, entry in node.items():
        if not _NAME.fullmatch(name) or _RESERVED.fullmatch(name):
            message = (
                f"'{name}' cannot be a name: use lower-case letters, digits and _, not a word of CEL's own"
            )
            node.key(name).problem(message)
        else:
            yield name, entry


def _number(name: str, value: Scalar, *, noise: float = 0.0) -> Spec:
    kind = Kind.INT if isinstance(value, int) else Kind.DOUBLE
    return Spec(name, kind, "", "policy", value, noise=noise)


def _params(root: Node) -> Iterator[Spec]:
    for name, entry in _entries(root, "params"):
        entry.only(("value", "min", "max"))
        value = entry.require("value")
        if value is None:
            continue
        if value.number(least=-_LARGEST, most=_LARGEST) is None:
            yield _number(f"p.{name}", 0.0)  # so that conditions are checked against it all the same
            continue
        number = int(value.value) if isinstance(value.value, int) else float(value.value)
        yield _number(f"p.{name}", number)
        low, high = (
            bound.number() if (bound := entry.get(key)) is not None else None for key in ("min", "max")
        )
        if low is not None and high is not None and low > high:
            entry.problem(f"`min` {low:g} is above `max` {high:g}")
        elif (low is not None and number < low) or (high is not None and number > high):
            value.problem(f"{number} is outside its own range of {_range(low, high)}")


def _range(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"at least {low:g}" if high is None else f"at most {high:g}"
    return f"{low:g} to {high:g}"


def _smoothed(root: Node, signals: Mapping[str, Spec]) -> Iterator[Spec]:
    """The declarations of the derived signals, so that conditions can be checked whatever else is wrong."""
    families = {name.split(".")[0] for name in signals} | {"p"}
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
        entry.only(("from", "only_if", "ewma", "unknown", "noise"))
        source, only_if, ewma = entry.require("from"), entry.get("only_if"), entry.require("ewma")
        reading = language.compile(source, gives=Kind.DOUBLE) if source else None
        counts = language.compile(only_if) if only_if else None
        weight = ewma.number(least=0.0, most=1.0) if ewma else None
        if ewma is not None and weight == 0.0:
            ewma.problem("must be above 0: at 0 no reading would ever count")
        if reading and weight and name in specs:
            spec = specs[name]
            yield Derived(name, reading, counts, weight, float(spec.unknown), spec.noise)


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
    node.only(("max_switches", "cooldown_turns"))
    switches, cooldown = node.get("max_switches"), node.get("cooldown_turns")
    return Stability(
        max_switches=switches.integer(least=0) if switches else None,
        cooldown_turns=(cooldown and cooldown.integer(least=0)) or 0,
    )


class _Body:
    """Engines, guards and rules: what needs the language and the engines' names."""

    def __init__(self, root: Node, language: Language, engines: tuple[str, ...]) -> None:
        self._root = root
        self._language = language
        self._engines = engines
        self._places: dict[str, int] = {}

    def engine(self, name: str, entry: Node) -> Engine:
        if entry.value is None:  # `fast:` alone
            return Engine(name)
        entry.only(("fallback", "min_turns", "warm"))
        min_turns, warm = entry.get("min_turns"), entry.get("warm")
        return Engine(
            name,
            fallback=self._names(entry, "fallback"),
            min_turns=(min_turns and min_turns.integer(least=0)) or 0,
            warm=self._language.compile(warm) if warm else None,
        )

    def guards(self) -> Iterator[Guard]:
        node = self._root.get("guards")
        for entry in node.elements() if node else ():
            entry.only(("id", "when", "deny", "force", "because"))
            name, when = self._id(entry), self._condition(entry, "when")
            deny, force = self._names(entry, "deny"), self._engine_name(entry, "force")
            if entry.get("deny") is None and entry.get("force") is None:
                entry.problem("a guard needs `deny` or `force`")
            because = self._because(entry)
            if name and when:
                yield Guard(name, when, deny, force, because)

    def rules(self) -> Iterator[Rule]:
        node = self._root.require("rules")
        entries = list(node.elements()) if node else []
        for entry in entries:
            entry.only(("id", "when", "hold", "route", "else_route", "because"))
            name, when = self._id(entry), self._condition(entry, "when")
            hold = self._condition(entry, "hold") if entry.get("hold") else None
            entry.require("route")
            route, else_route = self._engine_name(entry, "route"), self._engine_name(entry, "else_route")
            because = self._because(entry)
            if name and when and route:
                yield Rule(name, when, hold, route, else_route, because)
            if entry is entries[-1] and when and not when.always:
                entry.problem("the last rule must match every turn: end with a rule whose `when` is true")
        if node and not entries:
            node.problem("at least one rule is needed: the last must have `when: true`")

    def last_resort(self) -> str:
        """The engine that no guard may deny: named by ``last_resort``, or the last rule's route."""
        name = self._engine_name(self._root, "last_resort")
        listing = self._root.get("rules")
        if name is None and (rules := list(listing.elements()) if listing else []):
            route = rules[-1].get("route")
            name = route.value if route and route.value in self._engines else None
        guards = self._root.get("guards")
        for entry in guards.elements() if guards else ():
            denied = entry.get("deny")
            for element in denied.elements() if denied else ():
                if name is not None and element.value == name:
                    element.problem(f"'{name}' is the last resort, which no guard may deny")
        return str(name or "")

    # -- fields ---------------------------------------------------------------------------------------
    def _id(self, entry: Node) -> str | None:
        node = entry.require("id")
        name = node.text() if node else None
        if node is None or name is None:
            return None
        if not _ID.fullmatch(name) or name in STAGES:
            node.problem(
                f"'{name}' cannot be an id: use lower-case letters, digits and -, none of {', '.join(STAGES)}"
            )
            return None
        if name in self._places:
            node.problem(f"'{name}' is already the id of line {self._places[name]}")
            return None
        self._places[name] = node.line
        return name

    def _condition(self, entry: Node, key: str) -> Condition | None:
        node = entry.require(key)
        return self._language.compile(node) if node else None

    def _engine_name(self, entry: Node, key: str) -> str | None:
        node = entry.get(key)
        return node.one_of(self._engines, what="engine") if node else None

    def _names(self, entry: Node, key: str) -> tuple[str, ...]:
        node = entry.get(key)
        found = [element.one_of(self._engines, what="engine") for element in node.elements()] if node else []
        return tuple(name for name in found if name)

    def _because(self, entry: Node) -> str | None:
        node = entry.get("because")
        return node.text() if node else None
