"""What the simulated HTTP endpoints have in common: failing at the door, error bodies, server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from lab.context import LabContext
from lab.faults import AT_CONNECT, Fault, Provider, stall


async def fail_at_the_door(
    request: web.Request, context: LabContext, provider: Provider
) -> web.Response | None:
    """Apply the provider's fault that strikes before anything is answered, if one is on.

    Returns the error response to send, or ``None`` to go on. *refuse* cuts the connection; *hang* never returns
    (the handler is cancelled when the client gives up).
    """
    fault = context.faults.take(provider, *AT_CONNECT)
    if fault is None:
        return None
    if fault.kind == "hang":
        await asyncio.Event().wait()
    return _refused(request, context, fault)


def _refused(request: web.Request, context: LabContext, fault: Fault) -> web.Response:
    if fault.kind == "refuse":
        cut(request)
        return web.Response(status=503)
    return failure(429 if fault.kind == "rate_limited" else 500, context.new_id("req_"))


async def with_socket(
    request: web.Request,
    context: LabContext,
    provider: Provider,
    serve: Callable[[web.WebSocketResponse], Awaitable[None]],
) -> web.StreamResponse:
    """Open a WebSocket and have it served, unless the provider's fault strikes at the door.

    *hang*: the socket opens and nothing ever comes.
    """
    fault = context.faults.take(provider, *AT_CONNECT)
    if fault is not None and fault.kind != "hang":
        return _refused(request, context, fault)
    socket = web.WebSocketResponse(max_msg_size=16 * 2**20)
    await socket.prepare(request)
    if fault is not None:
        async for _ in socket:
            pass
    else:
        await serve(socket)
    return socket


def cut(request: web.Request) -> None:
    """Drop the connection as a broken network does: no goodbye."""
    if request.transport is not None:
        request.transport.abort()


def failure(status: int, request_id: str, message: str = "", code: str | None = None) -> web.Response:
    """An error with the body OpenAI sends. Source: OpenAI API reference, *Error codes*."""
    error: dict[str, Any]
    if status == 429:
        error = {
            "message": "Rate limit reached for requests",
            "type": "requests",
            "code": "rate_limit_exceeded",
        }
    elif status >= 500:
        error = {
            "message": "The server had an error while processing your request. Sorry about that!",
            "type": "server_error",
            "code": None,
        }
    else:
        error = {"message": message, "type": "invalid_request_error", "code": code}
    return web.json_response(
        {"error": {**error, "param": None}}, status=status, headers={"x-request-id": request_id}
    )


class EventStream:
    """A response of server-sent events that can go wrong on the way."""

    def __init__(self, request: web.Request, request_id: str, fault: Fault | None) -> None:
        self._request = request
        self._fault = fault
        self._sent = 0
        self.response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-cache",
                "x-request-id": request_id,
            }
        )

    async def open(self) -> None:
        await self.response.prepare(self._request)

    async def send(self, event: dict[str, Any]) -> None:
        """Send one event. Raises ``ConnectionResetError`` once the connection is gone, or is dropped by a fault."""
        if self._fault is not None and self._sent == self._fault.after:
            if self._fault.kind == "drop":
                cut(self._request)
                raise ConnectionResetError("dropped by a fault")
            if self._fault.kind == "stall":
                await stall()
            if self._fault.kind == "malformed":
                await self.response.write(b'data: {"id": "chatcmpl-\n\n')
        self._sent += 1
        await self.response.write(f"data: {json.dumps(event)}\n\n".encode())

    async def done(self) -> None:
        """``data: [DONE]`` and the end of the response."""
        await self.response.write(b"data: [DONE]\n\n")
        await self.response.write_eof()
