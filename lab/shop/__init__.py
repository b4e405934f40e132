"""A small real shop: orders in SQLite, and a real MCP server over them in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.errors import LabError

_ROOT = Path(__file__).parents[2]
_START_S = 120.0
_STOP_S = 5.0


class ShopProcess:
    """The shop's MCP server while the context lasts.

    ``url`` is its streamable HTTP endpoint, for ``livekit.agents.mcp.MCPServerHTTP``.
    """

    def __init__(self, database: Path) -> None:
        """``database``: the SQLite file, created and seeded when there is none."""
        self.url = ""
        self._database = database.resolve()
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        """Start it. Raises :class:`LabError` when it does not come up."""
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "lab.shop", "--port", "0", "--database", str(self._database)),
            cwd=_ROOT,
            stdin=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for who started it, who may still have calls to drain
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None  # noqa: S101 -- opened as a pipe
        try:
            async with asyncio.timeout(_START_S):
                self.url = str(json.loads(await process.stdout.readline())["url"])
        except (TimeoutError, ValueError, KeyError) as error:
            await self._stop()
            raise LabError(
                f"the shop's server did not start (exit status {process.returncode}); "
                f"try `python -m lab.shop --database {self._database}` to see why"
            ) from error
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()  # it ends by itself when its parent is gone
        try:
            async with asyncio.timeout(_STOP_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
