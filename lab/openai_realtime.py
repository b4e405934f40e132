"""OpenAI Realtime over a WebSocket, GA event names: the connection and what each client event does.

Source: OpenAI API reference, *Realtime client events* and *server events* (``/v1/realtime?model=``). Audio is
24 kHz int16 mono. The caller's audio is really recognised and the reply really spoken; only the mind is scripted.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
import math
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from copy import deepcopy
from functools import partial
from typing import Any, ClassVar, Protocol, TypeVar

from aiohttp import WSMessage, WSMsgType, web

from lab.context import LabContext
from lab.errors import LabError
from lab.faults import Provider
from lab.realtime_conversation import (
    BYTES_PER_MS,
    LEAST_COMMIT_MS,
    SAMPLE_RATE_HZ,
    USER_TOKENS_PER_S,
    Conversation,
    Item,
    RejectedError,
    new_session,
    update_session,
)
from lab.realtime_ears import RealtimeEars
from lab.realtime_response import Response
from lab.realtime_vad import ServerVad
from lab.tokens import count
from lab.wire import cut, with_socket

_PROVIDER: Provider = "openai.realtime"
_LOGPROBS = "item.input_audio_transcription.logprobs"
_T = TypeVar("_T")


async def realtime(request: web.Request, context: LabContext) -> web.StreamResponse:
    """Serve one connection of a client that speaks and hears by itself (``/v1/realtime?model=``)."""
    connection = context.new_id("sess_")
    context.journal.record(_PROVIDER, connection, "connect", dict(request.query))
    model = request.query.get("model", "gpt-realtime")

    async def serve(socket: web.WebSocketResponse) -> None:
        session = Session(context, socket, connection, model, cut=partial(cut, request))
        try:
            await session.serve(socket)
        finally:
            await session.aclose()
            context.journal.record(_PROVIDER, connection, "disconnect")

    return await with_socket(request, context, _PROVIDER, serve)


class Outlet(Protocol):
    """Where server events go: a client's socket, or those of all who are in a call."""

    async def send_str(self, data: str) -> None: ...
    async def close(self) -> Any: ...


class Session:
    """One connection. Client events are carried out in order; answers leave in order, one network delay later."""

    handlers: ClassVar[Mapping[str, Callable[[Any, dict[str, Any]], Awaitable[None]]]]
    """By the name of a client event, what carries it out."""

    def __init__(
        self,
        context: LabContext,
        socket: Outlet,
        connection: str,
        model: str,
        *,
        cut: Callable[[], None],
    ) -> None:
        self._context = context
        self._socket = socket
        self._connection = connection
        self._cut = cut
        self._config = new_session(connection, model)
        self._conversation = Conversation()
        self._buffered = 0
        self._ears = RealtimeEars(context.hearing, sample_rate_hz=SAMPLE_RATE_HZ)
        self._response: Response | None = None
        self._vad: ServerVad | None = None
        self._detection: dict[str, Any] | None = None
        self._turn_item_id = ""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._outbox: asyncio.Queue[tuple[float, str]] = asyncio.Queue()
        self._sender = asyncio.create_task(self._send_out(), name=f"lab realtime sender {connection}")

    async def serve(self, messages: AsyncIterable[WSMessage]) -> None:
        """Carry out what a client sends, from the start of the session to its end."""
        self._send("session.created", session=self._config)
        if self._context.session_limit_s < math.inf:
            self._own(asyncio.create_task(self._expire(), name=f"lab session limit {self._connection}"))
        async for message in messages:
            if message.type is WSMsgType.TEXT:
                await self.carry_out(message.data)

    async def carry_out(self, text: str) -> None:
        """One client event."""
        event_id: str | None = None
        try:
            event = json.loads(text)
            event_id = event.get("event_id")
            name = str(event["type"])
            self._journal(name, event)
            handler = self.handlers.get(name)
            if handler is None:
                raise RejectedError("invalid_value", f"Invalid value: '{name}' is not a client event.")
            await handler(self, event)
        except RejectedError as rejected:
            self._error(rejected.code, str(rejected), event_id)
        except LabError as trouble:
            self._error("server_error", str(trouble), event_id)
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
            self._error("invalid_event", f"The event cannot be read: {error!r}", event_id)

    async def _expire(self) -> None:
        """End the session when its time is up. Source: OpenAI guide, *Realtime conversations*: session lifecycle."""
        await asyncio.sleep(self._context.session_limit_s)
        self._error("session_expired", "Your session hit the maximum duration.", None)
        await asyncio.sleep(self._context.draw_s("network"))
        await self._socket.close()

    async def aclose(self) -> None:
        """End everything that this connection began."""
        await self._cancel("client_cancelled")
        for task in (self._sender, *self._tasks):
            task.cancel()
        for task in (self._sender, *self._tasks):
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._ears.aclose()

    # -- client events ----------------------------------------------------------------------------------
    async def update(self, event: dict[str, Any]) -> None:
        update_session(self._config, event["session"])
        self._detect()
        self._send("session.updated", session=self._config)

    async def append(self, event: dict[str, Any]) -> None:
        pcm = base64.b64decode(event["audio"], validate=True)
        self._ears.push(pcm)
        self._buffered += len(pcm)
        if self._vad is not None:
            await self._listen(self._vad, pcm)

    async def commit(self, event: dict[str, Any]) -> None:
        if self._buffered < LEAST_COMMIT_MS * BYTES_PER_MS:
            ms = self._buffered / BYTES_PER_MS
            raise RejectedError(
                "input_audio_buffer_commit_empty",
                f"Error committing input audio buffer: buffer too small. Expected at least {LEAST_COMMIT_MS}ms of "
                f"audio, but buffer only has {ms:.2f}ms of audio.",
            )
        self._commit(self._context.new_id("item_"))

    async def clear(self, event: dict[str, Any]) -> None:
        self._buffered = 0
        self._ears.discard()
        self._send("input_audio_buffer.cleared")

    async def create_item(self, event: dict[str, Any]) -> None:
        wire = {"status": "completed", **event["item"], "object": "realtime.item"}
        wire["id"] = wire.get("id") or self._context.new_id("item_")
        audio_ms, wire["content"] = _without_audio(wire.get("content"))
        if wire["content"] is None:
            del wire["content"]
        item = Item(wire["id"], wire, audio_ms=audio_ms)
        after = self._conversation.add(item, event.get("previous_item_id"))
        self._send("conversation.item.added", previous_item_id=after, item=wire)
        self._send("conversation.item.done", previous_item_id=after, item=wire)

    async def delete_item(self, event: dict[str, Any]) -> None:
        self._conversation.delete(event["item_id"])
        self._send("conversation.item.deleted", item_id=event["item_id"])

    async def truncate_item(self, event: dict[str, Any]) -> None:
        self._conversation.truncate(event["item_id"], int(event["audio_end_ms"]))
        self._send(
            "conversation.item.truncated",
            item_id=event["item_id"],
            content_index=event.get("content_index", 0),
            audio_end_ms=event["audio_end_ms"],
        )

    async def retrieve_item(self, event: dict[str, Any]) -> None:
        self._send("conversation.item.retrieved", item=self._conversation[event["item_id"]].wire)

    async def create_response(self, event: dict[str, Any]) -> None:
        if self._response is not None and self._response.active:
            raise RejectedError(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {self._response.id}. Wait until the "
                "response is finished before creating a new one.",
            )
        self._respond(event.get("response") or {})

    async def cancel_response(self, event: dict[str, Any]) -> None:
        wanted = event.get("response_id")
        response = self._response
        if response is None or not response.active or wanted not in (None, response.id):
            raise RejectedError("response_cancel_not_active", "Cancellation failed: no active response found")
        await response.cancel()

    # -- turns --------------------------------------------------------------------------------------------
    def _detect(self) -> None:
        """Detect turns as the session has it; a turn goes on through an update that changes nothing about that."""
        detection = self._config["audio"]["input"]["turn_detection"]
        if detection != self._detection:
            self._detection = deepcopy(detection)
            self._vad = ServerVad.of(detection) if detection else None

    async def _listen(self, vad: ServerVad, pcm: bytes) -> None:
        change = vad.push(pcm)
        if change == "started":
            self._turn_item_id = self._context.new_id("item_")
            if vad.interrupts:
                await self._cancel("turn_detected")
            self._send(
                "input_audio_buffer.speech_started",
                audio_start_ms=vad.speech_start_ms,
                item_id=self._turn_item_id,
            )
        elif change == "stopped":
            self._send(
                "input_audio_buffer.speech_stopped", audio_end_ms=vad.audio_ms, item_id=self._turn_item_id
            )
            self._buffered = min(self._buffered, vad.turn_ms * BYTES_PER_MS)
            self._commit(self._turn_item_id)
            if vad.responds and not (self._response is not None and self._response.active):
                self._respond({})

    def _commit(self, item_id: str) -> None:
        audio_ms, self._buffered = self._buffered // BYTES_PER_MS, 0
        wire = {
            "id": item_id,
            "object": "realtime.item",
            "type": "message",
            "role": "user",
            "status": "completed",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        item = Item(item_id, wire, audio_ms=audio_ms)
        after = self._conversation.add(item)
        item.heard = self._ears.take()
        self._send("input_audio_buffer.committed", previous_item_id=after, item_id=item_id)
        self._send("conversation.item.added", previous_item_id=after, item=wire)
        self._send("conversation.item.done", previous_item_id=after, item=wire)
        if self._config["audio"]["input"].get("transcription"):
            self._own(
                asyncio.create_task(self._transcribe(item, item.heard), name=f"lab transcribes {item_id}")
            )

    async def _transcribe(self, item: Item, heard: asyncio.Future[str]) -> None:
        """The transcription the session asked for: by another model, so it has its own delay."""
        delay = asyncio.create_task(self._context.wait("stt"), name=f"lab transcription delay {item.id}")
        self._own(delay)
        where = {"item_id": item.id, "content_index": 0}
        prefix = "conversation.item.input_audio_transcription"
        try:
            text = await asyncio.shield(heard)
        except LabError as error:
            trouble = {"type": "transcription_error", "code": "audio_unintelligible", "message": str(error)}
            self._send(f"{prefix}.failed", **where, error={**trouble, "param": None})
            return
        await delay
        for index, word in enumerate(text.split()):
            self._send(f"{prefix}.delta", **where, delta=word if index == 0 else f" {word}")
        read, written = item.audio_ms * USER_TOKENS_PER_S // 1000, count(text)
        self._send(
            f"{prefix}.completed",
            **where,
            transcript=text,
            logprobs=_likely(text) if _LOGPROBS in self._config.get("include", ()) else None,
            usage={
                "type": "tokens",
                "input_tokens": read,
                "output_tokens": written,
                "total_tokens": read + written,
                "input_token_details": {"text_tokens": 0, "audio_tokens": read},
            },
        )

    def _respond(self, params: dict[str, Any]) -> None:
        fault = self._context.faults.take(_PROVIDER)
        if fault is not None and fault.kind == "refuse":
            self._cut()
            return
        if fault is not None and fault.kind == "hang":
            return
        self._response = Response(
            context=self._context,
            conversation=self._conversation,
            session=self._config,
            params=params,
            send=self._stream,
            asked_s=time.monotonic(),
            connection=self._connection,
            id=self._context.new_id("resp_"),
            fault=fault,
        )
        self._send("response.created", response=self._response.wire("in_progress"))
        self._response.start()

    async def _cancel(self, reason: str) -> None:
        if self._response is not None and self._response.active:
            await self._response.cancel(reason)

    # -- the way out ----------------------------------------------------------------------------------------
    def _send(self, event: str, **fields: Any) -> None:
        """Queue the answer to a client event: it leaves when the network has carried both."""
        self._queue(self._context.draw_s("network"), event, fields)

    def _stream(self, event: str, **fields: Any) -> None:
        """Queue a frame of a response: the model's delay already holds the network's."""
        self._queue(0.0, event, fields)

    def _queue(self, delay_s: float, event: str, fields: dict[str, Any]) -> None:
        if event in ("lab.drop", "lab.malformed"):
            text = event
        else:
            text = json.dumps({"type": event, "event_id": self._context.new_id("event_"), **fields})
        self._outbox.put_nowait((time.monotonic() + delay_s, text))

    async def _send_out(self) -> None:
        while True:
            due_s, text = await self._outbox.get()
            wait_s = due_s - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            try:
                if text == "lab.drop":
                    self._cut()
                    return
                await self._socket.send_str('{"type": "response.' if text == "lab.malformed" else text)
            except ConnectionError:
                return

    def _error(self, code: str, message: str, event_id: str | None) -> None:
        self._send(
            "error",
            error={
                "type": "invalid_request_error",
                "code": code,
                "message": message,
                "param": None,
                "event_id": event_id,
            },
        )

    def _journal(self, name: str, event: dict[str, Any]) -> None:
        payload = (
            event if name != "input_audio_buffer.append" else {"characters": len(event.get("audio", ""))}
        )
        self._context.journal.record(_PROVIDER, self._connection, name, payload)

    def _own(self, task: asyncio.Task[_T]) -> asyncio.Task[_T]:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


Session.handlers = {
    "session.update": Session.update,
    "input_audio_buffer.append": Session.append,
    "input_audio_buffer.commit": Session.commit,
    "input_audio_buffer.clear": Session.clear,
    "conversation.item.create": Session.create_item,
    "conversation.item.delete": Session.delete_item,
    "conversation.item.truncate": Session.truncate_item,
    "conversation.item.retrieve": Session.retrieve_item,
    "response.create": Session.create_response,
    "response.cancel": Session.cancel_response,
}


def _likely(text: str) -> list[dict[str, Any]]:
    """Log probabilities of a transcript: made up, for the lab's ears tell none by word."""
    return [{"token": word, "bytes": list(word.encode()), "logprob": -0.1} for word in text.split()]


def _without_audio(content: Any) -> tuple[int, Any]:
    """How many milliseconds of audio an item's content holds, and the content without it."""
    if not isinstance(content, list):
        return 0, content
    audio_ms, kept = 0, []
    for part in content:
        audio = part.get("audio")
        if audio:
            audio_ms += len(base64.b64decode(audio)) // BYTES_PER_MS
            part = {k: v for k, v in part.items() if k != "audio"} | {"text": part.get("transcript") or ""}
        kept.append(part)
    return audio_ms, kept
