"""Ears that know beforehand what can be said, and recognise it by its loudness: exact, at once, and for nothing.

For tests and benches of what happens *around* recognition: which words an engine was sent, and which samples.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lab.context import Heard
from lab.standins import GivenHeard

RATE_HZ = 24_000
_FRAME_S = 0.01
_LIKENESS = 0.9
"""Correlation of two loudness curves from which on they are the same words; different ones stay below 0.7."""
_QUIET = 200
"""Samples below this are silence."""

Samples = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Utterance:
    """Something that can be said: int16 mono at 24 kHz, and its words, which may be none."""

    text: str
    samples: Samples


class KnownSpeech:
    """Hears nothing but ``utterances``; :attr:`listeners` keep what each stream was sent.

    It answers when a client asks for its final result and, with ``endpointing``, when there was silence after one of
    them: pauses within are none.
    """

    def __init__(self, utterances: Sequence[Utterance], *, endpointing: bool = False) -> None:
        self.endpointing = endpointing
        self._curves = {one.text: _loudness(one.samples, RATE_HZ) for one in utterances}
        self.listeners: list[KnownListener] = []

    async def start(self) -> None:
        """Nothing to start."""

    async def aclose(self) -> None:
        """Nothing to close."""

    async def recognise(self, pcm: bytes, *, sample_rate_hz: int) -> Heard:
        """One whole utterance."""
        text = " ".join(filter(None, self.said_in(np.frombuffer(pcm, "<i2"), sample_rate_hz)))
        return GivenHeard(text, end_s=len(pcm) / 2 / sample_rate_hz)

    def listen(self, *, sample_rate_hz: int, silence_s: float = 0.3) -> KnownListener:
        limit_s = silence_s if self.endpointing else math.inf
        self.listeners.append(KnownListener(self, sample_rate_hz, limit_s))
        return self.listeners[-1]

    def said_in(self, samples: Samples, rate_hz: int) -> list[str]:
        """The texts of the utterances that are in ``samples`` from their beginning to their end, in order."""
        curve = _loudness(samples, rate_hz)
        found = sorted((at, text) for text, known in self._curves.items() for at in _places(curve, known))
        return [text for _, text in found]


@dataclass(slots=True, eq=False)
class KnownListener:
    """One stream. ``turns`` holds the audio of each final result that was wanted, int16 at ``rate_hz``."""

    _hearing: KnownSpeech
    rate_hz: int
    _silence_s: float
    turns: list[Samples] = field(default_factory=list)
    _pcm: bytearray = field(default_factory=bytearray)
    _before: int = 0
    """How many bytes were sent before those."""
    _told: int = 0
    """How much of it was answered in a silence."""
    _quiet_s: float = math.inf
    _finals: asyncio.Queue[Heard | None] = field(default_factory=asyncio.Queue)

    def push(self, pcm: bytes) -> None:
        self._pcm += pcm
        samples = np.frombuffer(pcm, "<i2")
        if len(samples) and np.abs(samples.astype(np.int32)).max() > _QUIET:
            self._quiet_s = 0.0
            return
        before_s, self._quiet_s = self._quiet_s, self._quiet_s + len(samples) / self.rate_hz
        if before_s < self._silence_s <= self._quiet_s < math.inf:
            self._answer(finalized=False)

    def finalize(self, *, wanted: bool = True) -> None:
        self._answer(finalized=True)
        if wanted:
            self.turns.append(np.frombuffer(bytes(self._pcm), "<i2").astype(np.int16))
        self._before += len(self._pcm)
        self._pcm.clear()
        self._told = 0

    def _answer(self, *, finalized: bool) -> None:
        texts = self._hearing.said_in(np.frombuffer(bytes(self._pcm[self._told :]), "<i2"), self.rate_hz)
        if not texts and not finalized:
            return
        start_s, end_s = ((self._before + sent) / 2 / self.rate_hz for sent in (self._told, len(self._pcm)))
        text = " ".join(filter(None, texts))
        self._finals.put_nowait(GivenHeard(text, start_s=start_s, end_s=end_s, finalized=finalized))
        self._told = len(self._pcm)

    async def __aiter__(self) -> AsyncIterator[Heard]:
        while (final := await self._finals.get()) is not None:
            yield final

    async def aclose(self) -> None:
        self._finals.put_nowait(None)


def excerpts(samples: Samples, texts: Sequence[str], *, seconds: float) -> Mapping[str, Utterance]:
    """Cut a long recording of speech into utterances that are told to be ``texts``.

    The recording is cut where it is loudest, so that each piece is speech from its first sample to its last.

    Raises:
        ValueError: the recording is too short for so many.
    """
    size = int(seconds * RATE_HZ)
    loud = np.convolve(_loudness(samples, RATE_HZ), np.ones(int(seconds / _FRAME_S)), "valid")
    step = int(RATE_HZ * _FRAME_S)
    starts: list[int] = []
    for at in np.argsort(-loud):
        start = int(at) * step
        if all(abs(start - other) >= size for other in starts):
            starts.append(start)
        if len(starts) == len(texts):
            break
    else:
        raise ValueError(f"{len(texts)} utterances of {seconds} s are more than the recording holds")
    return {
        text: Utterance(text, samples[start : start + size].copy())
        for text, start in zip(texts, sorted(starts), strict=True)
    }


def longest_pause_s(samples: Samples) -> float:
    """The longest time in which nothing is said, to 10 ms; int16 mono at 24 kHz."""
    step = int(RATE_HZ * _FRAME_S)
    loud = (
        np.abs(samples[: len(samples) // step * step].astype(np.int32)).reshape(-1, step).max(axis=1) > _QUIET
    )
    edges = np.flatnonzero(np.concatenate([[True], loud, [True]]))
    return float(np.diff(edges).max() - 1) * _FRAME_S


def _loudness(samples: Samples, rate_hz: int) -> NDArray[np.float64]:
    """Root mean square about every 10 ms.

    It is taken over 30 ms, some periods of a voice: over fewer it changes with where a frame happens to begin.
    """
    step = int(rate_hz * _FRAME_S)
    whole = samples[: len(samples) // step * step].astype(np.float64).reshape(-1, step)
    power = np.pad(np.square(whole).mean(axis=1), 1)
    loudness: NDArray[np.float64] = np.sqrt(np.convolve(power, np.ones(3) / 3, "valid"))
    return loudness


def _places(curve: NDArray[np.float64], known: NDArray[np.float64]) -> list[int]:
    """Where in ``curve`` the ``known`` one is, in frames."""
    if len(curve) < len(known):
        return []
    windows = np.lib.stride_tricks.sliding_window_view(curve, len(known))
    centred = windows - windows.mean(axis=1, keepdims=True)
    pattern = known - known.mean()
    norms = np.linalg.norm(centred, axis=1) * np.linalg.norm(pattern)
    with np.errstate(invalid="ignore", divide="ignore"):
        likeness = np.where(norms > 0, centred @ pattern / norms, 0.0)
    places: list[int] = []
    while len(likeness) and likeness.max() >= _LIKENESS:
        at = int(likeness.argmax())
        places.append(at)
        likeness[max(0, at - len(known) // 2) : at + len(known) // 2] = 0.0
    return places
