"""``patchbay policy replay``: recorded calls under another policy, after the proof that replaying is exact."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from compliance.errors import LedgerError
from compliance.ledger import Ledger
from router import Policy
from router.whatif.assumptions import Assumptions
from router.whatif.estimates import as_assumed, from_record, recorded_means
from router.whatif.replay import ChangedTurn, Compared, Comparison, Route, compare
from service.cli.errors import CommandError
from service.cli.policy.replay_tables import comparison_view, reproduction_view
from service.cli.policy.shared import each, interval_json, print_json, reading
from service.history import Archive, Recorded, find_call, moment, recorded
from service.reproduction import Reproduction, reproduce
from service.words import count

SCHEMA = "patchbay.replay/1"
LOGGED = "logged"
"""Compares with what was logged, rather than with another policy."""


@dataclass(frozen=True, slots=True)
class Which:
    """Which recorded calls; all of them by default."""

    calls: Sequence[str] = ()
    """Ids, or beginnings of ids."""
    since: datetime | None = None
    until: datetime | None = None
    tenant: str | None = None

    @classmethod
    def read(cls, calls: Sequence[str], since: str, until: str, tenant: str | None) -> Which:
        """From options; empty times are none. Raises :class:`CommandError` for what is no time."""

        def at(option: str, text: str, *, last: bool) -> datetime | None:
            try:
                return moment(text, last=last) if text else None
            except ValueError:
                raise CommandError(
                    f"{option} '{text}' is no time: write 2026-11-01, or 2026-11-01T09:00+01:00"
                ) from None

        return cls(calls, at("--since", since, last=False), at("--until", until, last=True), tenant)


def replay(
    where: str,
    path: Path,
    *,
    against: str,
    which: Which,
    assume: Path | None,
    as_json: bool,
    csv_file: Path | None,
    limit: int,
) -> int:
    """Print what changes; returns 1 when a call's own policy does not give what was logged.

    Args:
        where: the ledger: a path or a URL.
        path: the policy to try.
        against: :data:`LOGGED`, or the file of another policy.
        which: of the recorded calls.
        assume: a table of assumed costs and waits, for engines that the record does not know.
        as_json: JSON instead of tables.
        csv_file: where to write every changed turn.
        limit: how many changed turns the tables show; 0 shows all.

    Raises:
        policies.DocumentError: a policy or the assumptions cannot be used.
        compliance.errors.ComplianceError: the ledger cannot be read, or no call is meant.
    """
    policy = Policy.load(path)
    before = None if against.lower() == LOGGED else Policy.load(Path(against))
    assumed = as_assumed(Assumptions.load(assume)) if assume else None
    with reading(where, "policy replay") as ledger:
        found = _recorded(ledger, which, where)
        calls = found.calls
        archive = Archive(ledger)
        check = reproduce(archive, each(calls, "Checking"), unreadable=found.unreadable)
        comparison = compare(
            each(calls, "Replaying"),
            before,
            policy,
            from_record(recorded_means(calls), assumed),
            routed_by=archive.routed,
        )
    if csv_file is not None:
        _write_csv(csv_file, comparison.changed)
    if as_json:
        print_json(_json(check, comparison, policy, before))
    else:
        console = Console()
        console.print(reproduction_view(check, limit))
        console.print()
        console.print(comparison_view(comparison, policy, before, limit=limit, may_assume=assume is None))
        if csv_file is not None:
            console.print(f"Every changed turn: {csv_file}", markup=False, highlight=False, soft_wrap=True)
    return 0 if check.ok else 1


def _recorded(ledger: Ledger, which: Which, where: str) -> Recorded:
    names = [find_call(ledger, name) for name in which.calls] or ledger.calls()
    found = recorded(
        ledger, each(names, "Reading"), since=which.since, until=which.until, tenant=which.tenant
    )
    if not found.calls:
        why = "; ".join(found.unreadable) or "none with a decision that is asked for"
        raise LedgerError(f"{where} holds {count(len(names), 'call')}, but nothing to replay: {why}")
    return found


# -- for scripts ----------------------------------------------------------------------------------------------
def _json(check: Reproduction, found: Comparison, policy: Policy, before: Policy | None) -> dict[str, Any]:
    """The schema ``patchbay.replay/1``; intervals are of 95 %, by call, and ``null`` is not known."""

    def name(one: Policy) -> dict[str, Any]:
        return {"name": one.name, "version": one.version, "hash": one.hash}

    def compared(figure: Compared) -> dict[str, Any]:
        return {
            "before": interval_json(figure.before),
            "after": interval_json(figure.after),
            "difference": interval_json(figure.difference),
            "turns": figure.turns,
            "turns_estimated": figure.estimated,
        }

    return {
        "schema": SCHEMA,
        "policy": name(policy),
        "against": name(before) if before else LOGGED,
        "check": {
            "ok": check.ok,
            "turns": check.turns,
            "mismatches": [
                {
                    "call": one.call_id,
                    "turn": one.turn,
                    "logged": _route_json(one.logged),
                    "replayed": _route_json(one.replayed),
                    "reason": one.reason,
                }
                for one in check.mismatches
            ],
            "calls_not_checked": {**check.unusable, **check.not_archived},
        },
        "calls": found.calls,
        "calls_affected": found.calls_affected,
        "turns": found.turns,
        "turns_changed": len(found.changed),
        "share_changed": interval_json(found.share_changed),
        "routes_before": dict(found.routes_before),
        "routes_after": dict(found.routes_after),
        "switches_per_call": compared(found.switches),
        "cost_usd_per_call": compared(found.cost_usd),
        "heard_ms_per_turn": compared(found.heard_ms),
        "guard_violations": {"before": found.violations_before, "after": found.violations_after},
        "routes_refused_by_guards": found.refused,
        "turns_without_estimate": dict(found.without_estimate),
        "changed": [
            {
                "call": one.call_id,
                "turn": one.turn,
                "before": _route_json(one.before),
                "after": _route_json(one.after),
                "reason": one.reason,
                "values": dict(one.values),
            }
            for one in found.changed
        ],
    }


def _route_json(route: Route) -> dict[str, str]:
    return {"engine": route.engine, "rule": route.rule}


def _write_csv(path: Path, changed: Sequence[ChangedTurn]) -> None:
    """A row per changed turn; the values that decided share a cell, as ``name=value`` separated by semicolons."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(
                ("call", "turn", "from_engine", "from_rule", "to_engine", "to_rule", "reason", "values")
            )
            for one in changed:
                values = ";".join(f"{name}={value}" for name, value in one.values.items())
                rows.writerow(
                    (
                        one.call_id,
                        one.turn,
                        one.before.engine,
                        one.before.rule,
                        one.after.engine,
                        one.after.rule,
                        one.reason,
                        values,
                    )
                )
    except OSError as error:
        raise CommandError(f"{path}: cannot be written ({error.strerror}). Choose another place.") from error
