"""Join tokens of the web application, on a real livekit-server: what they open, what they do not, and who answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from livekit import api, rtc

from compliance.events import CallEnded, CallStarted
from compliance.ledger import Ledger
from lab.caller import Caller
from lab.callers import recorded_call
from service.line import Line
from service.promises import promises
from service.web import JoinToken, LiveKit, join_token
from tests.scenario.livekit_server import LiveKitServer
from tests.scenario.room_line import joined
from tests.scenario.worker_process import WorkerProcess
from tests.whole_call import PATIENT

pytestmark = [pytest.mark.scenario, pytest.mark.alone, pytest.mark.asyncio(loop_scope="module")]

LIMIT_S = 900.0
"""Only a hang takes so long."""
WORKER = "robin"
SOON = timedelta(minutes=2)
SKEW = timedelta(minutes=1)
"""LiveKit servers let a token live so much longer, for clocks that differ."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveKitServer]:
    async with LiveKitServer(tmp_path_factory.mktemp("livekit")) as running:
        yield running


def token_for(server: LiveKitServer, *, lasting: timedelta = SOON) -> JoinToken:
    return join_token(LiveKit(server.url, server.key, server.secret), agent=WORKER, lasting=lasting)


@asynccontextmanager
async def in_room(server: LiveKitServer, token: str) -> AsyncIterator[rtc.Room]:
    room = rtc.Room()
    try:
        await room.connect(server.url, token)
        yield room
    finally:
        await room.disconnect()


async def test_a_token_opens_its_room_and_nothing_else(server: LiveKitServer) -> None:
    async with asyncio.timeout(LIMIT_S):
        made, other = token_for(server), token_for(server)
        async with in_room(server, made.token) as room, in_room(server, other.token) as another:
            assert (room.name, room.local_participant.identity) == (made.room, made.identity)
            assert another.name != room.name
            async with api.LiveKitAPI(server.url, server.key, server.secret) as admin:
                asked = api.RoomParticipantIdentity(room=made.room, identity=made.identity)
                may = (await admin.room.get_participant(asked)).permission
                assert list(may.can_publish_sources) == [api.TrackSource.MICROPHONE]
                assert may.can_subscribe
                assert not may.can_publish_data
                assert not may.can_update_metadata
                inside = await admin.room.list_participants(api.ListParticipantsRequest(room=made.room))
                assert [one.identity for one in inside.participants] == [made.identity]
            microphone = rtc.LocalAudioTrack.create_audio_track("microphone", rtc.AudioSource(48_000, 1))
            heard = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
            await room.local_participant.publish_track(microphone, heard)
            camera = rtc.LocalVideoTrack.create_video_track("camera", rtc.VideoSource(16, 16))
            seen = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA)
            with pytest.raises(rtc.participant.PublishTrackError):
                await room.local_participant.publish_track(camera, seen)


async def test_a_token_that_expired_and_one_of_another_server_open_nothing(server: LiveKitServer) -> None:
    async with asyncio.timeout(LIMIT_S):
        late = token_for(server, lasting=-SKEW - timedelta(seconds=5))
        forged = join_token(LiveKit(server.url, server.key, "x" * 32), agent=WORKER, lasting=SOON)
        for token in (late, forged):
            with pytest.raises(rtc.ConnectError):
                async with in_room(server, token.token):
                    pass


async def test_a_token_has_no_rights_over_rooms(server: LiveKitServer) -> None:
    async with asyncio.timeout(LIMIT_S):
        made = token_for(server)
        async with api.LiveKitAPI(server.url, token=made.token) as holder:
            for asked in (
                holder.room.list_rooms(api.ListRoomsRequest()),
                holder.room.create_room(api.CreateRoomRequest(name="mine")),
                holder.room.list_participants(api.ListParticipantsRequest(room=made.room)),
                holder.agent_dispatch.create_dispatch(
                    api.CreateAgentDispatchRequest(agent_name="other", room=made.room)
                ),
            ):
                with pytest.raises(api.TwirpError):
                    await asked


async def test_a_browser_with_a_token_is_answered_by_our_worker(
    server: LiveKitServer, tmp_path: Path
) -> None:
    whole = recorded_call("02")
    recorded = replace(whole, turns=whole.turns[:1])
    ledger = tmp_path / "room.sqlite"
    async with asyncio.timeout(LIMIT_S):
        environment = {
            **server.environment,
            "PATCHBAY_WORKER_NAME": WORKER,
            "PATCHBAY_LEDGER": str(ledger),
            "PATCHBAY_IDLE_PROCESSES": "1",
            "PATCHBAY_HEALTH_PORT": "0",
        }
        async with WorkerProcess(tmp_path, environment) as worker:
            await worker.says("registered worker")
            made = token_for(server)
            line = Line()
            async with joined(line, server, made.room, token=made.token):
                report = await Caller(recorded, line, manners=PATIENT).run()
            worker.terminate()
            await worker.ended()
    assert report.greeted
    assert all(turn.heard_latency_ms is not None for turn in report.turns)
    opened = Ledger.open(ledger, must_exist=True)
    try:
        (call_id,) = opened.calls()
        events = opened.events(call_id)
        assert opened.verify().ok
    finally:
        opened.close()
    started, ended = events[0], events[-1]
    assert isinstance(started, CallStarted)
    assert started.source == f"room:{made.room}"
    assert isinstance(ended, CallEnded)
    assert promises(events) == ()
