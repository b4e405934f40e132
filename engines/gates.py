"""Region and consent at the socket: no byte goes to a provider that may not have it, whatever was routed to it.

The routing policy decides first, by its guards. The catalogue says of each part what holds whoever decides::

    model: {plugin: openai, model: gpt-realtime, callers: [us, uk], needs: [consent_voice_ai]}

A :class:`Gates` asks the call's facts again at every door: when a connection would be opened, and when something would
be sent on one. What it refuses it raises :class:`GateError` for, before the plugin is asked; the turn goes to the next
engine, and the record has an event that the policy let something through.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from compliance.events import Topic
from compliance.recognisers import BarredError
from engines.catalogue import Catalogue
from engines.component import Component
from engines.needs import NEEDS

HEARS_VOICE = "placeholders are demanded, and it hears the caller's voice, in which nothing can be replaced"


class GateError(BarredError):
    """A part may not be given anything of this call. The message says which and why; it holds nothing of the call.

    It is what a plugin raises that cannot connect, so that whoever uses it moves on, and nothing is billed.
    """

    def __init__(self, used_by: str, provider: str, because: str) -> None:
        super().__init__(f"{used_by} ({provider}) is closed to this call: {because}", retryable=False)
        self.because = because


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that was let through as far as a gate, and no further."""

    used_by: str
    """The engine's name, or ``voice``, ``transcriber``, ``questions``."""
    provider: str
    because: str


class Gates:
    """The gates of one call.

    Args:
        catalogue: says what each part needs.
        region: of the caller, a value of the signal ``caller.region``.
        given: whether the caller consents to something now.
        voice_closed: whether no engine may hear the caller's voice, because all must see placeholders.
        refused: told of each refusal, once for each part and reason, and of the turn if it is another than that in
            hand.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        region: str,
        given: Callable[[Topic], bool],
        voice_closed: bool = False,
        refused: Callable[[Refusal, int | None], None] = lambda refusal, turn: None,
    ) -> None:
        self._catalogue = catalogue
        self._region = region
        self._given = given
        self._voice_closed = voice_closed
        self._refused = refused
        self._told: set[Refusal] = set()

    def why_closed(self, component: Component, *, hears: bool = False) -> str:
        """Why ``component`` may have nothing of the call now; empty when it may.

        Args:
            component: a part.
            hears: whether it is an engine that hears the caller's voice.
        """
        if component.callers and self._region not in component.callers:
            return f"it serves callers of {', '.join(component.callers)}, and this one is of {self._region}"
        for need in component.needs:
            if not self._given(NEEDS[need]):
                return f"it needs {need}, which is not given"
        return HEARS_VOICE if hears and self._voice_closed else ""

    def why_engine_closed(self, engine: str) -> str:
        """Why ``engine`` may not answer now: its model is closed, or every one of its voices."""
        spec = self._catalogue.engines.get(engine)
        if spec is None:
            return ""
        if because := self.why_closed(spec.mind, hears=spec.kind != "cascade"):
            return because
        voices = [self.why_closed(self._catalogue.voices[name]) for name in spec.voices]
        return f"none of its voices may speak: {voices[0]}" if voices and all(voices) else ""

    def pass_through(self, component: Component, used_by: str, *, hears: bool = False) -> None:
        """Go through the gate of ``component``, for ``used_by``.

        Raises:
            GateError: it is closed.
        """
        if because := self.why_closed(component, hears=hears):
            self.tell(used_by, component.provider, because)
            raise GateError(used_by, component.provider, because)

    def tell(self, used_by: str, provider: str, because: str, *, turn: int | None = None) -> None:
        """Have a refusal put on record, unless it was."""
        refusal = Refusal(used_by, provider, because)
        if refusal not in self._told:
            self._told.add(refusal)
            self._refused(refusal, turn)

    def provider_of(self, engine: str) -> str:
        spec = self._catalogue.engines.get(engine)
        return engine if spec is None else spec.mind.provider

    def guarded(self, component: Component, *, hears: bool = False) -> bool:
        """Whether its gate can ever be closed; one that cannot needs none."""
        return bool(component.callers or component.needs or (hears and self._voice_closed))

    @property
    def closed_engines(self) -> frozenset[str]:
        """The engines that may not answer now."""
        return frozenset(name for name in self._catalogue.engines if self.why_engine_closed(name))

    @property
    def any_cascade(self) -> str:
        """One that says aloud that nothing can be done, as far as a voice is open."""
        return next(name for name, spec in self._catalogue.engines.items() if spec.kind == "cascade")
