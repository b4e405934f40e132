"""Recorded calls as training material: events out of the ledger, chances from the policies in its archive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from compliance.errors import LedgerError
from compliance.events import CallStarted, Event, ToolCalled
from compliance.ledger import Ledger
from router import Policy
from service.history import Archive, moment, past_call
from service.learning.chance import Propensities
from service.learning.turns import KINDS, recorded_turns
from service.learning.weighing import RecordedCall


@dataclass(frozen=True, slots=True)
class ToolUse:
    """Who called what in a ledger."""

    engines: frozenset[str]
    """Engines that called a tool: they have some, whatever the catalogue of today says."""
    tools: tuple[str, ...]
    """The names of the tools, the most called first."""


@dataclass(frozen=True, slots=True)
class Material:
    """Calls of a ledger that have a routed turn."""

    calls: tuple[RecordedCall, ...]
    unreadable: Mapping[str, int]
    """How many more cannot be read, by what is wrong with them."""
    without_chances: Mapping[str, int]
    """How many of the calls count turn by turn because their policy is not at hand, by why."""
    policy: Policy | None
    """That of the newest call whose policy is at hand, as it is for the call's tenant."""


def tool_use(ledger: Ledger, names: Iterable[str]) -> ToolUse:
    """Who called what in the calls ``names``; calls that cannot be read are passed over."""
    engines, tools = set[str](), Counter[str]()
    for name in names:
        try:
            events = ledger.events(name, kinds=("tool_called",))
        except LedgerError:
            continue  # reading the whole call will report it
        for event in events:
            if isinstance(event, ToolCalled):
                engines.add(event.engine)
                tools[event.name] += 1
    return ToolUse(frozenset(engines), tuple(name for name, _ in tools.most_common()))


def material(
    ledger: Ledger, names: Iterable[str], able: Collection[str], *, since: datetime | None = None
) -> Material:
    """Read the calls ``names``, oldest first.

    Args:
        ledger: where they are.
        names: call ids.
        able: the engines that have tools.
        since: leaves out calls that began before, or of which it is not on record when.
    """
    chances = _Chances(Archive(ledger), able)
    calls: list[RecordedCall] = []
    unreadable = Counter[str]()
    for name in names:
        try:
            events = ledger.events(name, kinds=KINDS)
            if since is not None and not _began_from(since, events):
                continue
            turns = recorded_turns(events, able)
            if turns:
                calls.append(RecordedCall(name, turns, chances.of(events)))
        except LedgerError as error:
            unreadable[str(error)] += 1
    return Material(tuple(calls), unreadable, chances.unknown, chances.newest)


class _Chances:
    """Propensities of many calls, each policy prepared once."""

    def __init__(self, archive: Archive, able: Collection[str]) -> None:
        self.unknown = Counter[str]()
        self.newest: Policy | None = None
        self._archive = archive
        self._able = able
        self._prepared: dict[tuple[str, str], tuple[Policy, Propensities]] = {}

    def of(self, events: Sequence[Event]) -> Mapping[int, float]:
        """Those of one call by turn; empty where the policy that routed it is not at hand."""
        call = past_call(events)
        if call is None:
            return {}
        key = call.policy_hash, call.tenant
        if key not in self._prepared:
            try:
                policy = self._archive.policy(call.policy_hash).for_tenant(call.tenant)
            except LedgerError as error:
                self.unknown[str(error)] += 1
                return {}
            self._prepared[key] = policy, Propensities(policy, self._able)
        self.newest, propensities = self._prepared[key]
        return propensities.of(call)


def _began_from(since: datetime, events: Sequence[Event]) -> bool:
    started = next((event for event in events if isinstance(event, CallStarted)), None)
    if started is None:
        return False
    try:
        return moment(started.started_at) >= since
    except ValueError:
        raise LedgerError(
            f"call {started.call_id} began at '{started.started_at}', which is no time"
        ) from None
