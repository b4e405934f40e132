"""The replies of a call, numbered and fenced.

Every reply belongs to one generation; everything an engine sends carries the generation it was asked for. When
a generation is closed (its preview was wrong, the caller cut in, the turn went to another engine), whatever
still arrives for it is dropped and counted, never spoken or stored (livekit/agents#4746, pipecat#5337).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from livekit.agents import llm

# The speech a task works for. LiveKit keeps it in a context variable that its own function tools read through
# RunContext; the model and voice nodes get no such argument, so it is read here and nowhere else.
from livekit.agents.voice.agent_activity import _SpeechHandleContextVar

from compliance.clock import CallClock
from engines.heard import Heard


def current_speech_id() -> str | None:
    """The id of the LiveKit speech that the running task works for, if any."""
    speech = _SpeechHandleContextVar.get(None)
    return None if speech is None else speech.id


@dataclass(slots=True)
class Failures:
    """Who has failed a turn."""

    engines: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    """The providers whose language models did not answer in time."""


@dataclass(slots=True, eq=False)
class Generation:
    """One reply in the making. Times are milliseconds on the call's clock; 0 means not yet."""

    number: int
    engine: str
    turn: int
    confirmed: bool = False
    """Whether the turn it answers is over and was routed to its engine; until then it is a preview."""
    closed: bool = False
    dropped: int = 0
    first_token_ms: float = 0.0
    """When the first token of its answer came; what is said about a delay is none."""
    first_audio_ms: float = 0.0
    answer_audio_ms: float = 0.0
    """When the first audio of its answer came."""
    voice_known: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once its first audio is there, or no voice has any."""
    voice_at_fault: Callable[[], bool] = lambda: False
    """Called where nobody waits for its first audio any more: whether a voice is why there was none."""
    voiceless: bool = False
    """Whether the recorded apology is played in place of its words."""
    heard: list[Heard] = field(default_factory=list)
    """Of each of its messages that a voice of ours reads aloud, in order."""
    beside: str = ""
    """What it says, if it is said beside a reply that waits for its tools."""
    apologised: bool = False
    failed: Failures = field(default_factory=Failures)
    """Who failed while it was a preview."""
    denied: frozenset[str] = frozenset()
    """The engines that may not answer its turn."""
    manner: str = ""
    """How the caller sounded in its turn."""
    clock: CallClock = field(default_factory=CallClock)
    """The call's."""

    def thought(self) -> None:
        """A token of it arrived."""
        if not self.first_token_ms:
            self.first_token_ms = self.clock.now_ms()

    def voiced(self, *, answers: bool = True) -> None:
        """Audio of it arrived; it ``answers``, or says that there is no answer yet, or none."""
        if not self.first_audio_ms:
            self.first_audio_ms = self.clock.now_ms()
            self.voice_known.set()
        if answers and not self.answer_audio_ms:
            self.answer_audio_ms = self.clock.now_ms()

    def unvoiced(self) -> None:
        """No voice has audio for it: the recorded apology stands in for its words."""
        self.voiceless = True
        self.voiced(answers=False)

    def waits_for_voice(self, at_fault: Callable[[], bool]) -> None:
        """A voice was asked to say it."""
        self.voice_at_fault = at_fault

    def close(self) -> None:
        self.closed = True

    def put_right(self, said: Sequence[llm.ChatMessage]) -> None:
        """Have its messages say what was heard of them, where a voice broke off."""
        for message, heard in zip(said, self.heard, strict=False):
            if (text := message.text_content) is not None:
                message.content = [heard.of(text, interrupted=message.interrupted)]

    def drop(self) -> None:
        """Count something that arrived too late."""
        self.dropped += 1


class Generations:
    """The generations of a call, by LiveKit speech.

    Args:
        clock: the call's.
    """

    def __init__(self, clock: CallClock) -> None:
        self._clock = clock
        self._by_speech: dict[str, Generation] = {}
        self._last = 0

    def open(self, speech_id: str, *, engine: str, turn: int) -> Generation:
        """Begin the generation of a new speech."""
        generation = Generation(self.number(), engine, turn, clock=self._clock)
        self._by_speech[speech_id] = generation
        return generation

    def number(self) -> int:
        """The next number: also of a reply that is asked for before there is a speech."""
        self._last += 1
        return self._last

    def of(self, speech_id: str | None) -> Generation | None:
        return None if speech_id is None else self._by_speech.get(speech_id)

    def current(self) -> Generation | None:
        """The generation the running task works for."""
        return self.of(current_speech_id())

    def finish(self, speech_id: str) -> Generation | None:
        """Close the generation of a finished speech; it stays known, so that what comes late is recognised."""
        generation = self._by_speech.get(speech_id)
        if generation is not None:
            generation.close()
        return generation

    def __iter__(self) -> Iterator[Generation]:
        return iter(self._by_speech.values())
