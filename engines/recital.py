"""Words said as they are written, and where each passage of them lies in the audio.

What has to be proved to have been heard cannot be read off a transcript, which is paced by a guess: each passage is
synthesised by itself, so that its place in the audio is known to the sample.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from livekit import rtc

from engines.heard import Heard

if TYPE_CHECKING:
    from engines.desk import Desk


class Recital:
    """Passages said one after the other in one speech: ``session.say(recital.text, audio=recital.audio())``.

    Args:
        desk: has the voice, and is told when there is none.
        passages: at least one; none is empty.

    Attributes:
        begun: whether its audio was asked for, which it is when its turn to be heard has come.
    """

    def __init__(self, desk: Desk, passages: Sequence[str]) -> None:
        self.begun = False
        self._desk = desk
        self._passages = tuple(passages)
        self._ends_ms: list[float] = []
        self._made_ms = 0.0

    @property
    def text(self) -> str:
        return " ".join(self._passages)

    def span_ms(self, number: int) -> tuple[float, float, bool]:
        """Where passage ``number`` (from 0) begins and ends in the audio, in ms, and whether that is all of it.

        Of a passage that was not synthesised to its end, the end is that of what there is.
        """
        begin_ms = self._ends_ms[number - 1] if 0 < number <= len(self._ends_ms) else self._made_ms
        if number == 0:
            begin_ms = 0.0
        whole = number < len(self._ends_ms)
        return begin_ms, self._ends_ms[number] if whole else self._made_ms, whole

    async def audio(self) -> AsyncGenerator[rtc.AudioFrame, None]:
        """All passages by the voice of the engine in charge; where every voice fails, the recorded apology."""
        self.begun = True
        generation = self._desk.generations.current()
        voices, wording = self._desk.voice_for(generation), self._desk.wording
        try:
            for words in self._passages:
                said = voices.say(words, _nothing(), again=lambda: wording.start_again)
                async with aclosing(said) as audio:
                    async for frame in audio:
                        if generation is not None:
                            generation.voiced()
                        self._made_ms += frame.duration * 1000
                        yield frame
                self._ends_ms.append(self._made_ms)
            if self._made_ms:
                return
        except Exception as error:  # whatever it is, the caller is not to wait in silence
            self._desk.recovery.voice_failed(generation, error)
        if generation is not None:
            if self._made_ms:
                generation.heard.append(self._heard(wording.recorded_words))
            else:
                generation.unvoiced()
        for frame in wording.recorded_apology():
            yield frame

    def _heard(self, instead: str) -> Heard:
        """A voice broke off in the passage after those that were said, and ``instead`` is heard."""
        heard, whole = Heard(), len(self._ends_ms)
        begin = sum(len(words) + 1 for words in self._passages[:whole])
        heard_s = (self._made_ms - (self._ends_ms[-1] if whole else 0.0)) / 1000
        heard.broke_off(begin, begin + len(self._passages[whole]), heard_s, instead, again=False)
        return heard


async def _nothing() -> AsyncIterator[str]:
    return
    yield
