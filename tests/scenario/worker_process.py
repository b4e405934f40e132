"""``patchbay worker --simulated start`` as an operator runs it: a process of its own, read by its log."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import psutil

from service.doctor import KEYS

START_LIMIT_S = 300.0
STOP_LIMIT_S = 300.0
LAST_MOMENT_S = 60.0
"""Helpers of multiprocessing end when they notice that the worker has."""
COMMAND = Path(sys.executable).with_name("patchbay")


class WorkerProcess:
    """``async with WorkerProcess(folder, environment) as worker``: a worker that runs on the lab.

    Args:
        folder: where it runs.
        environment: added to this process's own, from which vendors' keys are taken out.
        options: after ``patchbay worker --simulated start``.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], options: Sequence[str] = ()) -> None:
        self._folder = folder
        own = {
            name: value for name, value in os.environ.items() if name not in {key.variable for key in KEYS}
        }
        self._environment = {**own, **environment}
        self._options = options
        self._lines: list[str] = []
        self._said = asyncio.Condition()
        self._family: list[psutil.Process] = []

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            str(COMMAND),
            "worker",
            "--simulated",
            "start",
            *self._options,
            cwd=self._folder,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=1 << 20,
        )
        self._reader = asyncio.create_task(self._read(), name="worker's log")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            for process in (psutil.Process(self._process.pid), *self._children()):
                process.kill()
        await self._process.wait()
        await self._reader

    @property
    def log(self) -> str:
        """Everything it has printed so far."""
        return "\n".join(self._lines)

    async def says(self, words: str) -> None:
        """Wait until a line of its log has ``words``; fails when it ends without."""
        async with asyncio.timeout(START_LIMIT_S), self._said:
            await self._said.wait_for(lambda: self._reader.done() or words in self.log)
        assert words in self.log, f"the worker ended without saying '{words}': {self.log[-3000:]}"

    def terminate(self) -> None:
        """Ask it to stop, as an orchestrator does."""
        self._family = self._children()
        self._process.send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        """Wait until it has ended; returns its exit status."""
        async with asyncio.timeout(STOP_LIMIT_S):
            return await self._process.wait()

    async def left_behind(self) -> list[str]:
        """The processes it had started by :meth:`terminate` that do not end with it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_MOMENT_S):
                # Nobody is told when somebody else's child ends.
                while any(map(_is_alive, self._family)):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        return [" ".join(process.cmdline()) for process in self._family if _is_alive(process)]

    def _children(self) -> list[psutil.Process]:
        return psutil.Process(self._process.pid).children(recursive=True)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            async with self._said:
                self._lines.append(line.decode(errors="replace").rstrip())
                self._said.notify_all()
        async with self._said:
            self._said.notify_all()


def _is_alive(process: psutil.Process) -> bool:
    """A zombie has ended; that nobody has noticed is not its fault."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
