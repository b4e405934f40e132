"""Calls beside each other, as many at a time as two cores can answer; and again where the caller was misheard."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

WHOLE_CALLS = 4
"""Calls with everything that a call has: their redactor, their ears and the lab's are processes beside them."""
DESK_CALLS = 6
"""Calls at the desk, which have nothing but engines."""
TRIES = 4
"""Who is misheard so often is not misheard because the machine was busy."""

T = TypeVar("T")


async def make_all(
    names: Iterable[str], make: Callable[[str], Awaitable[T]], *, at_once: int = WHOLE_CALLS
) -> dict[str, T]:
    """What ``make`` makes of each name, begun in this order, ``at_once`` at a time."""
    room = asyncio.Semaphore(at_once)

    async def one(name: str) -> tuple[str, T]:
        async with room:
            return name, await make(name)

    return dict(await asyncio.gather(*map(one, names)))


async def understood(call: Callable[[], Awaitable[T]], as_said: Callable[[T], bool]) -> T:
    """A call whose caller was heard as they spoke, or the last of :data:`TRIES`.

    A machine that stalls in the middle of a sentence ends the turn there, and its recogniser may take one word for
    another: then the caller says something else than the test has them say, and calls again, as people do.

    Args:
        as_said: looks at nothing but what was heard of the caller, never at what came of it.
    """
    for _ in range(TRIES - 1):
        made = await call()
        if as_said(made):
            return made
    return await call()
