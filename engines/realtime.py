"""A realtime engine as a LiveKit Agent: one model hears the caller and speaks, turns taken on our side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from typing import TYPE_CHECKING, TypeVar

from livekit import rtc
from livekit.agents import ModelSettings, StopResponse, llm
from livekit.agents.types import TimedString

from engines.voiced import VoicedAgent
from engines.warm import Stay, WarmModel

if TYPE_CHECKING:
    from engines.desk import Desk


T = TypeVar("T")


class RealtimeAgent(VoicedAgent):
    """Answers with a model that hears the caller, and speaks for itself or through a voice of ours (half-cascade).

    The model's own turn detection stays off, so every turn still passes through the router, and its own
    transcription stays off, so the history has each turn once, in our recogniser's words.

    Args:
        desk: decides and keeps the books.
        name: the engine's name in the catalogue.
        model: the warm model, or one that takes turns by itself.
        chat_ctx: the conversation so far, as the caller heard it.
        answering: the turn that caused the hand-off to here.
        takes_turns: whether the model does; then our recogniser only writes the record.
    """

    def __init__(
        self,
        desk: Desk,
        *,
        name: str,
        model: llm.RealtimeModel,
        chat_ctx: llm.ChatContext,
        answering: llm.ChatMessage,
        takes_turns: bool = False,
    ) -> None:
        super().__init__(
            desk,
            instructions=desk.instructions,
            chat_ctx=chat_ctx,
            tools=[*desk.tools],
            stt=None if takes_turns else desk.recogniser,
            llm=Stay(model) if isinstance(model, WarmModel) else model,
            # A model that speaks for itself leaves this to what the service has to say when something is wrong.
            tts=desk.voice_of(name),
            turn_handling={"turn_detection": "realtime_llm" if takes_turns else "vad"},
        )
        self.engine = name
        self._warm = model if isinstance(model, WarmModel) else None
        """How long its replies may take to begin, and stop in their middle; who takes turns by itself has no limits."""
        self._answering = answering

    async def on_enter(self) -> None:
        self._desk.entered()
        if self._desk.expect_audio_reply(self._answering):
            self.session.generate_reply(input_modality="audio")
        elif self.chat_ctx.get_by_id(self._answering.id) is not None:  # an engine that failed had the turn
            self.session.generate_reply()
        else:
            self.session.generate_reply(user_input=self._answering.text_content or "")

    async def on_user_turn_completed(self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage) -> None:
        if self._desk.turn_completed(turn_ctx, new_message):
            raise StopResponse
        if not self._desk.expect_audio_reply(new_message):
            self.session.generate_reply(user_input=new_message.text_content or "")
            raise StopResponse

    async def realtime_audio_output_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        generation = self._desk.generations.current()
        async for frame in self._while_it_comes(audio):
            if generation is not None:
                if generation.closed:
                    generation.drop()
                    return
                generation.voiced()
            yield frame

    def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        return super().tts_node(self._while_it_comes(text), model_settings)

    async def _while_it_comes(self, stream: AsyncIterable[T]) -> AsyncGenerator[T, None]:
        """The same, until it ends or stalls: then another engine answers."""
        generation, warm = self._desk.generations.current(), self._warm
        limit_s = None if warm is None else warm.begin_s
        each = aiter(stream)
        while True:
            try:
                async with asyncio.timeout(limit_s):
                    one = await anext(each, None)
            except TimeoutError:
                self._desk.stalled(generation)
                return
            if one is None:
                return
            yield one
            limit_s = None if warm is None else warm.stall_s

    async def transcription_node(
        self, text: AsyncIterable[str | TimedString], model_settings: ModelSettings
    ) -> AsyncGenerator[str | TimedString, None]:
        if self._desk.speaks_for_itself(self.engine):
            async for chunk in text:
                yield chunk
            return
        async for chunk in super().transcription_node(text, model_settings):
            yield chunk
