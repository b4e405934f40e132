"""Agents whose words are spoken by a voice of ours: cascades, and half-cascades."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from livekit import rtc
from livekit.agents import Agent, APIConnectOptions, APIError, ModelSettings, tts
from livekit.agents.metrics import TTSMetrics
from livekit.agents.types import TimedString

from engines.generations import Generation
from engines.wording import Wording

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
            first: str | None = await anext(words)  # the engine is certain once it has said something
        except StopAsyncIteration:
            return
        generation = self._desk.generations.current()
        if generation is not None:
            self._desk.thought(generation)
        spoke = False
        try:
            while first is not None:
                breath = Breath(first, words, self._desk.wording)
                # Another engine, with another voice, may have taken over since the last breath.
                voice = self._desk.voice_for(generation)
                async with (
                    billed(voice, breath, self._desk.unread),
                    voice.stream(conn_options=VOICE) as stream,
                ):
                    async for audio in aloud(stream, first, breath.rest()):
                        if generation is not None and generation.closed:
                            generation.drop()
                            return
                        self._desk.voiced(generation)
                        spoke = True
                        yield audio.frame
                    breath.over = True
                first = await anext(words, None)
        except (APIError, TimeoutError) as error:
            self._desk.recovery.voice_failed(generation, error)
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


class Breath:
    """What is said without waiting: up to the next word about a delay, which is to be heard at once.

    A voice waits for whole sentences, and for more of them, before it begins.

    Args:
        first: the words that there are.
        words: those that follow.
        wording: has the words about delays.

    Attributes:
        characters: how many have been handed to the voice.
        over: whether all of it was spoken.
    """

    def __init__(self, first: str, words: AsyncIterator[str], wording: Wording) -> None:
        self.characters = len(first)
        self.over = False
        self._said = first
        self._words = words
        self._ends = wording.about_delays

    async def rest(self) -> AsyncGenerator[str, None]:
        """What follows the first words."""
        while not self._said.rstrip().endswith(self._ends):
            try:
                self._said = await anext(self._words)
            except StopAsyncIteration:
                return
            self.characters += len(self._said)
            yield self._said


@asynccontextmanager
async def billed(
    voice: tts.TTS[Any], breath: Breath, unread: Callable[[tts.TTS[Any], int], None]
) -> AsyncIterator[None]:
    """Tells ``unread`` of characters that ``voice`` was given and reported no use of, as when it failed or was cut."""
    reported = 0

    def collected(event: object) -> None:
        nonlocal reported
        reported += event.characters_count if isinstance(event, TTSMetrics) else 0

    voice.on("metrics_collected", collected)
    try:
        yield
    finally:
        voice.off("metrics_collected", collected)
        if not breath.over and breath.characters > reported:
            unread(voice, breath.characters - reported)


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
