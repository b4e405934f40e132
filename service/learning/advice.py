"""What to write into a policy so that turns that never reach an engine with tools are heard of."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from router.content import Content

PERCENT = 10
"""Of the calls: with half of it the labels tell half as much (docs/decisions/0013-labels-from-the-ledger.md)."""


def experiment(content: Content, censored_by: Mapping[str, int], able: Collection[str]) -> str:
    """An experiment to add to the policy, as YAML; empty where none can be added.

    It sends some of the calls that one rule sends to an engine without tools to an engine with tools instead.

    Args:
        content: of the policy.
        censored_by: turns by the rule that sent them to an engine without tools, the most first.
        able: the engines that have tools.
    """
    taken = {each.rule for each in content.experiments}
    free = {rule.id for rule in content.rules if rule.route not in able and rule.id not in taken}
    rule = next((rule for rule in censored_by if rule in free), None)
    engine = _engine(content, able)
    if rule is None or engine is None:
        return ""
    return (
        "experiments:\n"
        f"  - id: {_new_id(content)}\n"
        f"    rule: {rule}\n"
        f"    arms: {{as-ever: {100 - PERCENT}, with-tools: {{weight: {PERCENT}, route: {engine}}}}}\n"
        "    because: some calls show whether the turns without tools would have needed one\n"
    )


def _engine(content: Content, able: Collection[str]) -> str | None:
    """One with tools that no guard ever denies, if there is one: a guard would undo the experiment."""
    denied = {engine for guard in content.guards for engine in guard.deny}
    denied |= {engine for each in content.never for engine in each.routes}
    routed = [rule.route for rule in content.rules if rule.route in able]
    candidates = [*routed, *(engine for engine in content.engines if engine in able)]
    return next((one for one in candidates if one not in denied), next(iter(candidates), None))


def _new_id(content: Content) -> str:
    used = {each.id for each in content.experiments} | {each.id for each in content.rules}
    name, number = "hear-of-tools", 2
    while name in used:
        name, number = f"hear-of-tools-{number}", number + 1
    return name
