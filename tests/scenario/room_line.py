"""A line that leads into a LiveKit room: the caller of the lab speaks there as on any other line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
from livekit import api, rtc

from compliance.tap import RATE_HZ
from compliance.voiced import SOUND_LEVEL
from service.line import Line
from tests.scenario.livekit_server import LiveKitServer

JOIN_LIMIT_S = 300.0
QUEUE_MS = 100
BIT_RATE = 64_000
"""Of the caller's Opus: at what a browser takes for speech, the lab's recogniser often takes one word for another."""


async def make_room(server: LiveKitServer, name: str, *, agent: str) -> None:
    """A room that the worker called ``agent`` is dispatched to, by that name and explicitly."""
    async with api.LiveKitAPI(server.url, server.key, server.secret) as livekit:
        await livekit.room.create_room(
            api.CreateRoomRequest(name=name, agents=[api.RoomAgentDispatch(agent_name=agent)])
        )


@asynccontextmanager
async def joined(
    line: Line,
    server: LiveKitServer,
    name: str,
    *,
    identity: str = "caller",
    token: str = "",
    within_s: float = JOIN_LIMIT_S,
) -> AsyncIterator[rtc.Room]:
    """Join room ``name`` on ``line``, as the caller or somebody else, until it is hung up or the block is left.

    With a ``token`` it is joined by that, else by one that is made here. An agent must be there ``within_s``.

    The line is hung up when the room is closed from the other side.
    """
    grants = api.VideoGrants(room_join=True, room=name)
    own = api.AccessToken(server.key, server.secret).with_identity(identity).with_grants(grants)
    room = rtc.Room()
    agent: asyncio.Future[rtc.RemoteTrack] = asyncio.get_running_loop().create_future()

    def subscribed(track: rtc.RemoteTrack, _: object, publisher: rtc.RemoteParticipant) -> None:
        by_agent = publisher.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
        if by_agent and track.kind == rtc.TrackKind.KIND_AUDIO and not agent.done():
            agent.set_result(track)

    room.on("track_subscribed", subscribed)
    room.on("disconnected", lambda _: line.hang_up())
    source = rtc.AudioSource(RATE_HZ, 1, queue_size_ms=QUEUE_MS)
    published = asyncio.Event()
    tasks = [asyncio.create_task(_speak(line, source, published), name="caller speaks into the room")]
    try:
        await room.connect(server.url, token or own.to_jwt())
        microphone = rtc.LocalAudioTrack.create_audio_track("microphone", source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        options.audio_encoding.max_bitrate = BIT_RATE
        await room.local_participant.publish_track(microphone, options)
        published.set()
        async with asyncio.timeout(within_s):
            track = await agent
        tasks.append(asyncio.create_task(_listen(line, track), name="caller listens to the room"))
        yield room
    finally:
        line.hang_up()
        await room.disconnect()
        for task in tasks:
            task.cancel()  # the agent's track does not end by itself when the other side closed the room
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        await source.aclose()
    for error in ended:
        if isinstance(error, Exception):
            raise error


async def _speak(line: Line, source: rtc.AudioSource, published: asyncio.Event) -> None:
    # What is said before that is lost, and so is silence that a busy machine is late with: it would delay the rest.
    sent_ms = 0.0
    async for frame in line.input:
        sent_ms += 1000 * frame.duration
        late = line.clock.now_ms() - sent_ms > QUEUE_MS
        if published.is_set() and not (late and not any(frame.data)):
            await source.capture_frame(frame)


async def _listen(line: Line, track: rtc.RemoteTrack) -> None:
    """What the codec makes of silence is silence: the line is told only of sound."""
    stream = rtc.AudioStream.from_track(track=track, sample_rate=RATE_HZ, num_channels=1)
    try:
        async for event in stream:
            if np.abs(np.frombuffer(event.frame.data, np.int16).astype(np.int32)).max() > SOUND_LEVEL:
                await line.output.capture_frame(event.frame)
    finally:
        await stream.aclose()
