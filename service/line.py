"""A telephone line inside the process: a call with no room.

Both directions run at real-time pace on the call's clock. What was said and what was heard are kept as samples
on that clock, so that a wait measured on the recording is the wait of the caller.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

import numpy as np
from livekit import rtc
from livekit.agents.voice import io

from compliance.clock import CallClock
from compliance.tap import RATE_HZ
from compliance.voiced import Samples
from service.track import Track

FRAME_MS = 20
FRAME_SAMPLES = RATE_HZ * FRAME_MS // 1000
_PER_MS = RATE_HZ / 1000


class LineClosedError(Exception):
    """The other side hung up, or the line was closed, before what was asked for had happened."""


@dataclass(frozen=True)
class Said:
    """When a piece of audio was on the line: call times in milliseconds."""

    start_ms: float
    end_ms: float


class Line:
    """One call's line, seen from the caller. The agent's side is :attr:`input` and :attr:`output`.

    Args:
        clock: the call's clock; the recording begins at its zero. By default the call is answered now.
    """

    def __init__(self, clock: CallClock | None = None) -> None:
        self.clock = clock or CallClock()
        self._caller = Track()
        self._agent = Track()
        self._hung_up = asyncio.Event()
        self._hung_up_ms: float | None = None
        self._changed = asyncio.Event()
        self.input: io.AudioInput = _Mouth(self)
        self._ear = _Ear(self)
        self.output: io.AudioOutput = self._ear

    @property
    def closed(self) -> bool:
        return self._hung_up_ms is not None

    @property
    def agent_speaking(self) -> bool:
        """Whether agent audio is reaching the caller's ear now."""
        return not self._ear.paused and self._agent.end > self._position()

    async def say(self, samples: Samples) -> Said:
        """Put caller audio (24 kHz mono int16) on the line; returns when its last sample was sent.

        Raises:
            LineClosedError: the line was closed before that.
        """
        if self.closed:
            raise LineClosedError("the caller cannot speak: the line is closed")
        start = self._caller.put(self._position(), samples)
        end = start + len(samples)
        try:
            if not await self._until(end / _PER_MS):
                raise LineClosedError("the line was closed while the caller was speaking")
        except asyncio.CancelledError:
            self._caller.cut(self._position())
            raise
        return Said(start / _PER_MS, end / _PER_MS)

    async def agent_started(self, since_ms: float | None = None) -> float:
        """Wait until the caller hears the agent; returns when the first sample that is not silence was heard.

        Args:
            since_ms: sound heard before this call time does not count; by default, before now.

        Raises:
            LineClosedError: the line was closed before that.
        """
        since = self._position() if since_ms is None else math.ceil(since_ms * _PER_MS)
        while True:
            changed = self._changed
            sound = self._agent.first_sound(since)
            if self.closed:
                raise LineClosedError("the line was closed before the agent spoke")
            if sound is None:
                await changed.wait()
            elif sound < self._position():
                return sound / _PER_MS
            else:
                # One sample on, for a sample is heard when it is over.
                await self._wait(changed, until_ms=(sound + 1) / _PER_MS)

    async def agent_finished(self, quiet_ms: float = 700) -> float:
        """Wait until nothing of the agent has been heard for ``quiet_ms``, counted from now at the earliest.

        Returns:
            The call time in milliseconds of the last agent sample that is not silence, or of the start of
            this wait when that is later.

        Raises:
            LineClosedError: the line was closed before that.
        """
        asked_ms = self.clock.now_ms()
        while True:
            changed = self._changed
            if self.closed:
                raise LineClosedError("the line was closed while the agent was speaking")
            last = self._agent.last_sound()
            ended_ms = asked_ms if last is None else max(asked_ms, (last + 1) / _PER_MS)
            if self._ear.paused:  # what is held back is still to come, or to be thrown away
                await changed.wait()
            elif self.clock.now_ms() >= ended_ms + quiet_ms:
                return ended_ms
            else:
                await self._wait(changed, until_ms=ended_ms + quiet_ms)

    def hang_up(self) -> None:
        """End the call, from either side: the session's input ends, and nothing more is heard."""
        if self.closed:
            return
        self._caller.cut(self._position())
        self._ear.cut_off()
        self._hung_up_ms = self.clock.now_ms()
        self._hung_up.set()
        self._notify()

    async def hung_up(self) -> None:
        """Wait until the call has ended."""
        await self._hung_up.wait()

    def recording(self) -> tuple[Samples, Samples]:
        """What the caller said and what the caller heard, from answer until now or the end of the call.

        Two int16 arrays of one length at 24 kHz: sample ``n`` of both is at ``n / 24`` ms on the call's clock.
        """
        until = self._position()
        return self._caller.read(0, until), self._agent.read(0, until)

    def _position(self) -> int:
        """The sample of both tracks that is on the line next."""
        now_ms = self.clock.now_ms() if self._hung_up_ms is None else self._hung_up_ms
        return math.ceil(now_ms * _PER_MS)

    async def _until(self, at_ms: float) -> bool:
        """Wait for a call time; False when the line is closed before it."""
        while not self.closed and self.clock.now_ms() < at_ms:
            await self._wait(self._hung_up, until_ms=at_ms)
        return self._hung_up_ms is None or self._hung_up_ms >= at_ms

    async def _wait(self, event: asyncio.Event, *, until_ms: float) -> None:
        """Wait for an event, at most until a call time."""
        try:
            async with asyncio.timeout((until_ms - self.clock.now_ms()) / 1000):
                await event.wait()
        except TimeoutError:
            pass

    def _notify(self) -> None:
        """Wake who waits for something to change on the agent's side."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


class _Mouth(io.AudioInput):
    """The caller's audio, a frame as soon as its last sample was spoken.

    Deadlines are absolute, so that a busy loop makes frames late but never fewer, and pace never drifts.
    """

    def __init__(self, line: Line) -> None:
        super().__init__(label="Line")
        self._line = line
        self._frames = 0

    async def __anext__(self) -> rtc.AudioFrame:
        start = self._frames * FRAME_SAMPLES
        if not await self._line._until((self._frames + 1) * FRAME_MS):
            raise StopAsyncIteration
        self._frames += 1
        samples = self._line._caller.read(start, start + FRAME_SAMPLES)
        return rtc.AudioFrame(samples.tobytes(), RATE_HZ, 1, FRAME_SAMPLES)


class _Segment:
    """Agent audio from its first frame to the end of its playback."""

    def __init__(self) -> None:
        self.captured = 0
        self.unheard = 0
        self.started = False
        self.flushed = False
        self.finished = asyncio.Event()


class _Ear(io.AudioOutput):
    """The agent's audio, heard from the very sample at which it arrives when nothing is queued before it."""

    def __init__(self, line: Line) -> None:
        super().__init__(
            label="Line", capabilities=io.AudioOutputCapabilities(pause=True), sample_rate=RATE_HZ
        )
        self._line = line
        self._segment: _Segment | None = None
        self._held: list[Samples] = []
        self._timer: asyncio.TimerHandle | None = None
        self.paused = False

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        if frame.sample_rate != RATE_HZ:
            raise ValueError(f"the line takes {RATE_HZ} Hz, not {frame.sample_rate} Hz: resample it first")
        if self._segment is not None and self._segment.flushed:
            await self._segment.finished.wait()
        await super().capture_frame(frame)
        if self._segment is None:
            self._segment = _Segment()
        if self._segment.finished.is_set():
            return  # cleared and not yet flushed: the rest of it is not to be heard
        samples = np.frombuffer(frame.data, np.int16)
        if frame.num_channels > 1:
            samples = samples.reshape(-1, frame.num_channels).mean(axis=1).astype(np.int16)
        self._segment.captured += len(samples)
        if self._line.closed:
            self._segment.unheard += len(samples)
        elif self.paused:
            self._held.append(samples)
        else:
            self._play(self._segment, samples)

    def flush(self) -> None:
        super().flush()
        segment = self._segment
        if segment is None:
            return
        segment.flushed = True
        if segment.finished.is_set():
            self._segment = None
        elif not self._line.closed:
            self._finish_when_heard()

    def clear_buffer(self) -> None:
        self.cut_off()
        if self._segment is not None and not self._segment.finished.is_set():
            self._finish(self._segment, interrupted=True)

    def cut_off(self) -> None:
        """Stop playing for good: what is left is not heard.

        The segment ends only when the session clears it: were it told at once that playback is over, it would
        keep the reply on record as heard in full.
        """
        self._stop_timer()
        cut = self._line._agent.cut(self._line._position())
        if self._segment is not None and not self._segment.finished.is_set():
            self._segment.unheard += len(cut) + sum(map(len, self._held))
        self._held.clear()

    def pause(self) -> None:
        super().pause()
        if self.paused or self._line.closed:
            return
        self.paused = True
        cut = self._line._agent.cut(self._line._position())
        self._held = [cut] if len(cut) else []
        self._stop_timer()
        self._line._notify()

    def resume(self) -> None:
        super().resume()
        if not self.paused:
            return
        self.paused = False
        held, self._held = self._held, []
        if self._segment is not None and not self._segment.finished.is_set():
            for samples in held:
                self._play(self._segment, samples)
            if self._segment.flushed:
                self._finish_when_heard()
        self._line._notify()

    def _play(self, segment: _Segment, samples: Samples) -> None:
        start = self._line._agent.put(self._line._position(), samples)
        if not segment.started:
            segment.started = True
            self.on_playback_started(created_at=self._line.clock.to_wall(start / _PER_MS))
        self._line._notify()

    def _finish_when_heard(self) -> None:
        self._stop_timer()
        segment = self._segment
        if segment is None or segment.finished.is_set() or self.paused:
            return
        left_ms = self._line._agent.end / _PER_MS - self._line.clock.now_ms()
        if left_ms > 0:
            self._timer = asyncio.get_running_loop().call_later(left_ms / 1000, self._finish_when_heard)
        else:
            self._finish(segment, interrupted=False)

    def _finish(self, segment: _Segment, *, interrupted: bool) -> None:
        self._stop_timer()
        self._held.clear()
        segment.finished.set()
        if segment.flushed:
            self._segment = None
        self.on_playback_finished(
            playback_position=(segment.captured - segment.unheard) / RATE_HZ, interrupted=interrupted
        )
        self._line._notify()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
