"""Join tokens: what lets one browser into one LiveKit room, to be answered by our worker there.

Source: LiveKit, *Tokens and grants* and *Agent dispatch*. The room is made when its caller joins, and the worker is
dispatched to it by name; neither the browser nor whoever has the token can name another room or another agent.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from livekit.api import AccessToken, RoomAgentDispatch, RoomConfiguration, VideoGrants

LONGEST = timedelta(minutes=10)
"""No join token is good for longer. LiveKit servers allow a minute of clock skew beyond that."""
EMPTY_S = 30
"""A room whose caller has not come, or has gone, is closed after so many seconds."""
_RANDOM = 24  # letters, 112 random bits: no digits, which the record would take for a telephone number


@dataclass(frozen=True, slots=True)
class LiveKit:
    """The server that rooms are on, and the keys to it."""

    url: str
    key: str
    secret: str

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> LiveKit | None:
        """As the environment has it; ``None`` unless all of it is set."""
        names = ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET")
        values = [environment.get(name, "").strip() for name in names]
        return cls(*values) if all(values) else None


@dataclass(frozen=True, slots=True)
class JoinToken:
    """A token, and what it is for."""

    room: str
    identity: str
    token: str
    expires_at: datetime
    """By when its holder has to join; who has joined stays."""


def join_token(livekit: LiveKit, *, agent: str, lasting: timedelta, data: bool = False) -> JoinToken:
    """A token for a new room: one room, one identity; to publish a microphone and to hear, and nothing else.

    Args:
        livekit: the server.
        agent: the name that our worker is dispatched by.
        lasting: how long it is good for, at most :data:`LONGEST`.
        data: whether its holder may send data messages.

    Raises:
        ValueError: it would last too long.
    """
    if lasting > LONGEST:
        raise ValueError(f"a join token lasts at most {LONGEST}, not {lasting}")
    room, identity = f"call-{_random()}", f"caller-{_random()}"
    grants = VideoGrants(
        room_join=True,
        room=room,
        can_publish=True,
        can_publish_sources=["microphone"],
        can_publish_data=data,
        can_subscribe=True,
        can_update_own_metadata=False,
    )
    configuration = RoomConfiguration(
        empty_timeout=EMPTY_S, departure_timeout=EMPTY_S, agents=[RoomAgentDispatch(agent_name=agent)]
    )
    token = (
        AccessToken(livekit.key, livekit.secret)
        .with_identity(identity)
        .with_grants(grants)
        .with_room_config(configuration)
        .with_ttl(lasting)
        .to_jwt()
    )
    return JoinToken(room, identity, token, datetime.now(UTC) + lasting)


def _random() -> str:
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(_RANDOM))
