"""A hedged request: when the first engine does not begin in time, a second is asked too, and the first to speak wins.

Source: J. Dean and L. A. Barroso, *The Tail at Scale*, Communications of the ACM 56 (2013), 74-80.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Protocol

from livekit.agents import APIError, llm

Reply = AsyncGenerator[llm.ChatChunk, None]


class Umpire(Protocol):
    """Says whom to ask besides, and is told how it went."""

    def second(self) -> str | None:
        """The engine to ask besides the first, which is late; ``None`` when there is none."""

    def won(self, winner: str, loser: str) -> None:
        """``winner`` spoke first; ``loser`` is told to stop."""

    def failed(self, engine: str, error: BaseException, *, left: str) -> None:
        """``engine`` failed before it spoke; ``left`` has been asked too and goes on."""


@dataclass(slots=True)
class _Runner:
    engine: str
    reply: Reply
    opening: asyncio.Task[list[llm.ChatChunk]]


async def first_to_speak(
    first: str, ask: Callable[[str], Reply], umpire: Umpire, *, after_s: float | None
) -> AsyncGenerator[llm.ChatChunk, None]:
    """The reply of ``first``, or of the engine asked besides when ``first`` is late and that one speaks before it.

    Args:
        first: the engine to ask.
        ask: has an engine reply.
        umpire: of the race.
        after_s: how long ``first`` may be silent before another is asked; ``None``: no other is.

    Raises:
        APIError, TimeoutError: the last engine that was left failed.
    """
    async with AsyncExitStack() as open_:

        async def run(engine: str) -> _Runner:
            reply = await open_.enter_async_context(aclosing(ask(engine)))
            opening = asyncio.create_task(_opening(reply), name=f"patchbay.hedge {engine}")
            open_.push_async_callback(_stop, opening)  # before the reply is closed
            return _Runner(engine, reply, opening)

        runners = [await run(first)]
        await asyncio.wait({runners[0].opening}, timeout=after_s)
        if not runners[0].opening.done() and (second := umpire.second()) is not None:
            runners.append(await run(second))
        winner = await _winner(runners, umpire)
        for loser in runners:
            if loser is not winner:
                await _stop(loser.opening)
                await loser.reply.aclose()
        for chunk in winner.opening.result():
            yield chunk
        async for chunk in winner.reply:
            yield chunk


async def _winner(runners: list[_Runner], umpire: Umpire) -> _Runner:
    """The first that speaks, or the last that is left: only that one's failure is raised."""
    while len(runners) > 1:
        await asyncio.wait({one.opening for one in runners}, return_when=asyncio.FIRST_COMPLETED)
        done = next(one for one in runners if one.opening.done())
        other = next(one for one in runners if one is not done)
        error = done.opening.exception()
        if error is None:
            umpire.won(done.engine, other.engine)
            return done
        if not isinstance(error, APIError | TimeoutError):
            raise error
        runners.remove(done)
        umpire.failed(done.engine, error, left=other.engine)
    [left] = runners
    await left.opening
    return left


async def _opening(reply: AsyncIterator[llm.ChatChunk]) -> list[llm.ChatChunk]:
    """Its chunks up to the first that says or does something."""
    chunks = []
    async for chunk in reply:
        chunks.append(chunk)
        if chunk.delta is not None and (chunk.delta.content or chunk.delta.tool_calls):
            break
    return chunks


async def _stop(task: asyncio.Task[list[llm.ChatChunk]]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
