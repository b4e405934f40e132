"""The parallel transcript: one recogniser stream per call, fed by the tap, whatever engine answers.

Final segments go to the record, all of them. The session reads the same stream through
:class:`compliance.shared_stt.SharedSTT`: the caller is transcribed once and read twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum, auto

from livekit import rtc
from livekit.agents import APIConnectOptions, stt

from compliance.clock import CallClock
from compliance.errors import ComplianceError
from compliance.heard import Condition, Ears, Heard, Recogniser, Segment, Timeline, segment
from compliance.recognisers import (
    ALL_WELL,
    BarredError,
    Persistence,
    RecogniserEndedError,
    Recognisers,
    RecogniserStalledError,
    Well,
)
from compliance.tap import CallerTap, Stamped
from compliance.unanswered import Unanswered

__all__ = [
    "Condition",
    "Ears",
    "Heard",
    "Persistence",
    "RecogniserEndedError",
    "RecogniserStalledError",
    "Segment",
    "Transcriber",
    "TranscriberError",
]

logger = logging.getLogger(__name__)

_GOODBYE_MS = 200.0
"""How long a stream that owes no more words is given to end by itself."""
_ONSET_PAD_MS = 400.0
"""Replayed before the first voiced frame: recognisers clip a word that begins with their audio."""
_ONSET_LAG_MS = 1500.0
"""A recogniser tells of an onset at most this late."""


class TranscriberError(ComplianceError):
    """The transcriber was given something that it cannot work with."""


class _MadeWay(Exception):  # noqa: N818 -- nothing is wrong
    """The recogniser is to hear no more of the caller, for another is better or it may not."""


class _Ask(Enum):
    FINAL = auto()
    CHOOSE = auto()
    END = auto()


class Transcriber:
    """Owns the call's recogniser stream and keeps it alive.

    A stream that fails is opened again, with the next recogniser if there is one, and hears again what was
    voiced since the last final result, as far as the tap keeps it. What one tells nothing of is heard again likewise;
    where that brings no words either, it was no speech, and who is preferred has the call again.
    While none may hear the caller, what they say is heard by nobody, and by nobody later.

    Args:
        recogniser: any streaming LiveKit recogniser. Its stream is closed with the transcriber, itself not.
        fallbacks: recognisers to turn to when the one before fails. Prefer them to ``stt.FallbackAdapter``,
            which loses what the failed one had not finalised.
        well: which of them may be asked, as far as is known elsewhere; it is told what becomes of them.
        patience: the share of its usual time that a recogniser is given.

    Attributes:
        on_segment: called with every final :class:`Segment`.
        on_condition: called when the state changes, and at every further failure.
        on_nothing: called with the milliseconds of voiced sound in which nobody found words, when it was heard twice.
        on_usage: called with the recogniser and the usage that it reports.
        readers: called with every other event of the recogniser.
        streams: recogniser streams opened so far; 1 on a call without failures.
    """

    def __init__(
        self,
        recogniser: Recogniser,
        tap: CallerTap,
        clock: CallClock,
        *,
        fallbacks: Sequence[Recogniser] = (),
        well: Well = ALL_WELL,
        persistence: Persistence | None = None,
        patience: float = 1.0,
    ) -> None:
        for one in (recogniser, *fallbacks):
            if not one.capabilities.streaming:
                raise TranscriberError(
                    f"{one.label} does not stream; wrap it in livekit.agents.stt.StreamAdapter with a VAD"
                )
        self.tap = tap
        self.clock = clock
        self._persistence = (persistence or Persistence()).times(patience)
        self._recognisers = Recognisers((recogniser, *fallbacks), well, self._persistence)
        self.on_segment: list[Callable[[Segment], None]] = []
        self.on_condition: list[Callable[[Condition], None]] = []
        self.on_nothing: list[Callable[[float], None]] = []
        self.on_usage: list[Callable[[Recogniser, stt.RecognitionUsage], None]] = []
        self.readers: list[Callable[[Heard], None]] = []
        self.recogniser = recogniser
        """The recogniser that is listening now."""
        self.streams = 0
        self.state = Ears.CLOSED
        self._task: asyncio.Task[None] | None = None
        self._inbox: asyncio.Queue[Stamped | _Ask] | None = None
        self._ending = False
        self._final_wanted = False
        self._unanswered = Unanswered(tap, self._persistence)
        self._onset_ms: float | None = None
        self._interim: Segment | None = None
        self._said = asyncio.Event()
        """All that was voiced is on record."""

    def start(self) -> None:
        """Begin to listen, from the first audio that the tap still keeps."""
        if self._task is None:
            self._task = asyncio.create_task(self._supervise(), name="transcriber")
            self.tap.sinks.append(self._take)

    def finalize(self) -> None:
        """The caller has stopped speaking: ask the recogniser for its final result at once."""
        self._final_wanted = True
        self._unanswered.asked()
        if self._inbox is not None:
            self._inbox.put_nowait(_Ask.FINAL)

    def reconsider(self) -> None:
        """Who may be asked has changed: have the caller heard by who is best now, and by nobody who may not."""
        if self._inbox is not None:
            self._inbox.put_nowait(_Ask.CHOOSE)

    async def aclose(self, *, within_ms: float = 1500) -> None:
        """Wait at most ``within_ms`` for the last final result, and close the stream.

        Words that never became final are recorded as a segment that is not settled.
        """
        if self._task is None:
            return
        self._ending = True
        self._said.clear()
        self.tap.sinks.remove(self._take)
        if self._inbox is not None:
            self._inbox.put_nowait(_Ask.END)
        if self.state is not Ears.DEAF:
            if self._owes_words or self._interim is not None:
                await self._last_words(within_ms)
            if not self._owes_words:
                # Time to report its usage; a provider may keep the stream open for seconds after that.
                await asyncio.wait({self._task}, timeout=_GOODBYE_MS / 1000)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        if self._interim is not None:
            _tell(self.on_segment, self._interim)
            self._interim = None
        self._become(Ears.CLOSED)

    async def _last_words(self, within_ms: float) -> None:
        said = asyncio.create_task(self._said.wait(), name="the last words")
        ended = {said} if self._task is None else {said, self._task}
        await asyncio.wait(ended, timeout=within_ms / 1000, return_when=asyncio.FIRST_COMPLETED)
        said.cancel()
        await asyncio.gather(said, return_exceptions=True)

    def _take(self, start_ms: float, frame: rtc.AudioFrame) -> None:
        if self._inbox is not None:
            self._inbox.put_nowait(Stamped(start_ms, frame))

    async def _supervise(self) -> None:
        choice = self._recognisers
        self._become(Ears.LISTENING)
        while True:
            self.recogniser = choice.choose()
            error = await self._listen(self.recogniser)
            if self._ending and (isinstance(error, RecogniserEndedError) or not self._owes_words):
                return
            if isinstance(error, _MadeWay):
                continue
            if isinstance(error, BarredError):
                if choice.barred and self.state is not Ears.DEAF:
                    self._become(Ears.DEAF, choice.refusal or error)
            else:
                self._failed(error)
            if choice.exhausted:
                return
            barred = choice.barred
            await asyncio.sleep(choice.wait_ms / 1000)
            if barred:
                self._unanswered.withhold()

    def _failed(self, error: Exception) -> None:
        if isinstance(error, RecogniserStalledError):
            self._unanswered.told_nothing()
        self._recognisers.failed(error)
        logger.warning("recogniser %s failed: %s", self.recogniser.label, type(error).__name__)
        self._become(Ears.DEAF if self._recognisers.given_up else Ears.RECONNECTING, error)

    async def _listen(self, recogniser: Recogniser) -> Exception:
        """One stream, from opening to its end; returns why it ended."""
        try:
            # Retries are ours: a retry inside the stream would lose what the failed attempt had heard.
            options = APIConnectOptions(max_retry=0, timeout=self._persistence.connect_within_ms / 1000)
            stream = recogniser.stream(conn_options=options)
        except Exception as error:
            return error
        self.streams += 1
        timeline = Timeline()
        inbox = self._inbox = self._unheard()
        feed = asyncio.create_task(self._feed(stream, inbox, timeline), name="transcriber feed")
        read = asyncio.create_task(self._read(stream, timeline), name="transcriber read")
        try:
            await asyncio.wait({feed, read}, return_when=asyncio.FIRST_COMPLETED)
            if feed.done() and (stalled := feed.exception()) is not None:
                return stalled if isinstance(stalled, Exception) else RecogniserStalledError()
            await asyncio.wait({read})
            ended = read.exception()
            return ended if isinstance(ended, Exception) else RecogniserEndedError()
        finally:
            self._inbox = None
            feed.cancel()
            read.cancel()
            await asyncio.gather(feed, read, return_exceptions=True)
            await stream.aclose()

    def _unheard(self) -> asyncio.Queue[Stamped | _Ask]:
        """What a new stream has to hear before it hears the line."""
        inbox: asyncio.Queue[Stamped | _Ask] = asyncio.Queue()
        if (voiced_ms := self._unanswered.since_ms) is not None:
            asked = not self._final_wanted
            since_ms = max(self._unanswered.done_ms, self._unanswered.withheld_ms, voiced_ms - _ONSET_PAD_MS)
            for stamped in self.tap.stamped_since(since_ms):
                if not asked and stamped.start_ms >= self._unanswered.asked_ms:
                    asked = True  # not in the middle of what is being said since
                    inbox.put_nowait(_Ask.FINAL)
                inbox.put_nowait(stamped)
            if not asked:
                inbox.put_nowait(_Ask.FINAL)
        if self._ending:
            inbox.put_nowait(_Ask.END)
        return inbox

    async def _feed(
        self, stream: stt.RecognizeStream, inbox: asyncio.Queue[Stamped | _Ask], timeline: Timeline
    ) -> None:
        began_ms = self.clock.now_ms()
        self._unanswered.expect_nothing()
        while True:
            item = await inbox.get()
            now_ms = self.clock.now_ms()
            try:
                if item is _Ask.FINAL:
                    stream.flush()
                    self._unanswered.expect(now_ms, interim=self._interim is not None)
                elif item is _Ask.CHOOSE:
                    self._or_make_way()
                elif item is _Ask.END:
                    stream.end_input()
                    return
                elif isinstance(item, Stamped):
                    timeline.push(item)
                    stream.push_frame(item.frame)
            except RuntimeError:
                return  # the stream has ended; who reads it knows why
            if self._unanswered.is_overdue(now_ms):
                if not self._unanswered.again:
                    raise RecogniserStalledError
                self._dismiss()
            if self.state is not Ears.LISTENING and now_ms - began_ms > self._persistence.connect_within_ms:
                self._become(Ears.LISTENING)  # or it would have failed to connect by now

    @property
    def _owes_words(self) -> bool:
        """Whether something was voiced, and is kept, that is not on record."""
        return self._unanswered.since_ms is not None

    def _dismiss(self) -> None:
        """Two recognisers have found no words in what was kept: it was no speech."""
        voiced_ms = self._unanswered.dismiss()
        self._interim, self._final_wanted = None, self._final_wanted and self._unanswered.asked_since
        self._recognisers.heard_nothing()
        self._become(Ears.LISTENING)
        _tell(self.on_nothing, voiced_ms)
        self._or_make_way()
        if self._final_wanted and self._inbox is not None:
            self._inbox.put_nowait(_Ask.FINAL)  # of what was said since, and was not waited for yet

    def _or_make_way(self) -> None:
        if self._recognisers.makes_way:
            raise _MadeWay

    async def _read(self, stream: stt.RecognizeStream, timeline: Timeline) -> None:
        async for event in stream:
            if event.type is stt.SpeechEventType.RECOGNITION_USAGE:
                if event.recognition_usage is not None:
                    _tell(self.on_usage, self.recogniser, event.recognition_usage)
                continue
            self._hear(event, timeline)

    def _hear(self, event: stt.SpeechEvent, timeline: Timeline) -> None:
        Kind = stt.SpeechEventType  # noqa: N806
        data = event.alternatives[0] if event.alternatives else None
        heard_ms = self.tap.heard_until_ms
        if self._onset_ms is None:
            since_ms = max(self._unanswered.done_ms, heard_ms - _ONSET_LAG_MS)
            self._onset_ms = self.tap.first_voiced_since(since_ms) or since_ms
        last_ms = self.tap.last_voiced_ms
        span = self._onset_ms, heard_ms if last_ms is None else max(self._onset_ms, last_ms)
        if data is not None and data.text:
            words = segment(data, timeline, otherwise=span)
            span = words.start_ms, words.end_ms
            if event.type is Kind.FINAL_TRANSCRIPT:
                self._interim, self._onset_ms, self._final_wanted = None, None, False
                if self._recognisers.suspects:
                    self.reconsider()
                self._recognisers.heard(again=self._unanswered.told_words(words.start_ms, words.end_ms))
                self._become(Ears.LISTENING)
                _tell(self.on_segment, words)
                if not self._owes_words:
                    self._said.set()
            else:
                self._interim = replace(words, settled=False)
        if event.type is Kind.END_OF_SPEECH:
            self._onset_ms = None
        if event.type is not Kind.FINAL_TRANSCRIPT:
            self._unanswered.told(event.type, span[1])
        timed = data is not None and data.end_time > 0
        offset_s = timeline.offset_s(data.start_time) if data is not None and timed else None
        _tell(self.readers, Heard(event, *span, offset_s))

    def _become(self, state: Ears, error: Exception | None = None) -> None:
        if state is not self.state or error is not None:
            self.state = state
            passed_on = error is not None and not self._recognisers.barred and self._recognisers.better
            _tell(self.on_condition, Condition(state, error, passed_on))


def _tell(listeners: Sequence[Callable[..., None]], *values: object) -> None:
    """Call every listener; one that fails is logged and keeps no other from hearing."""
    for listener in tuple(listeners):
        try:
            listener(*values)
        except Exception:
            logger.exception("a listener of the transcript failed")
