"""Calls a person: finds them, tells them what it is about, and waits until they take the call."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress

from livekit import api, rtc

from engines.desk import Desk
from engines.people import PersonSpec, Target
from service.transfer.errors import NotTakenError
from service.transfer.leg import Leg
from service.transfer.livekit import DIALLED, LiveKitServer, needed

CLOSE_LIMIT_S = 5.0
UNTOLD = "the person was not told what the call is about, and may take it all the same"
"""What is done when no voice works on a person's leg."""


class Calling:
    """Calls people for one caller.

    Args:
        desk: has the voice that tells them what it is about.
        call_id: names the line in their rooms.
        briefing: makes what they are told, from the redacted record.
        server: the LiveKit server, if there is one.
    """

    def __init__(
        self,
        desk: Desk,
        call_id: str,
        briefing: Callable[[PersonSpec], Awaitable[str]],
        server: LiveKitServer | None,
    ) -> None:
        self._desk = desk
        self._identity = f"line-{call_id}"
        self._room = f"transfer-{call_id}"
        self._briefing = briefing
        self._server = server

    async def reachable(self, target: Target) -> bool:
        """Whether somebody could be had there now; of a telephone that is not known, and taken to be so."""
        try:
            real, server = target.resolved(os.environ), needed(self._server)
            if real.scheme == "room":
                await server.person_in(real)
            return real.scheme == "room" or bool(server.trunk)
        except Exception:  # whatever keeps somebody from being found keeps them from being fetched
            return False

    @asynccontextmanager
    async def called(self, person: PersonSpec, target: Target) -> AsyncIterator[Leg]:
        """Somebody who took the call; they are let go when the block is left.

        Raises:
            service.transfer.errors.TransferError: nobody did.
            engines.errors.EngineNotConfiguredError: the target's variable does not say whom to call.
            livekit.api.ServerError: the server refused.
        """
        real, server = target.resolved(os.environ), needed(self._server)
        if real.scheme == "room":
            identity, room = await server.person_in(real), real.room
        else:
            identity, room = DIALLED, self._room
        async with Leg(server, room, self._identity) as leg:
            try:
                await self._take(leg, identity, person, real, server)
                yield leg
            finally:
                if real.scheme != "room":
                    with suppress(api.ServerError, TimeoutError, OSError):
                        async with asyncio.timeout(CLOSE_LIMIT_S):
                            await server.close_room(room)

    async def _take(
        self, leg: Leg, identity: str, person: PersonSpec, target: Target, server: LiveKitServer
    ) -> None:
        try:
            async with asyncio.timeout(person.wait_s):
                if target.scheme != "room":
                    await server.dial(target, self._room, within_s=person.wait_s)
                await leg.meet(identity)
            words = await self._briefing(person)
            await leg.say(self._aloud(words))  # however long it is, they have the whole time after it
            async with asyncio.timeout(person.wait_s):
                await leg.accepted(person.accept)
        except TimeoutError:
            raise NotTakenError from None

    async def _aloud(self, words: str) -> AsyncGenerator[rtc.AudioFrame, None]:
        """``words`` by the voice of the line; without a voice the person is given the caller all the same."""
        try:
            again = self._desk.wording.start_again
            said = self._desk.first_cascade.voice.say(words, _nothing(), again=lambda: again)
            async with aclosing(said) as audio:
                async for frame in audio:
                    yield frame
        except Exception as error:  # whatever it is, the caller is not to wait for a sentence
            self._desk.recovery.voice_failed(None, error, UNTOLD)


async def _nothing() -> AsyncIterator[str]:
    return
    yield
