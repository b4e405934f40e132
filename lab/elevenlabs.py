"""ElevenLabs text to speech: many contexts on one WebSocket, really synthesised, with character times.

Wire format: ElevenLabs API reference, *Multi-context WebSocket* (``…/multi-stream-input``) and *Stream speech*
(``…/stream``), as livekit-plugins-elevenlabs 1.8.9 relies on them: it needs ``isFinal`` after ``close_context``
within its timeout and reads character times as running on through a context.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import Any

import numpy as np
from aiohttp import WSMsgType, web

from lab.context import LabContext, Speech
from lab.errors import LabError
from lab.faults import IN_STREAM, Fault, Provider, stall
from lab.wire import cut, fail_at_the_door
from service.audio import resample

_PROVIDER: Provider = "elevenlabs"
_PATH = "/elevenlabs/v1/text-to-speech/{voice_id}"
_FRAME_MS = 200
_SENTENCE_GAP_MS = 200
"""Sentences are synthesised one by one; the vendor's voices breathe between them."""
_RATES_HZ = (8000, 16000, 22050, 24000, 44100, 48000)
_REFUSED = 1008
"""WebSocket close code for a violated policy; the vendor closes so after an error."""


def routes(context: LabContext) -> list[web.RouteDef]:
    async def multi_stream(request: web.Request) -> web.StreamResponse:
        return await _multi_stream(request, context)

    async def stream(request: web.Request) -> web.StreamResponse:
        return await _stream(request, context)

    return [web.get(f"{_PATH}/multi-stream-input", multi_stream), web.post(f"{_PATH}/stream", stream)]


async def _multi_stream(request: web.Request, context: LabContext) -> web.StreamResponse:
    connection = context.new_id("ws_")
    context.journal.record(_PROVIDER, connection, "connect", dict(request.query))
    refused = await fail_at_the_door(request, context, _PROVIDER) or _unacceptable(request)
    if refused is not None:
        return refused
    websocket = web.WebSocketResponse()
    await websocket.prepare(request)
    socket = _Socket(request, websocket, context, connection)
    try:
        await socket.serve()
    finally:
        await socket.aclose()
        context.journal.record(_PROVIDER, connection, "lab.disconnected")
    return websocket


async def _stream(request: web.Request, context: LabContext) -> web.StreamResponse:
    """A whole text in one request, its audio as the body."""
    began_s = time.monotonic()
    request_id = context.new_id("req_")
    try:
        body = await request.json()
        text = str(body["text"])
    except (ValueError, KeyError, TypeError) as error:
        return _failure(422, "invalid_request", f"The request cannot be read: {error!r}")
    context.journal.record(_PROVIDER, request_id, "stream", body)
    refused = await fail_at_the_door(request, context, _PROVIDER) or _unacceptable(request)
    if refused is not None:
        return refused
    fault = context.faults.take(_PROVIDER, *IN_STREAM)
    speech = await context.voices.synthesise(text, voice=request.match_info["voice_id"])
    await _wait_for_first_byte(context, request_id, fault, began_s)
    response = web.StreamResponse(headers={"Content-Type": "audio/pcm", "request-id": request_id})
    await response.prepare(request)
    for index, (pcm, _) in enumerate(_frames(speech, _rate_hz(request))):
        if fault is not None and fault.kind != "slow" and index == fault.after:
            cut(request)
            return response
        await response.write(pcm)
    await response.write_eof()
    return response


class _Socket:
    """One client and its contexts."""

    def __init__(
        self, request: web.Request, websocket: web.WebSocketResponse, lab: LabContext, connection: str
    ) -> None:
        self.lab = lab
        self.connection = connection
        self.voice_id = request.match_info["voice_id"]
        self.sample_rate_hz = _rate_hz(request)
        self._request = request
        self._websocket = websocket
        self._contexts: dict[str, _Context] = {}

    async def serve(self) -> None:
        """Obey the client until it leaves, asks to close, or sends what is not JSON."""
        async for message in self._websocket:
            if message.type is not WSMsgType.TEXT:
                continue
            try:
                packet = json.loads(message.data)
                context_id = str(packet.get("context_id", "default"))
            except (ValueError, AttributeError):
                await self.send({"error": "invalid_message", "message": "A message is one JSON object."})
                await self._websocket.close(code=_REFUSED)
                return
            self.lab.journal.record(_PROVIDER, self.connection, _name(packet), packet)
            if packet.get("close_socket"):
                await asyncio.gather(*(context.finished() for context in self._contexts.values()))
                await self._websocket.close()
                return
            if context_id not in self._contexts:
                self._contexts[context_id] = _Context(self, context_id)
            self._contexts[context_id].receive(packet)

    async def send(self, packet: dict[str, Any]) -> None:
        await self._websocket.send_str(json.dumps(packet))

    async def send_broken(self) -> None:
        await self._websocket.send_str('{"audio": "AAAA')

    def cut(self) -> None:
        cut(self._request)

    async def aclose(self) -> None:
        await asyncio.gather(*(context.aclose() for context in self._contexts.values()))


class _Context:
    """One stream of text on the socket and the audio that answers it."""

    def __init__(self, socket: _Socket, context_id: str) -> None:
        self._socket = socket
        self._id = context_id
        self._buffered = ""
        self._closed = False
        self._texts: asyncio.Queue[tuple[str, float] | None] = asyncio.Queue()
        self._offset_ms = 0.0
        self._frames_sent = 0
        self._task = asyncio.create_task(self._answer(), name=f"elevenlabs context {context_id}")

    def receive(self, packet: dict[str, Any]) -> None:
        """Take text in. What arrives after ``close_context`` is not spoken any more."""
        if self._closed:
            return
        self._buffered += str(packet.get("text") or "")
        self._closed = bool(packet.get("close_context"))
        if (packet.get("flush") or self._closed) and self._buffered.strip():
            self._texts.put_nowait((self._buffered, time.monotonic()))
            self._buffered = ""
        if self._closed:
            self._texts.put_nowait(None)

    async def finished(self) -> None:
        """Close it, and wait until all its audio is sent."""
        self.receive({"close_context": True})
        await asyncio.wait([self._task])

    async def aclose(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _answer(self) -> None:
        try:
            first = await self._texts.get()
            fault = self._socket.lab.faults.take(_PROVIDER) if first is not None else None
            if fault is not None and await self._failed_at_once(fault):
                return
            waiting = first
            while waiting is not None:
                await self._speak(*waiting, fault)
                waiting = await self._texts.get()
            if fault is not None and self._frames_sent <= fault.after:
                await self._break(fault)  # too short an answer to fail in its middle
            await self._socket.send({"audio": None, "isFinal": True, "contextId": self._id})
        except ConnectionError:
            pass  # the client left, or a fault cut the line: the socket's own loop ends too
        except LabError as error:
            self._socket.lab.journal.record(_PROVIDER, self._socket.connection, "lab.error", str(error))
            await self._fail("internal_error", str(error))

    async def _speak(self, text: str, flushed_s: float, fault: Fault | None) -> None:
        lab, first = self._socket.lab, self._frames_sent == 0
        speech = await lab.voices.synthesise(text, voice=self._socket.voice_id)
        if first:
            await _wait_for_first_byte(lab, self._socket.connection, fault, flushed_s)
        gap_ms = 0 if first else _SENTENCE_GAP_MS
        rate_hz = self._socket.sample_rate_hz
        silence = bytes(2 * (rate_hz * gap_ms // 1000))
        self._offset_ms += gap_ms
        for pcm, characters in _frames(speech, rate_hz):
            if fault is not None and self._frames_sent == fault.after:
                await self._break(fault)
            alignment = {
                "chars": [c.text for c in characters],
                "charStartTimesMs": [round(self._offset_ms + c.start_ms) for c in characters],
                "charDurationsMs": [round(c.duration_ms) for c in characters],
            }
            await self._socket.send(
                {
                    "audio": base64.b64encode(silence + pcm).decode(),
                    "isFinal": None,
                    "normalizedAlignment": alignment if characters else None,
                    "alignment": alignment if characters else None,
                    "contextId": self._id,
                }
            )
            silence = b""
            self._frames_sent += 1
        self._offset_ms += 1000 * len(speech.pcm) / 2 / speech.sample_rate_hz

    async def _failed_at_once(self, fault: Fault) -> bool:
        """A fault switched on after the socket was opened strikes the context instead of the handshake."""
        match fault.kind:
            case "refuse":
                self._socket.cut()
            case "hang":
                await asyncio.Event().wait()
            case "rate_limited":
                await self._fail("rate_limit_exceeded", "Too many concurrent requests.")
            case "server_error":
                await self._fail("internal_error", "An internal error occurred.")
            case _:
                return False
        return True

    async def _break(self, fault: Fault) -> None:
        if fault.kind == "drop":
            self._socket.cut()
            raise ConnectionResetError("dropped by a fault")
        if fault.kind == "stall":
            await stall()
        if fault.kind == "malformed":
            await self._socket.send_broken()

    async def _fail(self, error: str, message: str) -> None:
        await self._socket.send({"error": error, "message": message, "code": _REFUSED, "contextId": self._id})


async def _wait_for_first_byte(lab: LabContext, connection: str, fault: Fault | None, asked_s: float) -> None:
    slow = fault.factor if fault is not None and fault.kind == "slow" else 1.0
    spent_s = time.monotonic() - asked_s
    delay_s = await lab.wait("tts_ttfb", slow=slow, spent_s=spent_s)
    if spent_s > delay_s > 0:
        lab.journal.record(_PROVIDER, connection, "lab.overrun", {"ms": 1000 * (spent_s - delay_s)})


def _frames(speech: Speech, rate_hz: int) -> list[tuple[bytes, list[Any]]]:
    """Cut speech into the vendor's messages: PCM at ``rate_hz`` and the characters that begin in it."""
    samples = resample(np.frombuffer(speech.pcm, dtype="<i2"), from_hz=speech.sample_rate_hz, to_hz=rate_hz)
    step = rate_hz * _FRAME_MS // 1000
    frames: list[tuple[bytes, list[Any]]] = [
        (samples[at : at + step].astype("<i2").tobytes(), []) for at in range(0, len(samples), step)
    ]
    for character in speech.characters:
        if frames:
            frames[min(int(character.start_ms // _FRAME_MS), len(frames) - 1)][1].append(character)
    return frames


def _name(packet: dict[str, Any]) -> str:
    """What a message is for, for the journal; the protocol itself gives messages no name."""
    for key in ("close_socket", "close_context", "flush", "voice_settings"):
        if key in packet:
            return key
    return "text"


def _rate_hz(request: web.Request) -> int:
    return int(request.query["output_format"].removeprefix("pcm_"))


def _unacceptable(request: web.Request) -> web.Response | None:
    if not request.headers.get("xi-api-key"):
        return _failure(401, "needs_authorization", "Neither authorization header nor xi-api-key received.")
    output_format = request.query.get("output_format", "")
    if output_format not in {f"pcm_{rate}" for rate in _RATES_HZ}:
        known = ", ".join(f"pcm_{rate}" for rate in _RATES_HZ)
        return _failure(400, "invalid_output_format", f"The lab speaks {known}, not '{output_format}'.")
    return None


def _failure(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"detail": {"status": code, "message": message}}, status=status)
