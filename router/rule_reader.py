"""Reads guards, rules and what hangs on them: shadow rules, experiments, properties and tenants' overlays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from policies.document import Node
from router.conditions import Condition, Language
from router.content import Arm, Experiment, Guard, Never, Overlay, Param, Rule, Shadow
from router.gate_reader import day, rollout, schedule, sorting_key
from router.keys import ID_PATTERN, POLICY_KEYS, STAGES, TENANT_PATTERN
from router.signals import Scalar, Spec

_LEAST_ENDPOINTING_MS, _MOST_ENDPOINTING_MS = 100, 5_000


def names(entry: Node, key: str, known: Sequence[str], *, what: str, some: bool = False) -> tuple[str, ...]:
    """The names listed under an optional ``key``; those that are not ``known``, or none where ``some`` must
    be, are reported."""
    node = entry.get(key)
    found = [element.one_of(known, what=what) for element in node.elements()] if node else []
    if node and some and node.value == []:
        node.problem(f"names no {what}: such a list takes nothing away")
    return tuple(name for name in found if name)


def _label(place: Node, text: str, *, what: str) -> None:
    if not TENANT_PATTERN.fullmatch(text):
        place.problem(f"'{text}' cannot be {what}: use up to 64 letters, digits, '.', '_' and '-'")


class RuleReader:
    """What needs the language and the engines' names. Ids are noted as they are read, so each is there once."""

    def __init__(
        self,
        root: Node,
        language: Language,
        engines: tuple[str, ...],
        signals: Mapping[str, Spec],
        params: Mapping[str, Param],
    ) -> None:
        self._root = root
        self._language = language
        self._engines = engines
        self._signals = signals
        self._params = params
        self._places: dict[str, int] = {}
        self._guards: set[str] = set()
        self._rules: list[str] = []

    def guards(self, parent: Node) -> Iterator[Guard]:
        for entry in self._elements(parent, "guards"):
            entry.only(POLICY_KEYS["a guard"])
            name, when = self._id(entry), self._condition(entry, "when")
            deny, force = (
                names(entry, "deny", self._engines, what="engine", some=True),
                self._engine_name(entry, "force"),
            )
            if entry.get("deny") is None and entry.get("force") is None:
                entry.problem("a guard needs `deny` or `force`")
            because = reason_of(entry)
            if name and parent is self._root:
                self._guards.add(name)
            if name and when:
                yield Guard(name, when, deny, force, because, entry.line, entry.column)

    def rules(self) -> Iterator[Rule]:
        node = self._root.require("rules")
        entries = list(node.elements()) if node else []
        for entry in entries:
            entry.only(POLICY_KEYS["a rule"])
            rule, name = self._rule(entry), entry.get("id")
            if name is not None:  # also of a rule that is wrong: what refers to it is not
                self._rules.append(str(name.value))
            if rule:
                yield rule
            if entry is entries[-1] and rule and (not rule.when.always or rule.gated):
                entry.problem(
                    "the last rule must match every turn: end with a rule whose `when` is true,"
                    " without schedule or rollout"
                )
        if node and not entries:
            node.problem("at least one rule is needed: the last must have `when: true`")

    def last_resort(self) -> str:
        """The engine that no guard may deny: named by ``last_resort``, or the last rule's route."""
        name = self._engine_name(self._root, "last_resort")
        if name is None and (rules := list(self._elements(self._root, "rules"))):
            route = rules[-1].get("route")
            name = route.value if route and route.value in self._engines else None
        for denied in self._denials():
            if name is not None and denied.value == name:
                denied.problem(f"'{name}' is the last resort, which no guard may deny")
        return str(name or "")

    def shadow(self) -> Iterator[Shadow]:
        for entry in self._elements(self._root, "shadow"):
            entry.only(POLICY_KEYS["a shadow rule"])
            replaced = entry.get("replaces")
            replaces = replaced.one_of(self._rules, what="rule") if replaced else None
            if rule := self._rule(entry):
                if replaces and replaces == self._rules[-1] and (not rule.when.always or rule.gated):
                    entry.problem(f"'{replaces}' must match every turn, and so must what replaces it")
                yield Shadow(rule, replaces)

    def experiments(self) -> Iterator[Experiment]:
        taken: dict[str, str] = {}
        for entry in self._elements(self._root, "experiments"):
            entry.only(POLICY_KEYS["an experiment"])
            name, node, until = self._id(entry), entry.require("rule"), entry.get("until")
            rule = node.one_of(self._rules, what="rule") if node else None
            if node and rule in taken:
                node.problem(f"'{rule}' is in the experiment '{taken[rule]}' already")
            # By name: policies with one hash are the same policy, and the order of keys is not in the hash.
            arms = tuple(sorted(self._arms(entry), key=lambda arm: arm.name))
            by, last = sorting_key(entry, self._signals), day(until) if until else None
            because = reason_of(entry)
            if name and rule and arms:
                taken.setdefault(rule, name)
                yield Experiment(name, rule, by, arms, last, because, entry.line, entry.column)

    def never(self) -> Iterator[Never]:
        for entry in self._elements(self._root, "never"):
            entry.only(POLICY_KEYS["a property"])
            name, when, route = self._id(entry), self._condition(entry, "when"), entry.require("route")
            if route is not None and isinstance(route.value, list):
                routes = names(entry, "route", self._engines, what="engine", some=True)
            else:
                routes = (one,) if (one := self._engine_name(entry, "route")) else ()
            because = reason_of(entry)
            if name and when and routes:
                yield Never(name, routes, when, because, entry.line, entry.column)

    def overlays(self) -> Iterator[Overlay]:
        node = self._root.get("overlays")
        for tenant, entry in node.items() if node else ():
            place = node.key(tenant) if node else entry
            _label(place, tenant, what="a tenant")
            if entry.value is None:
                continue
            entry.only(POLICY_KEYS["an overlay"])
            ids = dict(self._places)  # two tenants may use one id; a tenant and the rest may not
            overlay = Overlay(
                tenant,
                dict(self._settings(entry)),
                frozenset(self._disabled(entry)),
                tuple(self._inserted(entry)),
                tuple(self.guards(entry)),
                place.line,
                place.column,
            )
            self._places = ids
            yield overlay

    # -- parts of an overlay ------------------------------------------------------------------------------
    def _settings(self, entry: Node) -> Iterator[tuple[str, Scalar]]:
        node = entry.get("params")
        for name, value in node.items() if node else ():
            param = self._params.get(f"p.{name}")
            if param is None and node:
                known = [one.removeprefix("p.") for one in self._params]
                node.key(name).one_of(known, what="param")
            elif param and value.number() is not None:
                if param.allows(value.value):
                    kind = type(param.value)
                    yield param.name, kind(value.value)
                else:
                    whole = "a whole number, " if isinstance(param.value, int) else "written with a point, "
                    value.problem(f"{value.value} cannot be: '{name}' is {whole}{param.range}")

    def _disabled(self, entry: Node) -> Iterator[str]:
        node = entry.get("disable")
        for element in node.elements() if node else ():
            name = element.text()
            if name is None:
                continue
            if name in self._guards:
                element.problem(f"'{name}' is a guard, which no tenant can be without")
            elif self._rules and name == self._rules[-1]:
                element.problem("the last rule cannot be disabled: it answers what no other rule does")
            elif element.one_of(self._rules, what="rule"):
                yield name

    def _inserted(self, entry: Node) -> Iterator[tuple[str, Rule]]:
        for element in self._elements(entry, "insert"):
            element.only(POLICY_KEYS["an inserted rule"])
            node = element.require("before")
            before = node.one_of(self._rules, what="rule") if node else None
            if (rule := self._rule(element)) and before:
                yield before, rule

    # -- fields -------------------------------------------------------------------------------------------
    def _rule(self, entry: Node) -> Rule | None:
        name, when = self._id(entry), self._condition(entry, "when")
        hold = self._condition(entry, "hold") if entry.get("hold") else None
        entry.require("route")
        route, else_route = self._engine_name(entry, "route"), self._engine_name(entry, "else_route")
        hours, share, pause = entry.get("schedule"), entry.get("rollout"), entry.get("endpointing_ms")
        because = reason_of(entry)
        when_open, sampled = (
            schedule(hours) if hours else None,
            rollout(share, self._signals) if share else None,
        )
        pause_ms = pause.integer(least=_LEAST_ENDPOINTING_MS, most=_MOST_ENDPOINTING_MS) if pause else None
        if not (name and when and route):
            return None
        return Rule(
            name,
            when,
            hold,
            route,
            else_route,
            because,
            when_open,
            sampled,
            pause_ms,
            entry.line,
            entry.column,
        )

    def _arms(self, entry: Node) -> Iterator[Arm]:
        node = entry.require("arms")
        arms = list(node.items()) if node else []
        total = 0.0
        for name, value in arms:
            if node:
                _label(node.key(name), name, what="an arm")
            mapping = isinstance(value.value, dict)
            if mapping:
                value.only(POLICY_KEYS["an arm"])
            weight = value.require("weight") if mapping else value
            route = self._engine_name(value, "route") if mapping else None
            share = weight.number(least=0.0, most=1e6) if weight else None
            if share is not None:
                total += share
                yield Arm(name, share, route)
        if node and (len(arms) < 2 or total <= 0):
            node.problem("an experiment needs at least two arms, and a weight above 0 among them")

    def _denials(self) -> Iterator[Node]:
        """Every engine that some guard, also a tenant's, or a property takes away."""
        overlays = self._root.get("overlays")
        parents = [self._root, *(entry for _, entry in overlays.items())] if overlays else [self._root]
        lists = [entry.get("deny") for parent in parents for entry in self._elements(parent, "guards")]
        for entry in self._elements(self._root, "never"):
            route = entry.get("route")
            if route is not None and isinstance(route.value, list):
                lists.append(route)
            elif route is not None:
                yield route
        for listing in lists:
            yield from listing.elements() if listing else ()

    def _elements(self, parent: Node, section: str) -> Iterator[Node]:
        node = parent.get(section) if isinstance(parent.value, dict) else None
        yield from node.elements() if node is not None and node.value is not None else ()

    def _id(self, entry: Node) -> str | None:
        node = entry.require("id")
        name = node.text() if node else None
        if node is None or name is None:
            return None
        if not ID_PATTERN.fullmatch(name):
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


def reason_of(entry: Node) -> str:
    """What stands in ``because``, which must be there and not be empty."""
    node = entry.require("because")
    text = node.text() if node else None
    if node and text is not None and not text.strip():
        node.problem("is empty: say in words why, for whoever reads the record of a call")
    return text or ""
