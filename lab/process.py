"""A lab in a process of its own, so that decoding and synthesis never disturb the calls under test."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from lab.addresses import Reachable
from lab.errors import LabError
from lab.faults import Fault, Provider
from lab.journal import Entry
from lab.server import LabSettings

_START_TIMEOUT_S = 120.0
_STOP_TIMEOUT_S = 10.0
_ROOT = Path(__file__).parent.parent


class LabProcess(Reachable):
    """``async with LabProcess() as lab``: starts ``python -m lab.server`` and ends it.

    Args:
        settings: of the lab.
        program: the module that serves it, if another one does: its options are the same.

    Raises:
        LabError: the process died or did not become ready; the message holds what it printed.
    """

    def __init__(self, settings: LabSettings | None = None, *, program: str = "lab.server") -> None:
        self.settings = settings or LabSettings()
        self._program = program
        self._process: asyncio.subprocess.Process | None = None
        self._client: aiohttp.ClientSession | None = None
        self._complaints = bytearray()
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        s = self.settings
        arguments = ["-m", self._program, "--with-parent", "--port", str(s.port), "--seed", str(s.seed)]
        arguments += ["--delays", s.delays.describe(), "--scenario", str(s.scenario), "--ears", str(s.ears)]
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for who started it, who may still have calls to drain
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        self._reader = asyncio.create_task(self._read_complaints(self._process), name="lab process stderr")
        try:
            ready = await self._first_line(self._process)
            self._url, self._secure_url = str(ready["url"]), str(ready["stand_ins"]["google"])
            self._client = aiohttp.ClientSession(self._url)
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the process: by closing its standard input, and by force if that is not enough."""
        if self._client is not None:
            await self._client.close()
        process, reader = self._process, self._reader
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            try:
                async with asyncio.timeout(_STOP_TIMEOUT_S):
                    await process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if reader is not None:
            await reader

    async def set_fault(self, provider: Provider, fault: Fault) -> None:
        """Switch a fault on in the running lab."""
        await self._ask("PUT", f"/lab/faults/{provider}", asdict(fault))

    async def clear_faults(self) -> None:
        await self._ask("DELETE", "/lab/faults")

    async def cut(self, path: str) -> int:
        """Drop what is being answered under ``path``, sockets too; returns how many."""
        return int((await self._ask("DELETE", f"/lab/connections?path={path}"))["cut"])

    async def health(self) -> dict[str, Any]:
        """What the lab says of itself."""
        return await self._ask("GET", "/lab/health")

    async def journal(self, *, provider: Provider | None = None, after: int = 0) -> list[Entry]:
        """The journal from entry number ``after`` on."""
        query = f"?after={after}" + (f"&provider={provider}" if provider else "")
        answer = await self._ask("GET", f"/lab/journal{query}")
        return [Entry(**entry) for entry in answer["entries"]]

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        if self._client is None:
            raise LabError("the lab is not running: use it as `async with LabProcess() as lab`")
        async with self._client.request(method, path, json=body) as response:
            answer: dict[str, Any] = await response.json()
            if response.status >= 400:
                raise LabError(str(answer.get("error", answer)))
            return answer

    async def _first_line(self, process: asyncio.subprocess.Process) -> dict[str, Any]:
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                line = await process.stdout.readline() if process.stdout is not None else b""
        except TimeoutError:
            raise LabError(f"the lab was not ready within {_START_TIMEOUT_S:.0f} s{self._said()}") from None
        try:
            ready: dict[str, Any] = json.loads(line)
        except ValueError:
            status = await process.wait()
            if self._reader is not None:
                await self._reader
            raise LabError(f"the lab process ended with status {status}{self._said()}") from None
        return ready

    async def _read_complaints(self, process: asyncio.subprocess.Process) -> None:
        while process.stderr is not None and (chunk := await process.stderr.read(4096)):
            self._complaints += chunk
            del self._complaints[:-4096]

    def _said(self) -> str:
        text = self._complaints.decode(errors="replace").strip()
        return f"; it said: {text}" if text else ""
