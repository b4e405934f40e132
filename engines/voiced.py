"""Agents whose words are spoken by a voice of ours: cascades, and half-cascades."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from livekit import rtc
from livekit.agents import Agent, ModelSettings
from livekit.agents.types import TimedString

from compliance.tap import NO_ANSWER
from engines.heard import CHARACTERS_PER_S, Heard
from engines.wording import Wording

if TYPE_CHECKING:
    from engines.desk import Desk


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
        first = await anext(words, None)  # the engine is certain once it has said something
        if first is None:
            return
        generation, heard = self._desk.generations.current(), Heard()
        if generation is not None:
            if not self._desk.wording.is_no_answer(first):
                generation.thought()
            generation.heard.append(heard)
        spoke, begin = False, 0
        while first is not None:
            breath = Breath(first, words, self._desk.wording, begin, heard)
            # Another engine, with another voice, may have taken over since the last breath.
            voices = self._desk.voice_for(generation)
            waits = (lambda at_fault: None) if generation is None else generation.waits_for_voice
            said = voices.say(first, breath.rest(), again=breath.again, waits=waits)
            try:
                async with aclosing(said) as audio:
                    async for frame in audio:
                        if generation is not None:
                            if generation.closed:
                                generation.drop()
                                return
                            generation.voiced(answers=breath.answers)
                        spoke = True
                        breath.heard_s += frame.duration
                        yield frame if breath.answers else answerless(frame)
            except Exception as error:  # whatever it is, the caller is not to wait in silence
                self._desk.recovery.voice_failed(generation, error)
                break
            begin += breath.characters
            first = await anext(words, None)
        else:
            if spoke:
                return
        if generation is not None and generation.closed:
            return
        if spoke:
            breath.broke_off(self._desk.wording.recorded_words)
        elif generation is not None:
            generation.unvoiced()
        for frame in self._desk.wording.recorded_apology():
            yield answerless(frame)

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
        begin: where in the reply it begins, in characters.
        heard: is told where a voice broke off.

    Attributes:
        characters: of the words so far.
        heard_s: how long it was heard, since it was last begun.
    """

    def __init__(
        self, first: str, words: AsyncIterator[str], wording: Wording, begin: int, heard: Heard
    ) -> None:
        self.characters = len(first)
        self.heard_s = 0.0
        self._last = first
        self._words = words
        self._wording = wording
        self._begin = begin
        self._heard = heard

    @property
    def answers(self) -> bool:
        """Whether it is of an answer, as far as it is known: not where it says that there is none yet, or none."""
        return not self._wording.is_no_answer(self._last)

    async def rest(self) -> AsyncGenerator[str, None]:
        """What follows the first words."""
        while not self._last.rstrip().endswith(self._wording.about_delays):
            try:
                piece = await anext(self._words)
            except StopAsyncIteration:
                return
            if piece.strip():
                self._last = piece
            self.characters += len(piece)
            yield piece

    def again(self) -> str:
        """A voice broke off and another one begins anew: what that one says first."""
        self.broke_off(self._wording.start_again, again=True)
        return self._wording.start_again

    def broke_off(self, instead: str, *, again: bool = False) -> None:
        """A voice broke off; ``instead`` is heard next."""
        end = self._begin + self.characters
        self._heard.broke_off(self._begin, end, self.heard_s, instead, again=again)
        self.heard_s = -len(instead) / CHARACTERS_PER_S


def answerless(frame: rtc.AudioFrame) -> rtc.AudioFrame:
    """``frame``, marked: hearing it answers no turn."""
    frame.userdata[NO_ANSWER] = True
    return frame
