"""Deepgram streaming speech to text: the caller's audio, really recognised.

Wire format: Deepgram's reference of ``/v1/listen`` (streaming) and its pages *Finalize*, *Speech Started*,
*Close Stream*, as livekit-plugins-deepgram 1.8.9 relies on them. Not played: punctuation, diarisation,
``UtteranceEnd``. The vendor does not say whether the result of a *Finalize* has ``speech_final``; here it does,
because the utterance ends there.

Delays: a final comes when the drawn delay since its last audio is over, or when decoding is done if that took
longer (journalled as ``lab.overrun``): the simulated delay replaces the real one. Interim results and the start
of speech come after decoding and one round trip of the network.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar

from aiohttp import WSCloseCode, WSMsgType, web

from lab.context import Heard, LabContext
from lab.errors import LabError
from lab.faults import Fault, Provider, stall
from lab.wire import cut, fail_at_the_door

_SHORTEST_ENDPOINTING_MS = 300
"""The ears need this much silence to be sure: shorter wishes (the plugin asks for 25 ms) get this."""
_MODEL = {"name": "lab-pocketsphinx", "version": "5.1.1", "arch": "sphinx"}


def routes(context: LabContext) -> list[web.RouteDef]:
    async def hear(request: web.Request) -> web.StreamResponse:
        return await listen(request, context, Stream)

    return [web.get("/deepgram/v1/listen", hear)]


async def listen(request: web.Request, context: LabContext, made: type[Stream]) -> web.StreamResponse:
    """Serve one connection as ``made`` does, if it is asked for what the lab can hear."""
    connection = context.new_id("dg_")
    context.journal.record(made.provider, connection, "connect", dict(request.query))
    refused = await fail_at_the_door(request, context, made.provider) or _unacceptable(request, connection)
    if refused is not None:
        return refused
    websocket = web.WebSocketResponse()
    websocket.headers["dg-request-id"] = connection
    await websocket.prepare(request)
    try:
        await made(request, websocket, context, connection).serve()
    finally:
        context.journal.record(made.provider, connection, "lab.disconnected")
    return websocket


class Stream:
    """One connection: audio comes in, results go out in order."""

    provider: ClassVar[Provider] = "deepgram"

    def __init__(
        self, request: web.Request, websocket: web.WebSocketResponse, lab: LabContext, connection: str
    ) -> None:
        query = request.query
        self._request = request
        self._websocket = websocket
        self._lab = lab
        self._connection = connection
        self._rate_hz = int(query["sample_rate"])
        self._wants_interim = query.get("interim_results") == "true"
        self._wants_start = query.get("vad_events") == "true"
        self._listener = lab.hearing.listen(sample_rate_hz=self._rate_hz, silence_s=_silence_s(request))
        # what was heard, with the moment (monotonic clock) when its audio had come in
        self._heard: asyncio.Queue[tuple[Heard, float]] = asyncio.Queue()
        self._bytes = 0
        self._finalizing = 0
        self._closing = False
        self._fault: Fault | None = None
        self._sent_of_utterance = 0

    async def serve(self) -> None:
        """Work until the client closes the stream or leaves, a fault strikes, or the ears fail."""
        tasks = [
            asyncio.create_task(self._hear(), name=f"{self._connection} hears"),
            asyncio.create_task(self._answer(), name=f"{self._connection} answers"),
            asyncio.create_task(self._receive(), name=f"{self._connection} receives"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except LabError as error:
            self._lab.journal.record(self.provider, self._connection, "lab.error", str(error))
            await self._websocket.close(code=WSCloseCode.INTERNAL_ERROR, message=b"NET-0000")
        except ConnectionError:
            pass  # the client has gone, or a fault cut the line
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await self._listener.aclose()

    async def _receive(self) -> None:
        async for message in self._websocket:
            if message.type is WSMsgType.BINARY:
                self._lab.journal.record(self.provider, self._connection, "audio", message.data)
                self._bytes += len(message.data)
                self._push(message.data)
            elif message.type is WSMsgType.TEXT:
                self._obey(message.data)
        if self._closing:
            # the socket's reading side is over only because the other task closed it
            await asyncio.Event().wait()

    def _push(self, pcm: bytes) -> None:
        self._listener.push(pcm)

    def _obey(self, text: str) -> None:
        try:
            packet = json.loads(text)
            name = str(packet["type"])
        except (ValueError, KeyError, TypeError):
            packet, name = text, "lab.unreadable"
        self._lab.journal.record(self.provider, self._connection, name, packet)
        if name in ("Finalize", "CloseStream"):
            self._closing = self._closing or name == "CloseStream"
            self._finalize()

    def _finalize(self) -> None:
        self._finalizing += 1
        self._listener.finalize()

    async def _hear(self) -> None:
        async for heard in self._listener:
            self._heard.put_nowait((heard, time.monotonic() - heard.decode_s))

    async def _answer(self) -> None:
        while True:
            heard, audio_at_s = await self._heard.get()
            if heard.kind == "speech_started":
                await self._begin_utterance()
            for message in self._messages(heard):
                await self._wait(heard, audio_at_s)
                await self._send(message, last=heard.kind == "final")
            if heard.finalized:
                self._finalizing -= 1
                if self._closing and not self._finalizing:
                    if (goodbye := self._goodbye()) is not None:
                        await self._websocket.send_json(goodbye)
                    await self._websocket.close()
                    return

    async def _begin_utterance(self) -> None:
        """Every utterance is an answer that a fault can strike."""
        self._sent_of_utterance = 0
        self._fault = self._lab.faults.take(self.provider)
        if self._fault is None:
            return
        self._lab.journal.record(self.provider, self._connection, "lab.fault", self._fault.kind)
        match self._fault.kind:
            case "refuse":
                self._cut()
            case "hang":
                await asyncio.Event().wait()
            case "rate_limited" | "server_error":
                raise LabError("the provider fails, as its fault switch says")

    async def _wait(self, heard: Heard, audio_at_s: float) -> None:
        slow = self._fault.factor if self._fault is not None and self._fault.kind == "slow" else 1.0
        spent_s = time.monotonic() - audio_at_s
        if heard.kind != "final":
            await self._lab.wait("network", slow=slow)
            return
        delay_s = await self._lab.wait("stt", slow=slow, spent_s=spent_s)
        if spent_s > delay_s > 0:
            overrun = {"ms": 1000 * (spent_s - delay_s)}
            self._lab.journal.record(self.provider, self._connection, "lab.overrun", overrun)

    async def _send(self, message: dict[str, Any], *, last: bool) -> None:
        fault = self._fault
        # an utterance too short to fail in its middle fails at its end
        if fault is not None and (last or self._sent_of_utterance == fault.after):
            if fault.kind == "drop":
                self._cut()
            if fault.kind == "stall":
                await stall()
            if fault.kind == "malformed":
                await self._websocket.send_str('{"type": "Results", "channel')
                self._fault = None
        self._sent_of_utterance += 1
        await self._websocket.send_json(message)

    def _cut(self) -> None:
        cut(self._request)
        raise ConnectionResetError("dropped by a fault")

    def _messages(self, heard: Heard) -> Iterator[dict[str, Any]]:
        """What the client is told, if it asked for that."""
        if heard.kind == "speech_started":
            if self._wants_start:
                yield {"type": "SpeechStarted", "channel": [0], "timestamp": round(heard.start_s, 3)}
        elif heard.kind == "final" or self._wants_interim:
            yield self._results(heard)

    def _results(self, heard: Heard) -> dict[str, Any]:
        final = heard.kind == "final"
        words = [
            {
                "word": word.text,
                "punctuated_word": word.text,
                "start": word.start_s,
                "end": word.end_s,
                "confidence": word.confidence,
            }
            for word in heard.words
        ]
        confidence = math.fsum(word.confidence for word in heard.words) / max(1, len(words))
        return {
            "type": "Results",
            "channel_index": [0, 1],
            "start": round(heard.start_s, 3),
            "duration": round(heard.end_s - heard.start_s, 3),
            "is_final": final,
            "speech_final": final,
            "from_finalize": heard.finalized,
            "channel": {
                "alternatives": [{"transcript": heard.text, "confidence": confidence, "words": words}]
            },
            "metadata": {"request_id": self._connection, "model_info": _MODEL, "model_uuid": "lab"},
        }

    def _goodbye(self) -> dict[str, Any] | None:
        return {
            "type": "Metadata",
            "request_id": self._connection,
            "created": datetime.now(UTC).isoformat(),
            "duration": self._bytes / 2 / self._rate_hz,
            "channels": 1,
        }


def _silence_s(request: web.Request) -> float:
    endpointing = request.query.get("endpointing", "")
    if endpointing == "false":
        return math.inf
    return max(_SHORTEST_ENDPOINTING_MS, int(endpointing) if endpointing.isdigit() else 0) / 1000


def _unacceptable(request: web.Request, request_id: str) -> web.Response | None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() not in ("token", "bearer") or not key.strip():
        return _failure(401, request_id, "INVALID_AUTH", "Invalid credentials.")
    query = request.query
    rate = query.get("sample_rate", "")
    if query.get("encoding") != "linear16" or query.get("channels", "1") != "1":
        return _failure(400, request_id, "Bad Request", "The lab hears encoding=linear16 with channels=1.")
    if not rate.isdigit() or not 8_000 <= int(rate) <= 192_000:
        return _failure(
            400, request_id, "Bad Request", f"sample_rate={rate!r} is not between 8000 and 192000."
        )
    return None


def _failure(status: int, request_id: str, code: str, message: str) -> web.Response:
    body = {"err_code": code, "err_msg": message, "request_id": request_id}
    return web.json_response(body, status=status)
