"""What transfers need of the call whose caller is transferred."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from livekit.agents import AgentSession
from livekit.agents.voice import io

from compliance.clock import CallClock
from compliance.events import Event
from compliance.recorder import Recorder
from compliance.tap import CallerTap
from compliance.transcriber import Transcriber
from engines.desk import Desk
from engines.people import Target


@dataclass(frozen=True, slots=True)
class Line:
    """The call whose caller is transferred.

    Attributes:
        session: says what the caller hears.
        caller: the caller's audio.
        ear: where a person is played to the caller.
        desk: has the engines, and is given the call back.
        clock: the call's clock.
        hears: makes a transcriber by the call's recognisers; they hear people as well, each on a stream of their own.
        recorder: is told what a number to be called back on is.
        emit: takes events for the record.
        pass_on: passes the caller on to somebody else, if the line can.
        hang_up: ends the call, for a reason.
        bill: told the engine and the minutes for which a person was on the line.
        met: told when the caller's wish for a person is dealt with: one was on the line, or they were asked for a
            number to be called back on.
        reason: why the call ends, if it does.
        keeps_numbers: whether a telephone number may be revealed again, so that somebody can call back.
    """

    session: AgentSession[Any]
    caller: CallerTap
    ear: io.AudioOutput
    desk: Desk
    clock: CallClock
    hears: Callable[[CallerTap], Transcriber]
    recorder: Recorder
    emit: Callable[[Event], None]
    pass_on: Callable[[Target], Awaitable[None]]
    hang_up: Callable[[str], None]
    bill: Callable[[str, float], None]
    met: Callable[[], None]
    reason: Callable[[], str]
    keeps_numbers: bool
