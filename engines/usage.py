"""What LiveKit's metrics say was used, in the units the price list knows.

Cached tokens are part of a provider's input count: they are taken out of it here, so that they are charged
once (livekit/agents#5121 counted them twice).
"""

from __future__ import annotations

from dataclasses import dataclass

from livekit.agents import metrics

from engines.unfinished import Unfinished, Unread

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


def usage(event: object) -> Usage | None:
    """The usage in a metrics event, or None when it holds none that is charged for."""
    if isinstance(event, Unfinished):
        quantities = {
            "input_text_tokens": event.input_text_tokens,
            "output_text_tokens": event.output_text_tokens,
            "input_audio_tokens": event.input_audio_tokens,
            "output_audio_tokens": event.output_audio_tokens,
        }
    elif isinstance(event, metrics.LLMMetrics):
        quantities = {
            "input_text_tokens": float(event.prompt_tokens - event.prompt_cached_tokens),
            "cached_text_tokens": float(event.prompt_cached_tokens),
            "output_text_tokens": float(event.completion_tokens),
        }
    elif isinstance(event, metrics.DecisionMetrics):
        quantities = {
            "input_text_tokens": float(event.input_tokens or 0),
            "output_text_tokens": float(event.output_tokens or 0),
        }
    elif isinstance(event, Unread):
        quantities = {"characters": float(event.characters)}
    elif isinstance(event, metrics.TTSMetrics):
        quantities = {"characters": float(event.characters_count)}
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
