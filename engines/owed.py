"""Every reply of a realtime session is billed once: as its vendor says, or as an estimate where it says nothing.

A vendor tells what a reply used with its end. One that is cut with its connection has no end, and one that is cancelled
may have one without numbers. What was heard, said and written of it is known here.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from livekit import rtc
from livekit.agents import APIConnectionError, llm
from livekit.agents.metrics import RealtimeModelMetrics

from engines.errors import timed_out
from engines.unfinished import AudioTokens, Unfinished, estimated
from engines.usage import OfReply, usage

_T = TypeVar("_T")
_REMEMBERED = 64
"""Replies that were billed as an estimate, of which the vendor may speak yet."""


@dataclass(slots=True, eq=False)
class _Reply:
    """What is known of a reply that was asked for."""

    generation: int = 0
    instructions: str = ""
    items: Sequence[llm.ChatItem] = ()
    tools: Sequence[llm.Tool] = ()
    heard_s: float = 0.0
    said: str = ""
    said_s: float = 0.0

    def follow(self, created: llm.GenerationCreatedEvent) -> None:
        """Count what comes of it, as it is taken."""
        created.message_stream = _Counted(created.message_stream, self._message)

    def _message(self, message: llm.MessageGeneration) -> None:
        message.text_stream = _Counted(message.text_stream, self._text)
        message.audio_stream = _Counted(message.audio_stream, self._audio)

    def _text(self, text: str) -> None:
        self.said += text

    def _audio(self, frame: rtc.AudioFrame) -> None:
        self.said_s += frame.duration

    @property
    def began(self) -> bool:
        """Whether anything came of it; what is over without that was turned away."""
        return bool(self.said or self.said_s)

    def estimate(self, model: str, rates: AudioTokens) -> Unfinished:
        system = llm.ChatMessage(role="system", content=[self.instructions])
        sent = llm.ChatContext([system, *self.items])
        return replace(
            estimated(model, sent, self.tools, self.said),
            input_audio_tokens=self.heard_s * rates.heard_per_s,
            output_audio_tokens=self.said_s * rates.said_per_s,
        )


class OwedSession:
    """A session of a realtime model, seen as what it is. It keeps the books of its replies.

    Args:
        inner: the session.
        model: the model's name.
        rates: how many tokens a second of audio is.
        tell: takes the vendor's metrics, and an :class:`Unfinished` in place of those that did not come; what is of a
            reply as :class:`OfReply`.
        generation: the number of the reply that is being asked for.
    """

    def __init__(
        self,
        inner: llm.RealtimeSession[Any],
        model: str,
        rates: AudioTokens,
        tell: Callable[[object], None],
        generation: Callable[[], int] = lambda: 0,
    ) -> None:
        self._inner = inner
        self._model = model
        self._rates = rates
        self._tell = tell
        self._generation = generation
        self._instructions = ""
        self._heard_s = 0.0
        """Of audio in the server's buffer."""
        self._asked: list[_Reply] = []
        """Replies that have not begun, in order."""
        self._begun: dict[str, _Reply] = {}
        """Replies that the vendor has not told the use of, by id."""
        self._estimated: list[str] = []
        inner.on("generation_created", self._began)
        inner.on("metrics_collected", self._measured)
        inner.on("error", self._failed)
        inner.on("session_reconnected", lambda _: self._cut())

    @property  # type: ignore[misc] # mypy takes it for a plain attribute
    def __class__(self) -> type:  # whoever asks what kind of session this is means the plugin's
        return self._inner.__class__

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def update_instructions(self, instructions: str) -> None:
        self._instructions = instructions
        await self._inner.update_instructions(instructions)

    def push_audio(self, frame: rtc.AudioFrame) -> None:
        self._heard_s += frame.duration
        self._inner.push_audio(frame)

    def clear_audio(self) -> None:
        self._heard_s = 0.0
        self._inner.clear_audio()

    def generate_reply(self, **how: Any) -> Any:
        asked = self._inner.generate_reply(**how)
        reply = _Reply(
            self._generation(),
            self._instructions,
            [*self._inner.chat_ctx.items],
            self._inner.tools.flatten(),
            self._heard_s,
        )
        self._heard_s = 0.0
        self._asked.append(reply)

        def settled(_: object) -> None:
            error = None if asked.cancelled() else asked.exception()
            if error is not None and not timed_out(error) and reply in self._asked:
                self._asked.remove(reply)  # it was turned away

        asked.add_done_callback(settled)
        return asked

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
        finally:
            self._bill(self._asked)
            self._asked.clear()
            self._cut()

    def _began(self, created: llm.GenerationCreatedEvent) -> None:
        reply = self._asked.pop(0) if self._asked else _Reply()
        self._begun[created.response_id or ""] = reply
        reply.follow(created)

    def _measured(self, event: object) -> None:
        if isinstance(event, RealtimeModelMetrics):
            if event.request_id in self._estimated and usage(event) is not None:
                return
            reply = self._begun.pop(event.request_id, None)
            if reply is not None and usage(event) is None and (event.cancelled or reply.began):
                self._bill([reply])
                self._estimated.append(event.request_id)
            if reply is not None:
                self._tell(OfReply(event, reply.generation))
                return
        self._tell(event)

    def _failed(self, error: llm.RealtimeModelError) -> None:
        if not error.recoverable or isinstance(error.error, APIConnectionError):
            self._asked.clear()  # nothing had come of them
            self._cut()

    def _cut(self) -> None:
        """The connection is gone, and what was being said on it."""
        self._heard_s = 0.0
        self._bill(self._begun.values())
        self._estimated = [*self._estimated, *self._begun][-_REMEMBERED:]
        self._begun.clear()

    def _bill(self, replies: Iterable[_Reply]) -> None:
        for reply in replies:
            self._tell(OfReply(reply.estimate(self._model, self._rates), reply.generation))


class _Counted(Generic[_T]):
    """What comes, shown to ``count`` as it is taken."""

    def __init__(self, inner: AsyncIterable[_T], count: Callable[[_T], None]) -> None:
        self._inner = aiter(inner)
        self._count = count

    def __aiter__(self) -> AsyncIterator[_T]:
        return self

    async def __anext__(self) -> _T:
        item = await anext(self._inner)
        self._count(item)
        return item
