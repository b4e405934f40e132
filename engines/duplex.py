"""Full-duplex engines: one model hears and speaks at the same time, and takes turns by itself.

So nothing passes through the router while one has the call: it stays there until the model fails, until a guard closes
it, or until its tools fetch a person. The turn that it was chosen for is told to it as text; what follows it hears by
itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from livekit.agents import llm
from livekit.agents.voice.speech_handle import SpeechHandle

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
        on_cut: told when a connection broke; the plugin opens another.
        on_again: told when it is open.
    """

    def __init__(self, inner: llm.RealtimeModel, *, provider: str, on_metrics: Callable[[Any], None]) -> None:
        super().__init__(capabilities=inner.capabilities)
        self._inner = inner
        self._provider = provider
        self._on_metrics = on_metrics
        self.on_lost: Callable[[Exception], None] = lambda error: None
        self.on_cut: Callable[[Exception], None] = lambda error: None
        self.on_again: Callable[[], None] = lambda: None
        self._being_said: llm.InputTranscriptionCompleted | None = None

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
        session.on("session_reconnected", lambda _: self.on_again())
        session.on("input_audio_transcription_completed", self._heard)
        return cast("llm.RealtimeSession[Any]", _Session(session))

    async def aclose(self) -> None:
        await self._inner.aclose()

    @property
    def being_said(self) -> llm.ChatMessage | None:
        """What the caller has said and no transcript of the model has ended, as a message; it may be a part of it."""
        if (heard := self._being_said) is None:
            return None
        said = llm.ChatMessage(id=heard.item_id, role="user", content=[heard.transcript])
        return (
            said
            if heard.turn_started_at is None
            else said.model_copy(update={"created_at": heard.turn_started_at})
        )

    def _heard(self, heard: llm.InputTranscriptionCompleted) -> None:
        self._being_said = None if heard.is_final else heard

    def _failed(self, error: llm.RealtimeModelError) -> None:
        tell = self.on_cut if error.recoverable else self.on_lost
        tell(error.error)


class _Session:
    """A session as the framework gets it: without its errors, for which it would hang up.

    A reply that was asked for and begins with a tool is that reply. LiveKit's adapter waits for speech, and the
    framework holds the tool back meanwhile: neither would come before the reply is given up.
    """

    def __init__(self, inner: llm.RealtimeSession[Any]) -> None:
        self._inner = inner
        self._asked: asyncio.Future[llm.GenerationCreatedEvent] | None = None
        self._begun: dict[Callable[..., Any], Callable[..., Any]] = {}
        """By who listens for generations: who listens in their place."""

    @property  # type: ignore[misc] # mypy takes it for a plain attribute
    def __class__(self) -> type:  # whoever asks what kind of session this is means the plugin's
        return self._inner.__class__

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def generate_reply(self, **how: Any) -> asyncio.Future[llm.GenerationCreatedEvent]:
        self._asked = self._inner.generate_reply(**how)
        return self._asked

    def on(self, event: str, callback: Callable[..., Any]) -> Callable[..., Any]:
        if event == "error":
            return callback
        if event == "generation_created":
            self._begun[callback] = partial(self._generated, callback)
        return self._inner.on(event, self._begun.get(callback, callback))

    def off(self, event: str, callback: Callable[..., Any]) -> None:
        if event != "error":
            self._inner.off(event, self._begun.pop(callback, callback))

    def _generated(self, tell: Callable[..., Any], created: llm.GenerationCreatedEvent) -> None:
        if self._asked is None or self._asked.done():
            tell(created)
        else:
            self._asked.set_result(created)


class FullDuplex:
    """The full-duplex engines of one call."""

    _desk: Desk

    def __init__(self, models: Mapping[str, DuplexModel]) -> None:
        self._models = dict(models)
        for name, model in self._models.items():
            model.on_lost = partial(self._lost, name)
            model.on_cut = partial(self._cut, name)
            model.on_again = partial(self._again, name)
        self._owed: Exception | None = None
        """What broke a connection while an answer was being given or waited for."""

    def __contains__(self, engine: str) -> bool:
        return engine in self._models

    def attach(self, desk: Desk) -> None:
        """The desk that hands calls over."""
        self._desk = desk

    def take(self, engine: str, message: llm.ChatMessage) -> None:
        """Give the call to ``engine``, which answers ``message`` first."""
        self._desk.take_over(engine, DuplexAgent(self._desk, engine, self._models[engine], message))

    def goes_on(self, engine: str, speech: SpeechHandle) -> bool:
        """Whether ``speech`` called tools for ``engine``, which speaks of what they return in another."""
        called = any(item.type == "function_call" for item in speech.chat_items)
        return engine in self and called and speech.exception() is None

    def keep_words(self, engine: str, history: llm.ChatContext) -> None:
        """Write down what the caller is saying to ``engine``, which is about to be left and tells only whole turns."""
        model = self._models.get(engine)
        said = None if model is None else model.being_said
        if said is not None and history.get_by_id(said.id) is None:
            history.insert(said)

    def leave(self) -> None:
        """Take the call back to a cascade; what was said and has no answer yet is answered there."""
        desk = self._desk
        history = desk.history()
        last = history.items[-1] if history.items else None
        asked = last if isinstance(last, llm.ChatMessage) and last.role == "user" else None
        desk.take_over(desk.recovery.next_machine(), CascadeAgent(desk, chat_ctx=history, answering=asked))

    def _cut(self, engine: str, error: Exception) -> None:
        waits = self._desk.owes_an_answer or self._models[engine].being_said is not None
        if self._desk.engine == engine and waits:
            self._owed = error

    def _again(self, engine: str) -> None:
        """A new connection knows what was said, and speaks when it is spoken to: the answer it owes is asked for."""
        error, self._owed = self._owed, None
        if error is not None and self._desk.engine == engine:
            self._desk.recovery.asked_again(engine, self._models[engine].provider, error)
            self._desk.ask_again()

    def _lost(self, engine: str, error: Exception) -> None:
        if self._desk.engine == engine:
            self._desk.recovery.lost(engine, self._models[engine].provider, error)
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
