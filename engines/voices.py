"""Several voices as one: what one breaks off, the next one says.

LiveKit's adapter goes on to the next voice only where the caller has heard nothing yet: a voice that breaks off in
mid-sentence leaves half of it. And what it learns stays in the call. Here each breath begins with the first voice that
the circuits say is well, and is begun anew by the next one where it fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Any, Protocol

from livekit import rtc
from livekit.agents import APIConnectOptions, tts
from livekit.agents.metrics import TTSMetrics
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS

from compliance.tap import RATE_HZ
from engines.aloud import Aloud, VoiceLimits
from engines.gates import GateError
from engines.resampled import at_rate
from engines.unfinished import is_billed

VOICE = APIConnectOptions(max_retry=0, timeout=2.5)
"""A voice that has nothing to say for longer than this has failed, where its plugin can tell."""
VOICE_STALL_S = 5.0
"""A voice has failed when nothing has come of it for longer than this: since it owed audio, and in mid-speech."""
LEAST_S, LEAST_STALL_S = 0.5, 1.25
"""No voice has less, however little patience there is; models are given up on before their voices."""


class Well(Protocol):
    """Whether a voice may be asked, by its name; and how it does."""

    def may_ask(self, name: str) -> bool: ...
    def asked(self, name: str) -> None: ...
    def failed(self, name: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Voice:
    """One voice.

    Attributes:
        name: by which its health is known.
        provider: as the catalogue names it.
        plugin: speaks; it streams.
    """

    name: str
    provider: str
    plugin: tts.TTS[Any]


class Voices(tts.TTS[Any]):
    """Voices in order of preference, 24 kHz mono. LiveKit knows it as a voice; what is to be heard, :meth:`say` says.

    Args:
        voices: one or more.
        health: of voices, by name.
        unread: told of a voice and the characters that it was given and reported no use of, when it failed or was cut.
        failed: told of a voice that failed, its error, and what was done.
        patience: the share of the usual time that they are given, above 0.
    """

    def __init__(
        self,
        voices: Sequence[Voice],
        health: Well,
        *,
        unread: Callable[[Voice, int], None] = lambda voice, characters: None,
        failed: Callable[[Voice, Exception, str], None] = lambda voice, error, action: None,
        patience: float = 1.0,
    ) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=True), sample_rate=RATE_HZ, num_channels=1
        )
        self._voices = tuple(voices)
        self._health = health
        self._unread = unread
        self._failed = failed
        self._patience = patience
        self._asked = self._voices[0]

    @property
    def preferred(self) -> tts.TTS[Any]:
        """The plugin of the first voice, as a session without any of this would have it."""
        return self._voices[0].plugin

    @property
    def model(self) -> str:
        """Of the voice that was asked last."""
        return self._asked.plugin.model

    @property
    def provider(self) -> str:
        return self._asked.plugin.provider

    def prewarm(self) -> None:
        self.preferred.prewarm()

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        raise NotImplementedError("what is to be heard, say() says")

    async def say(
        self,
        first: str,
        rest: AsyncIterator[str],
        *,
        again: Callable[[], str] = lambda: "",
        waits: Callable[[Callable[[], bool]], None] = lambda gave_up: None,
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        """The audio of some words. Where a voice fails, the next one says them, from the beginning.

        Args:
            first: the words that there are.
            rest: those that follow.
            again: asked what is said before them where a part of them was heard; only then.
            waits: given what is called where nobody waits for the first audio any more: it answers whether a voice is
                why there was none, which has failed by that.

        Raises:
            Exception: of the last voice, where every one has failed.
        """
        order, before, failed = self._in_order(), "", False
        async with _Words(first, rest) as words:
            for voice, following in zip(order, [*order[1:], None], strict=True):
                spoke = False
                self._health.asked(voice.name)
                self._asked = voice
                try:
                    async with aclosing(self._said_by(voice, before, words, waits, failed)) as audio:
                        async for frame in audio:
                            spoke = True
                            yield frame
                    return
                except Exception as error:  # whatever a plugin raises, another voice may work
                    if not isinstance(error, GateError):  # which says nothing of the provider
                        failed = True
                        self._health.failed(voice.name)
                        self._failed(voice, error, _action(following, spoke=spoke))
                    if following is None:
                        raise
                    before = again() if spoke else before

    def _in_order(self) -> list[Voice]:
        """Those that are well, and then the others."""
        well = [voice for voice in self._voices if self._health.may_ask(voice.name)]
        return [*well, *(voice for voice in self._voices if voice not in well)]

    def _gave_up(self, voice: Voice, reading: Aloud, failed: bool) -> bool:
        """Nobody waits for the first audio of ``voice`` any more, which another one may have ``failed`` to give."""
        if reading.is_late:
            self._health.failed(voice.name)
            self._failed(voice, TimeoutError(), "it was not waited for any longer")
        return reading.is_late or (failed and not reading.spoke)

    @property
    def _limits(self) -> VoiceLimits:
        stall_s = max(LEAST_STALL_S, self._patience * VOICE_STALL_S)
        return VoiceLimits(
            first_s=self._patience * VOICE_STALL_S,
            stall_s=min(VOICE_STALL_S, stall_s),
            late_s=self._patience * VOICE.timeout,
        )

    async def _said_by(
        self,
        voice: Voice,
        before: str,
        words: _Words,
        waits: Callable[[Callable[[], bool]], None],
        failed: bool,
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        given = reported = 0

        def collected(event: object) -> None:
            nonlocal reported
            reported += event.characters_count if isinstance(event, TTSMetrics) else 0

        async def read() -> AsyncGenerator[str, None]:
            nonlocal given
            async for piece in words.from_the_beginning(before):
                given += len(piece)
                yield piece

        spoke, over, error = False, False, None
        timeout_s = min(VOICE.timeout, max(LEAST_S, self._patience * VOICE.timeout))
        voice.plugin.on("metrics_collected", collected)
        try:
            async with voice.plugin.stream(conn_options=replace(VOICE, timeout=timeout_s)) as stream:
                reading = Aloud(stream, read(), self._limits)
                waits(partial(self._gave_up, voice, reading, failed))
                async with aclosing(at_rate(reading.frames(), RATE_HZ)) as audio:
                    async for frame in audio:
                        spoke = True
                        yield frame
            over = True
        except Exception as failure:
            error = failure
            raise
        finally:
            voice.plugin.off("metrics_collected", collected)
            if not over and given > reported and is_billed(error, began=spoke):
                self._unread(voice, given - reported)


class _Words:
    """Words as they come, which whoever takes over reads from the beginning."""

    def __init__(self, first: str, rest: AsyncIterator[str]) -> None:
        self._pieces = [first]
        self._over = False
        self._more = asyncio.Event()
        self._reader = asyncio.create_task(self._read(rest), name="patchbay.words")

    async def __aenter__(self) -> _Words:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self, rest: AsyncIterator[str]) -> None:
        try:
            async for piece in rest:
                self._pieces.append(piece)
                self._more.set()
        finally:
            self._over = True
            self._more.set()

    async def from_the_beginning(self, before: str) -> AsyncGenerator[str, None]:
        """All of them, after ``before``."""
        if before:
            yield before
        at = 0
        while at < len(self._pieces) or not self._over:
            if at < len(self._pieces):
                yield self._pieces[at]
                at += 1
            else:
                self._more.clear()
                await self._more.wait()


def _action(following: Voice | None, *, spoke: bool) -> str:
    if following is None:
        return "no voice is left"
    return "the next voice says it again" if spoke else "the next voice speaks"
