"""OpenAI speech to text of whole files: the caller's utterance, really recognised.

Wire format: OpenAI API reference, *Create transcription* (``POST /v1/audio/transcriptions``, multipart), as hosts of
Whisper weights speak it. Not played: streaming, timestamps, languages other than English; the file is a WAV of int16
samples, as livekit-plugins-openai 1.8.9 sends it.

Delays: the answer comes when the drawn delay since the request is over, or when decoding is done if that took
longer (journalled as ``lab.overrun``).
"""

from __future__ import annotations

import io
import time
import wave
from typing import Any

from aiohttp import web

from lab.context import LabContext
from lab.errors import LabError
from lab.faults import IN_STREAM, Provider, stall
from lab.realtime_conversation import USER_TOKENS_PER_S
from lab.tokens import count
from lab.wire import cut, fail_at_the_door, failure

_PROVIDER: Provider = "openai.transcription"
_FORMATS = ("json", "verbose_json", "text")


def routes(context: LabContext) -> list[web.RouteDef]:
    async def transcribe(request: web.Request) -> web.StreamResponse:
        return await _transcribe(request, context)

    return [web.post("/v1/audio/transcriptions", transcribe)]


async def _transcribe(request: web.Request, context: LabContext) -> web.StreamResponse:
    began_s = time.monotonic()
    request_id = context.new_id("req_")
    try:
        form = await request.post()
        pcm, rate_hz = _audio(form["file"])
        asked = {key: value for key, value in form.items() if isinstance(value, str)}
    except (ValueError, KeyError, TypeError, EOFError, wave.Error) as error:
        return failure(400, request_id, f"The request cannot be read: {error!r}", "invalid_request")
    seconds = len(pcm) / 2 / rate_hz
    context.journal.record(_PROVIDER, request_id, "audio.transcriptions", {**asked, "seconds": seconds})
    failed = await fail_at_the_door(request, context, _PROVIDER)
    if failed is not None:
        return failed
    shape = asked.get("response_format", "json")
    if shape not in _FORMATS:
        return failure(
            400, request_id, f"The lab writes response_format {_FORMATS}, not {shape!r}.", "invalid"
        )
    fault = context.faults.take(_PROVIDER, *IN_STREAM)
    try:
        heard = await context.hearing.recognise(pcm, sample_rate_hz=rate_hz)
    except LabError:
        # To the client the lab's own trouble is the provider's, as it would be.
        return failure(500, request_id)
    spent_s = time.monotonic() - began_s
    slow = fault.factor if fault is not None and fault.kind == "slow" else 1.0
    delay_s = await context.wait("stt", slow=slow, spent_s=spent_s)
    if spent_s > delay_s > 0:
        context.journal.record(_PROVIDER, request_id, "lab.overrun", {"ms": 1000 * (spent_s - delay_s)})
    if fault is not None and fault.kind == "stall":
        await stall()
    if fault is not None and fault.kind == "drop":
        cut(request)
        return web.Response(status=503)
    if fault is not None and fault.kind == "malformed":
        return web.Response(body=b'{"text": "', content_type="application/json")
    headers = {"x-request-id": request_id}
    if shape == "text":
        return web.Response(text=f"{heard.text}\n", headers=headers)
    return web.json_response(
        _answer(asked.get("model", ""), heard.text, seconds, whole=shape == "verbose_json"), headers=headers
    )


def _audio(file: Any) -> tuple[bytes, int]:
    """Samples (int16, mono) and their rate in Hz."""
    with wave.open(io.BytesIO(file.file.read())) as wav:
        if (wav.getnchannels(), wav.getsampwidth()) != (1, 2):
            raise ValueError("the lab hears int16 samples of one channel")
        return wav.readframes(wav.getnframes()), wav.getframerate()


def _answer(model: str, text: str, seconds: float, *, whole: bool) -> dict[str, Any]:
    answer: dict[str, Any] = {"text": text, "usage": _usage(model, text, seconds)}
    if whole:
        answer |= {"task": "transcribe", "language": "english", "duration": seconds, "segments": []}
    return answer


def _usage(model: str, text: str, seconds: float) -> dict[str, Any]:
    """The newer models are billed by the token, whisper-1 by the second."""
    if not model.startswith("gpt-4o"):
        return {"type": "duration", "seconds": max(1, round(seconds))}
    read, written = round(seconds * USER_TOKENS_PER_S), count(text)
    return {
        "type": "tokens",
        "input_tokens": read,
        "input_token_details": {"text_tokens": 0, "audio_tokens": read},
        "output_tokens": written,
        "total_tokens": read + written,
    }
