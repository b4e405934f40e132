"""What the desk asks of whoever decides, and what it is told back.

The engines do not know the router: the call gives them a :class:`Routing`, which answers in engine names.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class CallerTurn:
    """A finished caller turn, as the engines hand it to the router's side. Times are on the call's clock."""

    text: str
    start_ms: float
    end_ms: float


@dataclass(frozen=True, slots=True)
class Route:
    """The engine that answers a turn, and what holds for the turn whoever answers it."""

    turn: int
    engine: str
    denied: frozenset[str] = frozenset()
    """Engines that may not answer the turn, whatever fails."""
    endpointing_ms: int | None = None
    """Silence that should end the turn, while it lasts, and the next; ``None``: as the catalogue says."""
    manner: str = ""
    """How the caller's voice sounds, such as ``upset``; empty where that is not known or may not be judged."""


class Routing(Protocol):
    """Decides which engine answers."""

    def preview(self, text: str) -> Route:
        """How the running turn would be routed if it ended now with ``text``. Nothing is remembered."""

    def decide(self, turn: CallerTurn) -> Route:
        """The engine for this turn. Never raises: a failure inside yields the policy's default engine."""

    def fallback(self, route: Route, failed: Collection[str]) -> str | None:
        """The engine to try when that of ``route`` failed, never one that it denies.

        ``None`` when all that may answer the turn have failed.
        """

    def warm(self, engine: str) -> bool:
        """Whether the next turn may need ``engine``, a realtime one, and may reach it under the guards."""

    def moved(self, engine: str) -> None:
        """The turn in hand is answered by ``engine`` after all; stickiness should count from there."""

    def asked(self, engine: str) -> None:
        """An engine is asked to reply, or to be ready to; where it is only being tried, this is the try."""

    def worked(self, engine: str) -> None:
        """An engine did as it was asked."""

    def failed(self, engine: str) -> None:
        """An engine failed just now; later decisions, in this call and others, should know."""
