"""A person of the suite, who comes when fetched and hums when they speak.

What brings real ones to the line, :mod:`service.transfer`, has tests of its own.
"""

from __future__ import annotations

import asyncio

import numpy as np
from livekit import rtc
from livekit.agents.voice import io

from compliance.tap import RATE_HZ, CallerTap
from compliance.voiced import Samples
from engines.human import LEFT, NOBODY, Asked, People
from engines.people import PersonSpec

RINGS_S = 3.0
FRAME_SAMPLES = RATE_HZ // 50


class Somebody:
    """Implements :class:`engines.human.Fetching`: the one who is wanted is there :data:`RINGS_S` later.

    Args:
        people: of the call.
        caller: what the person hears.
        ear: where the caller hears the person.
        pitch_hz: of the person's voice.

    Attributes:
        asked: who was wanted, and why.
        comes: whether they come, or cannot be had after all.
        there: set while they are on the line.
        heard: what they heard of the caller.
    """

    def __init__(self, people: People, caller: CallerTap, ear: io.AudioOutput, pitch_hz: float) -> None:
        self._people = people
        self._caller = caller
        self._ear = ear
        self._pitch_hz = pitch_hz
        self._ringing: asyncio.Task[None] | None = None
        self.asked: list[Asked] = []
        self.comes = True
        self.there = asyncio.Event()
        self.heard: list[Samples] = []
        people.fetching = self

    # -- engines.human.Fetching -----------------------------------------------------------------------------
    def fetch(self, asked: Asked) -> None:
        self.asked.append(asked)
        self._ringing = asyncio.create_task(self._ring(asked.person), name="somebody is fetched")

    def available(self, engine: str) -> bool:
        return True

    async def _ring(self, person: PersonSpec) -> None:
        await asyncio.sleep(RINGS_S)
        if not self.comes:
            self._people.give_back(person.words.nobody, NOBODY)
            return
        self._caller.sinks.append(self._hear)
        self.there.set()

    def _hear(self, at_ms: float, frame: rtc.AudioFrame) -> None:
        self.heard.append(np.frombuffer(frame.data, np.int16))

    # -- what they do ---------------------------------------------------------------------------------------
    async def says(self, seconds: float) -> None:
        """Speak to the caller; returns when that was heard."""
        times = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
        wave = (8000 * np.sin(2 * np.pi * self._pitch_hz * times)).astype(np.int16)
        for at in range(0, len(wave), FRAME_SAMPLES):
            part = wave[at : at + FRAME_SAMPLES]
            await self._ear.capture_frame(rtc.AudioFrame(part.tobytes(), RATE_HZ, 1, len(part)))
        self._ear.flush()
        await self._ear.wait_for_playout()

    def leaves(self) -> None:
        """Hang up: the caller is a machine's again."""
        self._caller.sinks.remove(self._hear)
        self.there.clear()
        self._people.give_back(self.asked[-1].person.words.back, LEFT)
