"""Reads a file of tests for a policy. Every problem is reported with its place; one reading finds them all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from policies.document import Document, Node, did_you_mean
from router.errors import ParamError
from router.keys import TEST_KEYS
from router.policy import Policy
from router.signals import Scalar, Spec, spec_of

_TEST = ".test"


def beside(policy: Path) -> Path:
    """Where the tests of a policy stand: ``default.test.yaml`` beside ``default.yaml``."""
    return policy.with_name(f"{policy.stem}{_TEST}{policy.suffix}")


def policy_beside(tests: Path) -> Path | None:
    """The policy that a file tests, by its name; ``None`` when the name does not say."""
    stem = Path(tests.stem)
    return tests.with_name(f"{stem.stem}{tests.suffix}") if stem.suffix == _TEST and stem.stem else None


@dataclass(frozen=True, slots=True)
class Turn:
    """One caller turn, and what is expected of it."""

    signals: Mapping[str, Scalar]
    """Those that are known, also from turns before."""
    fails: tuple[str, ...]
    """Engines that fail when asked to answer it."""
    expects: Mapping[str, Any]
    """Key of the test file → the value that it must have."""
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """A test: a call of one turn or more. A case is a scenario of one turn."""

    name: str
    tenant: str
    params: Mapping[str, Scalar]
    """Values by the name conditions use."""
    call_id: str
    turns: tuple[Turn, ...]
    line: int
    column: int


def read(document: Document, policy: Policy) -> tuple[Scenario, ...]:
    """The tests in ``document``, which are checked against the names that ``policy`` has.

    Raises:
        policies.DocumentError: with every problem as ``file:line:column: message``.
    """
    scenarios = tuple(_Reader(document.root, policy).scenarios())
    document.finish()
    return scenarios


class _Reader:
    def __init__(self, root: Node, policy: Policy) -> None:
        self._root = root
        self._policy = policy
        self._names: dict[str, int] = {}
        variables = policy.content.variables
        self._signals = {name: spec for name, spec in variables.items() if spec_of(name) is not None}
        self._derived = {each.name for each in policy.content.derived}

    def scenarios(self) -> Iterator[Scenario]:
        self._root.only(TEST_KEYS["the tests"])
        cases, scenarios = self._root.get("cases"), self._root.get("scenarios")
        if cases is None and scenarios is None:
            self._root.problem("holds no tests: write `cases`, `scenarios` or both")
        given = self._values(self._root, "given")
        for entry in cases.elements() if cases else ():
            entry.only(TEST_KEYS["a case"])
            entry.require("engine")
            yield self._scenario(entry, given, [entry])
        for entry in scenarios.elements() if scenarios else ():
            entry.only(TEST_KEYS["a scenario"])
            node = entry.require("turns")
            turns = list(node.elements()) if node else []
            for turn in turns:
                turn.only(TEST_KEYS["a turn"])
            if node and not turns:
                node.problem("needs at least one turn")
            found = self._scenario(entry, {**given, **self._values(entry, "signals")}, turns)
            if turns and not any(turn.expects for turn in found.turns):
                entry.problem("expects nothing: say in a turn which `engine` must answer it")
            yield found

    def _scenario(self, entry: Node, given: Mapping[str, Scalar], turns: Sequence[Node]) -> Scenario:
        name, tenant, call_id = self._name(entry), entry.get("tenant"), entry.get("call_id")
        served = (tenant and tenant.one_of(self._policy.tenants, what="tenant")) or ""
        policy = self._policy.for_tenant(served)
        return Scenario(
            name=name,
            tenant=served,
            params=dict(self._params(entry, policy)),
            call_id=(call_id and call_id.text()) or name,
            turns=tuple(self._turns(turns, given, policy)),
            line=entry.line,
            column=entry.column,
        )

    def _turns(self, turns: Sequence[Node], given: Mapping[str, Scalar], policy: Policy) -> Iterator[Turn]:
        expectations = _Expectations(policy)
        known = dict(given)
        for number, node in enumerate(turns):
            if number:
                known["turn.count"] = int(known.get("turn.count", 1)) + 1
            known.update(_time(node))
            known.update(self._values(node, "signals"))
            yield Turn(
                dict(known),
                _some(node.get("fails"), policy.engines, what="engine"),
                dict(expectations.of(node)),
                node.line,
                node.column,
            )

    def _name(self, entry: Node) -> str:
        node = entry.require("name")
        name = (node and node.text()) or ""
        if node and name in self._names:
            node.problem(f"'{name}' is already the name of the test on line {self._names[name]}")
        elif node:
            self._names[name] = node.line
        return name

    def _params(self, entry: Node, policy: Policy) -> Iterator[tuple[str, Scalar]]:
        node = entry.get("params")
        for name, value in node.items() if node else ():
            if value.number() is None:
                continue
            number = int(value.value) if isinstance(value.value, int) else float(value.value)
            try:
                policy.with_params({f"p.{name}": number})
            except ParamError as error:
                value.problem(str(error).partition(": ")[2])
            else:
                yield f"p.{name}", number

    def _values(self, entry: Node, key: str) -> dict[str, Scalar]:
        """The signals under ``key``; those that do not exist, or cannot have their value, are reported."""
        node = entry.get(key)
        found: dict[str, Scalar] = {}
        for name, value in node.items() if node else ():
            spec = self._signals.get(name)
            if spec is None and node:
                node.key(name).problem(self._no_signal(name))
            elif spec and (checked := _checked(spec, value)) is not None:
                found[name] = checked
        return found

    def _no_signal(self, name: str) -> str:
        if name in self._derived:
            return f"'{name}' is smoothed over turns and cannot be set: set what it is derived from, turn by turn"
        return f"unknown signal '{name}'{did_you_mean(name, self._signals)}"


def _checked(spec: Spec, node: Node) -> Scalar | None:
    if isinstance(node.value, list | dict) or node.value is None:
        node.problem("must be a value: leave the signal out where it is not known")
        return None
    try:
        value = spec.check(node.value)
    except ValueError as error:
        node.problem(str(error))
        return None
    return str(value) if isinstance(value, str) else value


def _time(turn: Node) -> dict[str, Scalar]:
    """The signals of the moment ``at``."""
    node = turn.get("at")
    if node is None:
        return {}
    moment = node.value
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            moment = None
    if not isinstance(moment, datetime) or moment.utcoffset() is None or moment.timestamp() < 0:
        node.problem("must be a moment with its offset, such as 2026-12-24T19:00:00+01:00")
        return {}
    return {
        "time.unix_s": int(moment.timestamp()),
        "time.hour": moment.hour,
        "time.weekday": moment.isoweekday(),
    }


class _Expectations:
    """Reads what a test expects of a turn, by the names of the policy that serves it."""

    def __init__(self, policy: Policy) -> None:
        content = policy.content
        self._engines = policy.engines
        self._barring = [guard.id for guard in content.guards] + [each.id for each in content.never]
        self._choosing = [rule.id for rule in content.rules] + [
            guard.id for guard in content.guards if guard.force
        ]
        self._arms = {each.id: [arm.name for arm in each.arms] for each in content.experiments}
        self._shadow = {each.rule.id: list(policy.engines) for each in content.shadow}

    def of(self, turn: Node) -> Iterator[tuple[str, Any]]:
        for key in ("engine", "moved_to"):
            if node := turn.get(key):
                yield key, node.one_of(self._engines, what="engine")
        if node := turn.get("rule"):
            yield "rule", node.one_of(self._choosing, what="rule")
        if node := turn.get("denied"):
            if isinstance(node.value, list):
                yield "denied", frozenset(_some(node, self._engines, what="engine"))
            else:
                yield (
                    "denied",
                    dict(_pairs(node, dict.fromkeys(self._engines, self._barring), "engine", "guard")),
                )
        if node := turn.get("switched"):
            yield "switched", node.boolean()
        if node := turn.get("voice_judged"):
            yield "voice_judged", node.boolean()
        if node := turn.get("endpointing_ms"):
            yield "endpointing_ms", None if node.value is None else node.integer(least=0)
        if node := turn.get("arm"):
            yield "arm", dict(_pairs(node, self._arms, "experiment", "arm"))
        if node := turn.get("shadow"):
            yield "shadow", dict(_pairs(node, self._shadow, "shadow rule", "engine"))


def _pairs(
    node: Node, known: Mapping[str, Sequence[str]], what: str, of_what: str
) -> Iterator[tuple[str, str]]:
    """The entries of a mapping whose keys are among ``known``, each with a value among those known for it."""
    for name, value in node.items():
        if node.key(name).one_of(known, what=what) and (text := value.one_of(known[name], what=of_what)):
            yield name, text


def _some(node: Node | None, known: Sequence[str], *, what: str) -> tuple[str, ...]:
    """One name, or a list of them."""
    if node is None:
        return ()
    parts = list(node.elements()) if isinstance(node.value, list) else [node]
    return tuple(name for part in parts if (name := part.one_of(known, what=what)))
