"""Routing behind the gates of a call: no turn goes to an engine that may have nothing of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from engines.gates import Gates
from engines.routing import CallerTurn, Route, Routing


class GatedRouting:
    """Implements :class:`engines.routing.Routing`: what another one decides, as far as the gates are open.

    A decision for a closed engine is moved to the next engine that may answer, and put on record as what it is: a
    gap in the policy's guards.
    """

    def __init__(self, inner: Routing, gates: Gates) -> None:
        self._inner = inner
        self._gates = gates

    def preview(self, text: str) -> Route:
        return self._opened(self._inner.preview(text))

    def decide(self, turn: CallerTurn) -> Route:
        decided = self._inner.decide(turn)
        route = self._opened(decided)
        if route.engine != decided.engine:
            because = self._gates.why_engine_closed(decided.engine)
            provider = self._gates.provider_of(decided.engine)
            self._gates.tell(decided.engine, provider, because, turn=decided.turn)
            self._inner.moved(route.engine)
        return route

    def fallback(self, route: Route, failed: Collection[str]) -> str | None:
        return self._inner.fallback(route, {*failed, *self._gates.closed_engines})

    def warm(self, engine: str) -> bool:
        return not self._gates.why_engine_closed(engine) and self._inner.warm(engine)

    def moved(self, engine: str) -> None:
        self._inner.moved(engine)

    def asked(self, engine: str) -> None:
        self._inner.asked(engine)

    def worked(self, engine: str) -> None:
        self._inner.worked(engine)

    def failed(self, engine: str) -> None:
        if not self._gates.why_engine_closed(engine):  # being closed to this call says nothing of its health
            self._inner.failed(engine)

    def _opened(self, route: Route) -> Route:
        closed = self._gates.closed_engines
        if not closed:
            return route
        denied = route.denied | closed
        if route.engine in closed:
            following = self._inner.fallback(replace(route, denied=denied), closed)
            route = replace(route, engine=following or self._gates.any_cascade)
        return replace(route, denied=denied)
