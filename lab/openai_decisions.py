"""OpenAI decisions: probabilities, choices and scores by counting words. Simulated, not a language model's opinion.

A question is held to be the truer of an input the more of its own words occur there; see :func:`_fit`. Equal requests
get equal answers. An answer takes as long as a language model's first token: nothing is generated beyond it.

Wire format: OpenAI API reference, *Create decision* (``POST /v1/decisions``), as the types of ``openai`` 3.51 have it.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from aiohttp import web

from lab.context import LabContext
from lab.faults import IN_STREAM, stall
from lab.tokens import PER_MESSAGE, count
from lab.wire import cut, fail_at_the_door, failure

_MOST_QUESTIONS = 400
_WORD = re.compile(r"[^\W\d_]{3,}")
_STEM_LETTERS = 5
_IDLE = re.compile(
    r"\b(about|and|any|are|asked|asking|asks|been|callers?|agents?|does|for|from|has|have|her|his|how|input|its|line|"
    r"said|says|she|speaker|statement|that|the|their|them|they|this|turn|user|wants|was|were|what|when|which|who|will|"
    r"with|you|your)\b"
)
_LABEL = re.compile(r"^(caller|agent|user|assistant):", re.MULTILINE)
# What a vendor might decline to judge, so that refusals can be met.
_DECLINED = re.compile(r"\b(race|ethnicity|religion|sexual orientation|pregnant)\b", re.IGNORECASE)


def routes(context: LabContext) -> list[web.RouteDef]:
    async def decide(request: web.Request) -> web.StreamResponse:
        return await _decide(request, context)

    return [web.post("/v1/decisions", decide)]


async def _decide(request: web.Request, context: LabContext) -> web.StreamResponse:
    request_id = context.new_id("req_")
    try:
        body = await request.json()
        answer = _answer(body)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return failure(400, request_id, f"The request cannot be read: {error!r}", "invalid_request")
    context.journal.record("openai.decisions", request_id, "decisions", body)
    failed = await fail_at_the_door(request, context, "openai.decisions")
    if failed is not None:
        return failed
    fault = context.faults.take("openai.decisions", *IN_STREAM)
    try:
        await context.wait("llm_ttft", slow=fault.factor if fault and fault.kind == "slow" else 1.0)
    except asyncio.CancelledError:
        context.journal.record("openai.decisions", request_id, "lab.disconnected")
        raise
    text = json.dumps(answer)
    headers = {"x-request-id": request_id}
    if fault is not None and fault.kind == "stall":
        await stall()
    if fault is not None and fault.kind == "drop":
        response = web.StreamResponse(headers={**headers, "Content-Length": str(len(text))})
        await response.prepare(request)
        await response.write(text[: len(text) // 2].encode())
        cut(request)
        return response
    if fault is not None and fault.kind == "malformed":
        text = text[: len(text) // 2]
    return web.Response(text=text, content_type="application/json", headers=headers)


def _answer(body: dict[str, Any]) -> dict[str, Any]:
    """The response. Raises ``KeyError``, ``TypeError`` or ``ValueError`` for a bad body."""
    questions = body["questions"]
    if not isinstance(questions, list) or not 1 <= len(questions) <= _MOST_QUESTIONS:
        raise ValueError(f"'questions' must be a list of 1 to {_MOST_QUESTIONS}")
    text = "\n".join(_texts(body["input"]))
    heard = _stems(_LABEL.sub(" ", text))
    answers = [_judged(question, heard) for question in questions]
    read = PER_MESSAGE + count(text) + sum(PER_MESSAGE + count(" ".join(_texts(each))) for each in questions)
    written = sum(count(json.dumps(each)) for each in answers)
    return {
        "answers": answers,
        "model": str(body["model"]),
        "usage": {
            "input_tokens": read,
            "input_tokens_details": {"cache_write_tokens": 0, "cached_tokens": 0},
            "output_tokens": written,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": read + written,
        },
    }


def _judged(question: dict[str, Any], heard: frozenset[str]) -> dict[str, Any]:
    kind, name = question["type"], question.get("name")
    asked = " ".join(_texts(question["instructions"]))
    if _DECLINED.search(asked):
        return {"type": "refusal", "name": name}
    if kind == "predicate":
        return {"type": kind, "name": name, "probability": round(_fit(asked, heard), 3)}
    if kind == "choice":
        choices = question["choices"]
        shares = _shares([f"{each['value']} {each.get('description', '')}" for each in choices], heard)
        best = max(range(len(choices)), key=shares.__getitem__)
        spread = [
            {"value": each["value"], "probability": share}
            for each, share in zip(choices, shares, strict=True)
        ]
        return {
            "type": kind,
            "name": name,
            "choice": choices[best]["value"],
            "confidence": shares[best],
            "probabilities": spread,
        }
    if kind == "score":
        labels = [str(each["label"]) for each in question["levels"]]
        shares = _shares(labels, heard)
        return {
            "type": kind,
            "name": name,
            "score": sum(level * share for level, share in enumerate(shares)),
            "confidence": max(shares),
            "probabilities": [
                {"value": level, "label": label, "probability": share}
                for level, (label, share) in enumerate(zip(labels, shares, strict=True))
            ],
        }
    raise ValueError(f"there is no question of type {kind!r}")


def _fit(asked: str, heard: frozenset[str]) -> float:
    """.05 where none of the words of ``asked`` was heard, .72 with one, .91 with two, .97 with three."""
    return float(1 - 0.95 * 0.3 ** len(_stems(asked) & heard))


def _shares(texts: Sequence[str], heard: frozenset[str]) -> list[float]:
    """How well each text fits, as shares of one."""
    fits = [_fit(text, heard) for text in texts]
    return [fit / sum(fits) for fit in fits]


def _stems(text: str) -> frozenset[str]:
    """The words that mean something, cut to their first letters so that their forms agree."""
    return frozenset(word[:_STEM_LETTERS] for word in _WORD.findall(_IDLE.sub(" ", text.lower())))


def _texts(value: Any) -> Iterator[str]:
    """Every text in an input or a question, whatever parts it has; not its names and types."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key not in ("role", "type", "name"):
                yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif not isinstance(value, bool | int | float | None):
        raise TypeError(f"{type(value).__name__} is no text")
