"""One name for a provider wherever it appears: the one under which its use is priced."""

from __future__ import annotations

from typing import TypeVar

from compliance.events import Event, ProviderFailed
from engines.catalogue import Catalogue

_E = TypeVar("_E", bound=Event)
_EVERY_VOICE = "voice"


def named(event: _E, catalogue: Catalogue) -> _E:
    """``event``; a failure of an engine's model with its provider as the catalogue names it.

    Plugins know their providers by address, such as ``api.groq.com``, and all who speak OpenAI's protocol alike.
    """
    if isinstance(event, ProviderFailed) and event.provider != _EVERY_VOICE:
        engine = catalogue.engines.get(event.engine)
        if engine is not None:
            return event.model_copy(update={"provider": engine.mind.provider})
    return event
