"""What every simulated provider shares: ears, voices, delays, faults, the journal and the script."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol
from uuid import UUID

from lab.delays import Delays, Stage
from lab.faults import Faults
from lab.journal import Journal

if TYPE_CHECKING:
    from lab.script import Script


class Word(Protocol):
    """A recognised word; times in seconds from the beginning of the audio, confidence 0 to 1."""

    @property
    def text(self) -> str: ...
    @property
    def start_s(self) -> float: ...
    @property
    def end_s(self) -> float: ...
    @property
    def confidence(self) -> float: ...


class Heard(Protocol):
    """Something the ears made out. ``decode_s`` is the real time spent on decoding after the audio was in.

    ``finalized``: this final answers ``finalize()``.
    """

    @property
    def kind(self) -> Literal["speech_started", "interim", "final"]: ...
    @property
    def start_s(self) -> float: ...
    @property
    def end_s(self) -> float: ...
    @property
    def words(self) -> Sequence[Word]: ...
    @property
    def decode_s(self) -> float: ...
    @property
    def finalized(self) -> bool: ...
    @property
    def text(self) -> str: ...


class Listener(Protocol):
    """One stream of audio being recognised. Audio is int16 little-endian mono."""

    def push(self, pcm: bytes) -> None: ...
    def finalize(self, *, wanted: bool = True) -> None:
        """End the running utterance; not ``wanted`` where its words are thrown away."""
        ...

    def __aiter__(self) -> AsyncIterator[Heard]: ...
    async def aclose(self) -> None: ...


class Hearing(Protocol):
    """The lab's speech recognition (:mod:`lab.hearing`)."""

    async def start(self) -> None: ...
    async def aclose(self) -> None: ...
    def listen(self, *, sample_rate_hz: int, silence_s: float = 0.3) -> Listener:
        """Listen to a stream; ``silence_s`` of it end an utterance (infinite: only ``finalize()`` does)."""
        ...

    async def recognise(self, pcm: bytes, *, sample_rate_hz: int) -> Heard:
        """Recognise one whole utterance."""
        ...


class Character(Protocol):
    """When a character of a synthesised text is heard, in milliseconds from its beginning."""

    @property
    def text(self) -> str: ...
    @property
    def start_ms(self) -> float: ...
    @property
    def duration_ms(self) -> float: ...


class Speech(Protocol):
    """Synthesised speech: int16 little-endian mono."""

    @property
    def pcm(self) -> bytes: ...
    @property
    def sample_rate_hz(self) -> int: ...
    @property
    def characters(self) -> Sequence[Character]: ...


class Voices(Protocol):
    """The lab's speech synthesis (:mod:`lab.voices`), 24 kHz."""

    async def start(self) -> None: ...
    async def aclose(self) -> None: ...
    async def synthesise(self, text: str, *, voice: str = "agent") -> Speech: ...


@dataclass(slots=True)
class LabContext:
    """The parts that the simulated providers of one lab share."""

    hearing: Hearing
    voices: Voices
    script: Script
    delays: Delays = field(default_factory=Delays)
    faults: Faults = field(default_factory=Faults)
    journal: Journal = field(default_factory=Journal)
    rng: random.Random = field(default_factory=lambda: random.Random(20261114))
    wall: Callable[[], float] = time.time
    """Seconds since the epoch; what expires goes by it."""
    session_limit_s: float = math.inf
    """Length at which a realtime provider ends a session."""

    def draw_s(self, stage: Stage, *, slow: float = 1.0) -> float:
        """How long, in seconds, ``stage`` takes this time as the client sees it: network, stage, network.

        ``"network"`` alone is one round trip. ``slow`` is the factor of a *slow* fault.
        """
        there, back = (self.delays.network.draw_s(self.rng) for _ in range(2))
        own = 0.0 if stage == "network" else getattr(self.delays, stage).draw_s(self.rng)
        return slow * (there + own + back)

    async def wait(self, stage: Stage, *, slow: float = 1.0, spent_s: float = 0.0) -> float:
        """Sleep as long as ``stage`` takes, less the ``spent_s`` seconds that real work already took.

        Returns the delay that was drawn, in seconds. So a simulated delay *contains* the lab's own decoding
        or synthesis: only work longer than the delay makes the provider later than drawn.
        """
        delay_s = self.draw_s(stage, slow=slow)
        if delay_s > spent_s:
            await asyncio.sleep(delay_s - spent_s)
        return delay_s

    def new_id(self, prefix: str) -> str:
        """An identifier in the vendors' style, from the seeded generator: ``item_3f2a…``."""
        return f"{prefix}{UUID(int=self.rng.getrandbits(128), version=4).hex[:20]}"
