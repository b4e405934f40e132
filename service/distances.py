"""How far the provider of each engine is, as far as that is known, for the part of a wait that is the way there."""

from __future__ import annotations

from urllib.parse import urlsplit

from engines.catalogue import Catalogue
from engines.component import Component
from engines.errors import EngineNotConfiguredError
from engines.keys import host_of
from engines.network import RoundTrips
from engines.plugins import Endpoints
from service.latency import Trips


class Distances:
    """The round trips of one call, by engine.

    Args:
        catalogue: of the line.
        endpoints: where its parts are asked.
    """

    def __init__(self, catalogue: Catalogue, endpoints: Endpoints) -> None:
        self.round_trips = RoundTrips()
        self._hosts: dict[str, tuple[str, str]] = {}
        for name, engine in catalogue.engines.items():
            if getattr(engine, "mind", None) is None:
                continue
            mind = _host(engine.mind, endpoints)
            speaks = catalogue.voices[engine.voices[0]] if engine.voices else None
            # A model that speaks for itself has its first sound where others have their first word.
            self._hosts[name] = ("", mind) if speaks is None else (mind, _host(speaks, endpoints))

    def of(self, engine: str) -> Trips:
        """What is known now of the providers of ``engine``."""
        mind, voice = self._hosts.get(engine, ("", ""))
        return Trips(self.round_trips.to(mind), self.round_trips.to(voice))


def _host(component: Component, endpoints: Endpoints) -> str:
    try:
        base_url = endpoints.of(component).base_url
    except EngineNotConfiguredError:
        return ""  # who builds it says so
    return host_of(component) if base_url is None else urlsplit(base_url).hostname or ""
