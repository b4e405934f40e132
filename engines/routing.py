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
    """The engine that answers a turn."""

    turn: int
    engine: str


class Routing(Protocol):
    """Decides which engine answers."""

    def preview(self, text: str) -> str:
        """The engine that would answer if the turn ended now with ``text``. Nothing is remembered."""

    def decide(self, turn: CallerTurn) -> Route:
        """The engine for this turn. Never raises: a failure inside yields the policy's default engine."""

    def fallback(self, engine: str, failed: Collection[str]) -> str | None:
        """The engine to try when ``engine`` failed, or None when all that may answer have failed."""

    def warm(self) -> bool:
        """Whether the next turn may need the realtime engine, and may reach it under the guards."""

    def moved(self, engine: str) -> None:
        """The turn in hand is answered by ``engine`` after all; stickiness should count from there."""

    def failed(self, engine: str) -> None:
        """An engine failed just now; later decisions should know."""
