"""Replies that are begun before a turn is certain to be over: kept if the right engine began them."""

from __future__ import annotations

from collections.abc import Collection

from engines.generations import Generation
from engines.record import Record
from engines.routing import Route


class Previews:
    """Follows each preview to its end, and puts on record whether it was used.

    Args:
        cascades: the engines that LiveKit lets preview; realtime ones are asked ahead in :mod:`engines.ahead`.
        aware: those of them that answer otherwise when the caller sounds otherwise.
        record: told what became of each.
    """

    def __init__(
        self, cascades: Collection[str], record: Record, *, aware: Collection[str] = frozenset()
    ) -> None:
        self._cascades = cascades
        self._aware = aware
        self._record = record
        self._begun: Generation | None = None
        self._chosen = ""
        """The engine that was to make the preview; another one has if it failed."""
        self._adopted: Generation | None = None

    def begin(self, preview: Generation, route: Route) -> None:
        """A reply to the running turn begins, by the engine that would be chosen now."""
        if self._begun is not None and self._begun.engine in self._cascades:
            self._settle(self._begun, used=False)  # superseded by one with more of the words
        preview.engine, preview.turn, preview.denied = route.engine, route.turn, route.denied
        preview.manner = route.manner
        self._begun, self._chosen = preview, route.engine
        if route.engine not in self._cascades:
            preview.close()

    @property
    def adopted(self) -> Generation | None:
        """The preview that answers the turn in hand and is not heard yet."""
        return self._adopted

    def decided(self, route: Route) -> bool:
        """The turn is over and routed. False when a preview must be thrown away: by another engine, or deaf to manner.

        A preview that moved on because the engine of ``route`` failed is kept, unless the turn turned out to be
        one that the other engine may not answer: to ask an engine again would cost its time-out twice.
        """
        preview, self._begun = self._begun, None
        if self._adopted is not None:
            self._settle(self._adopted, used=True)  # the caller cut in before it was heard
        if preview is None:
            return True
        moved_on = self._chosen == route.engine and preview.engine not in route.denied
        as_meant = preview.manner == route.manner or preview.engine not in self._aware
        if (preview.engine == route.engine or moved_on) and as_meant and not preview.closed:
            preview.turn, preview.denied, preview.confirmed = route.turn, route.denied, True
            self._adopted = preview
            return True
        if preview.engine in self._cascades:
            self._settle(preview, used=False)
        return False

    def heard(self) -> None:
        """The reply to the turn is heard: if it was begun as a preview, that one was used."""
        if self._adopted is not None:
            self._settle(self._adopted, used=True)

    def thrown_away(self) -> None:
        """LiveKit asks for the reply anew: the words had changed since the preview."""
        if self._adopted is not None:
            self._settle(self._adopted, used=False)

    def _settle(self, preview: Generation, *, used: bool) -> None:
        self._adopted = None
        if not used:
            preview.close()
        self._record.preview_settled(preview.turn, preview.engine, preview.number, used=used)
