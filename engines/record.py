"""What the desk puts on the record of a call."""

from __future__ import annotations

from collections.abc import Callable

from livekit.agents import APIError, llm

from compliance.clock import CallClock
from compliance.disagreement import compare
from compliance.events import (
    AgentSaid,
    EngineHeard,
    Event,
    HandedOff,
    HeardAlike,
    Hedged,
    LateEventDropped,
    PreviewSettled,
    ProviderFailed,
)
from engines.generations import Generation


class Record:
    """Writes the desk's events.

    Args:
        emit: takes them.
        clock: the call's clock.
        call_id: goes into every event.
    """

    def __init__(self, emit: Callable[[Event], None], clock: CallClock, call_id: str) -> None:
        self._emit = emit
        self._clock = clock
        self._call_id = call_id

    def handed_off(
        self,
        turn: int,
        from_engine: str,
        to_engine: str,
        *,
        since_ms: float,
        warm: bool,
        as_audio: bool,
        items: int,
    ) -> None:
        """The engine is in charge; the decision for it fell at ``since_ms``."""
        now_ms = self._clock.now_ms()
        self._emit(
            HandedOff(
                call_id=self._call_id,
                at_ms=now_ms,
                turn=turn,
                from_engine=from_engine,
                to_engine=to_engine,
                warm=warm,
                turn_as_audio=as_audio,
                items=items,
                took_ms=now_ms - since_ms,
            )
        )

    def preview_settled(self, turn: int, engine: str, generation: int, *, used: bool) -> None:
        self._emit(
            PreviewSettled(
                call_id=self._call_id,
                at_ms=self._clock.now_ms(),
                turn=turn,
                engine=engine,
                used=used,
                generation=generation,
            )
        )

    def failed(self, turn: int, engine: str, provider: str, error: BaseException, action: str) -> None:
        self._emit(
            ProviderFailed(
                call_id=self._call_id,
                at_ms=self._clock.now_ms(),
                turn=turn,
                engine=engine,
                provider=provider,
                error=name_of(error),
                action=action,
            )
        )

    def hedged(self, generation: Generation, winner: str, loser: str) -> None:
        self._emit(
            Hedged(
                call_id=self._call_id,
                at_ms=self._clock.now_ms(),
                turn=generation.turn,
                engine=generation.engine,
                winner=winner,
                loser=loser,
            )
        )

    def said(self, generation: Generation, message: llm.ChatMessage) -> None:
        """A reply is over; ``message`` holds it as the caller heard it."""
        now_ms, times = self._clock.now_ms(), message.metrics
        started, stopped = times.get("started_speaking_at"), times.get("stopped_speaking_at")
        self._emit(
            AgentSaid(
                call_id=self._call_id,
                at_ms=now_ms,
                turn=generation.turn,
                engine=generation.engine,
                generation=generation.number,
                start_ms=max(0.0, now_ms if started is None else self._clock.from_wall(started)),
                end_ms=max(0.0, now_ms if stopped is None else self._clock.from_wall(stopped)),
                text=message.text_content or "",
                interrupted=message.interrupted,
            )
        )

    def said_beside(self, generation: Generation, text: str, *, interrupted: bool) -> None:
        """A reply that stands in no history is over; ``text`` was heard of it."""
        now_ms = self._clock.now_ms()
        self._emit(
            AgentSaid(
                call_id=self._call_id,
                at_ms=now_ms,
                turn=generation.turn,
                engine=generation.engine,
                generation=generation.number,
                start_ms=generation.first_audio_ms,
                end_ms=now_ms,
                text=text,
                interrupted=interrupted,
            )
        )

    def heard_by_engine(self, engine: str, turn: int, record: str, heard: str) -> None:
        """A realtime engine's own transcript of a turn came; its words are kept where they differ."""
        found = compare(record, heard)
        if not found.differences:
            now_ms = self._clock.now_ms()
            self._emit(
                HeardAlike(call_id=self._call_id, at_ms=now_ms, turn=turn, engine=engine, words=found.words)
            )
            return
        self._emit(
            EngineHeard(
                call_id=self._call_id,
                at_ms=self._clock.now_ms(),
                turn=turn,
                engine=engine,
                record=record,
                engine_text=heard,
                words=found.words,
                substituted=found.substituted,
                inserted=found.inserted,
                deleted=found.deleted,
                word_error_rate=round(found.word_error_rate, 4),
            )
        )

    def late(self, engine: str, what: str, generation: int) -> None:
        """Something of a closed generation came, and went no further."""
        self._emit(
            LateEventDropped(
                call_id=self._call_id,
                at_ms=self._clock.now_ms(),
                generation=generation,
                engine=engine,
                what=what,
                count=1,
            )
        )


def name_of(error: BaseException) -> str:
    """The class and code of an error; never its text, which may quote the caller."""
    code = getattr(error, "status_code", None) or getattr(error, "code", None)
    kind = type(error).__name__
    if isinstance(error, APIError) and isinstance(code, int) and code > 0:
        return f"{kind} {code}"
    return f"{kind} {code}" if isinstance(code, str) else kind
