"""OpenAI chat completions, streamed or whole, answered by the script.

Wire format: OpenAI API reference, *Chat Completions* (``POST /v1/chat/completions``).
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from lab.context import LabContext
from lab.faults import IN_STREAM
from lab.script import Call, Message, Reply, Request
from lab.tokens import PER_MESSAGE, PromptCache, count
from lab.wire import EventStream, fail_at_the_door, failure

_TOKEN_GAP_MS = 8.0
"""Between two words of a reply: some 125 words a second, as fast hosts stream."""


def routes(context: LabContext) -> list[web.RouteDef]:
    """The endpoint, with its own prompt cache."""
    cache = PromptCache()

    async def complete(request: web.Request) -> web.StreamResponse:
        return await _complete(request, context, cache)

    return [web.post("/v1/chat/completions", complete)]


async def _complete(request: web.Request, context: LabContext, cache: PromptCache) -> web.StreamResponse:
    request_id = context.new_id("req_")
    try:
        body = await request.json()
        conversation = conversation_of(body)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return failure(400, request_id, f"The request cannot be read: {error!r}", "invalid_request")
    context.journal.record("openai.chat", request_id, "chat.completions", body)
    failed = await fail_at_the_door(request, context, "openai.chat")
    if failed is not None:
        return failed
    fault = context.faults.take("openai.chat", *IN_STREAM)
    slow = fault.factor if fault is not None and fault.kind == "slow" else 1.0
    reply = context.script.reply(conversation)
    usage = _usage(body, reply, cache)
    head = {
        "id": context.new_id("chatcmpl-"),
        "created": int(time.time()),
        "model": body.get("model", "lab"),
        "system_fingerprint": "fp_lab",
    }
    if not body.get("stream"):
        await context.wait("llm_ttft", slow=slow)
        message, finish = _whole(reply, context)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        answer = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
        return web.json_response(answer, headers={"x-request-id": request_id})

    head["object"] = "chat.completion.chunk"
    stream = EventStream(request, request_id, fault)
    with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    gap_s = _TOKEN_GAP_MS / 1000 * slow if context.delays.llm_ttft.p50_ms else 0.0
    try:
        await context.wait("llm_ttft", slow=slow)
        await stream.open()
        for delta, finish_reason in _deltas(reply, context):
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
            chunk = {**head, "choices": [choice]}
            await stream.send({**chunk, "usage": None} if with_usage else chunk)
            await asyncio.sleep(gap_s)
        if with_usage:
            await stream.send({**head, "choices": [], "usage": usage})
        await stream.done()
    except (ConnectionResetError, asyncio.CancelledError) as gone:
        context.journal.record("openai.chat", request_id, "lab.disconnected")
        if isinstance(gone, asyncio.CancelledError):
            raise
    return stream.response


def conversation_of(body: dict[str, Any]) -> Request:
    """The request as the script reads it. Raises ``KeyError``, ``TypeError`` or ``ValueError`` for a bad body."""
    messages: list[Message] = []
    tools_called: dict[str, str] = {}
    if not isinstance(body.get("messages"), list):
        raise ValueError("'messages' must be a list")
    for message in body["messages"]:
        role, text = message["role"], _text(message.get("content"))
        if role == "tool":
            messages.append(Message("result", text, tools_called.get(message["tool_call_id"], "")))
            continue
        if text or role == "user":
            messages.append(Message("system" if role == "developer" else role, text))
        for call in message.get("tool_calls") or ():
            function = call["function"]
            tools_called[call["id"]] = function["name"]
            messages.append(Message("call", function.get("arguments") or "{}", function["name"]))
    offered = [] if body.get("tool_choice") == "none" else body.get("tools") or []
    return Request(tuple(messages), frozenset(t["function"]["name"] for t in offered), "chat")


def _text(content: Any) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return " ".join(part.get("text", "") for part in content)


def _deltas(reply: Reply, context: LabContext) -> Iterator[tuple[dict[str, Any], str | None]]:
    if isinstance(reply, Call):
        role: dict[str, Any] = {"role": "assistant", "content": None}
        for index, call in enumerate(reply.all):
            function = {"name": call.tool, "arguments": ""}
            opening = {
                "index": index,
                "id": context.new_id("call_"),
                "type": "function",
                "function": function,
            }
            yield {**role, "tool_calls": [opening]}, None
            for fragment in _fragments(call.arguments_json):
                yield {"tool_calls": [{"index": index, "function": {"arguments": fragment}}]}, None
            role = {}
        yield {}, "tool_calls"
        return
    yield {"role": "assistant", "content": ""}, None
    for word in re.findall(r"\s*\S+", reply.text):
        yield {"content": word}, None
    yield {}, "stop"


def _fragments(arguments: str) -> list[str]:
    """The arguments in at least two pieces, cut in the middle of things as a tokenizer does."""
    size = max(1, min(8, len(arguments) // 2))
    return [arguments[i : i + size] for i in range(0, len(arguments), size)]


def _whole(reply: Reply, context: LabContext) -> tuple[dict[str, Any], str]:
    if isinstance(reply, Call):
        calls = [
            {
                "id": context.new_id("call_"),
                "type": "function",
                "function": {"name": call.tool, "arguments": call.arguments_json},
            }
            for call in reply.all
        ]
        return {"role": "assistant", "content": None, "tool_calls": calls, "refusal": None}, "tool_calls"
    return {"role": "assistant", "content": reply.text, "refusal": None}, "stop"


def _usage(body: dict[str, Any], reply: Reply, cache: PromptCache) -> dict[str, Any]:
    parts = [json.dumps(tool, sort_keys=True) for tool in body.get("tools") or ()]
    parts += [json.dumps(message, sort_keys=True) for message in body["messages"]]
    tokens = [(part, PER_MESSAGE + count(" ".join(_strings(json.loads(part))))) for part in parts]
    prompt = sum(number for _, number in tokens)
    said = (
        " ".join(f"{call.tool} {call.arguments_json}" for call in reply.all)
        if isinstance(reply, Call)
        else reply.text
    )
    completion = count(said) + 1
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cache.cached(tokens), "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key not in ("role", "type", "id", "tool_call_id"):
                yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
