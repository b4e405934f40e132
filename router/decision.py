"""The answer of the router for one turn, with everything needed to understand it later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from router.signals import Scalar


@dataclass(frozen=True, slots=True)
class Decision:
    """Which engine answers a turn, and why."""

    turn: int
    engine: str
    rule: str
    """The rule or forcing guard that put the engine in charge, in this turn or, when it is kept, earlier."""
    reason: str
    """A sentence for people."""
    denied: Mapping[str, str]
    """Engines that may not answer this turn, each with the guard that said so first."""
    tried: tuple[tuple[str, str], ...]
    """Guards, rules and stages in the order tried, each with its outcome."""
    policy: str
    """The policy's name."""
    policy_version: int
    policy_hash: str
    signals: Mapping[str, Scalar]
    """Every signal and every derived signal as the conditions saw it: enough to decide again."""
    switched: bool
    """Another engine answered the turn before."""
    endpointing_ms: int | None = None
    """Silence that should end this turn, while it lasts, and the next; ``None``: as the catalogue says."""
    arms: Mapping[str, str] = field(default_factory=dict)
    """Experiments that this turn takes part in, each with the call's arm."""
    shadow: Mapping[str, str] = field(default_factory=dict)
    """Shadow rules, each with the engine that would have answered had it been served."""
    errors: tuple[str, ...] = ()
    """Conditions that could not be evaluated; guards among them counted as true, rules as false."""
