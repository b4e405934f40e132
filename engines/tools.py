"""The tools that engines may use, from Model Context Protocol servers, timed and reported.

Tools are connected once, when the call is answered: a hand-off then costs no handshake.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx2
from livekit.agents import ToolError, function_tool, llm
from livekit.agents.llm import mcp

from engines.errors import ToolsUnavailableError
from engines.trust import trust

LIMIT_S = 8.0
"""A tool that takes longer has failed: the caller is waiting."""
CONNECT_LIMIT_S = 5.0


@dataclass(frozen=True, slots=True)
class ToolReport:
    """One use of a tool: what it was given, and what it returned, or the reason of the failure."""

    name: str
    arguments: dict[str, Any]
    result: Any
    failed: bool
    took_ms: float


async def _as_it_is(result: str) -> str:
    return result


@dataclass(slots=True)
class ToolHooks:
    """Called when a tool begins and when it is done, and asked what goes to it and what comes of it."""

    began: Callable[[], None] = lambda: None
    done: Callable[[ToolReport], None] = lambda report: None
    for_tool: Callable[[dict[str, object]], dict[str, object]] = lambda arguments: arguments
    """What the tool is given for what the model wrote."""
    from_tool: Callable[[str], Awaitable[str]] = _as_it_is
    """What the model is given of a result, or of the reason of a failure."""


class _Server(mcp.MCPServerHTTP):
    """A tool server, asked on the TLS context that all share."""

    def _create_http_client(
        self,
        headers: dict[str, Any] | None = None,
        timeout: httpx2.Timeout | None = None,
        auth: httpx2.Auth | None = None,
    ) -> httpx2.AsyncClient:
        self._http_client = httpx2.AsyncClient(
            verify=trust(),
            headers=headers or self._headers,
            timeout=timeout or httpx2.Timeout(self._timeout, read=self._sse_read_timeout),
            auth=auth,
        )
        return self._http_client


class Toolbox:
    """The tools of one call. Use as an async context manager.

    Args:
        servers: URLs of MCP servers (streamable HTTP).
        hooks: told of every use.

    Raises:
        ToolsUnavailableError: on entering, when a server cannot be reached.
    """

    def __init__(self, servers: Sequence[str], hooks: ToolHooks | None = None) -> None:
        # It logs whole messages, and errors that quote them, both with callers' values. What fails is raised as well.
        logging.getLogger("mcp.client").setLevel(logging.CRITICAL)
        self._servers = servers
        self._open = AsyncExitStack()
        self.hooks = hooks or ToolHooks()
        self.tools: tuple[llm.Tool, ...] = ()

    async def __aenter__(self) -> Toolbox:
        try:
            for url in self._servers:
                server = _Server(
                    url,
                    transport_type="streamable_http",
                    client_session_timeout_seconds=LIMIT_S + 1,  # or its own 5 s would come first
                    tool_result_resolver=_resolve,
                )
                self._open.push_async_callback(server.aclose)
                async with asyncio.timeout(CONNECT_LIMIT_S):
                    await server.initialize()
                    self.tools += tuple(self._reported(tool) for tool in await server.list_tools())
        except Exception as error:
            await self._open.aclose()
            raise ToolsUnavailableError(
                f"the tool server {url} cannot be reached ({type(error).__name__}): is it running?"
            ) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    def _reported(self, tool: llm.RawFunctionTool[..., Awaitable[Any]]) -> llm.Tool:
        async def call(raw_arguments: dict[str, object]) -> Any:
            try:
                result = await self._used(tool, self.hooks.for_tool(raw_arguments))
            except ToolError as error:
                # Without its cause: that one's message may quote what the model may not see.
                raise ToolError(await self.hooks.from_tool(error.message)) from None
            return await self.hooks.from_tool(result)

        return function_tool(call, raw_schema=tool.info.raw_schema)

    async def _used(
        self, tool: llm.RawFunctionTool[..., Awaitable[Any]], arguments: dict[str, object]
    ) -> str:
        """The result as text. Raises ToolError, whatever went wrong."""
        began = time.perf_counter()
        failed, result = True, None
        self.hooks.began()
        try:
            result = await asyncio.wait_for(tool(arguments), LIMIT_S)
            failed = False
            return result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
        except asyncio.CancelledError:
            # The caller cut in: nothing is wrong with the tool, and whether it acted is not known.
            failed, result = False, "interrupted"
            raise
        except ToolError as error:
            result = error.message
            raise
        except TimeoutError as error:
            result = f"no answer within {LIMIT_S:g} s"
            raise ToolError(f"{tool.id}: {result}") from error
        except Exception as error:
            result = type(error).__name__
            raise ToolError(f"{tool.id} is not available just now") from error
        finally:
            took_ms = (time.perf_counter() - began) * 1000
            self.hooks.done(ToolReport(tool.id, dict(arguments), result, failed, took_ms))


def described(tools: Sequence[llm.Tool]) -> tuple[tuple[str, str], ...]:
    """The name of each of a toolbox's tools, and what its server says it does."""
    raw = (tool for tool in tools if isinstance(tool, llm.RawFunctionTool))
    return tuple((tool.id, str(tool.info.raw_schema.get("description") or "")) for tool in raw)


def _resolve(context: mcp.MCPToolResultContext) -> Any:
    """The result's structured content, or its text read as JSON where it is JSON."""
    if context.result.structured_content is not None:
        return context.result.structured_content
    text = "\n".join(part.text for part in context.result.content if part.type == "text")
    try:
        return json.loads(text)
    except ValueError:
        return text
