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
from livekit.agents.types import TimedString

from engines.generations import Generation

if TYPE_CHECKING:
    from engines.desk import Desk

STALL_S = 5.0
"""A model that stops in mid-reply for longer than this has failed."""
ONCE = APIConnectOptions(max_retry=0, timeout=10.0)
"""No retries inside the plugin: another engine answers sooner than the same one tried again."""
VOICE = APIConnectOptions(max_retry=0, timeout=2.5)
"""A voice that has nothing to say for longer than this has failed, where its plugin can tell."""
VOICE_STALL_S = 5.0
"""The voices have failed when nothing has come of them for longer than this since the last words or audio."""


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
                began, told = generation.first_token_ms > 0, generation.apologised
                generation.apologised = True
                if not self._desk.fail_over(generation, provider=cascade.mind.provider, error=error):
                    yield self._desk.wording.cannot_help
                    return
                if began:
                    yield self._desk.wording.start_again
                elif not told:
                    yield self._desk.wording.one_moment

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
            async with voice.stream(conn_options=VOICE) as stream:
                async for audio in _aloud(stream, first, words):
                    if generation is not None and generation.closed:
                        generation.drop()
                        return
                    self._desk.voiced(generation)
                    spoke = True
                    yield audio.frame
        except (APIError, TimeoutError) as error:
            self._desk.voice_failed(generation, error)
        if not spoke and not _was_cut(generation):
            # Every voice failed: a recorded sentence is better than silence.
            self._desk.voiceless(generation)
            for frame in self._desk.wording.recorded_apology():
                yield frame

    async def transcription_node(
        self, text: AsyncIterable[str | TimedString], model_settings: ModelSettings
    ) -> AsyncGenerator[str | TimedString, None]:
        generation = self._desk.generations.current()
        if generation is not None:
            await generation.voice_known.wait()
            if generation.voiceless:  # the history has what was heard, not what was meant
                yield self._desk.wording.recorded_words
                return
        async for chunk in text:
            yield chunk


def _was_cut(generation: Generation | None) -> bool:
    return generation is not None and generation.closed


async def _aloud(
    stream: tts.SynthesizeStream, first: str, rest: AsyncIterator[str]
) -> AsyncGenerator[tts.SynthesizedAudio, None]:
    """What the voice makes of the words. Raises TimeoutError when it stalls."""
    loop = asyncio.get_running_loop()
    moved_s = loop.time()

    async def read() -> None:
        nonlocal moved_s
        stream.push_text(first)
        async for chunk in rest:
            moved_s = loop.time()
            stream.push_text(chunk)
        stream.end_input()

    async def following() -> tts.SynthesizedAudio | None:
        return await anext(frames, None)

    frames = aiter(stream)
    reader = asyncio.create_task(read(), name="patchbay.read_aloud")
    audio: asyncio.Task[tts.SynthesizedAudio | None] | None = None
    try:
        while True:
            audio = asyncio.create_task(following(), name="patchbay.voice")
            while not audio.done():
                left_s = moved_s + VOICE_STALL_S - loop.time()
                if left_s <= 0:
                    raise TimeoutError
                await asyncio.wait({audio}, timeout=left_s)
            heard = audio.result()
            if heard is None:
                return
            moved_s = loop.time()
            yield heard
    finally:
        parts = [task for task in (reader, audio) if task is not None]
        for task in parts:
            task.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
