"""Where a call's audio comes from and goes to: a line in this process, a LiveKit room, or the console.

A port gives the session's outermost audio ends; the call puts its taps on them, so the record is the same
whatever the line. No port publishes a transcript: the only text that leaves a call is redacted.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from livekit import api, rtc
from livekit.agents import AgentSession, JobContext
from livekit.agents.cli import AgentsConsole
from livekit.agents.voice import io
from livekit.agents.voice.room_io import AudioInputOptions, RoomIO, RoomOptions
from livekit.protocol.sip import SIPTransferStatus

from engines.people import Target
from service.line import FRAME_MS, Line
from service.transfer.errors import NotPassedOnError


class Port(Protocol):
    """One end of a call."""

    async def open(self, session: AgentSession[Any]) -> tuple[io.AudioInput, io.AudioOutput]:
        """Connect; returns the caller's audio and where the agent's audio goes."""

    def hang_up(self) -> None:
        """The service has ended the call: who is on the other side is let go at once, or with :meth:`aclose`."""

    async def pass_on(self, to: Target) -> None:
        """Pass the caller on to a telephone or SIP address; returns when they are gone.

        Raises:
            service.transfer.errors.NotPassedOnError: this caller cannot be.
            livekit.api.ServerError: the server refused.
        """

    async def aclose(self) -> None:
        """Disconnect, and leave nobody on the line. Safe to call twice, and when it was never opened."""


class LinePort:
    """A line inside this process."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def open(self, session: AgentSession[Any]) -> tuple[io.AudioInput, io.AudioOutput]:
        return self._line.input, self._line.output

    def hang_up(self) -> None:
        self._line.hang_up()

    async def pass_on(self, to: Target) -> None:
        """There is no exchange behind this line: the call ends, and the record says where it would have gone."""

    async def aclose(self) -> None:
        self._line.hang_up()


class RoomPort:
    """A LiveKit room: WebRTC callers, and telephone callers through SIP."""

    def __init__(self, context: JobContext, caller: rtc.RemoteParticipant) -> None:
        self._context = context
        self._caller = caller
        self._ends: RoomIO | None = None
        self._closed = False

    async def open(self, session: AgentSession[Any]) -> tuple[io.AudioInput, io.AudioOutput]:
        self._ends = RoomIO(
            session,
            self._context.room,
            participant=self._caller,
            options=RoomOptions(
                # Frames as short as the line's: LiveKit's 50 ms are 30 ms more before a pause is noticed. Gain is left
                # as it comes: how loud somebody is tells how upset they are.
                audio_input=AudioInputOptions(frame_size_ms=FRAME_MS, auto_gain_control=False),
                text_input=False,
                text_output=False,
                close_on_disconnect=True,
            ),
        )
        await self._ends.start()
        return _ends_of(session)

    def hang_up(self) -> None:
        """The caller is let go when the room is left."""

    async def pass_on(self, to: Target) -> None:
        """By SIP REFER (RFC 3515), which only who called by SIP can be sent."""
        if self._caller.kind != rtc.ParticipantKind.PARTICIPANT_KIND_SIP:
            raise NotPassedOnError
        asked = api.TransferSIPParticipantRequest(
            room_name=self._context.room.name, participant_identity=self._caller.identity, transfer_to=str(to)
        )
        answer = await self._context.api.sip.transfer_sip_participant(asked)
        if answer.status == SIPTransferStatus.STS_TRANSFER_FAILED:
            raise NotPassedOnError

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            if self._ends is not None:
                await self._ends.aclose()
        finally:
            if self._caller.identity in self._context.room.remote_participants:
                # The agent leaves first, or has lost its connection: nobody is to be left on a silent line.
                await self._context.delete_room()


class ConsolePort:
    """The microphone and loudspeaker of ``patchbay worker console``."""

    def __init__(self, console: AgentsConsole) -> None:
        self._console = console

    async def open(self, session: AgentSession[Any]) -> tuple[io.AudioInput, io.AudioOutput]:
        # The console reaches for the ends of the session that it was given whenever its mode is switched, past
        # any tap. So it is given one that is never started, and the call's session keeps its tapped ends.
        spare: AgentSession[Any] = AgentSession()
        self._console.acquire_io(loop=asyncio.get_running_loop(), session=spare)
        ends = _ends_of(spare)
        # Detached, the console's own transcript synchroniser lets audio through as it is.
        spare.input.audio = spare.output.audio = spare.output.transcription = None
        return ends

    def hang_up(self) -> None:
        """The caller is let go when the room is left."""

    async def pass_on(self, to: Target) -> None:
        raise NotPassedOnError

    async def aclose(self) -> None:
        pass


def _ends_of(session: AgentSession[Any]) -> tuple[io.AudioInput, io.AudioOutput]:
    if session.input.audio is None or session.output.audio is None:
        raise RuntimeError(f"{session} was given no audio")
    return session.input.audio, session.output.audio
