"""OpenAI's full-duplex voice model over a WebSocket: it hears and speaks at the same time and takes turns by itself.

Source: the wire types of ``livekit.agents.llm._realtime.gpt_live_types`` (``/v1/live/sessions``); the vendor's own
reference was not at hand. Audio is 24 kHz int16 mono. The caller is really recognised and the replies really spoken;
when to speak is a simple rule: when the caller has been quiet, and never over the caller. Work with tools is handed to
a backend model, which is the same script.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import WSMsgType, web

from lab.context import LabContext
from lab.errors import LabError
from lab.faults import Fault, Provider, stall
from lab.realtime_conversation import BYTES_PER_MS, SAMPLE_RATE_HZ
from lab.realtime_ears import RealtimeEars
from lab.realtime_vad import ServerVad
from lab.script import Call, Message, Request, Role
from lab.tokens import count
from lab.wire import cut, with_socket

PROVIDER: Provider = "openai.live"
_FRAME_MS = 100
_QUIET_MS = 400
"""The caller's silence after which the model speaks."""
_MEASURED_EVERY_S = 5.0
_BACKEND = "gpt-5.6-luna"
_SPOKEN_NOW = "After that, pause and listen.\n\n"
"""What the plugin's requests to speak end with, before what they are about."""


def routes(context: LabContext) -> list[web.RouteDef]:
    async def sessions(request: web.Request) -> web.StreamResponse:
        return await _serve(request, context)

    return [web.get("/v1/live/sessions", sessions)]


async def _serve(request: web.Request, context: LabContext) -> web.StreamResponse:
    connection = context.new_id("live_")
    context.journal.record(PROVIDER, connection, "connect", dict(request.query))

    async def serve(socket: web.WebSocketResponse) -> None:
        session = _Session(context, socket, connection, request)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT and not await session.carry_out(message.data):
                    break
        finally:
            await session.aclose()
            context.journal.record(PROVIDER, connection, "disconnect")

    return await with_socket(request, context, PROVIDER, serve)


class _Session:
    """One session: what was said on both sides, and at most one thing being said."""

    def __init__(
        self, context: LabContext, socket: web.WebSocketResponse, connection: str, request: web.Request
    ) -> None:
        self._context = context
        self._socket = socket
        self._connection = connection
        self._request = request
        self._began_s = time.monotonic()
        self._messages: list[Message] = []
        self._tools: frozenset[str] = frozenset()
        self._voice = "agent"
        self._vad = ServerVad(silence_ms=_QUIET_MS)
        self._ears = RealtimeEars(context.hearing, sample_rate_hz=SAMPLE_RATE_HZ)
        self._muted = self._caller_speaks = False
        self._names: dict[str, str] = {}
        """The tools whose results the backend waits for, by the call's id."""
        self._speaking: asyncio.Task[None] | None = None
        self._others: set[asyncio.Task[None]] = set()

    async def carry_out(self, text: str) -> bool:
        """One client event; whether the session goes on."""
        try:
            event = json.loads(text)
            name = str(event["type"])
            if name != "session.input_audio.append":
                self._context.journal.record(PROVIDER, self._connection, name, event)
            if name == "session.close":
                await self._send("session.closed", reason="close_requested", usage=self._used())
                return False
            await self._HANDLERS[name](self, event)
        except (ValueError, KeyError, TypeError, AttributeError, LabError) as error:
            what = {"type": "invalid_request_error", "code": "invalid_event", "message": repr(error)}
            await self._send("error", error=what)
        return True

    async def aclose(self) -> None:
        tasks = [task for task in (self._speaking, *self._others) if task is not None]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._ears.aclose()

    # -- client events --------------------------------------------------------------------------------------
    async def _start(self, event: dict[str, Any]) -> None:
        session = event["session"]
        self._messages.append(Message("system", str(session.get("instructions") or "")))
        for item in session.get("input") or ():
            words = " ".join(str(part.get("text", "")) for part in item["content"])
            roles: Mapping[str, Role] = {"user": "user", "assistant": "assistant"}
            self._messages.append(Message(roles.get(item["role"], "system"), words))
        self._voice = str(((session.get("audio") or {}).get("output") or {}).get("voice") or "agent")
        self._configure(session.get("delegation"))
        await asyncio.sleep(self._context.draw_s("network"))
        await self._send("session.started", session={"id": self._connection})
        self._own(self._measure(), "measures")
        if self._context.session_limit_s < math.inf:
            self._own(self._expire(), "expires")

    async def _update(self, event: dict[str, Any]) -> None:
        self._configure(event["session"]["delegation"])
        await self._send("session.updated")

    def _configure(self, delegation: Mapping[str, Any] | None) -> None:
        responses = (delegation or {}).get("responses") or {}
        if "tools" in responses:
            self._tools = frozenset(tool["name"] for tool in responses["tools"] if "name" in tool)

    async def _hear(self, event: dict[str, Any]) -> None:
        pcm = base64.b64decode(event["audio"], validate=True)
        pcm = bytes(len(pcm)) if self._muted else pcm
        self._ears.push(pcm)
        change = self._vad.push(pcm)
        if change is not None:
            self._caller_speaks = change == "started"
        if change == "started":
            await self._stop()
        elif change == "stopped":
            heard, begun_ms = self._ears.take(), self._vad.speech_start_ms
            self._own(self._hear_out(heard, begun_ms, self._vad.audio_ms - _QUIET_MS), "hears")

    async def _mute(self, event: dict[str, Any]) -> None:
        self._muted = event["type"].endswith(".mute")
        await self._send(f"{event['type']}d")

    async def _append(self, event: dict[str, Any]) -> None:
        """Instructions, knowledge, or something to say: requests to speak are of that kind."""
        name, content = event["type"].removesuffix(".append"), str(event["content"])
        await self._send(f"{name}.appended", client_event_id=event.get("event_id"))
        if name != "session.commentary":
            self._messages.append(Message("system", content))
            return
        about = content.partition(_SPOKEN_NOW)[2]
        if about and content.startswith("Reply"):
            if self._messages[-1] != Message("user", about):  # the session may have begun with it
                self._messages.append(Message("user", about))
            about = ""
        await self._stop()
        self._speak_soon(self._say(about) if about else self._reply())

    async def _take_result(self, event: dict[str, Any]) -> None:
        item = event["item"]
        self._messages.append(Message("result", str(item["output"]), self._names.pop(item["call_id"])))

    async def _go_on(self, event: dict[str, Any]) -> None:
        if self._names:
            raise LabError("a call has no result yet")
        await self._stop()
        self._speak_soon(self._continue())

    _HANDLERS: Mapping[str, Callable[[_Session, dict[str, Any]], Awaitable[None]]] = {
        "session.start": _start,
        "session.update": _update,
        "session.input_audio.append": _hear,
        "session.input_audio.mute": _mute,
        "session.input_audio.unmute": _mute,
        "session.instructions.append": _append,
        "session.thinking.append": _append,
        "session.commentary.append": _append,
        "response.item.create": _take_result,
        "response.create": _go_on,
    }

    # -- speaking -------------------------------------------------------------------------------------------
    def _speak_soon(self, work: Any) -> None:
        self._speaking = asyncio.create_task(work, name=f"lab live speaks {self._connection}")

    async def _stop(self) -> None:
        if self._speaking is not None:
            self._speaking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._speaking
            self._speaking = None

    async def _hear_out(self, heard: asyncio.Future[str], begun_ms: int, ended_ms: int) -> None:
        try:
            text = await asyncio.shield(heard)
        except LabError:
            text = ""  # ears that died
        words = text.split()
        if words:
            self._messages.append(Message("user", text))
        for index, word in enumerate(words):
            span = [begun_ms + (ended_ms - begun_ms) * place // len(words) for place in (index, index + 1)]
            delta = word if index == 0 else f" {word}"
            await self._send("session.input_transcript.delta", delta=delta, start_ms=span[0], end_ms=span[1])
        if not self._caller_speaks and self._messages[-1].role == "user":  # else it was a cough
            await self._stop()
            self._speak_soon(self._reply())

    async def _reply(self) -> None:
        fault = self._context.faults.take(PROVIDER)
        if fault is not None and fault.kind == "hang":
            return
        await self._context.wait("realtime", slow=fault.factor if fault and fault.kind == "slow" else 1.0)
        reply = self._context.script.reply(Request(tuple(self._messages), self._tools, "realtime"))
        if isinstance(reply, Call):
            await self._delegate(reply)
        else:
            await self._say(reply.text, fault)

    async def _say(self, text: str, fault: Fault | None = None) -> None:
        pcm = (await self._context.voices.synthesise(text, voice=self._voice)).pcm
        step, words = _FRAME_MS * BYTES_PER_MS, text.split()
        frames = max(1, -(-len(pcm) // step))
        began_s, base_ms, said = time.monotonic(), self._now_ms(), 0
        place = len(self._messages)
        for index in range(frames):
            if fault is not None and index == fault.after and fault.kind == "stall":
                await stall()
            if fault is not None and index == fault.after and fault.kind in ("drop", "malformed"):
                if fault.kind == "drop":
                    cut(self._request)
                    return
                await self._socket.send_str('{"type": "session.output_audio.delta", "delta": "')
            due = -(-len(words) * (index + 1) // frames)
            if due > said:
                delta = (" " if said else "") + " ".join(words[said:due])
                span = {"start_ms": base_ms + index * _FRAME_MS, "end_ms": base_ms + (index + 1) * _FRAME_MS}
                await self._send("session.output_transcript.delta", delta=delta, **span)
                said = due
                self._messages[place:] = [Message("assistant", " ".join(words[:said]))]
            chunk = pcm[index * step : (index + 1) * step]
            await self._send("session.output_audio.delta", delta=base64.b64encode(chunk).decode())
            await asyncio.sleep(max(0.0, began_s + (index + 1) * _FRAME_MS / 1000 - time.monotonic()))

    async def _delegate(self, reply: Call) -> None:
        """Has the backend call tools: their results come as items, and then the word to go on."""
        delegation = self._context.new_id("del_")
        await self._send("session.delegation.created", delegation={"id": delegation, "target": "responses"})
        await self._backend(delegation, "response.created")
        for call in reply.all:
            call_id = self._context.new_id("call_")
            self._names[call_id] = call.tool
            self._messages.append(Message("call", call.arguments_json, call.tool))
            item = {"id": self._context.new_id("fc_"), "type": "function_call", "status": "completed"}
            item |= {"call_id": call_id, "name": call.tool, "arguments": call.arguments_json}
            await self._backend(delegation, "response.output_item.done", item=item)
        await self._backend(delegation, "response.completed", response=self._backend_used(reply))

    async def _continue(self) -> None:
        await self._backend(None, "response.created")
        await self._backend(None, "response.completed", response=self._backend_used(None))
        await self._reply()

    async def _backend(self, delegation: str | None, name: str, /, **fields: Any) -> None:
        event = {"type": name, **fields}
        await self._send("response.event", delegation_id=delegation, event=event)

    def _backend_used(self, reply: Call | None) -> dict[str, Any]:
        read = sum(count(message.text) for message in self._messages)
        written = count(reply.arguments_json) if reply else 0
        tokens = {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
        details = {"input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}}
        usage = {**tokens, **details, "output_tokens_details": {"reasoning_tokens": 0}}
        return {"id": self._context.new_id("resp_"), "model": _BACKEND, "usage": usage}

    # -- the way out ------------------------------------------------------------------------------------------
    async def _measure(self) -> None:
        while True:
            await asyncio.sleep(_MEASURED_EVERY_S)
            await self._send(
                "session.usage.updated", usage=self._used(), context_window={"usage_ratio": 0.01}
            )

    async def _expire(self) -> None:
        """As the vendor's other sessions end; how these do is not documented where it could be read."""
        await asyncio.sleep(self._context.session_limit_s)
        await self._socket.close()

    def _used(self) -> dict[str, float]:
        return {"seconds": round(time.monotonic() - self._began_s, 3)}

    def _now_ms(self) -> int:
        return round((time.monotonic() - self._began_s) * 1000)

    async def _send(self, event: str, /, **fields: Any) -> None:
        with contextlib.suppress(ConnectionError):
            await self._socket.send_str(json.dumps({"type": event, **fields}))

    def _own(self, work: Any, what: str) -> None:
        task = asyncio.create_task(work, name=f"lab live {what} {self._connection}")
        self._others.add(task)
        task.add_done_callback(self._others.discard)
