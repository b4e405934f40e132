"""What LiveKit's metrics say was used, in the units the price list knows.

Tokens that are read from a cache or written into it are part of a provider's input count: they are taken out of it
here, so that they are charged once (livekit/agents#5121 counted them twice).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from livekit.agents import metrics

from engines.component import Component, Role
from engines.plugins import TEXT_ONLY
from engines.unfinished import CHARACTERS_PER_TOKEN, Unfinished, Unread

Metrics = metrics.LLMMetrics | metrics.TTSMetrics | metrics.STTMetrics | metrics.RealtimeModelMetrics


@dataclass(frozen=True, slots=True)
class Usage:
    """A provider's use: model name and quantities by unit (see :data:`engines.prices.UNITS`)."""

    model: str
    quantities: dict[str, float]
    sends_conversation: bool = False
    """Whether it was a request to a model that is sent the whole conversation every time."""
    estimated: bool = False
    """Whether the provider did not say so itself."""
    generation: int = 0
    """The reply that it was for, where that is known."""


@dataclass(frozen=True, slots=True)
class OfReply:
    """A metrics event, and the number of the reply that it is about."""

    event: object
    generation: int


_READ = ("input_text_tokens", "cached_text_tokens", "output_text_tokens")
_SPOKEN = ("input_audio_tokens", "cached_audio_tokens", "output_audio_tokens")
_REPORTED: Mapping[Role, tuple[str, ...]] = {
    "stt": ("audio_minutes", "input_audio_tokens", "output_text_tokens"),
    "llm": _READ,
    "tts": ("characters", "input_text_tokens", "output_audio_tokens"),
    "realtime": (*_READ, *_SPOKEN),
    "decisions": ("input_text_tokens", "output_text_tokens"),
}


def reported_by(role: Role, part: Component) -> tuple[str, ...]:
    """The units in which the use of a part may be told, see :func:`usage`."""
    silent = bool(part.options.get(TEXT_ONLY))
    return tuple(unit for unit in _REPORTED[role] if not (silent and unit == "output_audio_tokens"))


def usage(event: object) -> Usage | None:
    """The usage in a metrics event, or None when it holds none that is charged for."""
    if isinstance(event, Usage):
        return event
    if isinstance(event, OfReply):
        used = usage(event.event)
        return None if used is None else replace(used, generation=event.generation)
    if isinstance(event, Unfinished):
        quantities = {
            "input_text_tokens": event.input_text_tokens,
            "output_text_tokens": event.output_text_tokens,
            "input_audio_tokens": event.input_audio_tokens,
            "output_audio_tokens": event.output_audio_tokens,
        }
    elif isinstance(event, metrics.LLMMetrics):
        quantities = _thought(event)
    elif isinstance(event, metrics.DecisionMetrics):
        quantities = {
            "input_text_tokens": float(event.input_tokens or 0),
            "output_text_tokens": float(event.output_tokens or 0),
        }
    elif isinstance(event, Unread):
        quantities = {
            "characters": float(event.characters),
            "input_text_tokens": event.characters / CHARACTERS_PER_TOKEN,
        }
    elif isinstance(event, metrics.TTSMetrics):
        quantities = {  # by the character, or by the token
            "characters": float(event.characters_count),
            "input_text_tokens": float(event.input_tokens),
            "output_audio_tokens": float(event.output_tokens),
        }
    elif isinstance(event, metrics.STTMetrics):
        quantities = {  # by the minute, or by the token
            "audio_minutes": event.audio_duration / 60,
            "input_audio_tokens": float(event.input_audio_tokens),
            "input_text_tokens": float(event.input_tokens - event.input_audio_tokens),
            "output_text_tokens": float(event.output_tokens),
        }
    elif isinstance(event, metrics.RealtimeModelMetrics):
        quantities = _realtime(event)
    else:
        return None
    quantities = {unit: amount for unit, amount in quantities.items() if amount > 0}
    if not quantities:
        return None
    if isinstance(event, Unfinished | Unread):
        sends_conversation = isinstance(event, Unfinished)
        return Usage(event.model, quantities, sends_conversation, estimated=True)
    model = event.metadata.model_name if event.metadata and event.metadata.model_name else event.label
    return Usage(model, quantities, isinstance(event, metrics.LLMMetrics | metrics.RealtimeModelMetrics))


def transcription_usage(told: Mapping[str, Any], model: str) -> Usage | None:
    """What writing the caller's words down is billed for, by tokens or by time.

    Args:
        told: ``usage`` of a transcription (OpenAI API reference, *Realtime server events*).
        model: that wrote.
    """
    return usage(
        metrics.STTMetrics(
            label=model,
            request_id="",
            timestamp=time.time(),
            duration=0.0,
            streamed=True,
            audio_duration=told.get("seconds") or 0.0,
            input_tokens=told.get("input_tokens") or 0,
            output_tokens=told.get("output_tokens") or 0,
            input_audio_tokens=(told.get("input_token_details") or {}).get("audio_tokens") or 0,
            metadata=metrics.base.Metadata(model_name=model),
        )
    )


def _thought(event: metrics.LLMMetrics) -> dict[str, float]:
    cached, written = event.prompt_cached_tokens, event.cache_creation_tokens
    return {
        "input_text_tokens": float(event.prompt_tokens - cached - written),
        "cached_text_tokens": float(cached),
        "cache_write_text_tokens": float(written),
        # Gemini's thoughts are billed as output and told in the total only (ai.google.dev/gemini-api/docs/thinking).
        "output_text_tokens": float(max(event.completion_tokens, event.total_tokens - event.prompt_tokens)),
    }


def _realtime(event: metrics.RealtimeModelMetrics) -> dict[str, float]:
    given, made = event.input_token_details, event.output_token_details
    cached_audio = _cached_audio(given)
    cached_text = min(given.text_tokens, given.cached_tokens - cached_audio)
    return {
        "audio_minutes": (event.session_duration or 0.0) / 60,  # where a session is paid by its length
        "input_text_tokens": float(given.text_tokens - cached_text),
        "cached_text_tokens": float(cached_text),
        "input_audio_tokens": float(given.audio_tokens - cached_audio),
        "cached_audio_tokens": float(cached_audio),
        "output_text_tokens": float(made.text_tokens),
        "output_audio_tokens": float(made.audio_tokens),
    }


def _cached_audio(given: metrics.RealtimeModelMetrics.InputTokenDetails) -> int:
    """How many of the cached tokens are audio; where that is not told, as many in a hundred as of the whole input."""
    told = given.cached_tokens_details
    if told and (told.audio_tokens or told.text_tokens):
        return told.audio_tokens
    # A plugin that is told nothing reports zeros.
    sent = given.text_tokens + given.audio_tokens
    return round(min(given.cached_tokens, sent) * given.audio_tokens / sent) if sent else 0
