"""The lab's voices: real speech by espeak-ng, synthesised in processes of their own.

espeak-ng is global state in C, so it runs outside (:mod:`lab.voices.worker`): a crash there costs one
sentence, and no call on this event loop waits for synthesis.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import sys
from collections import OrderedDict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from lab.errors import LabError

SAMPLE_RATE_HZ = 24_000
_HEADER = struct.Struct(">II")
_REMEMBERED = 256
_TIMEOUT_S = 20.0
_ROOT = Path(__file__).parents[2]
"""Where the package ``lab`` lies: the worker is found whatever folder the lab was started in."""


class VoiceError(LabError):
    """A sentence could not be spoken."""


@dataclass(frozen=True, slots=True)
class Character:
    """One character of the text, in milliseconds from the beginning of the speech."""

    text: str
    start_ms: float
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Speech:
    """Synthesised speech: int16 little-endian mono, about −20 dBFS RMS."""

    pcm: bytes
    characters: tuple[Character, ...]
    sample_rate_hz: int = SAMPLE_RATE_HZ

    @property
    def duration_ms(self) -> float:
        return len(self.pcm) / 2 / self.sample_rate_hz * 1000


class Voices:
    """Speaks, in ``processes`` workers; remembers the last few hundred sentences.

    A voice is one of :data:`lab.voices.espeak.VOICES`, or a vendor's voice name, which always stands for
    the same one of them.
    """

    def __init__(self, processes: int = 1) -> None:
        self._workers = [_Worker(number) for number in range(processes)]
        self._spoken: OrderedDict[tuple[str, str], asyncio.Task[Speech]] = OrderedDict()

    async def start(self) -> None:
        """Start every worker, so that the first sentence does not wait for a process."""
        await asyncio.gather(*(worker.warm() for worker in self._workers))

    async def aclose(self) -> None:
        """Stop the workers. Sentences still being spoken are cancelled."""
        tasks = [task for task in self._spoken.values() if not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._spoken.clear()
        await asyncio.gather(*(worker.aclose() for worker in self._workers))

    async def synthesise(self, text: str, *, voice: str = "agent") -> Speech:
        """Speak ``text``; blank text gives empty speech.

        Raises:
            VoiceError: the worker died or hung over this text (it is replaced), or espeak-ng refused it.
        """
        if not text.strip():
            return Speech(b"", ())
        key = (text, voice)
        task = self._spoken.get(key)
        if task is None:
            worker = min(self._workers, key=lambda w: w.queued)
            task = asyncio.create_task(worker.speak(text, voice), name=f"speak '{text[:20]}'")
            task.add_done_callback(lambda done: self._settle(key, done))
            self._spoken[key] = task
            if len(self._spoken) > _REMEMBERED:
                self._forget_oldest()
        self._spoken.move_to_end(key)
        # Shielded: the worker's answer must be read to its end even when nobody wants it any more.
        return await asyncio.shield(task)

    def _settle(self, key: tuple[str, str], task: asyncio.Task[Speech]) -> None:
        """A sentence that failed is not remembered: asked again, it is tried again."""
        if task.cancelled() or task.exception() is not None:
            self._spoken.pop(key, None)

    def _forget_oldest(self) -> None:
        oldest = next((key for key, task in self._spoken.items() if task.done()), None)
        if oldest is not None:
            del self._spoken[oldest]


class _Worker:
    """One speaking process, started when needed and replaced when it dies."""

    def __init__(self, number: int) -> None:
        self.queued = 0
        self._number = number
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None

    async def warm(self) -> None:
        await self.speak("ready", "agent")

    async def speak(self, text: str, voice: str) -> Speech:
        self.queued += 1
        try:
            async with self._lock:
                return await self._exchange(text, voice)
        finally:
            self.queued -= 1

    async def aclose(self) -> None:
        async with self._lock:
            await self._stop()

    async def _exchange(self, text: str, voice: str) -> Speech:
        process = await self._running()
        assert process.stdin is not None  # noqa: S101 -- opened as a pipe
        assert process.stdout is not None  # noqa: S101 -- opened as a pipe
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                process.stdin.write(json.dumps({"text": text, "voice": voice}).encode() + b"\n")
                await process.stdin.drain()
                head_bytes, pcm_bytes = _HEADER.unpack(await process.stdout.readexactly(_HEADER.size))
                head = json.loads(await process.stdout.readexactly(head_bytes))
                pcm = await process.stdout.readexactly(pcm_bytes)
        except TimeoutError as error:
            await self._stop()
            raise VoiceError(
                f"the voice worker took over {_TIMEOUT_S:.0f} s for '{text[:40]}'; it is started anew"
            ) from error
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            status = await process.wait()
            raise VoiceError(
                f"the voice worker ended (status {status}) while speaking '{text[:40]}'; the next sentence "
                f"starts a new one. If it keeps ending, reinstall the lab extra (espeakng-loader)"
            ) from error
        except BaseException:
            await self._stop()  # cancelled in mid-answer: the rest of it must not be read as the next one
            raise
        if "error" in head:
            raise VoiceError(head["error"])
        return Speech(pcm, _characters(text, head["boundaries_ms"]))

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "lab.voices.worker"),
                cwd=_ROOT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        return self._process

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()  # it holds nothing worth a farewell
        await process.wait()


def _characters(text: str, boundaries_ms: list[float]) -> tuple[Character, ...]:
    return tuple(
        Character(char, start, round(end - start, 1))
        for char, (start, end) in zip(text, pairwise(boundaries_ms), strict=True)
    )
