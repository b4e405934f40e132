"""The time that a reply of a realtime session has to begin.

A server can say that a reply has begun and send nothing of it. Who waits hears no difference: a reply has begun when
there is a message or a function call of it. What is in the message LiveKit takes when nothing else is being said, so
that it is there in what is left of the time is seen to where it is taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import TypeVar

from livekit.agents import llm

LEAST_S = 0.5
"""What is in a message that came just in time has so long to come."""

_T = TypeVar("_T")
Reply = asyncio.Future[llm.GenerationCreatedEvent]


class Begins:
    """A reply that was asked for, which is watched to begin.

    Args:
        reply: as it was asked for.
        limit_s: how long it may take.
        late: told when it has taken longer.
    """

    def __init__(self, reply: Reply, limit_s: float, late: Callable[[Reply], None]) -> None:
        self.reply = reply
        self._limit_s = limit_s
        self._late = late
        self._limit = self._from_now()
        reply.add_done_callback(self._created)

    @property
    def left_s(self) -> float | None:
        """How long what is in the reply may still take to begin; None when that time is over."""
        left_s = self._limit.when() - asyncio.get_running_loop().time()
        return None if left_s <= 0 else max(LEAST_S, left_s)

    def wanted(self) -> None:
        """Only now somebody takes what has come of it."""
        if self.reply.done():
            self._limit.cancel()
            self._limit = self._from_now()

    def _from_now(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._limit_s, self._late, self.reply)

    def _begun(self, _: object) -> None:
        self._limit.cancel()

    def _created(self, reply: Reply) -> None:
        if reply.cancelled() or reply.exception() is not None:
            self._limit.cancel()
            return
        created = reply.result()
        created.message_stream = _shown(created.message_stream, self._begun)
        created.function_stream = _shown(created.function_stream, self._begun)


async def _shown(stream: AsyncIterable[_T], see: Callable[[_T], None]) -> AsyncIterator[_T]:
    """What comes, shown to ``see`` as it is taken."""
    async for item in stream:
        see(item)
        yield item
