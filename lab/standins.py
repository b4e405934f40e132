"""Ears and a voice that cost nothing, for tests of the protocols: no decoding, no synthesis.

What is *said* to these ears is given beforehand; what this voice says is a tone as long as the text is.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lab.context import Heard, Listener
from lab.errors import LabError

SAMPLE_RATE_HZ = 24_000


@dataclass(frozen=True, slots=True)
class GivenWord:
    text: str
    start_s: float
    end_s: float
    confidence: float = 0.9


@dataclass(frozen=True, slots=True)
class GivenHeard:
    """Something heard, with its words spread evenly."""

    text: str
    start_s: float = 0.0
    end_s: float = 1.0
    kind: Literal["speech_started", "interim", "final"] = "final"
    decode_s: float = 0.0
    finalized: bool = True

    @property
    def words(self) -> tuple[GivenWord, ...]:
        texts = self.text.split()
        each_s = (self.end_s - self.start_s) / max(1, len(texts))
        return tuple(
            GivenWord(text, self.start_s + i * each_s, self.start_s + (i + 1) * each_s)
            for i, text in enumerate(texts)
        )


class GivenHearing:
    """Ears that hear ``texts``, one an utterance, and then *hello* for ever."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self.texts = deque(texts)
        self.heard_bytes: list[int] = []

    async def start(self) -> None:
        """Nothing to start."""

    async def aclose(self) -> None:
        """Nothing to close."""

    async def recognise(self, pcm: bytes, *, sample_rate_hz: int) -> Heard:
        self.heard_bytes.append(len(pcm))
        text = self.texts.popleft() if self.texts else "hello"
        return GivenHeard(text, end_s=len(pcm) / 2 / sample_rate_hz)

    def listen(self, *, sample_rate_hz: int, silence_s: float = 0.3) -> Listener:
        return _GivenListener(self, sample_rate_hz)


class _GivenListener:
    def __init__(self, hearing: GivenHearing, sample_rate_hz: int) -> None:
        self._hearing = hearing
        self._rate_hz = sample_rate_hz
        self._pcm = bytearray()
        self._finals: asyncio.Queue[bytes | None] = asyncio.Queue()

    def push(self, pcm: bytes) -> None:
        self._pcm += pcm

    def finalize(self, *, wanted: bool = True) -> None:
        self._finals.put_nowait(bytes(self._pcm))
        self._pcm.clear()

    async def __aiter__(self) -> AsyncIterator[Heard]:
        while (pcm := await self._finals.get()) is not None:
            yield await self._hearing.recognise(pcm, sample_rate_hz=self._rate_hz)

    async def aclose(self) -> None:
        self._finals.put_nowait(None)


@dataclass(frozen=True, slots=True)
class ToneCharacter:
    text: str
    start_ms: float
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Tone:
    pcm: bytes
    characters: tuple[ToneCharacter, ...]
    sample_rate_hz: int = SAMPLE_RATE_HZ


class ToneVoices:
    """Voices that hum, each at the pitch that ``pitches_hz`` gives it, or 440 Hz, for ``character_ms`` a character.

    ``broken`` makes them fail instead.
    """

    def __init__(self, character_ms: float = 5.0, pitches_hz: Mapping[str, float] | None = None) -> None:
        self.character_ms = character_ms
        self._pitches_hz = pitches_hz or {}
        self.broken = False
        self.spoken: list[str] = []

    async def start(self) -> None:
        """Nothing to start."""

    async def aclose(self) -> None:
        """Nothing to close."""

    async def synthesise(self, text: str, *, voice: str = "agent") -> Tone:
        if self.broken:
            raise LabError("the voice is broken on purpose")
        self.spoken.append(text)
        each = self.character_ms
        samples = np.arange(int(len(text) * each / 1000 * SAMPLE_RATE_HZ))
        wave = 8000 * np.sin(2 * np.pi * self._pitches_hz.get(voice, 440.0) / SAMPLE_RATE_HZ * samples)
        marks = tuple(ToneCharacter(sign, i * each, each) for i, sign in enumerate(text))
        return Tone(wave.astype("<i2").tobytes(), marks)
