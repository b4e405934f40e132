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
from engines.human import ReturningAgent
from engines.realtime import RealtimeAgent
from engines.turn_history import unanswered
from engines.watch import SilenceWatch

if TYPE_CHECKING:
    from engines.desk import Desk

ASKED_AFTER = 0.5
"""The share of the silence limit after which an engine that says nothing is asked to speak."""
_EARLY_MS = 300.0
"""So long before the caller's last word is over an answer to it may begin."""
_YIELDS_MS = 2000.0
"""An engine that is heard for longer than this after the caller cut in does not yield to them."""


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
    _watch: SilenceWatch

    def __init__(self, models: Mapping[str, DuplexModel]) -> None:
        self._models = dict(models)
        for name, model in self._models.items():
            model.on_lost = partial(self._lost, name)
            model.on_cut = partial(self._cut, name)
            model.on_again = partial(self._again, name)
        self._owed: Exception | None = None
        """What broke a connection while an answer was being given or waited for."""
        self._sounded_ms: float | None = None
        """When the engine in charge was heard to begin last; ``None`` before its first answer."""
        self._said: list[str] = []
        """What the caller has said since, in the recogniser's words."""
        self._said_ms = 0.0
        """When that ended."""
        self._asked = False
        """Whether the engine was asked to speak of that."""

    def __contains__(self, engine: str) -> bool:
        return engine in self._models

    def attach(self, desk: Desk, watch: SilenceWatch) -> None:
        """The desk that hands calls over, and its watch."""
        self._desk, self._watch = desk, watch

    def take(self, engine: str, message: llm.ChatMessage) -> None:
        """Give the call to ``engine``, which answers ``message`` first."""
        self._sounded_ms, self._said, self._asked = None, [], False
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

    # -- whether it answers ---------------------------------------------------------------------------------
    # Such a model may say nothing for good reasons: "mm-hm" needs no answer, nor does a caller who looks for a card.
    # So silence alone does not take the call from it. Half-way to the limit it is asked to speak, which one that
    # works then does, at worst with a word too many; one that is still silent at the limit has failed. The watch
    # begins when the caller first falls silent after words, and not anew when they call again: they are waiting.
    # Where they cut in, it owes an answer if it yields; if it goes on, it took what they said for an "mm-hm".
    @property
    def on_its_own(self) -> bool:
        """Whether such an engine has the call, and has answered the turn that it was chosen for."""
        return self._desk.engine in self and self._sounded_ms is not None

    def caller_said(self, text: str, end_ms: float) -> None:
        """Words were recognised, the last of which ended at ``end_ms``."""
        if self.on_its_own and self._sounded_ms is not None and end_ms - self._sounded_ms > _EARLY_MS:
            self._said.append(text)
            self._said_ms = end_ms

    def fell_silent(self) -> None:
        """Neither the caller nor the engine is speaking: what was said is to be answered."""
        if self._said and self.on_its_own and not self._watch.running:
            self._watch.start(ASKED_AFTER)

    def reply_ended(self, at_ms: float) -> None:
        """The engine has stopped speaking."""
        if at_ms - self._said_ms > _YIELDS_MS:
            self._said = []
        self.fell_silent()

    def sounded(self, at_ms: float) -> None:
        """The engine in charge is heard."""
        self._sounded_ms, self._said, self._asked = at_ms, [], False

    def says_nothing(self, reason: BaseException | None = None) -> None:
        """It is on its own and owes an answer: it is asked for it, and left when that was in vain."""
        if self._asked:
            self.leave(reason or TimeoutError())
        elif self._desk.has_turn:
            self._asked = True
            self._watch.start(1 - ASKED_AFTER)
            self._desk.ask_again()

    def leave(self, error: BaseException | None = None) -> None:
        """Take the call back to a cascade, which answers what was said and has no answer yet.

        Where the guards leave no cascade, a person is fetched, or the caller is asked to say it again.

        Args:
            error: what the engine failed by, if it is left for that.
        """
        desk, engine = self._desk, self._desk.engine
        history = desk.history()
        asked = unanswered(history) or self._as_recognised()
        desk.resume(asked)
        machine = desk.recovery.next_machine()
        taker = machine or desk.people.last_way_out(desk.route.denied, ())
        if error is not None:
            desk.recovery.lost(engine, self._models[engine].provider, error, taker)
        if machine is not None:
            desk.take_over(machine, CascadeAgent(desk, chat_ctx=history, answering=asked))
        elif taker is None:
            desk.take_over(desk.first_cascade.name, ReturningAgent(desk, desk.wording.cannot_help))
        if machine is not None and asked is not None:
            self._watch.start()
            if error is not None:
                desk.recovery.owe_a_word()

    def _as_recognised(self) -> llm.ChatMessage | None:
        """What the caller has said since the engine was heard, of which it has no transcript."""
        return llm.ChatMessage(role="user", content=[" ".join(self._said)]) if self._said else None

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
            self.leave(error)


class DuplexAgent(RealtimeAgent):
    """Has the call for good, turns included."""

    def __init__(self, desk: Desk, name: str, model: DuplexModel, answering: llm.ChatMessage) -> None:
        super().__init__(
            desk, name=name, model=model, chat_ctx=desk.history(), answering=answering, takes_turns=True
        )

    async def on_enter(self) -> None:
        self._desk.entered()
        self.session.generate_reply(user_input=self._answering.text_content or "")
