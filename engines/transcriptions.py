"""OpenAI's recogniser by the transcriptions endpoint, which is what servers of one's own have."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from livekit.agents.metrics import STTMetrics
from livekit.plugins import openai

_Answers = Callable[..., Awaitable[Any]]
_TOLD: ContextVar[object] = ContextVar("told", default=None)
"""What the last answer of this task said of its use."""


class Transcriptions(openai.STT):
    """The plugin's recogniser, which tells the tokens of an answer as well.

    The plugin leaves out what the vendor says of its use (API reference, *Create transcription*: ``usage``), by which
    its newer models are billed.

    Args:
        options: of the plugin.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, use_realtime=False)
        endpoint: Any = self._client.audio.transcriptions
        endpoint.create = _noting(endpoint.create)

    def emit(self, event: Any, *args: Any) -> None:
        if event == "metrics_collected":
            args = tuple(_with_tokens(one) for one in args)
        super().emit(event, *args)

    async def aclose(self) -> None:
        await super().aclose()
        await self._client.close()  # the plugin leaves it open


def _noting(create: _Answers) -> _Answers:
    async def noted(**how: Any) -> Any:
        _TOLD.set(None)
        answer = await create(**how)
        _TOLD.set(getattr(answer, "usage", None))
        return answer

    return noted


def _with_tokens(metrics: STTMetrics) -> STTMetrics:
    told: Any = _TOLD.get()
    if getattr(told, "type", None) != "tokens":
        return metrics
    details = told.input_token_details
    tokens = {
        "input_tokens": told.input_tokens,
        "input_audio_tokens": told.input_tokens if details is None else details.audio_tokens or 0,
        "output_tokens": told.output_tokens,
        "total_tokens": told.total_tokens,
    }
    return metrics.model_copy(update=tokens)
