"""Join tokens: what is in them, and what is not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from livekit.api import TokenVerifier

from service.web import LiveKit, join_token
from service.web.rooms import LONGEST
from service.worker import source_of

pytestmark = pytest.mark.unit

ROOMS = LiveKit("ws://livekit.example.com", "key", "a secret of thirty-two characters")
MINUTE = timedelta(minutes=1)


def test_a_token_is_for_one_room_and_one_identity_and_a_microphone() -> None:
    made = join_token(ROOMS, agent="robin", lasting=MINUTE)
    claims = TokenVerifier(ROOMS.key, ROOMS.secret).verify(made.token)
    assert claims.identity == made.identity
    grants = claims.video
    assert grants is not None
    assert (grants.room_join, grants.room, grants.can_subscribe) == (True, made.room, True)
    assert grants.can_publish_sources == ["microphone"]
    assert not grants.can_publish_data
    for granted in ("room_admin", "room_create", "room_list", "room_record", "agent", "hidden"):
        assert not getattr(grants, granted), granted
    assert not grants.can_update_own_metadata


def test_our_worker_is_dispatched_by_the_token() -> None:
    made = join_token(ROOMS, agent="robin", lasting=MINUTE)
    configuration = TokenVerifier(ROOMS.key, ROOMS.secret).verify(made.token).room_config
    assert configuration is not None
    assert [agent.agent_name for agent in configuration.agents] == ["robin"]


def test_data_messages_are_for_who_asks() -> None:
    made = join_token(ROOMS, agent="robin", lasting=MINUTE, data=True)
    grants = TokenVerifier(ROOMS.key, ROOMS.secret).verify(made.token).video
    assert grants is not None
    assert grants.can_publish_data


def test_every_token_is_for_another_room_whose_name_is_no_telephone_number() -> None:
    made = [join_token(ROOMS, agent="robin", lasting=MINUTE) for _ in range(50)]
    assert len({one.room for one in made}) == len({one.identity for one in made}) == 50
    assert all(source_of(one.room) == f"room:{one.room}" for one in made)


def test_no_token_lasts_longer_than_ten_minutes() -> None:
    assert timedelta(minutes=10) == LONGEST
    with pytest.raises(ValueError, match="at most"):
        join_token(ROOMS, agent="robin", lasting=LONGEST + timedelta(seconds=1))


@pytest.mark.parametrize("missing", ["LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"])
def test_a_server_is_configured_wholly_or_not_at_all(missing: str) -> None:
    whole = {"LIVEKIT_URL": "ws://a", "LIVEKIT_API_KEY": "b", "LIVEKIT_API_SECRET": "c"}
    assert LiveKit.of(whole) == LiveKit("ws://a", "b", "c")
    assert LiveKit.of({**whole, missing: " "}) is None
