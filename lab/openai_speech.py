"""OpenAI text to speech: really synthesised, as raw audio or as server-sent events.

Wire format: OpenAI API reference, *Create speech* (``POST /v1/audio/speech``); ``pcm`` is 24 kHz int16 mono.
"""

from __future__ import annotations

import asyncio
import base64
import time
from typing import Any

from aiohttp import web

from lab.context import LabContext
from lab.errors import LabError
from lab.faults import IN_STREAM, Fault, stall
from lab.tokens import count
from lab.wire import EventStream, cut, fail_at_the_door, failure

_CHUNK_BYTES = 9600
"""200 ms of audio."""
_AUDIO_TOKENS_PER_S = 20


def routes(context: LabContext) -> list[web.RouteDef]:
    async def speak(request: web.Request) -> web.StreamResponse:
        return await _speak(request, context)

    return [web.post("/v1/audio/speech", speak)]


async def _speak(request: web.Request, context: LabContext) -> web.StreamResponse:
    began_s = time.monotonic()
    request_id = context.new_id("req_")
    try:
        body = await request.json()
        text = str(body["input"])
    except (ValueError, KeyError, TypeError) as error:
        return failure(400, request_id, f"The request cannot be read: {error!r}", "invalid_request")
    context.journal.record("openai.speech", request_id, "audio.speech", body)
    failed = await fail_at_the_door(request, context, "openai.speech")
    if failed is not None:
        return failed
    if body.get("response_format", "mp3") != "pcm":
        return failure(400, request_id, "The lab speaks response_format 'pcm' only.", "unsupported_format")
    fault = context.faults.take("openai.speech", *IN_STREAM)
    slow = fault.factor if fault is not None and fault.kind == "slow" else 1.0
    try:
        speech = await context.voices.synthesise(text, voice=str(body.get("voice", "agent")))
    except LabError:
        # To the client the lab's own trouble is the provider's, as it would be.
        return failure(500, request_id)
    spent_s = time.monotonic() - began_s
    delay_s = await context.wait("tts_ttfb", slow=slow, spent_s=spent_s)
    if spent_s > delay_s > 0:
        context.journal.record("openai.speech", request_id, "lab.overrun", {"ms": 1000 * (spent_s - delay_s)})
    chunks = [speech.pcm[i : i + _CHUNK_BYTES] for i in range(0, len(speech.pcm), _CHUNK_BYTES)]
    try:
        if body.get("stream_format") == "sse":
            usage = _usage(text, body.get("instructions"), len(speech.pcm) / 2 / speech.sample_rate_hz)
            return await _as_events(request, request_id, fault, chunks, usage)
        return await _as_audio(request, request_id, fault, chunks)
    except (ConnectionResetError, asyncio.CancelledError) as gone:
        context.journal.record("openai.speech", request_id, "lab.disconnected")
        if isinstance(gone, asyncio.CancelledError):
            raise
        return web.Response(status=503)


async def _as_events(
    request: web.Request, request_id: str, fault: Fault | None, chunks: list[bytes], usage: dict[str, Any]
) -> web.StreamResponse:
    stream = EventStream(request, request_id, fault)
    await stream.open()
    for chunk in chunks:
        await stream.send({"type": "speech.audio.delta", "audio": base64.b64encode(chunk).decode()})
    await stream.send({"type": "speech.audio.done", "usage": usage})
    await stream.response.write_eof()
    return stream.response


async def _as_audio(
    request: web.Request, request_id: str, fault: Fault | None, chunks: list[bytes]
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "audio/pcm", "x-request-id": request_id})
    await response.prepare(request)
    for index, chunk in enumerate(chunks):
        if fault is not None and index == fault.after and fault.kind == "stall":
            await stall()
        if fault is not None and index == fault.after and fault.kind in ("drop", "malformed"):
            # Raw audio has no frames to malform: an odd number of bytes and the end is what breaks it.
            await response.write(chunk[:1])
            cut(request)
            raise ConnectionResetError("dropped by a fault")
        await response.write(chunk)
    await response.write_eof()
    return response


def _usage(text: str, instructions: Any, seconds: float) -> dict[str, Any]:
    read, spoken = count(text) + count(str(instructions or "")), round(seconds * _AUDIO_TOKENS_PER_S)
    return {"input_tokens": read, "output_tokens": spoken, "total_tokens": read + spoken}
