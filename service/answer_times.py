"""How long the caller waited for each answer, put on record when its first sound is heard.

That there is no answer yet, or none, is heard as well, but answers no turn.
"""

from __future__ import annotations

from collections.abc import Callable

from compliance.clock import CallClock
from compliance.events import (
    Decided,
    Event,
    HandedOff,
    ProviderFailed,
    TransferAsked,
    TurnAnswered,
    TurnEnded,
    TurnMoved,
)
from engines.generations import Generation
from service.distances import Distances
from service.latency import TurnWait


class AnswerTimes:
    """Follows the waits of one call.

    Args:
        distances: how far the engines' providers are.
        last_voiced_ms: the caller's last voiced sample, on the call's clock.
        clock: the call's clock.
        emit: takes events for the record.
        measured: told of each answer which engine gave it and how long the caller waited; not that a person is fetched.
        call_id: goes into every event.
    """

    def __init__(
        self,
        distances: Distances,
        last_voiced_ms: Callable[[], float | None],
        *,
        clock: CallClock,
        emit: Callable[[Event], None],
        measured: Callable[[str, float], None],
        call_id: str,
    ) -> None:
        self._distances = distances
        self._last_voiced_ms = last_voiced_ms
        self._clock = clock
        self._emit = emit
        self._measured = measured
        self._call_id = call_id
        self._wait = TurnWait()
        self._failed_ms: dict[str, float] = {}
        """When each engine failed last."""
        self._fetched_in = 0
        """The turn in which a person was fetched last."""

    def take(self, event: Event) -> None:
        """The next event of the call's own."""
        match event:
            case TurnEnded():
                speech_end_ms = self._last_voiced_ms() or event.end_ms
                self._wait.turn_ended(event.turn, speech_end_ms=speech_end_ms, at_ms=event.at_ms)
            case Decided():
                self._wait.mark("decision", self._clock.now_ms())
            case ProviderFailed():
                self._failed_ms[event.engine] = event.at_ms
            case TurnMoved() if event.from_engine in self._failed_ms:
                self._wait.mark("failed_attempts", self._failed_ms[event.from_engine])
            case TransferAsked():
                self._fetched_in = event.turn
            case HandedOff():
                self._wait.mark("hand_off", event.at_ms)
            case _:
                pass

    def transcribed(self) -> None:
        """The session was given the words of a turn."""
        self._wait.mark("transcription", self._clock.now_ms())

    def synced(self, took_ms: float) -> None:
        """The engine in charge was told of the conversation, which took so long."""
        self._wait.within("context_sync", took_ms, until_ms=self._clock.now_ms())

    def first_sound(self, at_ms: float) -> None:
        """The first sound after a silence was heard, be it of an answer or not."""
        self._wait.sounded(at_ms)

    def answer(self, at_ms: float, engine: str, generation: Generation | None) -> None:
        """The first sound of an answer of ``engine`` was heard; of a generation, if it belongs to one."""
        heard = self._wait.answered(
            at_ms,
            thinking_ms=0.0 if generation is None else generation.first_token_ms,
            voice_ms=0.0 if generation is None else generation.answer_audio_ms,
            trips=self._distances.of(engine),
        )
        if heard is None:
            return
        self._emit(
            TurnAnswered(
                call_id=self._call_id,
                at_ms=self._clock.now_ms(),
                turn=heard.turn,
                engine=engine,
                heard_ms=heard.heard_ms,
                told_of_delay_ms=heard.told_of_delay_ms,
                waits=heard.waits,
            )
        )
        if heard.turn != self._fetched_in:
            self._measured(engine, heard.heard_ms)
