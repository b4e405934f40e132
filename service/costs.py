"""What calls cost, from their records; and from which volume on one's own line costs less than a price per minute."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from compliance.events import CallStarted, Event, UsageIncurred

By = Literal["call", "day", "engine", "provider", "model"]

_OF: Mapping[By, Callable[[CallStarted, UsageIncurred], str]] = {
    "call": lambda call, usage: usage.call_id,
    "day": lambda call, usage: call.started_at[:10],
    "engine": lambda call, usage: usage.engine,
    "provider": lambda call, usage: usage.provider,
    "model": lambda call, usage: f"{usage.provider}/{usage.model}",
}
NEEDS: tuple[str, ...] = ("call_started", "usage_incurred")
"""The kinds of events that a bill is made of."""


@dataclass(frozen=True, slots=True)
class Position:
    """One line of a bill.

    Attributes:
        name: of the call, day (UTC), engine, provider or model.
        calls: in which there was such a use.
        uses: requests, replies and stretches of audio that were charged for.
        cost_usd: all of it.
        again_usd: the part that is for conversation sent again, an estimate.
        unpriced: uses that cost nothing, for the price list did not know the model.
        simulated: whether a provider of it was the lab's: then nothing was paid.
    """

    name: str
    calls: int
    uses: int
    cost_usd: float
    again_usd: float
    unpriced: int
    simulated: bool


def bill(calls: Iterable[Iterable[Event]], by: By) -> tuple[Position, ...]:
    """Add up the uses of some calls; days in their order, all else the dearest first.

    Args:
        calls: the events of each; those of :data:`NEEDS` are enough.
        by: what a line of the bill is for.
    """
    uses: dict[str, list[UsageIncurred]] = {}
    simulated: set[str] = set()
    for events in calls:
        started = None
        for event in events:
            if isinstance(event, CallStarted):
                started = event
            elif isinstance(event, UsageIncurred) and started is not None:
                name = _OF[by](started, event)
                uses.setdefault(name, []).append(event)
                if event.provider in started.simulated:
                    simulated.add(name)
    lines = [_position(name, some, name in simulated) for name, some in uses.items()]
    return tuple(
        sorted(lines, key=lambda line: line.name)
        if by == "day"
        else sorted(lines, key=lambda line: (-line.cost_usd, line.name))
    )


def total(lines: Iterable[Position], calls: int) -> Position:
    """The sum of a bill over ``calls`` calls."""
    lines = list(lines)
    return Position(
        "total",
        calls,
        sum(line.uses for line in lines),
        sum(line.cost_usd for line in lines),
        sum(line.again_usd for line in lines),
        sum(line.unpriced for line in lines),
        any(line.simulated for line in lines),
    )


def break_even_minutes(*, fixed_usd: float, own_usd: float, against_usd: float) -> float | None:
    """Minutes a month from which one's own line costs less; ``None`` when no volume is large enough.

    Args:
        fixed_usd: what the line costs a month, whatever its volume.
        own_usd: what a minute costs on top of that.
        against_usd: the price of a minute elsewhere.
    """
    saved_usd = against_usd - own_usd
    return fixed_usd / saved_usd if saved_usd > 0 else None


def _position(name: str, uses: list[UsageIncurred], simulated: bool) -> Position:
    return Position(
        name,
        len({use.call_id for use in uses}),
        len(uses),
        sum(use.cost_usd for use in uses),
        sum(use.again_usd for use in uses),
        sum(not use.cost_usd for use in uses),
        simulated,
    )
