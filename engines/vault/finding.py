"""Who finds the values in what is said, and what happens when nobody does."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from livekit.agents import APIError

from compliance.events import Speaker
from compliance.redaction.spans import Span


class VeilLostError(APIError):
    """Nobody can tell which words are values, and the policy has the turn go to another engine."""

    def __init__(self) -> None:
        super().__init__("what may not be seen cannot be found just now", retryable=False)


class Finder(Protocol):
    """Finds values, in the order in which it is told what was said. Nothing here waits; a future fails closed."""

    def in_words(self, text: str, *, speaker: Speaker) -> asyncio.Future[tuple[Span, ...]]:
        """Where the values are in the next utterance of ``speaker``."""

    def in_data(self, value: Any) -> asyncio.Future[Any]:
        """A JSON value with masks such as ``<PERSON>`` in it, of the same structure."""
