"""Hears a person for the record: their words go the way of the caller's, on a recogniser stream of their own.

Nothing judges their voice: what does so hears the caller's tap, and this is another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from livekit import rtc
from livekit.agents.voice import io

from compliance.clock import CallClock
from compliance.events import Event, HumanSaid, PartFailed
from compliance.heard import Segment
from compliance.tap import CallerTap
from compliance.transcriber import Transcriber
from engines.human import Asked
from engines.record import name_of
from service.hearing_failures import HearingFailures

KEPT = "reconnecting to hear a person; their audio is kept meanwhile"
PASSED_ON = "the next recogniser hears a person; their audio is kept meanwhile"
LOST = "what a person says is not on record; still trying, and the call goes on"
"""What is done when a recogniser fails on a person's stream."""


class Hearing:
    """Hears one person, from :meth:`start` until it is closed.

    A recogniser that fails is told on record, and tried again as for the caller; the call goes on.

    Args:
        hears: makes the transcriber of somebody's audio, by the call's recognisers.
        clock: of the call.
        emit: takes events for the record.
        call_id: goes into every event.
        asked: for whom the person was fetched.
        person: who they are; empty where that is not known.
    """

    def __init__(
        self,
        hears: Callable[[CallerTap], Transcriber],
        clock: CallClock,
        emit: Callable[[Event], None],
        *,
        call_id: str,
        asked: Asked,
        person: str,
    ) -> None:
        self._clock = clock
        self._emit = emit
        self._call_id = call_id
        self._asked = asked
        self._person = person
        self._audio = _Audio()
        self._tap = CallerTap(self._audio, clock)
        self._transcriber = hears(self._tap)
        self._transcriber.on_segment.append(self._said)
        failures = HearingFailures(self._failed, kept=KEPT, passed_on=PASSED_ON, lost=LOST)
        self._transcriber.on_condition.append(failures.changed)
        self._listening: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Listen from now on."""
        self._transcriber.start()
        self._listening = asyncio.create_task(self._listen(), name="patchbay.person_heard")

    def heard(self, frame: rtc.AudioFrame) -> None:
        """The next frame of the person's audio."""
        self._audio.put(frame)

    def paused(self) -> None:
        """They have stopped speaking: what they said is wanted now."""
        self._transcriber.finalize()

    async def aclose(self) -> None:
        """Have their last words, for which :meth:`compliance.transcriber.Transcriber.aclose` says how long it waits."""
        if self._listening is not None:
            self._audio.put(None)
            await self._listening
            await self._transcriber.aclose()

    async def _listen(self) -> None:
        async for _ in self._tap:
            pass

    def _said(self, segment: Segment) -> None:
        self._emit(
            HumanSaid(
                call_id=self._call_id,
                at_ms=self._clock.now_ms(),
                turn=self._asked.turn,
                engine=self._asked.person.name,
                person=self._person,
                start_ms=segment.start_ms,
                end_ms=segment.end_ms,
                text=segment.text,
                confidence=segment.confidence,
            )
        )

    def _failed(self, error: Exception, action: str) -> None:
        self._emit(
            PartFailed(
                call_id=self._call_id,
                at_ms=self._clock.now_ms(),
                part="transcriber",
                error=name_of(error),
                action=action,
            )
        )


class _Audio(io.AudioInput):
    """Frames as they are put; ``None`` ends them."""

    def __init__(self) -> None:
        super().__init__(label="Person")
        self._frames: asyncio.Queue[rtc.AudioFrame | None] = asyncio.Queue()

    def put(self, frame: rtc.AudioFrame | None) -> None:
        self._frames.put_nowait(frame)

    async def __anext__(self) -> rtc.AudioFrame:
        if (frame := await self._frames.get()) is None:
            raise StopAsyncIteration
        return frame
