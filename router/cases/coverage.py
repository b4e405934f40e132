"""What of a policy its tests reach: which guards, rules, holds, second routes and tenants never came into play."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from router.cases.running import Result
from router.content import Content, Guard, Overlay, Rule
from router.policy import Policy

Kind = Literal["guard", "rule", "hold", "else_route", "tenant"]


@dataclass(frozen=True, slots=True)
class Item:
    """Something that a test should reach."""

    kind: Kind
    id: str
    tenant: str
    """Whose it is; empty: everybody's."""
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """What there is to reach, and what was not, in the order of the file."""

    items: tuple[Item, ...]
    missed: tuple[Item, ...]

    @property
    def percent(self) -> float:
        """100 when there is nothing to reach."""
        return 100.0 * (1.0 - len(self.missed) / len(self.items)) if self.items else 100.0


def coverage(policy: Policy, results: Iterable[Result]) -> Coverage:
    """What the tests of ``policy`` reached."""
    content = policy.content
    reached = {key for result in results for key in _reached(result, content)}
    items = tuple(_items(content))
    return Coverage(items, tuple(item for item in items if (item.kind, item.id, item.tenant) not in reached))


def _items(content: Content) -> Iterator[Item]:
    yield from _of(content.guards, content.rules, "")
    for tenant, overlay in content.overlays.items():
        yield Item("tenant", tenant, tenant, overlay.line, overlay.column)
        yield from _of(overlay.guards, _inserted(overlay), tenant)


def _of(guards: Iterable[Guard], rules: Iterable[Rule], tenant: str) -> Iterator[Item]:
    for guard in guards:
        yield Item("guard", guard.id, tenant, guard.line, guard.column)
    for rule in rules:
        yield Item("rule", rule.id, tenant, rule.line, rule.column)
        if rule.hold:
            yield Item("hold", rule.id, tenant, rule.hold.line, rule.hold.column)
        if rule.else_route:
            yield Item("else_route", rule.id, tenant, rule.line, rule.column)


def _inserted(overlay: Overlay) -> list[Rule]:
    return [rule for _, rule in overlay.insert]


def _reached(result: Result, content: Content) -> Iterator[tuple[Kind, str, str]]:
    tenant = result.scenario.tenant
    overlay = content.overlays.get(tenant)
    own: set[str] = set()
    if overlay is not None:
        yield "tenant", tenant, tenant
        own = {guard.id for guard in overlay.guards} | {rule.id for rule in _inserted(overlay)}
    second = {rule.id: rule.else_route for rule in result.policy.content.rules if rule.else_route}
    for played in result.turns:
        for name, outcome in played.decision.tried:
            whose = tenant if name in own else ""
            if outcome.startswith(("denies ", "forces ")):
                yield "guard", name, whose
            elif outcome.startswith("held: "):
                yield "hold", name, whose
            elif outcome.startswith("matched: ") or (" denied by " in outcome and ", instead " in outcome):
                yield "rule", name, whose
            if name in second and outcome.endswith(f", instead {second[name]}"):
                yield "else_route", name, whose
