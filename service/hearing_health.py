"""Which recogniser of a call may hear the caller: what calls found out about providers, and the gates of this one."""

from __future__ import annotations

from collections.abc import Mapping

from compliance.heard import Recogniser
from engines.component import Component
from engines.gates import Gates
from service.health import Health, transcriber_name


class HearingHealth:
    """:class:`compliance.recognisers.Well` for one call.

    Args:
        parts: its recognisers, and what the catalogue says of each.
        health: of providers.
        gates: of the call; one that is closed says nothing of the provider.
    """

    def __init__(self, parts: Mapping[Recogniser, Component], health: Health, gates: Gates) -> None:
        self._parts = parts
        self._health = health
        self._gates = gates

    def name(self, recogniser: Recogniser) -> str:
        """As it is named where its use is priced, such as ``deepgram/nova-3``."""
        part = self._parts[recogniser]
        return f"{part.provider}/{part.model}"

    def may_hear(self, recogniser: Recogniser) -> bool:
        return not self._gates.why_closed(self._parts[recogniser])

    def may_ask(self, recogniser: Recogniser) -> bool:
        return self._health.may_ask(transcriber_name(self._parts[recogniser]))

    def asked(self, recogniser: Recogniser) -> None:
        self._health.asked(transcriber_name(self._parts[recogniser]))

    def worked(self, recogniser: Recogniser) -> None:
        self._health.worked(transcriber_name(self._parts[recogniser]))

    def failed(self, recogniser: Recogniser, error: Exception) -> None:
        self._health.failed(transcriber_name(self._parts[recogniser]))
