"""The cascade engines as one LiveKit Agent: recogniser → language model → voice.

All cascades share one Agent, which picks the model and the voice per reply. Giving each its own would cancel
the reply that LiveKit begins before a turn is certain to be over (preemptive generation), and cost its whole
head start at every hand-off among cascades. See docs/decisions/0003-one-agent-for-cascades.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from livekit import rtc
from livekit.agents import (
    NOT_GIVEN,
    APIConnectOptions,
    APIError,
    FlushSentinel,
    ModelSettings,
    StopResponse,
    llm,
)

from engines.hedge import Reply, first_to_speak
from engines.race import Race
from engines.unfinished import Unfinished, estimated, is_billed
from engines.vault import NO_VEIL, Veil
from engines.voiced import VoicedAgent
from engines.voices import Voices

if TYPE_CHECKING:
    from engines.desk import Desk

TOLD = "What the caller says next was said in a voice that sounds {manner}. Answer with that in mind; do not name it."
"""What an audio-aware engine's model is told."""
STALL_S = 5.0
"""A model that stops in mid-reply for longer than this has failed, or than it may take to begin, if that is less."""
LEAST_STALL_S = 1.0
"""A model that pauses for less than this thinks, however soon it has to begin."""
ONCE = APIConnectOptions(max_retry=0, timeout=10.0)
"""No retries inside the plugin: another engine answers sooner than the same one tried again."""


@dataclass(frozen=True, slots=True)
class Cascade:
    """What answers a turn: a language model, a voice, and whether it may use tools."""

    name: str
    mind: llm.LLM[Any]
    voice: Voices
    tools: bool
    first_reply_s: float
    audio_aware: bool = False
    """Whether the model is told how the caller sounds."""
    voices_when: Mapping[str, Voices] = field(default_factory=dict)
    """Another voice, or the same in another style, for a caller who sounds so."""
    hedge_s: float | None = None
    """How long it may stay silent before another engine is asked too; ``None``: no other is."""
    hedge_with: str | None = None
    """The engine asked too; ``None``: the one that would take over if this one failed."""
    on_unfinished: Callable[[Unfinished], None] = lambda used: None
    """Told what a request used that ended before its provider said so."""
    veil: Veil = NO_VEIL
    """What the model sees of the conversation."""

    @property
    def stall_s(self) -> float:
        """How long the model may stop in mid-reply."""
        return min(STALL_S, max(self.first_reply_s, LEAST_STALL_S))

    def voice_for(self, manner: str) -> Voices:
        """The voice in which a caller who sounds like ``manner`` is answered."""
        return self.voices_when.get(manner, self.voice)

    async def think(
        self, chat_ctx: llm.ChatContext, tools: list[llm.Tool], settings: ModelSettings, manner: str = ""
    ) -> Reply:
        """Stream the model's reply.

        Args:
            chat_ctx: the conversation; it is not changed.
            tools: offered where the engine may use tools.
            settings: of the reply.
            manner: how the caller sounds; told to an audio-aware engine.

        Raises:
            APIError: the provider refused or failed.
            TimeoutError: nothing came within ``first_reply_s``, or the stream stalled for ``stall_s``.
        """
        seen = await self.veil.seen_by(self.name, chat_ctx)
        told = _told(seen, manner) if self.audio_aware and manner else seen
        offered = tools if self.tools else []
        choice = settings.tool_choice if self.tools else NOT_GIVEN
        began, billed, said = False, False, ""
        error: BaseException | None = None
        try:
            async with self.mind.chat(
                chat_ctx=told, tools=offered, tool_choice=choice, conn_options=ONCE
            ) as stream:
                chunks = aiter(stream)
                limit_s = self.first_reply_s
                while True:
                    async with asyncio.timeout(limit_s):
                        chunk = await anext(chunks, None)
                    if chunk is None:
                        return
                    limit_s = self.stall_s
                    began, billed = True, billed or chunk.usage is not None
                    said += (chunk.delta.content or "") if chunk.delta is not None else ""
                    yield chunk
        except (APIError, TimeoutError) as failure:
            error = failure
            raise
        finally:
            if not billed and is_billed(error, began=began):
                self.on_unfinished(estimated(self.mind.model, told, offered, said))


class CascadeAgent(VoicedAgent):
    """Answers with whichever cascade the turn was routed to.

    Args:
        desk: decides and keeps the books.
        chat_ctx: the conversation so far, as the caller heard it.
        answering: the turn that caused a hand-off to here, answered on entering.
    """

    def __init__(
        self, desk: Desk, *, chat_ctx: llm.ChatContext | None = None, answering: llm.ChatMessage | None = None
    ) -> None:
        super().__init__(
            desk,
            instructions=desk.instructions,
            chat_ctx=chat_ctx,
            tools=[*desk.tools],
            stt=desk.recogniser,
            llm=desk.first_cascade.mind,
            tts=desk.first_cascade.voice,
            turn_handling={"turn_detection": "vad"},
        )
        self._answering = answering

    async def on_enter(self) -> None:
        message, self._answering = self._answering, None
        self._desk.entered()
        if message is None:
            return
        if self.session.history.get_by_id(message.id) is None:
            self.session.generate_reply(user_input=message)
        else:  # a realtime engine had stored the turn before it failed
            self.session.generate_reply()

    async def on_user_turn_completed(self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage) -> None:
        if self._desk.turn_completed(turn_ctx, new_message):
            raise StopResponse

    async def llm_node(
        self, chat_ctx: llm.ChatContext, tools: list[llm.Tool], model_settings: ModelSettings
    ) -> AsyncGenerator[llm.ChatChunk | str | FlushSentinel, None]:
        generation = self._desk.begin_reply(chat_ctx)
        if generation is None:
            return  # the turn is about to go to a realtime engine: this one says nothing
        if (words := self._desk.recovery.apology_owed(generation)) is not None:
            yield words

        def ask(engine: str) -> Reply:
            self._desk.recovery.asked(engine)
            return self._desk.cascades[engine].think(chat_ctx, tools, model_settings, generation.manner)

        while True:
            cascade = self._desk.cascades[generation.engine]
            race = Race(self._desk, generation)
            reply = first_to_speak(generation.engine, ask, race, after_s=cascade.hedge_s)
            spoke = False
            try:
                async with aclosing(reply) as chunks:
                    async for chunk in chunks:
                        if generation.closed:
                            generation.drop()
                            return
                        generation.thought()
                        spoke = True
                        yield chunk
                return
            except (APIError, TimeoutError) as error:
                begun, spoke = spoke, False
                provider = self._desk.cascades[generation.engine].mind.provider
                taker = self._desk.recovery.fail_over(generation, provider=provider, error=error)
                if taker is None or taker in self._desk.people:
                    if not self._desk.people.coming and not generation.closed:
                        yield self._desk.wording.cannot_help
                    return
                if word := self._desk.recovery.word_of_delay(generation, error, begun=begun):
                    yield word
                if taker not in self._desk.cascades:
                    return  # it answers when this reply is over
            finally:
                if spoke:  # also where the caller cut in, or nobody wants it any more
                    self._desk.recovery.worked(generation.engine)

    def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        return super().tts_node(self._desk.veil.aloud(self._engine_heard, text), model_settings)

    def _engine_heard(self) -> str:
        generation = self._desk.generations.current()
        return self._desk.engine if generation is None else generation.engine


def _told(chat_ctx: llm.ChatContext, manner: str) -> llm.ChatContext:
    """The conversation with how the caller sounds, right before what the caller said last."""
    told = llm.ChatContext([*chat_ctx.items])
    at = next(
        (
            index
            for index in range(len(told.items) - 1, -1, -1)
            if (item := told.items[index]).type == "message" and item.role == "user"
        ),
        len(told.items),
    )
    told.items.insert(at, llm.ChatMessage(role="system", content=[TOLD.format(manner=manner)]))
    return told
