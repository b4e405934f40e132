"""The LiveKit server by which people are reached: its key, its rooms, its telephones."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from livekit import api, rtc

from engines.people import Target
from service.transfer.errors import BusyError, NobodyThereError, NoLiveKitError, NoTrunkError

VARIABLES = ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET")
TRUNK = "LIVEKIT_SIP_OUTBOUND_TRUNK"
"""The outbound trunk by which people are dialled; the name is LiveKit's."""
DIALLED = "person"
"""The identity of somebody who was dialled."""
TOKEN_LIFE = timedelta(hours=1)
"""A token is only good for joining: who has joined stays."""


@dataclass(frozen=True, slots=True)
class LiveKitServer:
    """Access to a server. The secret stays in here."""

    url: str
    key: str
    secret: str = field(repr=False)
    trunk: str = ""

    @classmethod
    def of(cls, environment: Mapping[str, str] | None = None) -> LiveKitServer | None:
        """The one that the environment names, if it does."""
        found = os.environ if environment is None else environment
        url, key, secret = (found.get(name, "") for name in VARIABLES)
        return cls(url, key, secret, found.get(TRUNK, "")) if url and key and secret else None

    def token(self, room: str, identity: str) -> str:
        """A token with which the line itself joins a room, and may do nothing else."""
        grants = api.VideoGrants(room_join=True, room=room, can_publish=True, can_subscribe=True)
        token = api.AccessToken(self.key, self.secret).with_identity(identity).with_grants(grants)
        return token.with_kind("agent").with_ttl(TOKEN_LIFE).to_jwt()

    @asynccontextmanager
    async def client(self) -> AsyncIterator[api.LiveKitAPI]:
        """A client of the server's API."""
        async with api.LiveKitAPI(self.url, self.key, self.secret) as client:
            yield client

    async def person_in(self, target: Target) -> str:
        """The identity of somebody in a room who has no caller.

        Raises:
            NobodyThereError: nobody is there.
            BusyError: another line is in the room, or on its way to it.
        """
        async with self.client() as client:
            there = await client.room.list_participants(api.ListParticipantsRequest(room=target.room))
        people = [one.identity for one in there.participants if not is_line(one.kind)]
        if target.identity:
            people = [identity for identity in people if identity == target.identity]
        if not people:
            raise NobodyThereError
        if len(there.participants) > sum(not is_line(one.kind) for one in there.participants):
            raise BusyError
        return people[0]

    async def dial(self, target: Target, room: str, *, within_s: float) -> None:
        """Dial somebody into a room; returns when they answered.

        Raises:
            NoTrunkError: there is no trunk to dial by.
            livekit.api.ServerError: they did not answer, or it cannot be done.
        """
        if not self.trunk:
            raise NoTrunkError
        request = api.CreateSIPParticipantRequest(
            sip_trunk_id=self.trunk,
            sip_call_to=dialled(target),
            room_name=room,
            participant_identity=DIALLED,
            wait_until_answered=True,
        )
        request.ringing_timeout.FromTimedelta(timedelta(seconds=within_s))
        async with self.client() as client:
            await client.sip.create_sip_participant(request)

    async def close_room(self, room: str) -> None:
        """End a room; whoever was dialled into it is hung up on."""
        async with self.client() as client:
            await client.room.delete_room(api.DeleteRoomRequest(room=room))


def needed(server: LiveKitServer | None) -> LiveKitServer:
    """Raises :class:`NoLiveKitError` when there is none."""
    if server is None:
        raise NoLiveKitError
    return server


def dialled(target: Target) -> str:
    """A number or URI as LiveKit's SIP service takes it."""
    return target.value if target.scheme == "tel" else str(target)


def is_line(kind: Any) -> bool:
    """Whether a participant of that kind is a line such as this one, and no person."""
    return int(kind) == int(rtc.ParticipantKind.PARTICIPANT_KIND_AGENT)
