"""Who spoke when on a call and what the caller said, put on record."""

from __future__ import annotations

from collections.abc import Callable

from livekit.agents import AgentStateChangedEvent, UserStateChangedEvent

from compliance.clock import CallClock
from compliance.events import CallerSaid, Event, Speaker, SpeechHeard
from compliance.heard import Segment
from compliance.tap import CallerTap, Playout


class SpeechRecord:
    """Follows the speech of one call: the caller's as the voice detector tells of it, the agent's as it was played.

    Args:
        caller: the caller's audio.
        clock: the call's clock.
        emit: takes events for the record.
        call_id: goes into every event.
    """

    def __init__(
        self, caller: CallerTap, *, clock: CallClock, emit: Callable[[Event], None], call_id: str
    ) -> None:
        self._caller = caller
        self._clock = clock
        self._emit = emit
        self._call_id = call_id
        self._began_ms: float | None = None
        self._agent_speaks = False

    def user_state(self, event: UserStateChangedEvent) -> None:
        """The caller began to speak, or stopped."""
        at_ms = self._clock.from_wall(event.created_at)
        if event.new_state == "speaking":
            self._began_ms = at_ms
        elif self._began_ms is not None:
            self._heard("caller", self._began_ms, self._caller.last_voiced_ms or at_ms)
            self._began_ms = None

    def agent_state(self, event: AgentStateChangedEvent) -> None:
        """The agent began to speak, or stopped."""
        self._agent_speaks = event.new_state == "speaking"

    def played(self, playout: Playout) -> None:
        """Some of the agent's audio was heard, maybe with a break in it."""
        for start_ms, end_ms in playout.stretches:
            self._heard("agent", start_ms, end_ms)

    def said(self, segment: Segment, *, heard_by: str = "") -> None:
        """A recogniser is certain of words of the caller."""
        self._emit(
            CallerSaid(
                call_id=self._call_id,
                at_ms=self._clock.now_ms(),
                start_ms=max(0.0, segment.start_ms),
                end_ms=max(0.0, segment.end_ms),
                text=segment.text,
                confidence=min(1.0, max(0.0, segment.confidence)),
                while_agent_spoke=self._agent_speaks,
                heard_by=heard_by,
            )
        )

    def _heard(self, speaker: Speaker, start_ms: float, end_ms: float) -> None:
        self._emit(
            SpeechHeard(
                call_id=self._call_id,
                at_ms=self._clock.now_ms(),
                speaker=speaker,
                start_ms=max(0.0, start_ms),
                end_ms=max(0.0, end_ms),
            )
        )
