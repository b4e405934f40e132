"""One voice that reads some words aloud: since when it owes audio, and when it has failed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from livekit import rtc
from livekit.agents import tokenize, tts

_SENTENCES = tokenize.blingfire.SentenceTokenizer()
"""Tells sentences apart as LiveKit's plugins do."""


@dataclass(frozen=True, slots=True)
class VoiceLimits:
    """How long a voice may be silent.

    Attributes:
        first_s: from a whole sentence, or all of its words, to its first audio.
        stall_s: after its first audio, since the last words or audio.
        late_s: after which nothing was heard in time because of it, where nobody waits for its first audio any more.
    """

    first_s: float
    stall_s: float
    late_s: float


class Aloud:
    """A voice reading some words aloud.

    Until it has a whole sentence it owes nothing: a voice waits for one, and whoever writes the words has limits too.

    Args:
        stream: of the voice.
        words: as they come.
        limits: of the voice.
    """

    def __init__(self, stream: tts.SynthesizeStream, words: AsyncIterator[str], limits: VoiceLimits) -> None:
        self.spoke = False
        self._stream = stream
        self._words = words
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._text = ""
        self._owes_s: float | None = None
        self._moved_s = 0.0
        self._limit: asyncio.Timeout | None = None

    @property
    def is_late(self) -> bool:
        """Whether it has owed its first audio for so long that it is why nothing was heard."""
        silent_s = 0.0 if self._owes_s is None or self.spoke else self._loop.time() - self._owes_s
        return silent_s >= self._limits.late_s

    async def frames(self) -> AsyncGenerator[rtc.AudioFrame, None]:
        """What the voice makes of the words. Raises TimeoutError when it is silent for longer than it may be."""
        reader = asyncio.create_task(self._read(), name="patchbay.read_aloud")
        audio = aiter(self._stream)
        try:
            while True:
                async with asyncio.timeout_at(self._due_s) as self._limit:
                    heard = await anext(audio, None)
                self._limit = None
                if heard is None:
                    return
                self.spoke, self._moved_s = True, self._loop.time()
                yield heard.frame
        finally:
            self._limit = None
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    @property
    def _due_s(self) -> float | None:
        if self.spoke:
            return self._moved_s + self._limits.stall_s
        return None if self._owes_s is None else self._owes_s + self._limits.first_s

    async def _read(self) -> None:
        async for piece in self._words:
            self._stream.push_text(piece)
            self._text += piece
            self._moved(owes=self._owes_s is None and len(_SENTENCES.tokenize(self._text)) > 1)
        self._stream.end_input()
        self._moved(owes=True)

    def _moved(self, *, owes: bool) -> None:
        self._moved_s = self._loop.time()
        if owes and self._owes_s is None:
            self._owes_s = self._moved_s
        if self._limit is not None:
            self._limit.reschedule(self._due_s)
