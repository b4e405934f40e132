"""Realtime engines that are asked ahead: for their reply to a turn as soon as the caller falls silent.

LiveKit begins the reply of a cascade before a turn is certain to be over (preemptive generation), and knows nothing of
a realtime engine that is not in charge yet. Here a warm one is asked as soon as the caller is silent and the turn would
go to it; by the end of the turn its reply may be there. An engine answers what it hears, so a reply stays right for as
long as nobody speaks, whatever words the recogniser still finds in what was said. A wrong one costs a reply that is
cancelled and the upload of the turn once more, so there is at most one in a turn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from engines.record import Record
from engines.routing import Route
from engines.warmth import Warmth


class AskedAhead:
    """Follows the running turn of a call, and asks at most one engine ahead for its reply.

    Args:
        warmth: of the realtime engines that may be asked ahead, by name.
        record: told what became of each reply.
        asked: told whom a request goes to.
        silent: whether the caller says nothing at the moment.
    """

    def __init__(
        self,
        warmth: Mapping[str, Warmth],
        record: Record,
        *,
        asked: Callable[[str], None],
        silent: Callable[[], bool],
    ) -> None:
        self._warmth = dict(warmth)
        self._record = record
        self._tell = asked
        self._silent = silent
        self._meant: Route | None = None
        """How the running turn would be routed if it ended now."""
        self._asked: Route | None = None
        """How it would have been when its reply was asked for, while that may still be right."""
        self._wrong = 0
        """The turn for which a reply was thrown away last."""

    def meant(self, route: Route) -> None:
        """The running turn would be routed so if it ended now."""
        self._meant = route
        if (wrong := self._asked_instead_of(route)) is not None:
            self._go_on(wrong)
        self.caller_silent()

    def caller_silent(self) -> None:
        """The caller has fallen silent, or still is."""
        route = self._meant
        if route is None or self._asked is not None or route.turn == self._wrong or not self._silent():
            return
        warmth = self._warmth.get(route.engine)
        if warmth is not None and warmth.ask_ahead(partial(self._settled, route)):
            self._asked = route
            self._tell(route.engine)

    def caller_speaks(self) -> None:
        """The turn goes on: what was asked about it is not the whole of it."""
        if self._asked is not None:
            self._go_on(self._asked.engine)

    def decided(self, route: Route) -> None:
        """The turn is over and routed."""
        self._meant = None
        if (wrong := self._asked_instead_of(route)) is not None:
            self._warmth[wrong].disown()

    def _asked_instead_of(self, route: Route) -> str | None:
        """The engine that was asked for a reply which is not the one to a turn routed like this."""
        asked = self._asked
        if asked is None or (asked.engine, asked.turn) == (route.engine, route.turn):
            return None
        return asked.engine

    def _go_on(self, engine: str) -> None:
        """The reply is wrong, and the turn may still be the engine's."""
        self._warmth[engine].disown()
        self._warmth[engine].feed.again()

    def _settled(self, route: Route, number: int, used: bool) -> None:
        self._asked = None
        if not used:
            self._wrong = route.turn
        self._record.preview_settled(route.turn, route.engine, number, used=used)
