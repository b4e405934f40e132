"""What a policy file says, once read: frozen records, every condition compiled, every name known to exist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from router.conditions import Condition
from router.signals import Scalar, Spec


@dataclass(frozen=True, slots=True)
class Derived:
    """A smoothed signal: an exponentially weighted moving average over the turns of the call.

    ``value = ewma * reading + (1 - ewma) * value before``; a turn for which ``only_if`` is false leaves it as it was.
    """

    name: str
    reading: Condition
    only_if: Condition | None
    ewma: float
    unknown: float
    """Its value before the first reading."""
    noise: float


@dataclass(frozen=True, slots=True)
class Engine:
    """What the policy says about one engine."""

    name: str
    fallback: tuple[str, ...] = ()
    """Engines to try, in order, when this one is unhealthy or fails."""
    min_turns: int = 0
    """Dwell: rules do not leave it earlier."""
    warm: Condition | None = None
    """When it is worth paying to keep it warm."""


@dataclass(frozen=True, slots=True)
class Stability:
    """Limits on switching by rules; guards and failing engines are not bound by them."""

    max_switches: int | None = None
    cooldown_turns: int = 0
    """After a switch, rules do not switch again for this many turns."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Takes engines away, or forces one. One that cannot be evaluated counts as true."""

    id: str
    when: Condition
    deny: tuple[str, ...]
    force: str | None
    because: str | None


@dataclass(frozen=True, slots=True)
class Rule:
    """Sends a turn to ``route`` when ``when`` is true, or when it did last time and ``hold`` still is."""

    id: str
    when: Condition
    hold: Condition | None
    route: str
    else_route: str | None
    """Taken when a guard denies ``route``."""
    because: str | None


@dataclass(frozen=True, slots=True)
class Content:
    """A whole policy."""

    name: str
    version: int
    hash: str
    params: Mapping[str, Scalar]
    """Values by the name conditions use: ``p.fast_chars``."""
    variables: Mapping[str, Spec]
    """Everything a condition may name: signals, params, derived signals."""
    derived: tuple[Derived, ...]
    engines: Mapping[str, Engine]
    last_resort: str
    """The engine that no guard may deny."""
    stability: Stability
    guards: tuple[Guard, ...]
    rules: tuple[Rule, ...]
