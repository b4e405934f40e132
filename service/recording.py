"""The recording of a call, where its line wants one: who tells it what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from compliance.clock import CallClock
from compliance.events import Event
from compliance.heard import Segment
from compliance.ledger import Ledger
from compliance.recording import PURPOSE, Recording, Recordings
from compliance.redaction.spans import Span
from compliance.tap import AgentTap, CallerTap
from service.settings import Settings


class CallRecording:
    """Follows one call. A line that does not want recordings has one that does nothing.

    Args:
        settings: of the line.
        ledger: holds the call's key.
        call_id: the call.
        clock: the call's clock.
        emit: takes the recording's own events, from any thread.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        call_id: str,
        *,
        clock: CallClock,
        emit: Callable[[Event], None],
    ) -> None:
        self._clock = clock
        self._recording: Recording | None = None
        if "recording" in settings.wanted():
            self._recording = Recording(
                call_id,
                Recordings(settings.recordings_folder()).path(call_id),
                lambda: ledger.derived_key(call_id, PURPOSE),
                clock=clock,
                emit=emit,
                destroy_when_revoked=settings.recording_destroyed_when_revoked,
            )

    def follow(self, caller: CallerTap, agent: AgentTap) -> None:
        """Hear both sides of the line from now on."""
        if self._recording is not None:
            caller.sinks.append(self._recording.caller_heard)
            agent.keeps_audio = True
            agent.on_begun.append(self._recording.agent_begins)
            agent.on_finished.append(self._recording.agent_heard)

    def consent(self, *, given: bool) -> None:
        """The caller agrees to be recorded from now on, or takes that back."""
        if self._recording is not None:
            self._recording.consent(self._clock.now_ms(), given=given)

    def said(self, segment: Segment) -> None:
        """What the recogniser heard, before it goes on record."""
        if self._recording is not None:
            self._recording.said(segment)

    def redacted(self, event: Event, spans: Sequence[Span], *, suspended: bool) -> None:
        """What was masked of an event, from any thread; and whether a CVV or PIN is expected now."""
        if self._recording is not None:
            self._recording.redacted(event, spans, suspended=suspended)

    async def aclose(self, all_redacted: Callable[[], Awaitable[None]]) -> None:
        """Keep what may be kept of the rest, and put the recording on record.

        Args:
            all_redacted: waits until :meth:`redacted` has been told of all that was said.
        """
        if self._recording is not None:
            await all_redacted()
            await self._recording.aclose()
