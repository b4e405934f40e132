"""What the vendor's events hold, in our terms. Pure.

Source: OpenAI API reference, *Realtime server events*.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from livekit.agents import metrics

from engines.usage import Usage, usage


def spoken(output: Sequence[Mapping[str, Any]]) -> str:
    """What was said in the output of a response."""
    parts = [part for item in output if item.get("type") == "message" for part in item.get("content") or ()]
    return " ".join(filter(None, (part.get("transcript") or part.get("text") for part in parts))).strip()


def confidence(logprobs: Sequence[Mapping[str, Any]] | None) -> float:
    """The mean probability of a transcript's tokens; 0 where the vendor tells none."""
    if not logprobs:
        return 0.0
    return min(1.0, sum(math.exp(min(0.0, each["logprob"])) for each in logprobs) / len(logprobs))


def response_usage(told: Mapping[str, Any], model: str, request_id: str) -> Usage | None:
    """What a response is billed for (``usage`` of ``response.done``)."""
    given, made = told.get("input_token_details") or {}, told.get("output_token_details") or {}
    cached = given.get("cached_tokens_details")
    return usage(
        metrics.RealtimeModelMetrics(
            request_id=request_id,
            timestamp=time.time(),
            input_token_details=metrics.RealtimeModelMetrics.InputTokenDetails(
                audio_tokens=given.get("audio_tokens") or 0,
                text_tokens=given.get("text_tokens") or 0,
                cached_tokens=given.get("cached_tokens") or 0,
                cached_tokens_details=None
                if cached is None
                else metrics.RealtimeModelMetrics.CachedTokenDetails(
                    audio_tokens=cached.get("audio_tokens") or 0, text_tokens=cached.get("text_tokens") or 0
                ),
            ),
            output_token_details=metrics.RealtimeModelMetrics.OutputTokenDetails(
                text_tokens=made.get("text_tokens") or 0, audio_tokens=made.get("audio_tokens") or 0
            ),
            metadata=metrics.base.Metadata(model_name=model),
        )
    )
