"""What callers waited for, over many calls: percentiles by engine, by hand-off or by rule, and what the waits were."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from compliance.events import CallStarted, Decided, Event, HandedOff, TurnAnswered
from service.latency import STAGES
from service.percentiles import nearest_rank

By = Literal["engine", "hand-off", "rule"]
NEEDS: tuple[str, ...] = ("call_started", "decided", "handed_off", "turn_answered")
"""The kinds of events that are read."""
STAYED = "no hand-off"


@dataclass(frozen=True, slots=True)
class Distribution:
    """Milliseconds; ``count`` values."""

    count: int
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float

    @classmethod
    def of(cls, values_ms: Sequence[float]) -> Distribution:
        """Of at least one value; percentiles by nearest rank."""
        ordered = sorted(values_ms)
        p50, p90, p95, p99 = (nearest_rank(ordered, share) for share in (0.50, 0.90, 0.95, 0.99))
        return cls(len(ordered), p50, p90, p95, p99, ordered[-1])


@dataclass(frozen=True, slots=True)
class Waited:
    """One group of turns.

    Attributes:
        name: the engine, the pair of engines, or the rule.
        heard: from the caller's last sound to the reply's first, on the audio.
        waits: what that was spent on, in the order of a turn; they sum to it turn by turn, their percentiles do not.
        simulated: whether a turn of it was answered by the lab.
    """

    name: str
    heard: Distribution
    waits: tuple[tuple[str, Distribution], ...]
    simulated: bool


@dataclass(slots=True)
class _Group:
    heard_ms: list[float] = field(default_factory=list)
    waits_ms: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    simulated: bool = False


def waited(calls: Iterable[Iterable[Event]], by: By) -> tuple[Waited, ...]:
    """Group the answered turns of some calls, the largest group first.

    Args:
        calls: the events of each; those of :data:`NEEDS` are enough.
        by: what a group is of.
    """
    groups: defaultdict[str, _Group] = defaultdict(_Group)
    for events in calls:
        simulated = False
        rules: dict[int, str] = {}
        pairs: dict[int, str] = {}
        for event in events:
            match event:
                case CallStarted():
                    simulated = bool(event.simulated)
                case Decided():
                    rules[event.turn] = event.rule
                case HandedOff():
                    pairs[event.turn] = f"{event.from_engine} → {event.to_engine}" + (
                        ", warm" if event.warm else ""
                    )
                case TurnAnswered():
                    name = {
                        "engine": event.engine,
                        "hand-off": pairs.get(event.turn, STAYED),
                        "rule": rules.get(event.turn, "unknown"),
                    }[by]
                    group = groups[name]
                    group.heard_ms.append(event.heard_ms)
                    group.simulated |= simulated
                    for wait, took_ms in event.waits.items():
                        group.waits_ms[wait].append(took_ms)
                case _:
                    pass
    found = [
        Waited(
            name,
            Distribution.of(group.heard_ms),
            tuple(
                (stage, Distribution.of(group.waits_ms[stage])) for stage in STAGES if group.waits_ms[stage]
            ),
            group.simulated,
        )
        for name, group in groups.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.heard.count, one.name)))
