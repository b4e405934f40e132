"""What is left behind where a call came in."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
from livekit import rtc
from livekit.agents import JobContext

from service.ports import RoomPort

pytestmark = pytest.mark.unit


class Room:
    """A room that the agent is in, or was when it lost its connection, with or without its caller."""

    def __init__(self, *, connected: bool, identities: tuple[str, ...]) -> None:
        self.closed = 0
        self.room = SimpleNamespace(
            isconnected=lambda: connected, remote_participants=dict.fromkeys(identities)
        )

    async def delete_room(self) -> None:
        self.closed += 1

    def port(self) -> RoomPort:
        caller = cast(rtc.RemoteParticipant, SimpleNamespace(identity="caller"))
        return RoomPort(cast(JobContext, self), caller)


@pytest.mark.parametrize("connected", [True, False])
async def test_a_room_is_closed_once_when_the_agent_leaves_it_before_the_caller(connected: bool) -> None:
    room = Room(connected=connected, identities=("caller", "somebody else"))
    port = room.port()
    await port.aclose()
    await port.aclose()
    assert room.closed == 1


async def test_a_room_that_the_caller_has_left_is_left_to_those_who_are_in_it() -> None:
    room = Room(connected=True, identities=("somebody else",))
    await room.port().aclose()
    assert room.closed == 0
