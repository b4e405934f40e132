"""Keeps a realtime session ready while a cascade answers: connected, in step, and hearing each turn.

Warmth costs money and sends audio to the vendor before it is certain to be asked, so the policy says when it is
wanted; where a guard denies the realtime engine it is never wanted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context
from typing import Any

from livekit.agents import AgentSession, llm

from engines.feed import TurnFeed
from engines.turn_history import without_notes
from engines.warm import WarmModel
from engines.warm_session import WarmSession

FALSE_START_S = 4.0
"""Speech that no turn came of within this long was none: a cough, a door."""
CLOSE_LIMIT_S = 2.0
"""A vendor that does not say goodbye within this long is left without one."""


class Warmth:
    """Opens, updates and closes the warm session of one realtime engine.

    Args:
        model: the realtime engine's model.
        feed: the engine's own turn feed, attached while the session is warm and closed with this.
        session: the call, for its history.
        wanted: whether the next turn may need the engine.
        instructions: given to a fresh session.
        tools: given to a fresh session.
        failed: told when the session could not be kept in step.
        worked: told when a fresh session is open and in step.
    """

    def __init__(
        self,
        model: WarmModel,
        feed: TurnFeed,
        session: AgentSession[Any],
        *,
        wanted: Callable[[], bool],
        instructions: str,
        tools: Sequence[llm.Tool],
        failed: Callable[[BaseException], None],
        worked: Callable[[], None] = lambda: None,
    ) -> None:
        model.on_buffer_lost = feed.again
        self._model = model
        self.feed = feed
        self._session = session
        self._wanted = wanted
        self._instructions = instructions
        self._tools = tools
        self._failed = failed
        self._worked = worked
        self._work: asyncio.Task[None] | None = None
        self._stale = False
        self._closing: set[asyncio.Task[None]] = set()
        self._false_start: asyncio.TimerHandle | None = None
        self._onset_ms: float | None = None

    @property
    def ready(self) -> bool:
        """Whether a session is open."""
        return self._model.warm is not None

    @property
    def in_use(self) -> bool:
        """Whether the agent in charge has the session that is open."""
        return self._model.warm is not None and self._model.warm.in_use

    def refresh(self) -> None:
        """Bring the session in line with what is wanted and with the conversation."""
        self._stale = True
        if self._work is None or self._work.done():
            self._work = _start(self._keep_in_step(), "patchbay.warmth")

    async def settled(self) -> None:
        """Wait until the session is as the last :meth:`refresh` wanted it."""
        if self._work is not None:
            await asyncio.wait({self._work})

    def open_now(self, onset_ms: float) -> WarmSession:
        """A session for a turn that needs one at once; it is sent the turn from ``onset_ms`` on."""
        session = self._model.open()
        self.feed.attach(session)
        self.feed.begin(onset_ms)
        return session

    def drop(self) -> None:
        """Let go of the session, wanted or not; the next use opens another."""
        self.feed.attach(None)
        if (session := self._model.release()) is not None:
            closing = _start(session.close(), "patchbay.warmth.close")
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def lost(self, error: Exception) -> None:
        """The session failed while a cascade answers: let go of it, and say so."""
        self.drop()
        self._failed(error)

    def ask_ahead(self, settled: Callable[[int, bool], None]) -> bool:
        """Ask for the reply to what was heard of the running turn. False where that is not possible just now.

        Args:
            settled: told once the reply's number, and whether it was wanted.
        """
        session = self._model.warm
        in_step = not self._stale and (self._work is None or self._work.done())
        if session is None or not self._model.previews or not in_step or not self.feed.has_turn:
            return False

        def over(number: int, used: bool) -> None:
            settled(number, used)
            if not used and self._model.warm is session:
                self.refresh()  # the server is to forget that it was asked

        if not session.ask_ahead(over):
            return False
        self.feed.hold()
        return True

    def disown(self) -> None:
        """Nobody wants the reply that was asked for ahead, if one was."""
        if self._model.warm is not None:
            self._model.warm.disown()

    def speech_started(self, onset_ms: float) -> None:
        self._cancel_false_start()
        if self._onset_ms is None:
            self._onset_ms = onset_ms
        self.feed.begin(onset_ms)

    def speech_stopped(self) -> None:
        self._cancel_false_start()
        self._false_start = asyncio.get_running_loop().call_later(FALSE_START_S, self._false_start_over)

    def turn_ended(self) -> None:
        self._cancel_false_start()
        self._onset_ms = None

    def turn_complete(self, onset_ms: float) -> None:
        """The turn is over, began at ``onset_ms``, and is the engine's to answer."""
        if not self.feed.has_from(onset_ms):
            self.disown()
        self.feed.complete(onset_ms)

    def _false_start_over(self) -> None:
        self._onset_ms = None
        self.disown()
        self.feed.give_up()

    async def aclose(self) -> None:
        self._cancel_false_start()
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
        self.drop()
        self.feed.close()
        if closing := set(self._closing):
            await asyncio.wait(closing, timeout=CLOSE_LIMIT_S)
            for task in closing:
                task.cancel()
            await asyncio.gather(*closing, return_exceptions=True)
        await self._model.aclose()

    async def _keep_in_step(self) -> None:
        while self._stale:  # what was said while the last round was under way needs another
            self._stale = False
            await self._refresh()

    async def _refresh(self) -> None:
        if not self._wanted():
            self.drop()
            return
        fresh = self._model.warm is None
        session = self._model.open()
        self.feed.attach(session)
        if self._onset_ms is not None:
            self.feed.begin(self._onset_ms)  # wanted because of what is being said just now
        try:
            if fresh:
                await session.update_instructions(self._instructions)
                await session.update_tools(list(self._tools))
            await session.update_chat_ctx(without_notes(self._session.history))
        except llm.RealtimeError as error:
            if self._model.warm is session:
                self.lost(error)
        else:
            if fresh:
                self._worked()

    def _cancel_false_start(self) -> None:
        if self._false_start is not None:
            self._false_start.cancel()
            self._false_start = None


def _start(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    # A context of its own: a session opened while a reply is being finished would otherwise keep that reply's
    # context for good, and all it uses would be booked on that reply.
    return asyncio.create_task(work, name=name, context=Context())
