"""Brings people to a caller: over LiveKit rooms and SIP, or by calling back."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engines.people import PersonSpec
from service.facts import CallFacts
from service.transfer.briefing import Briefing
from service.transfer.calling import Calling
from service.transfer.line import Line
from service.transfer.livekit import LiveKitServer
from service.transfer.telling import Telling
from service.transfer.transfers import NUMBER, Transfers

__all__ = ["NUMBER", "Line", "Transfers", "transfers"]


def transfers(
    line: Line, people: Mapping[str, PersonSpec], facts: CallFacts, *, changed: Callable[[bool], None]
) -> Transfers:
    """The transfers of one call.

    Args:
        line: the call.
        people: who there is, by engine name.
        facts: of the call.
        changed: told whether a person can be fetched, when that is known anew.
    """
    briefing = Briefing(queue=facts.queue, transport=facts.transport)
    line.recorder.subscribe(briefing.take)
    call_id = line.recorder.call_id
    telling = Telling(line.recorder, briefing, line.desk.cascades)
    return Transfers(
        line, people, Calling(line.desk, call_id, telling, LiveKitServer.of()), call_id, changed=changed
    )
