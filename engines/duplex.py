"""Full-duplex engines: one model hears and speaks at the same time, and takes turns by itself.

So nothing passes through the router while one has the call: it stays there until the model fails, until a guard closes
it, or until its tools fetch a person. The turn that it was chosen for is told to it as text; what follows it hears by
itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from livekit.agents import llm

from engines.cascade import CascadeAgent
from engines.realtime import RealtimeAgent

if TYPE_CHECKING:
    from engines.desk import Desk


class DuplexModel(llm.RealtimeModel):
    """A full-duplex model, as LiveKit's adapter makes a realtime model of it.

    Args:
        inner: that realtime model.
        provider: whose it is, as the catalogue says.
        on_metrics: takes the metrics of its sessions.

    Attributes:
        on_lost: told when a session is over that the plugin could not bring back.
    """

    def __init__(self, inner: llm.RealtimeModel, *, provider: str, on_metrics: Callable[[Any], None]) -> None:
        super().__init__(capabilities=inner.capabilities)
        self._inner = inner
        self._provider = provider
        self._on_metrics = on_metrics
        self.on_lost: Callable[[Exception], None] = lambda error: None

    @property
    def model(self) -> str:
        return self._inner.model

    @property
    def provider(self) -> str:
        return self._provider

    def session(self, *, turn_detection_disabled: bool = False) -> llm.RealtimeSession[Any]:
        session = self._inner.session()
        session.on("metrics_collected", self._on_metrics)
        session.on("error", self._failed)
        return cast("llm.RealtimeSession[Any]", _Session(session))

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _failed(self, error: llm.RealtimeModelError) -> None:
        if not error.recoverable:
            self.on_lost(error.error)


class _Session:
    """A session as the framework gets it: without its errors, for which it would hang up."""

    def __init__(self, inner: llm.RealtimeSession[Any]) -> None:
        self._inner = inner

    @property  # type: ignore[misc] # mypy takes it for a plain attribute
    def __class__(self) -> type:  # whoever asks what kind of session this is means the plugin's
        return self._inner.__class__

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def on(self, event: str, callback: Callable[..., Any]) -> Callable[..., Any]:
        return callback if event == "error" else self._inner.on(event, callback)

    def off(self, event: str, callback: Callable[..., Any]) -> None:
        if event != "error":
            self._inner.off(event, callback)


class FullDuplex:
    """The full-duplex engines of one call."""

    _desk: Desk

    def __init__(self, models: Mapping[str, DuplexModel]) -> None:
        self._models = dict(models)
        for name, model in self._models.items():
            model.on_lost = lambda error, name=name: self._lost(name, error)  # type: ignore[misc]

    def __contains__(self, engine: str) -> bool:
        return engine in self._models

    def attach(self, desk: Desk) -> None:
        """The desk that hands calls over."""
        self._desk = desk

    def take(self, engine: str, message: llm.ChatMessage) -> None:
        """Give the call to ``engine``, which answers ``message`` first."""
        self._desk.take_over(engine, DuplexAgent(self._desk, engine, self._models[engine], message))

    def leave(self) -> None:
        """Take the call back to a cascade; what was said and has no answer yet is answered there."""
        desk = self._desk
        history = desk.history()
        last = history.items[-1] if history.items else None
        asked = last if isinstance(last, llm.ChatMessage) and last.role == "user" else None
        desk.take_over(desk.next_machine(), CascadeAgent(desk, chat_ctx=history, answering=asked))

    def _lost(self, engine: str, error: Exception) -> None:
        if self._desk.engine == engine:
            self._desk.lost(engine, self._models[engine].provider, error)
            self.leave()


class DuplexAgent(RealtimeAgent):
    """Has the call for good, turns included."""

    def __init__(self, desk: Desk, name: str, model: DuplexModel, answering: llm.ChatMessage) -> None:
        super().__init__(
            desk, name=name, model=model, chat_ctx=desk.history(), answering=answering, takes_turns=True
        )

    async def on_enter(self) -> None:
        self._desk.entered()
        self.session.generate_reply(user_input=self._answering.text_content or "")
