"""The ears as the simulated providers use them: listeners spread over a few recogniser processes."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import lab
from lab.hearing.heard import Heard, HearingError
from lab.hearing.models import LanguageModel, ModelFiles, unpack
from lab.hearing.wire import (
    ENDPOINT_SILENCE_S,
    HEAD_BYTES,
    Kind,
    heard_from_json,
    pack,
    pack_opening,
    unpack_head,
)

_PATIENCE_S = 30.0
_GRACE_S = 0.2


class Listener:
    """One stream of int16 little-endian mono audio being recognised.

    Iterate over it for what is heard; the iteration ends after :meth:`aclose` and raises
    :class:`HearingError` if the recogniser's process died, in which case a new listener has to be opened.
    """

    def __init__(self, process: _Process, number: int, sample_rate_hz: int, silence_s: float) -> None:
        self._process = process
        self._number = number
        self._heard: asyncio.Queue[Heard | HearingError | None] = asyncio.Queue()
        process.send(Kind.OPEN, number, pack_opening(sample_rate_hz, silence_s))

    def push(self, pcm: bytes) -> None:
        """Give more audio, any amount of whole samples. Raises :class:`HearingError` for half a sample."""
        if len(pcm) % 2:
            raise HearingError(f"int16 audio has an even number of bytes, got {len(pcm)}")
        self._process.send(Kind.PUSH, self._number, pcm)

    def finalize(self, *, wanted: bool = True) -> None:
        """End the running utterance with the audio pushed so far: its final comes at once, perhaps empty."""
        self._process.send(Kind.FINALIZE, self._number)

    async def __aiter__(self) -> AsyncIterator[Heard]:
        while (item := await self._heard.get()) is not None:
            if isinstance(item, HearingError):
                raise item
            yield item

    async def aclose(self) -> None:
        """Stop listening; a running utterance is dropped (:meth:`finalize` first to keep it)."""
        self._process.forget(self._number)
        self._heard.put_nowait(None)

    def hear(self, item: Heard | HearingError) -> None:
        """Called by the pool."""
        self._heard.put_nowait(item)


class _Process:
    """One worker process, kept running until closed: one that dies is replaced."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._pid: int | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._listeners: dict[int, Listener] = {}
        self._ready = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def load(self) -> int:
        return len(self._listeners)

    @property
    def ready(self) -> bool:
        return self._ready.is_set()

    @property
    def pid(self) -> int | None:
        return self._pid

    async def until_ready(self) -> None:
        await self._ready.wait()

    async def start(self, model: ModelFiles) -> None:
        self._keeper = asyncio.create_task(self._keep(model), name=self._name)
        ready = asyncio.create_task(self.until_ready(), name=f"{self._name} ready")
        try:
            await asyncio.wait(
                {ready, self._keeper}, timeout=_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            ready.cancel()
        if not self.ready:
            await self.aclose()
            raise HearingError(
                f"a recogniser process did not start within {_PATIENCE_S:.0f} s; what it printed is above. "
                f"Is pocketsphinx installed? (pip install 'patchbay[lab]')"
            )

    async def aclose(self) -> None:
        self._tell(HearingError("the lab's ears were closed"))
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])

    def add(self, listener: Listener, number: int) -> None:
        self._listeners[number] = listener

    def forget(self, number: int) -> None:
        if self._listeners.pop(number, None) is not None:
            self.send(Kind.CLOSE, number)

    def send(self, kind: Kind, listener: int, body: bytes = b"") -> None:
        """Write without waiting. To a listener whose process is gone nothing is sent: it was told already."""
        if self.ready and self._writer is not None:
            self._writer.write(pack(kind, listener, time.monotonic(), body))

    async def _keep(self, model: ModelFiles) -> None:
        started = True
        while started:  # one that cannot even start would not the next time either
            code, started = await self._run(model)
            self._tell(
                HearingError(
                    f"the recogniser process ended unexpectedly (exit code {code}); "
                    "a new one is started: open a new listener"
                )
            )

    async def _run(self, model: ModelFiles) -> tuple[int, bool]:
        """Run one process to its end. Returns its exit code and whether it was ever ready."""
        ours, child = _spawn(model)
        self._pid = child.pid
        try:
            reader, self._writer = await asyncio.open_connection(sock=ours)
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await self._read(reader)
        finally:
            started = self.ready
            self._ready.clear()
            if self._writer is not None:
                self._writer.transport.abort()
            self._writer = self._pid = None
            code = _end(child)
        return code, started

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while True:
            head = unpack_head(await reader.readexactly(HEAD_BYTES))
            body = await reader.readexactly(head.body_bytes)
            if head.kind is Kind.READY:
                self._ready.set()
            elif (listener := self._listeners.get(head.listener)) is not None:
                listener.hear(heard_from_json(body, decode_s=time.monotonic() - head.moment_s))

    def _tell(self, error: HearingError) -> None:
        while self._listeners:
            _, listener = self._listeners.popitem()
            listener.hear(error)


class Hearing:
    """Speech recognition for the whole lab: ``processes`` workers with many listeners each.

    A listener has a decoder of its own (:class:`lab.hearing.recogniser.Recogniser`); a process decodes about
    ten listeners in real time. Each result says how long it took from the audio to the result
    (:attr:`Heard.decode_s`). The lab's rule: a simulated vendor delay *replaces* that time, it is not added
    to it; the result is sent at the later of decoding done and drawn delay.
    """

    def __init__(self, processes: int = 2, *, language_model: LanguageModel = "callers") -> None:
        if processes < 1:
            raise HearingError(f"recognition needs at least one process, got {processes}")
        self._language_model: LanguageModel = language_model
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._processes = [_Process(f"lab ears {number + 1}") for number in range(processes)]
        self._count = 0

    @property
    def process_ids(self) -> tuple[int, ...]:
        """The worker processes running now."""
        return tuple(process.pid for process in self._processes if process.ready and process.pid is not None)

    async def start(self) -> None:
        """Start the processes and wait until they listen (about a second).

        Raises:
            HearingError: one did not start.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="patchbay-ears-")
        model = unpack(self._language_model, Path(self._folder.name))
        try:
            async with asyncio.TaskGroup() as group:
                for process in self._processes:
                    group.create_task(process.start(model))
        except* HearingError as errors:
            await self.aclose()
            raise errors.exceptions[0] from None

    async def aclose(self) -> None:
        """End every listener and every process."""
        await asyncio.gather(*(process.aclose() for process in self._processes))
        if self._folder is not None:
            self._folder.cleanup()

    async def ready(self) -> None:
        """Wait until at least one process listens: at once after :meth:`start`, or until one is replaced."""
        waiting = [
            asyncio.create_task(process.until_ready(), name="lab ears are awaited")
            for process in self._processes
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    def listen(self, *, sample_rate_hz: int, silence_s: float = ENDPOINT_SILENCE_S) -> Listener:
        """Open a listener on the least busy process. ``silence_s`` seconds of silence end an utterance;
        with ``math.inf`` only :meth:`Listener.finalize` does.

        Raises:
            HearingError: no process is running, or the rate is impossible.
        """
        if not 8_000 <= sample_rate_hz <= 192_000:
            raise HearingError(f"audio needs a rate between 8000 and 192000 Hz, got {sample_rate_hz}")
        ready = [process for process in self._processes if process.ready]
        if not ready:
            raise HearingError(
                "no recogniser process is running: await start() first, or wait for the restart"
            )
        process = min(ready, key=lambda each: each.load)
        self._count += 1
        listener = Listener(process, self._count, sample_rate_hz, silence_s)
        process.add(listener, self._count)
        return listener

    async def recognise(self, pcm: bytes, *, sample_rate_hz: int) -> Heard:
        """Recognise a whole recording: one final with every word in it; empty if there was no speech.

        Raises:
            HearingError: the process died, or the audio is not int16.
        """
        listener = self.listen(sample_rate_hz=sample_rate_hz)
        begun = time.monotonic()
        finals: list[Heard] = []
        try:
            listener.push(pcm)
            listener.finalize()
            async for heard in listener:
                if heard.kind == "final":
                    finals.append(heard)
                if heard.finalized:
                    break
        finally:
            await listener.aclose()
        return Heard(
            "final",
            finals[0].start_s,
            finals[-1].end_s,
            tuple(word for final in finals for word in final.words),
            decode_s=time.monotonic() - begun,
            finalized=True,
        )


def _spawn(model: ModelFiles) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """Start a worker that talks to the socket returned. It ends by itself when that is closed.

    Not by asyncio's subprocesses: cancelled while starting one, Python 3.11 waits for its end for ever.
    """
    ours, theirs = socket.socketpair()
    # the child must find this very package, wherever the parent found it
    paths = [str(Path(lab.__file__).parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    # one core per process: recognisers with thread pools of their own only get in each other's way
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "lab.hearing.worker", str(model.language_model), str(model.dictionary)]
    with theirs:
        child = subprocess.Popen(command, stdin=theirs.fileno(), stdout=theirs.fileno(), env=environment)  # noqa: S603 our own code
    return ours, child


def _end(child: subprocess.Popen[bytes]) -> int:
    """Make sure that the process is gone; its exit code."""
    try:
        # one that closed its end is about to end by itself, and its own exit code says more than a kill
        return child.wait(timeout=_GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()
