"""The cascade engines as one LiveKit Agent: recogniser → language model → voice.

All cascades share one Agent, which picks the model and the voice per reply. Giving each its own would cancel
the reply that LiveKit begins before a turn is certain to be over (preemptive generation), and cost its whole
head start at every hand-off among cascades. See docs/decisions/0003-one-agent-for-cascades.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from livekit import rtc
from livekit.agents import (
    NOT_GIVEN,
    Agent,
    APIConnectOptions,
    APIError,
    FlushSentinel,
    ModelSettings,
    StopResponse,
    llm,
    tts,
)

from engines.generations import Generation

if TYPE_CHECKING:
    from engines.desk import Desk

STALL_S = 5.0
"""A model that stops in mid-reply for longer than this has failed."""
ONCE = APIConnectOptions(max_retry=0, timeout=10.0)
"""No retries inside the plugin: another engine answers sooner than the same one tried again."""


@dataclass(frozen=True, slots=True)
class Cascade:
    """What answers a turn: a language model, a voice, and whether it may use tools."""

    name: str
    mind: llm.LLM[Any]
    voice: tts.TTS[Any]
    tools: bool
    first_reply_s: float

    async def think(
        self, chat_ctx: llm.ChatContext, tools: list[llm.Tool], settings: ModelSettings
    ) -> AsyncIterator[llm.ChatChunk]:
        """Stream the model's reply.

        Raises:
            APIError: the provider refused or failed.
            TimeoutError: nothing came within ``first_reply_s``, or the stream stalled.
        """
        choice = settings.tool_choice if self.tools else NOT_GIVEN
        async with self.mind.chat(
            chat_ctx=chat_ctx,
            tools=tools if self.tools else [],
            tool_choice=choice,
            conn_options=ONCE,
        ) as stream:
            chunks = aiter(stream)
            limit_s = self.first_reply_s
            while True:
                try:
                    chunk = await asyncio.wait_for(anext(chunks), limit_s)
                except StopAsyncIteration:
                    return
                limit_s = STALL_S
                yield chunk


class CascadeAgent(Agent):
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
            instructions=desk.instructions,
            chat_ctx=chat_ctx,
            tools=[*desk.tools],
            stt=desk.recogniser,
            llm=desk.first_cascade.mind,
            tts=desk.first_cascade.voice,
            turn_handling={"turn_detection": "vad"},
        )
        self._desk = desk
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
        if (words := self._desk.apology_owed(generation)) is not None:
            yield words
        while True:
            cascade = self._desk.cascades[generation.engine]
            try:
                async for chunk in cascade.think(chat_ctx, tools, model_settings):
                    if generation.closed:
                        generation.drop()
                        return
                    self._desk.thought(generation)
                    yield chunk
                return
            except (APIError, TimeoutError) as error:
                began = generation.first_token_ms > 0
                if not self._desk.fail_over(generation, provider=cascade.mind.provider, error=error):
                    yield self._desk.wording.cannot_help
                    return
                yield self._desk.wording.start_again if began else self._desk.wording.one_moment

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        words = aiter(text)
        try:
            first = await anext(words)  # the engine is certain once it has said something
        except StopAsyncIteration:
            return
        generation = self._desk.generations.current()
        voice = self._desk.voice_for(generation)
        spoke = False
        try:
            async with voice.stream(conn_options=ONCE) as stream:
                reader = asyncio.create_task(_read_aloud(stream, first, words), name="patchbay.read_aloud")
                try:
                    async for audio in stream:
                        if generation is not None and generation.closed:
                            generation.drop()
                            return
                        self._desk.voiced(generation)
                        spoke = True
                        yield audio.frame
                finally:
                    reader.cancel()
                    await asyncio.gather(reader, return_exceptions=True)
        except (APIError, TimeoutError) as error:
            self._desk.voice_failed(generation, error)
        if not spoke and not _was_cut(generation):
            # Every voice failed: a recorded sentence is better than silence.
            self._desk.voiced(generation)
            for frame in self._desk.wording.recorded_apology():
                yield frame


def _was_cut(generation: Generation | None) -> bool:
    return generation is not None and generation.closed


async def _read_aloud(stream: tts.SynthesizeStream, first: str, rest: AsyncIterator[str]) -> None:
    stream.push_text(first)
    async for chunk in rest:
        stream.push_text(chunk)
    stream.end_input()
