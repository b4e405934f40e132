"""Placeholders in a stream of words: one that comes in pieces, ``[CA`` and ``RD_1]``, is put together first."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator, Callable

_MAY_GROW = re.compile(r"\[(?:[A-Z][A-Z_]{0,45}(?:\d{1,4}(?::(?:l(?:a(?:s(?:t4?)?)?)?)?)?)?)?")
"""What may still become a placeholder."""


class Refill:
    """Fills a stream. Nothing is held back but the beginning of what may be a placeholder.

    Args:
        fill: fills a text in which every placeholder is whole, such as :meth:`Vault.aloud`.
    """

    def __init__(self, fill: Callable[[str], str]) -> None:
        self._fill = fill
        self._held = ""

    def feed(self, chunk: str) -> str:
        """What can be said now that ``chunk`` came; may be empty."""
        text = self._held + chunk
        at = text.rfind("[")
        grows = at >= 0 and _MAY_GROW.fullmatch(text, at) is not None
        ready, self._held = (text[:at], text[at:]) if grows else (text, "")
        return self._fill(ready)

    def end(self) -> str:
        """What was held back; the stream is over."""
        held, self._held = self._held, ""
        return held

    async def over(self, chunks: AsyncIterable[str]) -> AsyncIterator[str]:
        """The stream, filled. Ends with it."""
        async for chunk in chunks:
            if ready := self.feed(chunk):
                yield ready
        if rest := self.end():
            yield rest
