"""How the simulated realtime model hears: it listens while the audio arrives, as such a model does.

So when a turn is committed most of it is already decoded, and what is left falls inside the model's delay.
"""

from __future__ import annotations

import asyncio
from collections import deque

from lab.context import Hearing, Listener
from lab.errors import LabError


class RealtimeEars:
    """The ears of one session. They open with its first audio."""

    def __init__(self, hearing: Hearing, *, sample_rate_hz: int) -> None:
        self._hearing = hearing
        self._rate_hz = sample_rate_hz
        self._listener: Listener | None = None
        self._reader: asyncio.Task[None] | None = None
        self._awaited: deque[asyncio.Future[str]] = deque()

    def push(self, pcm: bytes) -> None:
        """Hear more audio, int16 little-endian mono. Raises :class:`LabError` when there are no ears to open."""
        if self._reader is not None and self._reader.done():
            self._listener = self._reader = (
                None  # its process died; what it heard is lost, the session is not
            )
        if self._listener is None:
            self._listener = self._hearing.listen(sample_rate_hz=self._rate_hz)
            self._reader = asyncio.create_task(self._read(self._listener), name="lab realtime ears")
        self._listener.push(pcm)

    def take(self, *, wanted: bool = True) -> asyncio.Future[str]:
        """What was said since the last :meth:`take`, as soon as the rest of it is decoded.

        The future raises :class:`LabError` if the recogniser fails.
        """
        heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        heard.add_done_callback(_noticed)
        if self._listener is None or self._reader is None or self._reader.done():
            heard.set_exception(LabError("the recogniser of this session has ended"))
            return heard
        self._awaited.append(heard)
        self._listener.finalize(wanted=wanted)
        return heard

    def discard(self) -> None:
        """Forget what was said since the last :meth:`take`."""
        if self._listener is not None:
            self.take(wanted=False)

    async def aclose(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            await self._listener.aclose()
        if self._reader is not None:
            await self._reader

    async def _read(self, listener: Listener) -> None:
        texts: list[str] = []
        error = LabError("the session ended before its audio was decoded")
        try:
            async for heard in listener:
                if heard.kind != "final":
                    continue
                texts.append(heard.text)
                if heard.finalized:
                    self._awaited.popleft().set_result(" ".join(filter(None, texts)))
                    texts = []
        except LabError as trouble:
            error = trouble
        finally:
            while self._awaited:
                self._awaited.popleft().set_exception(error)


def _noticed(heard: asyncio.Future[str]) -> None:
    """Keep an error that nobody waits for from being reported as forgotten."""
    if not heard.cancelled():
        heard.exception()
