"""The race of a hedged reply, as the desk keeps its books."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engines.generations import Generation

if TYPE_CHECKING:
    from engines.desk import Desk


class Race:
    """Implements :class:`engines.hedge.Umpire` for one reply.

    Args:
        desk: knows who may take over.
        generation: the reply.
    """

    def __init__(self, desk: Desk, generation: Generation) -> None:
        self._desk = desk
        self._generation = generation

    def second(self) -> str | None:
        wished = self._desk.cascades[self._generation.engine].hedge_with
        return self._desk.recovery.stand_in(self._generation, wished)

    def won(self, winner: str, loser: str) -> None:
        self._desk.recovery.hedged(self._generation, winner, loser)

    def failed(self, engine: str, error: BaseException, *, left: str) -> None:
        provider = self._desk.cascades[engine].mind.provider
        self._desk.recovery.fail_over(
            self._generation, provider=provider, error=error, failed=engine, to=left
        )
