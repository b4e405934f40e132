"""Policies over recorded calls: whether replaying gives what was logged, and what another policy would change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from router.decision import Decision
from router.explanation import deciding_values
from router.policy import Policy
from router.signals import Scalar
from router.whatif.calls import PastCall, PastTurn, walk
from router.whatif.estimates import Estimate, Estimator
from router.whatif.statistics import Interval, Resampled


@dataclass(frozen=True, slots=True)
class Route:
    """An engine, and the rule or guard that chose it."""

    engine: str
    rule: str

    def __str__(self) -> str:
        return f"{self.engine} by {self.rule}" if self.rule else self.engine


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A turn that replaying its own policy does not reproduce."""

    call_id: str
    turn: int
    logged: Route
    replayed: Route
    reason: str
    """What the replay says of its route."""


def mismatches(policy: Policy, call: PastCall) -> Iterator[Mismatch]:
    """The turns of ``call`` that ``policy``, which routed it, now routes otherwise: none, if all is well."""
    for turn, decision in walk(policy, call):
        logged = Route(turn.engine or "", turn.rule)
        replayed = Route(decision.engine, decision.rule if turn.rule else "")
        if logged != replayed:
            yield Mismatch(call.call_id, decision.turn, logged, replayed, decision.reason)


# -- what another policy would have done ----------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Served:
    """How one turn was answered, or would have been."""

    turn: int
    route: Route
    answered: str
    """The engine that answered in the end, after failures."""
    violates: bool
    """An engine that a guard denied had the turn, or would have had it."""
    decision: Decision | None = None
    """``None`` when it was not taken now."""


def as_logged(call: PastCall) -> Iterator[Served]:
    """The turns as they were."""
    number = 0
    for turn in call.turns:
        number = int(turn.signals.get("turn.count", number + 1))
        engines = (turn.engine or "", *turn.moved)
        violates = not set(engines).isdisjoint(turn.denied)
        yield Served(number, Route(engines[0], turn.rule), engines[-1], violates)


def under(policy: Policy, call: PastCall) -> Iterator[Served]:
    """The turns as ``policy`` would have routed them; those that routing itself failed on stay as they were."""
    decided = walk(policy, call)
    for turn, logged in zip(call.turns, as_logged(call), strict=True):
        if not turn.routed:
            yield logged
            continue
        _, decision = next(decided)
        moved = turn.moved if decision.engine == turn.engine else ()
        route, answered = Route(decision.engine, decision.rule), (decision.engine, *moved)[-1]
        # Where failures moved the call then, guards of this policy would have been heeded: that is no violation.
        yield Served(decision.turn, route, answered, decision.engine in decision.denied, decision)


@dataclass(frozen=True, slots=True)
class ChangedTurn:
    """A turn that goes to another engine."""

    call_id: str
    turn: int
    before: Route
    after: Route
    reason: str
    values: Mapping[str, Scalar]
    """The signals and params that the two rules read, with their values at that turn."""


# -- the two beside each other --------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Compared:
    """A figure before and after, over the turns for which both are known. ``None``: there are none."""

    before: Interval | None
    after: Interval | None
    difference: Interval | None
    turns: int
    """How many those are."""
    estimated: int
    """Turns among them for which one or both are estimates."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changes from one policy, or from the record, to another. Intervals are of 95 %, by call."""

    calls: int
    calls_affected: int
    turns: int
    changed: tuple[ChangedTurn, ...]
    share_changed: Interval | None
    """Changed turns per turn."""
    routes_before: Mapping[str, int]
    """Turns by the engine that was decided."""
    routes_after: Mapping[str, int]
    switches: Compared
    """Per call: turns answered by another engine than the turn before."""
    cost_usd: Compared
    """Per call."""
    heard_ms: Compared
    """Per turn."""
    violations_before: int
    """Turns that an engine answered, or was to answer, although a guard denied it."""
    violations_after: int
    refused: int
    """Turns whose route before the guards of the other policy deny."""
    without_estimate: Mapping[str, int]
    """Turns that go to an engine of which neither record nor assumptions know cost and wait, by engine."""


def compare(
    calls: Iterable[PastCall],
    before: Policy | None,
    after: Policy,
    estimate: Estimator,
    *,
    routed_by: Callable[[PastCall], Policy | None] = lambda call: None,
) -> Comparison:
    """What changes when ``after`` routes ``calls`` rather than ``before``, or than what routed them for ``None``.

    A turn that goes to the engine of the record keeps its measured cost and wait; any other gets an estimate.
    Intervals are of what was measured and estimated: that the estimates themselves are uncertain is not in them.

    Args:
        calls: in any order.
        before: the policy to compare with, or ``None`` for the record.
        after: the policy to try.
        estimate: of cost and wait, for turns that go to another engine.
        routed_by: the policy that a call had, where it is known, to say what its rules read.
    """
    tally = _Tally(estimate)
    for call in calls:
        was = list(as_logged(call)) if before is None else list(under(before, call))
        would = list(under(after, call))
        if changed := tally.add(call, was, would):
            old = before or routed_by(call)
            decided = was if before or old is None else list(under(old, call))
            tally.changed += [
                ChangedTurn(
                    call.call_id,
                    would[index].turn,
                    was[index].route,
                    would[index].route,
                    decision.reason if (decision := would[index].decision) else "",
                    _read_by_both(call, (old, decided[index]), (after, would[index])),
                )
                for index in changed
            ]
    return tally.comparison()


_COLUMNS = (
    "turns", "changed", "one", "switches_before", "switches_after",
    "costs", "cost_before", "cost_after", "waits", "wait_before", "wait_after",
)  # fmt: skip


@dataclass(slots=True)
class _Tally:
    """Adds up calls; a row of sums per call, because intervals are by call."""

    estimate: Estimator
    rows: list[dict[str, float]] = field(default_factory=list)
    changed: list[ChangedTurn] = field(default_factory=list)
    routes: tuple[Counter[str], Counter[str]] = field(default_factory=lambda: (Counter(), Counter()))
    violations: list[int] = field(default_factory=lambda: [0, 0])
    refused: int = 0
    estimated: Counter[str] = field(default_factory=Counter)
    without: Counter[str] = field(default_factory=Counter)

    def add(self, call: PastCall, before: Sequence[Served], after: Sequence[Served]) -> list[int]:
        """The indices of the turns that go to another engine."""
        row = dict.fromkeys(_COLUMNS, 0.0)
        row["one"], row["turns"] = 1.0, len(call.turns)
        row["switches_before"], row["switches_after"] = _switches(before), _switches(after)
        changed = []
        for index, (turn, was, would) in enumerate(zip(call.turns, before, after, strict=True)):
            self.routes[0][was.route.engine] += 1
            self.routes[1][would.route.engine] += 1
            self.violations[0] += was.violates
            self.violations[1] += would.violates
            self.refused += would.decision is not None and was.route.engine in would.decision.denied
            if was.route.engine != would.route.engine:
                changed.append(index)
            self._figures(row, turn, was, would)
        row["changed"] = len(changed)
        self.rows.append(row)
        return changed

    def _figures(self, row: dict[str, float], turn: PastTurn, was: Served, would: Served) -> None:
        old, new = self._expected(turn, was), self._expected(turn, would)
        estimated = turn.engine != was.route.engine or turn.engine != would.route.engine
        if old.cost_usd is not None and new.cost_usd is not None:
            row["costs"] += 1
            row["cost_before"] += old.cost_usd
            row["cost_after"] += new.cost_usd
            self.estimated["cost"] += estimated
        if old.heard_ms is not None and new.heard_ms is not None:
            row["waits"] += 1
            row["wait_before"] += old.heard_ms
            row["wait_after"] += new.heard_ms
            self.estimated["wait"] += estimated

    def _expected(self, turn: PastTurn, served: Served) -> Estimate:
        if served.route.engine == turn.engine:
            return Estimate(turn.cost_usd, turn.heard_ms)
        found = self.estimate(served.route.engine, turn)
        if None in (found.cost_usd, found.heard_ms):
            self.without[served.route.engine] += 1
        return found

    def comparison(self) -> Comparison:
        sums = {name: np.array([row[name] for row in self.rows]) for name in _COLUMNS}
        resampled = Resampled(len(self.rows))

        def compared(name: str, per: _Array, turns: str, estimated: str) -> Compared:
            before, after = sums[f"{name}_before"], sums[f"{name}_after"]
            return Compared(
                resampled.ratio(before, per),
                resampled.ratio(after, per),
                resampled.ratio(after - before, per),
                int(sums[turns].sum()),
                self.estimated[estimated],
            )

        return Comparison(
            calls=len(self.rows),
            calls_affected=int((sums["changed"] > 0).sum()),
            turns=int(sums["turns"].sum()),
            changed=tuple(self.changed),
            share_changed=resampled.ratio(sums["changed"], sums["turns"]),
            routes_before=_ordered(self.routes[0]),
            routes_after=_ordered(self.routes[1]),
            switches=compared("switches", sums["one"], "turns", ""),
            cost_usd=compared("cost", (sums["costs"] > 0).astype(np.float64), "costs", "cost"),
            heard_ms=compared("wait", sums["waits"], "waits", "wait"),
            violations_before=self.violations[0],
            violations_after=self.violations[1],
            refused=self.refused,
            without_estimate=_ordered(self.without),
        )


_Array = np.ndarray[Any, np.dtype[np.float64]]


def _ordered(counts: Counter[str]) -> Mapping[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _switches(served: Sequence[Served]) -> int:
    return sum(one.answered != other.answered for one, other in pairwise(served))


def _read_by_both(call: PastCall, *sides: tuple[Policy | None, Served]) -> dict[str, Scalar]:
    """What the rules of both sides read, as far as each side's policy has them."""
    values: dict[str, Scalar] = {}
    rules = [served.route.rule for _, served in sides]
    for policy, served in sides:
        if policy is not None and served.decision is not None:
            values |= deciding_values(policy.for_tenant(call.tenant), served.decision, rules)
    return values
