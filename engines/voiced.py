"""Agents whose words are spoken by a voice of ours: cascades, and half-cascades."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from typing import TYPE_CHECKING, Any

from livekit import rtc
from livekit.agents import Agent, APIConnectOptions, APIError, ModelSettings, tts
from livekit.agents.types import TimedString

from engines.generations import Generation

if TYPE_CHECKING:
    from engines.desk import Desk

VOICE = APIConnectOptions(max_retry=0, timeout=2.5)
"""A voice that has nothing to say for longer than this has failed, where its plugin can tell."""
VOICE_STALL_S = 5.0
"""The voices have failed when nothing has come of them for longer than this since the last words or audio."""


class VoicedAgent(Agent):
    """Speaks with the voice of the engine that answers; a recorded sentence when every voice fails.

    Args:
        desk: knows the voices and keeps the books.
        options: LiveKit's, of the agent.
    """

    def __init__(self, desk: Desk, **options: Any) -> None:
        super().__init__(**options)
        self._desk = desk

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        words = aiter(text)
        try:
            first = await anext(words)  # the engine is certain once it has said something
        except StopAsyncIteration:
            return
        generation = self._desk.generations.current()
        if generation is not None:
            self._desk.thought(generation)
        voice = self._desk.voice_for(generation)
        spoke = False
        try:
            async with voice.stream(conn_options=VOICE) as stream:
                async for audio in aloud(stream, first, words):
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


async def aloud(
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
