"""Several voices as one, which begins with the first that is well.

LiveKit's adapter goes on to the next voice when one fails, and tries a failed one again by itself; but what it learns
stays in the call, so every call would wait for the same voice to fail. Here each reply begins where the circuits say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from livekit.agents import APIConnectOptions, tts
from livekit.agents.llm.chat_context import MetricsMetadata
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS


class Well(Protocol):
    """Whether a voice may be asked, by its name; and that it is."""

    def may_ask(self, name: str) -> bool: ...
    def asked(self, name: str) -> None: ...


class HealthyVoices(tts.FallbackAdapter):
    """Voices in order of preference.

    Args:
        voices: by name, two or more.
        health: of voices, by name.
    """

    def __init__(self, voices: Sequence[tuple[str, tts.TTS[Any]]], health: Well) -> None:
        parts = [voice for _, voice in voices]
        super().__init__(parts, max_retry_per_tts=0)
        self._names = [name for name, _ in voices]
        self._health = health
        self._chosen = 0
        self._from = [
            tts.FallbackAdapter([*parts[at:], *parts[:at]], max_retry_per_tts=0, sample_rate=self.sample_rate)
            for at in range(1, len(parts))
        ]
        """Adapters that begin with the second voice, the third, and so on, and come back to the first."""

    def stream(self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> Any:
        at = next((at for at, name in enumerate(self._names) if self._health.may_ask(name)), 0)
        self._health.asked(self._names[at])
        self._chosen = at
        if at == 0:
            return super().stream(conn_options=conn_options)
        return self._from[at - 1].stream(conn_options=conn_options)

    @property
    def metrics_metadata(self) -> MetricsMetadata:
        """Of the voice that spoke last."""
        return self._from[self._chosen - 1].metrics_metadata if self._chosen else super().metrics_metadata

    async def aclose(self) -> None:
        for adapter in self._from:
            await adapter.aclose()
        await super().aclose()
