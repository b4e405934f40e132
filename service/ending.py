"""How a call comes to its end: for what reason, and with which last words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from livekit.agents import AgentSession, CloseEvent, CloseReason

CALLER_LEFT = "the caller hung up"
"""Why a call ends, in the words of its record, when nobody but the caller ended it."""
GOODBYE_S = 15.0
"""A call is not kept longer by the words that say why it ends."""


class Ending:
    """The end of one call. What brings it about first is the reason.

    Args:
        let_go: lets go of who is on the line.

    Attributes:
        reason: why the call ends, if it does now; the caller's own hanging up is not always told.
    """

    def __init__(self, let_go: Callable[[], None]) -> None:
        self.reason = CALLER_LEFT
        self._let_go = let_go
        self._begun = asyncio.Event()

    async def begun(self) -> None:
        """Wait until something has brought it about."""
        await self._begun.wait()

    def begin(self, reason: str) -> None:
        """End the call because of ``reason``, unless it is ending already."""
        if not self._begun.is_set():
            self.reason = reason
            self._begun.set()
            self._let_go()

    async def begin_with(self, words: str, session: AgentSession[Any], reason: str) -> None:
        """The same, after ``session`` has said why: at once, and whatever else it was saying."""
        # It has not begun yet, or is over; or the goodbye takes too long.
        with suppress(RuntimeError, TimeoutError):
            session.interrupt(force=True)
            goodbye = session.say(words, allow_interruptions=False)
            async with asyncio.timeout(GOODBYE_S):
                await goodbye.wait_for_playout()
        self.begin(reason)

    def session_closed(self, event: CloseEvent) -> None:
        """The session is over, which nobody but the caller, the service or an error brings about."""
        if event.error is not None:
            self.begin(f"an error closed the session: {type(event.error).__name__}")
        elif event.reason is CloseReason.PARTICIPANT_DISCONNECTED:
            self.begin(CALLER_LEFT)
        else:
            self.begin("the service ended the call")
