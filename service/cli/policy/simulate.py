"""``patchbay policy simulate``: policies over made-up calls, scored under stated assumptions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from policies import shipped
from router import Policy
from router.whatif.assumptions import Assumptions
from router.whatif.drawing import kind_of
from router.whatif.mix import Mix
from router.whatif.score import Floats, Outcomes
from router.whatif.simulate import Simulated
from router.whatif.statistics import Interval, Resampled
from service.cli.policy.shared import each, interval_json, print_json, stated_json
from service.cli.policy.simulate_tables import Figure, KindOfCaller, View, simulation_view
from service.simulating import Wanted, simulated

SCHEMA = "patchbay.simulate/1"
_MOST_SWITCHES = 5  # told apart; more are told together


def simulate(
    path: Path,
    *,
    against: Path | None,
    calls: int,
    seed: int,
    tenant: str,
    mix: Path | None,
    assume: Path | None,
    as_json: bool,
) -> int:
    """Print what the policy does with made-up calls; returns 1 when a guard was passed over.

    Args:
        path: a policy file.
        against: a second policy for the same calls.
        calls: how many.
        seed: the same seed gives the same calls.
        tenant: whose calls they are; empty: of nobody with an overlay.
        mix: who calls; by default the shipped mix.
        assume: what is assumed of the engines; by default the shipped table.
        as_json: JSON instead of tables.

    Raises:
        policies.DocumentError: a document has errors, or nothing is assumed of an engine.
    """
    policies = [Policy.load(each_path) for each_path in (path, against) if each_path]
    wanted = Wanted(
        policies,
        Mix.load(mix or shipped("mix.yaml")),
        Assumptions.load(assume or shipped("assumptions.yaml")),
        calls,
        seed,
        tenant,
    )
    found = simulated(wanted, watch=lambda jobs: each(jobs, "Simulating calls"))
    view = view_of(wanted, found)
    if as_json:
        print_json(_json(view))
    else:
        Console().print(simulation_view(view))
    return 1 if any(one.outcomes.violations.sum() for one in found) else 0


def view_of(wanted: Wanted, found: Sequence[Simulated]) -> View:
    """The figures with their intervals, by call and, where there are two policies, of their differences."""
    resampled = Resampled(wanted.calls, seed=wanted.seed)
    outcomes = [one.outcomes for one in found]

    def figure(of: str) -> Figure:
        columns: list[Floats] = [np.asarray(getattr(one, of), np.float64) for one in outcomes]
        values = [_interval(resampled, column) for column in columns]
        return Figure(of, values, _interval(resampled, columns[0] - columns[1]) if len(columns) > 1 else None)

    return View(
        wanted=wanted,
        found=found,
        figures=[figure(name) for name in ("utility", "quality", "usd", "switches")],
        switches=[_switches(one) for one in outcomes],
        idle_rules=[
            [rule.id for rule in policy.for_tenant(wanted.tenant).content.rules if not one.rules.get(rule.id)]
            for policy, one in zip(wanted.policies, found, strict=True)
        ],
        callers=_callers(outcomes, wanted.seed),
    )


def _interval(resampled: Resampled, per_call: Floats) -> Interval:
    found = resampled.mean(per_call)
    assert found is not None  # noqa: S101 — there is at least one call
    return found


def _switches(outcomes: Outcomes) -> list[int]:
    """How many calls were switched 0, 1, 2 … times; the last entry is of those switched as often or more often."""
    counts = np.bincount(np.minimum(outcomes.switches, _MOST_SWITCHES), minlength=_MOST_SWITCHES + 1)
    return [int(number) for number in counts]


def _callers(outcomes: Sequence[Outcomes], seed: int) -> list[KindOfCaller]:
    """Utility by kind of caller, in the order of their share."""
    kinds = np.array([kind_of(call_id) for call_id in outcomes[0].call_ids])
    found = []
    for kind in np.unique(kinds):
        of_kind = kinds == kind
        resampled = Resampled(int(of_kind.sum()), seed=seed)
        values = [_interval(resampled, one.utility[of_kind]) for one in outcomes]
        difference = (
            _interval(resampled, (outcomes[0].utility - outcomes[1].utility)[of_kind])
            if len(outcomes) > 1
            else None
        )
        found.append(KindOfCaller(str(kind), int(of_kind.sum()), Figure("utility", values, difference)))
    return sorted(found, key=lambda one: -one.calls)


# -- JSON -----------------------------------------------------------------------------------------------------
def _json(view: View) -> dict[str, Any]:
    wanted = view.wanted
    return {
        "schema": SCHEMA,
        "simulated": True,
        "calls": wanted.calls,
        "turns": int(view.found[0].outcomes.turns.sum()),
        "seed": wanted.seed,
        "tenant": wanted.tenant,
        "mix": {"file": wanted.mix.file, "stated": stated_json(wanted.mix.stated)},
        "assumptions": {
            "file": wanted.assumptions.file,
            "stated": stated_json(wanted.assumptions.stated),
        },
        "policies": [_policy_json(view, index) for index in range(len(view.found))],
        "differences": {
            figure.name: interval_json(figure.difference) for figure in view.figures if figure.difference
        },
        "callers": [
            {
                "kind": one.kind,
                "calls": one.calls,
                "utility": [interval_json(value) for value in one.utility.values],
                "difference": interval_json(one.utility.difference),
            }
            for one in view.callers
        ],
    }


def _policy_json(view: View, index: int) -> dict[str, Any]:
    policy, one = view.wanted.policies[index], view.found[index]
    return {
        "name": policy.name,
        "version": policy.version,
        "hash": policy.hash,
        **{figure.name: interval_json(figure.values[index]) for figure in view.figures},
        "heard_p50_ms": one.outcomes.heard_ms(0.50),
        "heard_p95_ms": one.outcomes.heard_ms(0.95),
        "heard_p99_ms": one.outcomes.heard_ms(0.99),
        "switches_median": float(np.median(one.outcomes.switches)),
        "switches_calls": view.switches[index],
        "turns": dict(one.turns),
        "rules": dict(one.rules),
        "idle_rules": view.idle_rules[index],
        "denials": dict(one.denials),
        "failures": dict(one.failures),
        "turns_against_guards_of_first": one.against_first,
        "violations": {
            "turns": int(one.outcomes.violations.sum()),
            "first": [
                {"call": each.call_id, "turn": each.turn, "engine": each.engine, "guard": each.guard}
                for each in one.violations
            ],
        },
    }
