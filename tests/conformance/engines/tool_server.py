"""The suite's tools: a Model Context Protocol server in the loop of the call."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from engines.tools import Toolbox, ToolHooks


@asynccontextmanager
async def tools_of_the_suite(hooks: ToolHooks, *, wanted: bool) -> AsyncIterator[Sequence[Any]]:
    """The tools of the suite, from a Model Context Protocol server in this loop."""
    if not wanted:
        yield ()
        return
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        app = _server().streamable_http_app(json_response=True, host="127.0.0.1")
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", ws="none", timeout_graceful_shutdown=1)
        )
        serving = asyncio.create_task(server._serve([listener]), name="the suite's tools")
        try:
            while not server.started:  # noqa: ASYNC110 -- it has no event for it
                await asyncio.sleep(0.01)
            async with Toolbox([f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"], hooks) as box:
                yield box.tools
        finally:
            server.should_exit = True
            await serving


def _server() -> MCPServer[None]:
    # Tools that are not async would run in threads, for which virtual time does not wait.
    server: MCPServer[None] = MCPServer("suite", version="1.0", log_level="WARNING")

    @server.tool()
    async def find_item(number: str) -> dict[str, str]:
        """Find what was ordered."""
        return {"item": "kettle"}

    @server.tool()
    async def find_day(number: str) -> dict[str, str]:
        """Find the day of delivery."""
        return {"day": "Monday"}

    @server.tool()
    async def refuse() -> str:
        """Refuse."""
        raise ToolError("not today")

    @server.tool()
    async def dawdle() -> str:
        """Take longer than anybody waits."""
        await asyncio.sleep(30)
        return "done at last"

    @server.tool()
    async def ponder() -> dict[str, str]:
        """Take as long as a caller waits."""
        await asyncio.sleep(6)
        return {"item": "kettle"}

    return server
