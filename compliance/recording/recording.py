"""Recording one call: audio and facts come in from the call, and a thread keeps what may be kept."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from livekit import rtc

from compliance.clock import CallClock
from compliance.errors import ComplianceError
from compliance.events import Event, PartFailed, RecordingDestroyed, RecordingKept, Utterance
from compliance.heard import Segment
from compliance.recording.held import LONGEST_MS, Block, Held
from compliance.recording.kept import KeptRecording
from compliance.recording.words import Span
from compliance.tap import RATE_HZ, Playout, Stamped
from compliance.voiced import Samples

logger = logging.getLogger(__name__)

_FRAMES_AT_ONCE = 25
"""Half a second: the thread is not woken for every frame."""
_MOST_WAITING = 600
"""What may wait for a slow disk, mostly half seconds of audio: 15 MB. What comes on top is lost, and so silent."""
_CLOSE_S = 10.0


class Recording:
    """Records one call, in two channels, as far as the caller agrees and the redactor knows what was said.

    Without consent nothing is written. Whatever goes wrong ends the recording and is told as an event; the call goes
    on. Create it on the event loop of the call. Methods return at once; ``redacted`` may be called from any thread.

    Args:
        call_id: the call.
        path: the file; it is made when there is consent and something to keep.
        key: gives the 32 bytes of the key; asked in the thread, when the file is made.
        clock: the call's clock.
        emit: takes the recording's own events, from its thread.
        destroy_when_revoked: whether what was kept is destroyed when the caller takes the consent back.
        longest_ms: how long audio may wait in memory for what is said in it to be redacted.
    """

    def __init__(
        self,
        call_id: str,
        path: Path,
        key: Callable[[], bytes],
        *,
        clock: CallClock,
        emit: Callable[[Event], None],
        destroy_when_revoked: bool = True,
        longest_ms: float = LONGEST_MS,
    ) -> None:
        self._call_id = call_id
        self._path = path
        self._key = key
        self._clock = clock
        self._emit = emit
        self._destroy_when_revoked = destroy_when_revoked
        self._held = Held(longest_ms=longest_ms)
        self._file: KeptRecording | None = None
        self._silenced = [0, 0, 0]
        self._failed = False
        self._consented = False
        self._frames: list[Stamped] = []
        self._closed: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"recording {call_id}", daemon=True)
        self._thread.start()

    def consent(self, at_ms: float, *, given: bool) -> None:
        """The caller agrees to be recorded from this moment on, or takes that back."""
        self._consented = self._consented or given
        self._put(partial(self._change_consent, at_ms, given))

    def caller_heard(self, start_ms: float, frame: rtc.AudioFrame) -> None:
        """A frame of the caller's audio; a sink of :class:`compliance.tap.CallerTap`."""
        if not self._consented:
            return  # not even in memory
        self._frames.append(Stamped(start_ms, frame))
        if len(self._frames) >= _FRAMES_AT_ONCE:
            self._flush()

    def agent_begins(self, at_ms: float) -> None:
        """The first audio of a reply has come; see :attr:`compliance.tap.AgentTap.on_begun`."""
        self._put(partial(self._held.agent_begins, at_ms))

    def agent_heard(self, playout: Playout) -> None:
        """A reply was played; see :attr:`compliance.tap.AgentTap.on_finished`."""
        heard = () if self._behind else playout.heard
        self._put(partial(self._agent, heard))

    def said(self, segment: Segment) -> None:
        """A final segment, before it goes on record."""
        self._put(partial(self._held.said, segment))

    def redacted(self, event: Event, spans: Sequence[Span] | None, *, suspended: bool) -> None:
        """An event is on record.

        Args:
            event: as it is there.
            spans: what was masked, in characters of the text as it was said; None when nobody knows.
            suspended: whether a CVV or PIN is expected now.
        """
        if isinstance(event, Utterance):
            self._queue.put(partial(self._held.redacted, event, spans, suspended=suspended))

    async def aclose(self) -> None:
        """Keeps what is left, once everything said is redacted, and puts the recording on record.

        A disk that hangs is waited for so long only; the thread is left to it.
        """
        if self._closed is None:
            self._closed = self._loop.create_future()
            self._flush()
            self._queue.put(None)
        done, _ = await asyncio.wait({self._closed}, timeout=_CLOSE_S)
        if not done:
            self._tell_failed(TimeoutError(), "the call ended before its recording was kept to its end")

    @property
    def _behind(self) -> bool:
        return self._queue.qsize() >= _MOST_WAITING

    def _put(self, work: Callable[[], None]) -> None:
        self._flush()
        self._queue.put(work)

    def _flush(self) -> None:
        if self._frames:
            frames, self._frames = self._frames, []
            if not self._behind:
                self._queue.put(partial(self._caller, frames))

    # What follows runs on the recording's thread.

    def _work(self) -> None:
        try:
            while (work := self._queue.get()) is not None:
                self._guarded(work)
                self._guarded(self._keep)
            self._guarded(partial(self._keep, everything=True))
            self._guarded(self._finish)
            self._tell_kept()
        finally:
            try:
                self._loop.call_soon_threadsafe(self._tell_closed)
            except RuntimeError:  # the loop is closed: nobody waits
                logger.debug("call %s: the loop closed before its recording", self._call_id)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            if self._failed:
                return
            self._failed = True
            action = "the recording ends here; what was kept before can be read, and the call goes on"
            self._tell_failed(error, action)

    def _tell_failed(self, error: Exception, action: str) -> None:
        name = type(error).__name__
        logger.error("call %s: recording failed: %s; %s", self._call_id, name, action)
        self._tell(
            PartFailed(
                call_id=self._call_id,
                at_ms=self._clock.now_ms(),
                part="recording",
                error=name,
                action=action,
            )
        )

    def _tell(self, event: Event) -> None:
        try:
            self._emit(event)
        except ComplianceError as error:  # a thread that hung for longer than the call
            logger.error(
                "call %s: a %s event came too late: %s", self._call_id, event.kind, type(error).__name__
            )

    def _caller(self, frames: Sequence[Stamped]) -> None:
        for start_ms, frame in frames:
            self._held.caller(start_ms, np.frombuffer(frame.data, np.int16))

    def _agent(self, heard: Sequence[Stamped]) -> None:
        self._held.agent(_pieces(heard) if self._consented else ())

    def _change_consent(self, at_ms: float, given: bool) -> None:
        destroy = self._destroy_when_revoked and not given
        # What waits was said with the consent that is taken back: it goes the way of what was kept.
        self._held.consent(0.0 if destroy else at_ms, given=given)
        if destroy and self._file is not None:
            self._file.discard()
            self._file = None
            self._silenced = [0, 0, 0]
            self._tell(
                RecordingDestroyed(call_id=self._call_id, at_ms=at_ms, reason="the consent was taken back")
            )

    def _keep(self, *, everything: bool = False) -> None:
        for block in self._held.release(everything=everything):
            if not self._failed and (self._file is not None or block.consented):
                self._write(block)

    def _write(self, block: Block) -> None:
        if self._file is None:
            self._file = KeptRecording(self._path, self._key())
            # Sample n of the file is at n / 24 ms of the call, whenever the consent came.
            self._file.write_silence(block.start)
        self._file.write(block.samples)
        for index, count in enumerate((block.muted, block.suspended, block.withheld)):
            self._silenced[index] += count

    def _finish(self) -> None:
        if self._file is not None and not self._failed:
            self._file.finish()

    def _tell_kept(self) -> None:
        if (file := self._file) is None:
            return
        file.close()
        muted_ms, suspended_ms, withheld_ms = (count * 1000 / RATE_HZ for count in self._silenced)
        self._tell(
            RecordingKept(
                call_id=self._call_id,
                at_ms=self._clock.now_ms(),
                file=file.name,
                sha256=file.sha256,
                size_bytes=file.size_bytes,
                duration_ms=file.samples * 1000 / RATE_HZ,
                muted_ms=muted_ms,
                suspended_ms=suspended_ms,
                withheld_ms=withheld_ms,
                complete=not self._failed,
            )
        )

    # On the loop again.

    def _tell_closed(self) -> None:
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)


def _pieces(heard: Sequence[Stamped]) -> list[tuple[float, Samples]]:
    """Frames as pieces of 24 kHz mono, frames that follow each other joined: a resampler needs what came before."""
    pieces: list[tuple[float, Samples]] = []
    run: list[Stamped] = []
    for stamped in heard:
        if run and (
            abs(stamped.start_ms - run[-1].end_ms) > 1
            or stamped.frame.sample_rate != run[0].frame.sample_rate
        ):
            pieces.append((run[0].start_ms, _joined(run)))
            run = []
        run.append(stamped)
    if run:
        pieces.append((run[0].start_ms, _joined(run)))
    return pieces


def _joined(run: Sequence[Stamped]) -> Samples:
    samples = np.concatenate([_mono(stamped.frame) for stamped in run])
    rate_hz = run[0].frame.sample_rate
    if rate_hz == RATE_HZ:
        return samples
    resampler = rtc.AudioResampler(rate_hz, RATE_HZ)
    frames = [
        *resampler.push(rtc.AudioFrame(samples.tobytes(), rate_hz, 1, len(samples))),
        *resampler.flush(),
    ]
    return np.concatenate([_mono(frame) for frame in frames] or [samples[:0]])


def _mono(frame: rtc.AudioFrame) -> Samples:
    samples = np.frombuffer(frame.data, np.int16)
    if frame.num_channels == 1:
        return samples
    mixed: Samples = samples.reshape(-1, frame.num_channels).mean(axis=1).astype(np.int16)
    return mixed
