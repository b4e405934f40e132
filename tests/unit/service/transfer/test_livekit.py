"""What the line shows a LiveKit server."""

from __future__ import annotations

import pytest
from livekit import api

from engines.people import Target
from service.transfer.errors import NoLiveKitError, NoTrunkError
from service.transfer.livekit import TOKEN_LIFE, VARIABLES, LiveKitServer, dialled, needed

pytestmark = pytest.mark.unit

SECRET = "s" * 40
ENVIRONMENT = dict(zip(VARIABLES, ("ws://127.0.0.1:7880", "key", SECRET), strict=True))


def test_a_token_is_good_for_one_room_and_a_short_while() -> None:
    server = needed(LiveKitServer.of(ENVIRONMENT))
    claims = api.TokenVerifier("key", SECRET).verify(server.token("desk-anna", "line-1"))
    assert claims.identity == "line-1"
    assert claims.video is not None
    assert (claims.video.room_join, claims.video.room) == (True, "desk-anna")
    assert not claims.video.room_admin
    assert not claims.video.room_create
    assert TOKEN_LIFE.total_seconds() <= 3600


def test_the_secret_is_not_printed() -> None:
    assert SECRET not in repr(LiveKitServer.of(ENVIRONMENT))


@pytest.mark.parametrize("missing", VARIABLES)
def test_without_all_of_it_there_is_no_server(missing: str) -> None:
    server = LiveKitServer.of({name: value for name, value in ENVIRONMENT.items() if name != missing})
    assert server is None
    with pytest.raises(NoLiveKitError):
        needed(server)


async def test_nobody_is_dialled_without_a_trunk() -> None:
    with pytest.raises(NoTrunkError):
        await needed(LiveKitServer.of(ENVIRONMENT)).dial(Target("tel", "+41445550123"), "room", within_s=1)


def test_numbers_and_addresses_are_dialled_as_livekit_takes_them() -> None:
    assert dialled(Target("tel", "+41445550123")) == "+41445550123"
    assert dialled(Target("sip", "desk@example.com")) == "sip:desk@example.com"
