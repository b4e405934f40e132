"""A caller and a person, connected: each hears the other, through the call's taps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from livekit import rtc
from livekit.agents import AgentSession
from livekit.agents.voice import io

from compliance.tap import CallerTap
from service.transfer.gate import SpeechGate
from service.transfer.hearing import Hearing
from service.transfer.leg import Leg

MOST_FRAMES = 250
"""Of a person's audio that wait to be played to the caller, 5 s; more are dropped, the newest first."""


class Bridge:
    """Connects until the person leaves, or it is cancelled.

    The person is played through the agent's tap, so the record knows when they were heard, and a recording has them on
    the agent's channel. What the session itself has to say is not talked over.

    Args:
        session: of the call.
        caller: the caller's audio.
        ear: where the caller hears the person.
        leg: where the person is.
        hearing: hears them for the record, also what the caller does not hear of them; it is not closed with this.
    """

    def __init__(
        self,
        session: AgentSession[Any],
        caller: CallerTap,
        ear: io.AudioOutput,
        leg: Leg,
        hearing: Hearing,
    ) -> None:
        self._session = session
        self._caller = caller
        self._ear = ear
        self._leg = leg
        self._hearing = hearing
        self._gate = SpeechGate()
        self._frames: asyncio.Queue[rtc.AudioFrame | None] = asyncio.Queue()
        self._playing = False

    @property
    def spoke_ms(self) -> float:
        """How much the person was heard to say."""
        return self._gate.voiced_ms

    async def run(self, connected: Callable[[], None]) -> None:
        """Returns when the person has left.

        Args:
            connected: called once, when each hears the other.
        """
        frames = self._caller.subscribe()
        parts = [
            asyncio.create_task(self._leg.pass_on(frames), name="patchbay.to_person"),
            asyncio.create_task(self._play(), name="patchbay.to_caller"),
        ]
        left = asyncio.create_task(self._leg.left(), name="patchbay.person_left")
        self._hearing.start()
        self._leg.heard = self._heard
        connected()
        try:
            done, _ = await asyncio.wait({*parts, left}, return_when=asyncio.FIRST_COMPLETED)
            for part in done:
                part.result()  # one that failed ends the connection, and is told
        finally:
            self._leg.heard = lambda frame: None
            for task in (*parts, left):
                task.cancel()
            await asyncio.gather(*parts, left, return_exceptions=True)
            self._caller.unsubscribe(frames)
            if self._playing:
                self._ear.flush()

    def _heard(self, frame: rtc.AudioFrame) -> None:
        self._hearing.heard(frame)
        # What the line itself has to say is short, and not talked over.
        busy = self._session.current_speech is not None
        for one in self._gate.close() if busy else self._gate.push(frame):
            if one is None:
                self._hearing.paused()
            if one is None or self._frames.qsize() < MOST_FRAMES:
                self._frames.put_nowait(one)

    async def _play(self) -> None:
        while True:
            frame = await self._frames.get()
            if frame is not None:
                self._playing = True
                await self._ear.capture_frame(frame)
            elif self._playing:
                self._playing = False
                self._ear.flush()
                await self._ear.wait_for_playout()
