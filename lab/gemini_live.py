"""Google's Gemini Live API over a WebSocket (``BidiGenerateContent``): the connection and its client messages.

Source: Gemini API reference, *Live API - WebSockets API reference*, and the guides *Live API capabilities* and
*Session management*. The caller's audio is really recognised and the reply really spoken; only the mind is
scripted. Activity is detected by the client only.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
import math
import re
import time
from typing import Any

from aiohttp import WSMsgType, web

from lab.context import LabContext
from lab.errors import LabError
from lab.gemini_conversation import HEARS_HZ, INVALID_ARGUMENT, ClosedError, Conversation, Entry, Setup
from lab.gemini_generation import PROVIDER, Generation
from lab.realtime_ears import RealtimeEars
from lab.wire import cut, with_socket

_GOING_AWAY = 1001
_NOTICE_S = 60.0
_BYTES_PER_MS = HEARS_HZ * 2 // 1000
_OURS = re.compile(r"_([a-z])")
_DROP, _GARBLED = object(), object()


def routes(context: LabContext) -> list[web.RouteDef]:
    async def live(request: web.Request) -> web.StreamResponse:
        connection = context.new_id("live_")
        context.journal.record(PROVIDER, connection, "connect", {"service": request.match_info["service"]})

        async def serve(socket: web.WebSocketResponse) -> None:
            session = _Session(context, socket, connection, request)
            try:
                await session.serve()
            finally:
                await session.aclose()
                context.journal.record(PROVIDER, connection, "disconnect", {"code": socket.close_code})

        return await with_socket(request, context, PROVIDER, serve)

    return [web.get("/ws/{service}", live)]


class _Session:
    """One connection. Messages are carried out in order; answers leave in order, one network delay later."""

    def __init__(
        self, context: LabContext, socket: web.WebSocketResponse, connection: str, request: web.Request
    ) -> None:
        self._context = context
        self._socket = socket
        self._connection = connection
        self._request = request
        self._conversation: Conversation | None = None
        self._ears = RealtimeEars(context.hearing, sample_rate_hz=HEARS_HZ)
        self._speaking: Entry | None = None
        """What the caller says just now, in audio or text; None outside an activity."""
        self._generation: Generation | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._outbox: asyncio.Queue[tuple[float, object]] = asyncio.Queue()
        self._sender = asyncio.create_task(self._send_out(), name=f"lab gemini sender {connection}")

    async def serve(self) -> None:
        if (limit_s := self._context.session_limit_s) < math.inf:
            self._own(asyncio.create_task(self._expire(limit_s), name=f"lab limit {self._connection}"))
        async for message in self._socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                continue
            try:
                [(name, body)] = _camel(json.loads(message.data)).items()
                self._journal(name, body)
                if self._conversation is None and name != "setup":
                    raise ClosedError(INVALID_ARGUMENT, "The first message must be setup.")
                await _HANDLERS[name](self, body)
            except ClosedError as closed:
                self._close(closed.code, str(closed))
            except LabError:
                self._close(1011, "Internal error encountered.")
            except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
                self._close(INVALID_ARGUMENT, f"Invalid JSON payload received: {type(error).__name__}.")

    async def aclose(self) -> None:
        """End everything that this connection began."""
        if self._generation is not None:
            await self._generation.stop()
        for task in (self._sender, *self._tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._ears.aclose()

    async def _expire(self, limit_s: float) -> None:
        """End the connection when its time is up, after a notice. Source: Live API guide, *Session management*."""
        notice_s = min(_NOTICE_S, limit_s / 2)
        await asyncio.sleep(limit_s - notice_s)
        self._send({"goAway": {"timeLeft": f"{notice_s:g}s"}})
        await asyncio.sleep(notice_s)
        self._close(_GOING_AWAY, "")

    # -- client messages ----------------------------------------------------------------------------------
    async def setup(self, body: dict[str, Any]) -> None:
        if self._conversation is not None:
            raise ClosedError(INVALID_ARGUMENT, "setup must be the first message, and once.")
        self._conversation = Conversation(Setup.read(body))
        self._send({"setupComplete": {}})

    async def client_content(self, body: dict[str, Any]) -> None:
        await self._interrupt()
        if self._talk.client_content(body):
            self._generate()

    async def realtime_input(self, body: dict[str, Any]) -> None:
        if "activityStart" in body:
            await self._interrupt()
            self._speaking = Entry("user")
        elif "activityEnd" in body:
            self._end_of_activity()
        elif self._speaking is None:
            raise ClosedError(INVALID_ARGUMENT, "Input outside an activity: send activityStart first.")
        elif "audio" in body:
            rate = re.fullmatch(r"audio/pcm;rate=(\d+)", body["audio"].get("mimeType", ""))
            if rate is None or int(rate[1]) != HEARS_HZ:
                raise ClosedError(INVALID_ARGUMENT, f"The lab hears audio/pcm;rate={HEARS_HZ} only.")
            pcm = base64.b64decode(body["audio"]["data"].translate(str.maketrans("-_", "+/")), validate=True)
            self._ears.push(pcm)
            self._speaking.audio_ms += len(pcm) // _BYTES_PER_MS
        else:
            self._speaking.text = f"{self._speaking.text} {body['text']}".strip()

    async def tool_response(self, body: dict[str, Any]) -> None:
        waiting = {} if self._generation is None else self._generation.calls
        for response in body.get("functionResponses") or ():
            tool = waiting.pop(response.get("id"), None)
            if tool is None:
                continue  # of a call that was cancelled meanwhile
            answer = response.get("response") or {}
            text = answer.get("output", answer)
            self._talk.entries.append(
                Entry("result", text if isinstance(text, str) else json.dumps(text), tool)
            )
        if self._generation is not None and not waiting:
            self._generate()

    # -- turns ----------------------------------------------------------------------------------------------
    @property
    def _talk(self) -> Conversation:
        assert self._conversation is not None  # noqa: S101 -- nothing is handled before the setup
        return self._conversation

    async def _interrupt(self) -> None:
        if self._generation is not None:
            await self._generation.interrupt()

    def _end_of_activity(self) -> None:
        entry, self._speaking = self._speaking, None
        if entry is None:
            raise ClosedError(INVALID_ARGUMENT, "activityEnd without activityStart.")
        if entry.audio_ms:
            entry.heard = self._ears.take()
            if self._talk.setup.transcribes_input:
                self._own(
                    asyncio.create_task(
                        self._transcribe(entry.heard), name=f"lab transcribes {self._connection}"
                    )
                )
        elif not entry.text:
            return
        self._talk.entries.append(entry)
        self._generate()

    async def _transcribe(self, heard: asyncio.Future[str]) -> None:
        """What the caller said, in pieces, in no order with the rest."""
        with contextlib.suppress(LabError):
            text = await asyncio.shield(heard)
            await self._context.wait("stt")
            for word in text.split():
                self._send({"serverContent": {"inputTranscription": {"text": f" {word}"}}}, delay_s=0.0)

    def _generate(self) -> None:
        fault = self._context.faults.take(PROVIDER)
        if fault is not None and fault.kind == "refuse":
            cut(self._request)
            return
        if fault is not None and fault.kind == "hang":
            return
        self._context.journal.record(PROVIDER, self._connection, "lab.generation")
        self._generation = Generation(
            context=self._context,
            conversation=self._talk,
            send=lambda message: self._send(message, delay_s=0.0),
            close=self._close,
            cut=lambda: self._queue(0.0, _DROP),
            garble=lambda: self._queue(0.0, _GARBLED),
            asked_s=time.monotonic(),
            connection=self._connection,
            fault=fault,
        )
        self._generation.start()

    # -- the way out ------------------------------------------------------------------------------------------
    def _send(self, message: dict[str, Any], *, delay_s: float | None = None) -> None:
        """Queue a message; without a delay of its own it leaves when the network has carried both ways."""
        self._queue(self._context.draw_s("network") if delay_s is None else delay_s, message)

    def _close(self, code: int, reason: str) -> None:
        self._queue(0.0, (code, reason))

    def _queue(self, delay_s: float, what: object) -> None:
        self._outbox.put_nowait((time.monotonic() + delay_s, what))

    async def _send_out(self) -> None:
        while True:
            due_s, what = await self._outbox.get()
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            try:
                if what is _DROP:
                    cut(self._request)
                    return
                if isinstance(what, tuple):
                    code, reason = what
                    await self._socket.close(code=code, message=reason.encode())
                    return
                text = '{"serverContent": ' if what is _GARBLED else json.dumps(what)
                await self._socket.send_bytes(text.encode())  # the service sends JSON in binary frames
            except ConnectionError:
                return

    def _own(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _journal(self, name: str, body: dict[str, Any]) -> None:
        if name == "realtimeInput":
            name = f"realtimeInput.{next(iter(body), '')}"
        self._context.journal.record(PROVIDER, self._connection, name, body)


_HANDLERS = {
    "setup": _Session.setup,
    "clientContent": _Session.client_content,
    "realtimeInput": _Session.realtime_input,
    "toolResponse": _Session.tool_response,
}
_OPAQUE = ("response", "args", "parameters")
"""Fields whose content is the user's own, not the protocol's."""


def _camel(value: Any) -> Any:
    """The same with the protocol's names as its reference writes them; the service takes both spellings."""
    if isinstance(value, dict):
        named = {_OURS.sub(lambda m: m[1].upper(), key): (key, inner) for key, inner in value.items()}
        return {name: inner if key in _OPAQUE else _camel(inner) for name, (key, inner) in named.items()}
    if isinstance(value, list):
        return [_camel(inner) for inner in value]
    return value
