"""The line's end of a room in which a person is: what it says there, what is heard from there.

The caller's room and the person's are two. The line is in both and passes the audio on, so that the tap, the record and
the rules on recording go on for the caller, the person hears nothing before the caller is theirs, and neither learns
the other's identity in their room, which may be a telephone number. LiveKit's own warm transfer moves the person into
the caller's room instead (`MoveParticipant`), which a LiveKit server of one's own does not implement (1.13).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable
from types import TracebackType
from typing import Any, Self

from livekit import rtc
from livekit.agents import inference, vad

from compliance.tap import RATE_HZ, FrameQueue
from engines.people import Accept
from service.line import FRAME_MS
from service.transfer.errors import BusyError, NobodyThereError
from service.transfer.livekit import LiveKitServer, is_line

QUEUE_MS = 100
"""Audio that may wait to be sent to the person; more of it would be a delay for as long as they talk."""
HEARD_S = 0.3
"""A voice for so long means that somebody is there."""


class Leg:
    """``async with Leg(server, room, identity) as leg``: joined, until the block is left.

    Args:
        server: the LiveKit server.
        room: the person's room.
        identity: the line's own there.

    Attributes:
        heard: told every frame of the person's audio, 24 kHz mono.
        person: who is there, once they are.
    """

    def __init__(self, server: LiveKitServer, room: str, identity: str) -> None:
        self._server = server
        self._name = room
        self._identity = identity
        self._room = rtc.Room()
        self._source = rtc.AudioSource(RATE_HZ, 1, queue_size_ms=QUEUE_MS)
        self._listening: asyncio.Task[None] | None = None
        self._came: asyncio.Future[rtc.RemoteTrack] = asyncio.get_running_loop().create_future()
        self._gone = asyncio.Event()
        self._keys = asyncio.Event()
        self.heard: Callable[[rtc.AudioFrame], None] = lambda frame: None
        self.person = ""

    async def __aenter__(self) -> Self:
        self._room.on("disconnected", lambda _: self._gone.set())
        self._room.on("participant_disconnected", self._left)
        self._room.on("sip_dtmf_received", lambda _: self._keys.set())
        self._room.on("track_subscribed", self._subscribed)
        try:
            await self._room.connect(self._server.url, self._server.token(self._name, self._identity))
            # Of two lines that join at once, the later finds the earlier, and leaves.
            if any(is_line(one.kind) for one in self._room.remote_participants.values()):
                raise BusyError
            track = rtc.LocalAudioTrack.create_audio_track("caller", self._source)
            options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
            await self._room.local_participant.publish_track(track, options)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        await self._room.disconnect()
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self._source.aclose()

    async def meet(self, identity: str) -> None:
        """Wait until the person is in the room and can be heard.

        Raises:
            NobodyThereError: they left.
        """
        self.person = identity
        for one in self._room.remote_participants.values():
            for publication in one.track_publications.values():
                if one.identity == identity and publication.track is not None:
                    self._subscribed(publication.track, publication, one)
        await self._unless_gone(self._came)
        self._listening = asyncio.create_task(self._listen(self._came.result()), name="patchbay.person")

    async def say(self, audio: AsyncIterable[rtc.AudioFrame]) -> None:
        """Say something to the person; returns when they have heard it.

        Raises:
            NobodyThereError: they left instead.
        """
        resampler: rtc.AudioResampler | None = None
        async for frame in audio:
            if self._gone.is_set():
                raise NobodyThereError
            if frame.sample_rate == RATE_HZ:
                await self._source.capture_frame(frame)
                continue
            resampler = resampler or rtc.AudioResampler(frame.sample_rate, RATE_HZ)
            for part in resampler.push(frame):
                await self._source.capture_frame(part)
        await self._source.wait_for_playout()

    async def accepted(self, by: Accept) -> None:
        """Wait until the person takes the call.

        Raises:
            NobodyThereError: they left instead.
        """
        if by == "at_once":
            return
        taken = asyncio.create_task(self._key() if by == "key" else self._voice(), name="patchbay.accept")
        try:
            await self._unless_gone(taken)
        finally:
            taken.cancel()
            await asyncio.gather(taken, return_exceptions=True)

    async def pass_on(self, caller: FrameQueue) -> None:
        """Let the person hear the caller, until cancelled."""
        while True:
            await self._source.capture_frame((await caller.get()).frame)

    async def left(self) -> None:
        """Wait until the person has left."""
        await self._gone.wait()

    async def _unless_gone(self, work: asyncio.Future[Any]) -> None:
        gone = asyncio.create_task(self._gone.wait(), name="patchbay.person_gone")
        both: set[asyncio.Future[Any]] = {work, gone}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise NobodyThereError
        finally:
            gone.cancel()

    async def _key(self) -> None:
        self._keys.clear()
        await self._keys.wait()

    async def _voice(self) -> None:
        stream = inference.VAD(min_speech_duration=HEARD_S).stream()
        self.heard = stream.push_frame
        try:
            async for event in stream:
                if event.type == vad.VADEventType.START_OF_SPEECH:
                    return
        finally:
            self.heard = lambda frame: None
            await stream.aclose()

    async def _listen(self, track: rtc.RemoteTrack) -> None:
        stream = rtc.AudioStream.from_track(
            track=track, sample_rate=RATE_HZ, num_channels=1, frame_size_ms=FRAME_MS
        )
        try:
            async for event in stream:
                self.heard(event.frame)
        finally:
            await stream.aclose()

    def _subscribed(
        self, track: rtc.RemoteTrack, _: rtc.RemoteTrackPublication, publisher: rtc.RemoteParticipant
    ) -> None:
        wanted = publisher.identity == self.person and track.kind == rtc.TrackKind.KIND_AUDIO
        if wanted and not self._came.done():
            self._came.set_result(track)

    def _left(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity == self.person:
            self._gone.set()
