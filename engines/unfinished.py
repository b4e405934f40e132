"""What a request costs that ended before the provider said what was used: it failed, hung, or was not wanted any more.

Vendors bill what was sent and what had been generated, and tell neither when the connection is cut. Both are estimated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from livekit.agents import APIConnectionError, APIStatusError, APITimeoutError, llm

CHARACTERS_PER_TOKEN = 4.0
"""Of English text: https://help.openai.com/en/articles/4936856-what-are-tokens-and-how-to-count-them"""
TOKENS_PER_MESSAGE = 4
"""The frame of a message: https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken"""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An estimate of what was used."""

    model: str
    input_text_tokens: float
    output_text_tokens: float
    input_audio_tokens: float = 0.0
    output_audio_tokens: float = 0.0


@dataclass(frozen=True, slots=True)
class AudioTokens:
    """How many tokens a second of audio is, for a realtime model."""

    heard_per_s: float
    said_per_s: float


OPENAI_AUDIO = AudioTokens(10.0, 20.0)
"""https://developers.openai.com/api/docs/guides/realtime-costs: one per 100 ms heard, one per 50 ms said."""
AUDIO_TOKENS: Mapping[str, AudioTokens] = {
    "openai": OPENAI_AUDIO,
    # Both ways (Live API guide, *Token count*); a second in a file is 32.
    "google": AudioTokens(25.0, 25.0),
}
"""By provider, as the catalogue names it; of others nothing is known, and OpenAI's are taken."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Characters that a voice was given, and reported no use of."""

    model: str
    characters: int


def estimated(model: str, chat_ctx: llm.ChatContext, tools: Sequence[llm.Tool], said: str) -> Unfinished:
    """What a request with this conversation and these tools has used, once ``said`` of the reply had come."""
    asked = 0.0
    for item in chat_ctx.items:
        if item.type == "message":
            asked += TOKENS_PER_MESSAGE + _tokens(item.text_content or "")
        elif item.type == "function_call":
            asked += TOKENS_PER_MESSAGE + _tokens(item.name + item.arguments)
        elif item.type == "function_call_output":
            asked += TOKENS_PER_MESSAGE + _tokens(item.output)
    asked += sum(_tokens(_described(tool)) for tool in tools)
    return Unfinished(model, asked, _tokens(said))


def is_billed(error: BaseException | None, *, began: bool) -> bool:
    """Whether a request that ended so used anything: one that was turned away did not."""
    if began or error is None or isinstance(error, APITimeoutError):
        return True
    return not isinstance(error, APIConnectionError | APIStatusError)


def _tokens(text: str) -> float:
    return float(-(-len(text) // CHARACTERS_PER_TOKEN))


def _described(tool: llm.Tool) -> str:
    if isinstance(tool, llm.RawFunctionTool):
        return json.dumps(tool.info.raw_schema)
    if isinstance(tool, llm.FunctionTool):
        return f"{tool.info.name} {tool.info.description or ''}"
    return tool.id
