"""Calls whose route is planned, for tests and benches: a policy that sends turn after turn where it is told."""

from __future__ import annotations

from collections.abc import Sequence

ENGINES = ("fast", "standard", "tool", "realtime")


def planned_policy(route: Sequence[str], *, warm: bool = True) -> str:
    """A policy document that answers turn ``n`` with ``route[n - 1]``, and further turns with the last.

    Args:
        route: engine names, one per turn.
        warm: whether realtime is kept warm throughout.
    """
    engines = "".join(
        f"  {name}: {{fallback: [{'fast' if name == 'standard' else 'standard'}]"
        + (f", warm: '{str(warm).lower()}'" if name == "realtime" else "")
        + "}\n"
        for name in dict.fromkeys((*ENGINES, *route))
    )
    rules = "".join(
        f"  - {{id: turn-{number}, when: 'turn.count == {number}', route: {engine}, because: it is planned}}\n"
        for number, engine in enumerate(route, start=1)
    )
    return (
        "policy: {name: rehearsal, version: 1}\n"
        f"engines:\n{engines}last_resort: standard\n"
        f"rules:\n{rules}  - {{id: rest, when: 'true', route: {route[-1]}, because: the plan is over}}\n"
    )
