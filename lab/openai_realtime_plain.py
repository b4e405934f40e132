"""A server that speaks OpenAI Realtime as open ones do: the lab's own behind it, less what they lack.

It answers under the names of the protocol's beta, sends no request's metadata back, and knows nothing of deleting,
truncating or cancelling: that it refuses without saying which event it means. No one server is played; each of these
is something that the clients of such servers report.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
from aiohttp import WSMsgType, web

from lab.context import LabContext

UNKNOWN = ("conversation.item.delete", "conversation.item.truncate", "response.cancel")
OLD_NAMES = {
    "conversation.item.added": "conversation.item.created",
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
}
_LARGEST = 16 * 2**20


def routes(context: LabContext) -> list[web.RouteDef]:
    async def realtime(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(max_msg_size=_LARGEST)
        await socket.prepare(request)
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(
                f"http://{request.host}/v1/realtime", params=request.query, max_msg_size=_LARGEST
            ) as whole,
        ):
            there = asyncio.create_task(_ask(socket, whole), name="lab plain realtime asks")
            back = asyncio.create_task(_answer(whole, socket), name="lab plain realtime answers")
            try:
                await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (there, back):
                    task.cancel()
                await asyncio.gather(there, back, return_exceptions=True)
        return socket

    return [web.get("/plain/v1/realtime", realtime)]


async def _ask(client: web.WebSocketResponse, whole: aiohttp.ClientWebSocketResponse) -> None:
    async for message in client:
        if message.type is not WSMsgType.TEXT:
            continue
        name = json.loads(message.data).get("type")
        if name in UNKNOWN:
            error = {"type": "invalid_request_error", "message": f"Unknown event: {name}"}
            await client.send_json({"type": "error", "error": error})
        else:
            await whole.send_str(message.data)


async def _answer(whole: aiohttp.ClientWebSocketResponse, client: web.WebSocketResponse) -> None:
    async for message in whole:
        if message.type is WSMsgType.TEXT:
            await client.send_json(_plain(json.loads(message.data)))


def _plain(event: dict[str, Any]) -> dict[str, Any]:
    if isinstance(response := event.get("response"), dict):
        event["response"] = {key: value for key, value in response.items() if key != "metadata"}
    return {**event, "type": OLD_NAMES.get(event["type"], event["type"])}
