"""The tap: the copy of a call's audio that compliance owns.

:class:`CallerTap` is the first thing the caller's audio meets, so that nothing later (echo warm-up,
uninterruptible speech, realtime mode, a hand-off) can blind the record. :class:`AgentTap` is the last thing
the agent's audio passes before the line, so that what it notes is what the caller heard.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from livekit import rtc
from livekit.agents.voice import io

from compliance.clock import CallClock
from compliance.voiced import VoiceGate, first_sound

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

NO_ANSWER = "patchbay.no_answer"
"""Set in the ``userdata`` of the agent's frames that say that there is no answer yet, or none: they answer no turn."""

RATE_HZ = 24_000
"""Sample rate of a call inside the service; LiveKit's room input and the realtime models use the same."""

# A frame this much later than the one before means that the line sent nothing, not that we were slow.
_GAP_MS = 400.0
# The agent's voice made a pause that long where its next audio had not come yet; less is a hitch within its speech.
_BREAK_MS = 400.0
# How fast the audio's own time follows arrivals that are later than it predicts (a slow source clock).
_FOLLOW = 0.005


class Stamped(NamedTuple):
    """A frame, and the call time in milliseconds of its first sample."""

    start_ms: float
    frame: rtc.AudioFrame

    @property
    def end_ms(self) -> float:
        return self.start_ms + self.frame.duration * 1000


class FrameQueue:
    """A bounded queue of stamped frames whose consumer may be slow: the oldest are dropped and counted."""

    def __init__(self, maxsize: int) -> None:
        self._queue: asyncio.Queue[Stamped] = asyncio.Queue(maxsize)
        self.dropped = 0

    def put(self, stamped: Stamped) -> None:
        if self._queue.full():
            self._queue.get_nowait()
            self.dropped += 1
        self._queue.put_nowait(stamped)

    async def get(self) -> Stamped:
        """The oldest frame, as soon as there is one."""
        return await self._queue.get()


Sink = Callable[[float, rtc.AudioFrame], None]
"""Called with the call time in milliseconds of the frame's first sample, and the frame; must not block."""


class CallerTap(io.AudioInput):
    """The caller's audio, copied on its way to the session.

    Frames pass as the same objects, so that a reader further on can tell by identity whether the session was
    given the caller's frame or something else (:meth:`start_of`). Every frame that leaves is 24 kHz mono
    16 bit: others are mixed down and resampled; empty ones are dropped. No sink and no frame can break the
    call.

    Args:
        source: where the caller's audio comes from: a line, or a room's input.
        keep_ms: how much audio the ring holds.
    """

    def __init__(self, source: io.AudioInput, clock: CallClock, *, keep_ms: float = 30_000) -> None:
        super().__init__(label="CallerTap", source=source)
        self._upstream = source
        self._clock = clock
        self._keep_ms = keep_ms
        self.sinks: list[Sink] = []
        self.last_voiced_ms: float | None = None
        """Call time of the last voiced sample heard so far."""
        self.frames = 0
        self.repaired = 0
        """Frames that were not 24 kHz mono and were converted."""
        self.refused = 0
        """Frames that held no usable audio."""
        self._queues: list[FrameQueue] = []
        self._ring: deque[Stamped] = deque()
        self._starts: dict[int, float] = {}
        self._voiced: deque[tuple[float, float]] = deque()
        self._end_ms: float | None = None
        # How much later than it was spoken the last voiced sample is known to be dated, less what the audio's
        # time has been pulled since; None when a gap came after it.
        self._voiced_late: float | None = None
        self._gate = VoiceGate()
        self._repaired: deque[rtc.AudioFrame] = deque()
        self._resamplers: dict[int, rtc.AudioResampler] = {}
        self._failed_sinks: set[int] = set()

    async def __anext__(self) -> rtc.AudioFrame:
        while not self._repaired:
            frame = await self._upstream.__anext__()
            if frame.sample_rate == RATE_HZ and frame.num_channels == 1 and frame.samples_per_channel:
                return self._pass(frame)
            self._repair(frame)
        return self._pass(self._repaired.popleft())

    def subscribe(self, maxsize: int = 256) -> FrameQueue:
        """A queue that gets every frame from now on; hand it back with :meth:`unsubscribe`."""
        queue = FrameQueue(maxsize)
        self._queues.append(queue)
        return queue

    def unsubscribe(self, queue: FrameQueue) -> None:
        self._queues.remove(queue)

    def since(self, at_ms: float) -> list[rtc.AudioFrame]:
        """The kept frames that begin at ``at_ms`` or later, oldest first."""
        return [stamped.frame for stamped in self.stamped_since(at_ms)]

    def stamped_since(self, at_ms: float) -> list[Stamped]:
        """As :meth:`since`, with the time of each frame."""
        return [stamped for stamped in self._ring if stamped.start_ms >= at_ms]

    def first_voiced_since(self, at_ms: float) -> float | None:
        """Start of the first voiced frame that is kept and begins at ``at_ms`` or later."""
        return next((start_ms for start_ms, _ in self._voiced if start_ms >= at_ms), None)

    def voiced_ms_since(self, at_ms: float) -> float:
        """How much voiced sound is kept that begins at ``at_ms`` or later; counted in whole frames."""
        return sum(duration_ms for start_ms, duration_ms in self._voiced if start_ms >= at_ms)

    def start_of(self, frame: rtc.AudioFrame) -> float | None:
        """Call time of a frame that this tap passed on and still keeps; None for any other frame."""
        return self._starts.get(id(frame))

    @property
    def heard_until_ms(self) -> float:
        """Call time of the end of the last frame; 0 before the first."""
        return self._end_ms or 0.0

    def _pass(self, frame: rtc.AudioFrame) -> rtc.AudioFrame:
        duration_ms = frame.samples_per_channel * (1000 / RATE_HZ)
        end_ms = self._end_of(duration_ms)
        start_ms = end_ms - duration_ms
        self.frames += 1
        stamped = Stamped(start_ms, frame)
        self._ring.append(stamped)
        self._starts[id(frame)] = start_ms
        if (voiced := self._gate.last_voiced(np.frombuffer(frame.data, np.int16), duration_ms)) is not None:
            self.last_voiced_ms = start_ms + (voiced + 1) * (1000 / RATE_HZ)
            self._voiced_late = 0.0
            self._voiced.append((start_ms, duration_ms))
        self._forget(end_ms - self._keep_ms)
        for sink in self.sinks:
            try:
                sink(start_ms, frame)
            except Exception:
                if id(sink) not in self._failed_sinks:  # once, not fifty times a second
                    self._failed_sinks.add(id(sink))
                    logger.exception("a sink of the caller's audio failed")
        for queue in self._queues:
            queue.put(stamped)
        return frame

    def _end_of(self, duration_ms: float) -> float:
        """When this frame's last sample was spoken.

        Audio arrives late by what the event loop was busy, never early: so the earliest arrivals tell the
        true time, and later ones are pulled towards the time that the frames before predict.
        """
        arrived_ms = self._clock.now_ms()
        predicted_ms = arrived_ms if self._end_ms is None else self._end_ms + duration_ms
        late_ms = arrived_ms - predicted_ms
        if late_ms > _GAP_MS:
            end_ms, self._voiced_late = arrived_ms, None
        elif late_ms >= 0:
            end_ms = predicted_ms + _FOLLOW * late_ms
            if self._voiced_late is not None:
                self._voiced_late -= _FOLLOW * late_ms
        else:
            end_ms = arrived_ms
            self._date_back(-late_ms)
        self._end_ms = max(end_ms, duration_ms)
        return self._end_ms

    def _date_back(self, early_ms: float) -> None:
        """A frame came earlier than predicted: those before it had queued up, and were spoken earlier as well."""
        if self._voiced_late is None or self.last_voiced_ms is None:
            return
        self._voiced_late += early_ms
        if self._voiced_late > 0:
            self.last_voiced_ms -= self._voiced_late
            self._voiced_late = 0.0

    def _forget(self, before_ms: float) -> None:
        while self._ring and self._ring[0].start_ms < before_ms:
            self._starts.pop(id(self._ring.popleft().frame), None)
        while self._voiced and self._voiced[0][0] < before_ms:
            self._voiced.popleft()

    def _repair(self, frame: rtc.AudioFrame) -> None:
        try:
            channels = np.frombuffer(frame.data, np.int16).reshape(-1, frame.num_channels)
            if not channels.size:
                raise ValueError("no samples")
            mono = channels.mean(axis=1).astype(np.int16)
            mixed = rtc.AudioFrame(mono.tobytes(), frame.sample_rate, 1, len(mono))
            if frame.sample_rate == RATE_HZ:
                self._repaired.append(mixed)
            else:
                self._repaired.extend(self._resampler(frame.sample_rate).push(mixed))
            self.repaired += 1
        except Exception as error:
            self.refused += 1
            if self.refused == 1:
                logger.warning("a frame of the caller's audio was unusable: %s", error)

    def _resampler(self, rate_hz: int) -> rtc.AudioResampler:
        if rate_hz not in self._resamplers:
            self._resamplers[rate_hz] = rtc.AudioResampler(rate_hz, RATE_HZ)
        return self._resamplers[rate_hz]


class Lag(NamedTuple):
    """How long, in milliseconds, playback had stood still for want of audio when it came to an offset in it."""

    offset_ms: float
    lag_ms: float


@dataclass(frozen=True)
class Playout:
    """One stretch of agent audio as the caller heard it. Times are call times in milliseconds.

    ``first_sound_ms`` is when its first sample that is not silence was heard, None when none was.
    ``heard_ms`` is how much of the ``captured_ms`` was played.
    """

    start_ms: float
    end_ms: float
    first_sound_ms: float | None
    captured_ms: float
    heard_ms: float
    interrupted: bool
    transcript: str | None
    heard: tuple[Stamped, ...] = ()
    """Its audio as the caller heard it, where :attr:`AgentTap.keeps_audio`."""
    lags: tuple[Lag, ...] = ()
    """Where playback stood still, in order; each counts those before it."""

    def ear_ms(self, offset_ms: float) -> float:
        """When the first ``offset_ms`` of its audio had been heard, or all of it that was, where that is less."""
        offset_ms = min(offset_ms, self.heard_ms)
        lag_ms = max((lag.lag_ms for lag in self.lags if lag.offset_ms < offset_ms), default=0.0)
        return self.start_ms + lag_ms + offset_ms

    @property
    def stretches(self) -> tuple[tuple[float, float], ...]:
        """When something of it was heard, from and until: a voice that stalls in mid-reply speaks twice."""
        if self.heard_ms <= 0:
            return ()
        stretches, start_ms, before_ms = [], self.start_ms, 0.0
        for offset_ms, lag_ms in self.lags:
            if offset_ms < self.heard_ms and lag_ms - before_ms >= _BREAK_MS:
                stretches.append((start_ms, self.start_ms + offset_ms + before_ms))
                start_ms = self.start_ms + offset_ms + lag_ms
            before_ms = lag_ms
        return (*stretches, (start_ms, self.ear_ms(self.heard_ms)))


@dataclass(slots=True)
class _Sound:
    """A sample of a segment that listeners are told of when it is heard."""

    at_ms: float
    """Its offset in the audio of the segment."""
    lag_ms: float
    """How long playback stood still for want of audio before it."""
    listeners: list[list[Callable[[float], None]]]
    told: bool = False
    due: asyncio.TimerHandle | None = None


class _Segment:
    """What is known of the audio between the first frame and the end of its playback."""

    def __init__(self) -> None:
        self.captured_ms = 0.0
        self.started_ms: float | None = None
        self.lags: list[Lag] = []
        self.sounds: list[_Sound] = []
        """The first sample that is not silence, and that of an answer, if it is another."""
        self.answers = False
        """Whether an answer sounds in it."""
        self.kept: list[Stamped] = []
        """Its frames, each with the time at which it came."""

    @property
    def lag_ms(self) -> float:
        """How long playback stood still for want of audio."""
        return self.lags[-1].lag_ms if self.lags else 0.0

    def came(self, at_ms: float) -> None:
        """More audio came at ``at_ms``, maybe after what was there had been played."""
        if self.started_ms is not None:
            late_ms = at_ms - (self.started_ms + self.captured_ms + self.lag_ms)
            if late_ms > 0:
                self.lags.append(Lag(self.captured_ms, self.lag_ms + late_ms))

    def heard(self, start_ms: float, heard_ms: float) -> tuple[Stamped, ...]:
        """The frames that were played, each with the time at which it was heard: none before it had come."""
        found: list[Stamped] = []
        at_ms, left_ms = start_ms, heard_ms
        for came_ms, frame in self.kept:
            samples = min(frame.samples_per_channel, round(left_ms * frame.sample_rate / 1000))
            if samples <= 0:
                break
            at_ms = max(at_ms, came_ms)
            found.append(Stamped(at_ms, _beginning(frame, samples)))
            at_ms += frame.duration * 1000
            left_ms -= frame.duration * 1000
        return tuple(found)


class AgentTap(io.AudioOutput):
    """The agent's audio, noted on its way to the line.

    When a sample is at the caller's ear follows from when the line began to play the segment
    (``playback_started``) and from how much audio was queued ahead of that sample. A line that reports no
    start is taken by its ``playback_finished``: the end, less what was played.

    Attributes:
        on_begun: called with the call time in milliseconds at which the first audio of a segment came; it is heard
            then or later.
        on_first_sound: called with the call time in milliseconds at which the caller hears the first sample
            of a reply that is not silence; not called for a reply that is cut before that.
        on_answer: the same for the first such sample that is not marked as :data:`NO_ANSWER`.
        on_finished: called with the :class:`Playout` when a segment has ended.
        keeps_audio: whether a :class:`Playout` holds the audio.
    """

    def __init__(self, next_in_chain: io.AudioOutput, clock: CallClock) -> None:
        super().__init__(
            label="AgentTap",
            capabilities=io.AudioOutputCapabilities(pause=True),
            next_in_chain=next_in_chain,
            sample_rate=next_in_chain.sample_rate,
        )
        # The base class may have put a proxy between, by which the line can be swapped.
        self._below = self.next_in_chain or next_in_chain
        self._clock = clock
        self.on_begun: list[Callable[[float], None]] = []
        self.on_first_sound: list[Callable[[float], None]] = []
        self.on_answer: list[Callable[[float], None]] = []
        self.on_finished: list[Callable[[Playout], None]] = []
        self.keeps_audio = False
        self.frames = 0
        self._segments: deque[_Segment] = deque()
        self._capturing = False
        self._filling: _Segment | None = None
        self.on("playback_started", self._started)
        self.on("playback_finished", self._finished)

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if not self._capturing:
            self._capturing = True
            self._filling = _Segment()
            self._segments.append(self._filling)
            _call(self.on_begun, self._clock.now_ms())
        # What is captured of a segment that was cleared, until it is flushed, is never played.
        if self._filling is not None:
            self._note(self._filling, frame)
        await self._below.capture_frame(frame)

    def flush(self) -> None:
        super().flush()
        self._capturing, self._filling = False, None
        self._below.flush()

    def clear_buffer(self) -> None:
        self._below.clear_buffer()

    def _note(self, segment: _Segment, frame: rtc.AudioFrame) -> None:
        self.frames += 1
        now_ms = self._clock.now_ms()
        if self.keeps_audio:
            segment.kept.append(Stamped(now_ms, frame))
        segment.came(now_ms)
        if not segment.answers:
            sound = first_sound(np.frombuffer(frame.data, np.int16))
            if sound is not None:
                segment.answers = NO_ANSWER not in frame.userdata
                told = [] if segment.sounds else [self.on_first_sound]
                told += [self.on_answer] if segment.answers else []
                if told:
                    at_ms = sound // frame.num_channels * 1000 / frame.sample_rate
                    segment.sounds.append(_Sound(segment.captured_ms + at_ms, segment.lag_ms, told))
                    self._announce(segment)
        segment.captured_ms += frame.duration * 1000

    def _announce(self, segment: _Segment) -> None:
        """Tell of its sounds at the moment they are heard, as far as start and sounds are known."""
        if segment.started_ms is None or segment is not self._segments[0]:
            return
        for sound in segment.sounds:
            if sound.told or sound.due is not None:
                continue
            ear_ms = segment.started_ms + sound.lag_ms + sound.at_ms
            wait_ms = ear_ms - self._clock.now_ms()
            if wait_ms <= 0:
                self._tell(sound, ear_ms)
            else:
                loop = asyncio.get_running_loop()
                sound.due = loop.call_later(wait_ms / 1000, self._tell, sound, ear_ms)

    def _tell(self, sound: _Sound, ear_ms: float) -> None:
        sound.due = None
        if not sound.told:
            sound.told = True
            for listeners in sound.listeners:
                _call(listeners, ear_ms)

    def _started(self, event: io.PlaybackStartedEvent) -> None:
        if self._segments:
            self._segments[0].started_ms = self._clock.from_wall(event.created_at)
            self._announce(self._segments[0])

    def _finished(self, event: io.PlaybackFinishedEvent) -> None:
        if not self._segments:
            return
        segment = self._segments.popleft()
        if segment is self._filling:
            self._filling = None
        end_ms = self._clock.now_ms()
        heard_ms = event.playback_position * 1000
        start_ms = end_ms - heard_ms if segment.started_ms is None else segment.started_ms
        heard: list[float] = []
        for sound in segment.sounds:
            if sound.due is not None:
                sound.due.cancel()
            if heard_ms > sound.at_ms:
                heard.append(start_ms + sound.lag_ms + sound.at_ms)
                self._tell(sound, heard[-1])
        playout = Playout(
            start_ms=start_ms,
            end_ms=end_ms,
            first_sound_ms=heard[0] if heard else None,
            captured_ms=segment.captured_ms,
            heard_ms=heard_ms,
            interrupted=event.interrupted,
            transcript=event.synchronized_transcript,
            heard=segment.heard(start_ms, heard_ms),
            lags=tuple(segment.lags),
        )
        _call(self.on_finished, playout)
        if self._segments and self._segments[0].started_ms is not None:
            self._announce(self._segments[0])


def _beginning(frame: rtc.AudioFrame, samples: int) -> rtc.AudioFrame:
    """The first ``samples`` of each channel."""
    if samples == frame.samples_per_channel:
        return frame
    data = frame.data[: samples * frame.num_channels]
    return rtc.AudioFrame(data.tobytes(), frame.sample_rate, frame.num_channels, samples)


def _call(listeners: list[Callable[[_T], None]], value: _T) -> None:
    for listener in listeners:
        try:
            listener(value)
        except Exception:
            logger.exception("a listener of the agent's audio failed")
