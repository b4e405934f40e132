"""Failures after which somebody else went on, and whether the caller was left in silence for too long meanwhile.

A provider that fails may use up its time-out, and the next sound is due :data:`EXTRA_MS` after that: the word about the
delay, or the answer. What counts is when the caller's wait for *this* provider began, not when its failure was noticed,
or one that is noticed late would be in time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import TypeGuard

import numpy as np

from compliance.events import (
    Decided,
    Event,
    PartFailed,
    ProviderFailed,
    ToolCalled,
    TurnAnswered,
    TurnMoved,
)
from compliance.recognisers import Persistence
from compliance.tap import RATE_HZ
from compliance.voiced import SOUND_LEVEL, Samples
from engines.catalogue import Catalogue
from engines.errors import SILENT
from engines.voices import VOICE, VOICE_STALL_S
from service.heard import Span

EXTRA_MS = 300.0
"""From a provider's time-out to the next sound: the word about the delay, or the next engine's answer."""
BEGIN_MS = 500.0
"""What an answer takes in the lab until its first words have come, and a sentence for its voice."""
ANSWER_MS = 1500.0
"""What a caller waits in the lab for the greeting, or for an answer and its recognition, where nothing fails."""
RECOGNISER = "recogniser"
TIMED_OUT = "TimeoutError"
_TIME_OUTS = (TIMED_OUT, "APITimeoutError", f"RealtimeError {SILENT}")
"""Errors of who was waited for until its time was up."""
_TO_ENGINE, _TO_VOICE = "moved to", "the next voice"
"""How the record says that somebody takes over."""


@dataclass(frozen=True, slots=True)
class TakeOver:
    """A failure, and what the caller heard next. Times in ms."""

    turn: int
    engine: str
    """What failed: an engine by its name, ``voice`` or :data:`RECOGNISER`."""
    error: str
    after_failure_ms: float | None
    """From the failure, or the end of the turn if that is later, to the next sound, after a recogniser's to the answer;
    ``None``: there was none."""
    waited_ms: float | None
    """From the beginning of the wait for what failed to the same sound."""
    answer_after_ms: float | None
    """From the failure, or the end of the turn, to the answer's first sound; ``None``: it had begun, or none came."""
    limit_ms: float
    """For ``waited_ms``: the time-out, what an answer takes besides, and :data:`EXTRA_MS`."""

    @property
    def in_time(self) -> bool:
        """Whether the next sound was heard in time, after a time-out at once."""
        if self.after_failure_ms is None or self.waited_ms is None:
            return False
        at_once = self.engine != RECOGNISER and self.error in _TIME_OUTS
        return self.waited_ms <= self.limit_ms and (self.after_failure_ms <= EXTRA_MS or not at_once)


@dataclass(frozen=True, slots=True)
class TimeOuts:
    """How long each provider of a call may keep the caller waiting, in ms.

    Attributes:
        engines: by name.
        voice: where we are who notices.
        voice_plugin: where the voice's plugin is.
        recogniser: from being asked what the caller said.
        begun: what is added for an engine that lets its answer begin: its time-out runs from there.
    """

    engines: Mapping[str, float]
    voice: float = 1000 * VOICE_STALL_S
    voice_plugin: float = 1000 * VOICE.timeout
    recogniser: float = Persistence().answer_within_ms
    begun: float = 0.0

    @classmethod
    def of(cls, catalogue: Catalogue, *, begun: bool = False) -> TimeOuts:
        """Those of a catalogue that keeps to a latency budget.

        Args:
            catalogue: see :func:`service.patience.within`.
            begun: whether the fault lets an answer begin.
        """
        return cls(
            {name: 1000 * engine.first_reply_s for name, engine in catalogue.engines.items()},
            catalogue.patience * 1000 * VOICE_STALL_S,
            catalogue.patience * 1000 * VOICE.timeout,
            Persistence().times(catalogue.patience).answer_within_ms,
            BEGIN_MS if begun else 0.0,
        )


def take_overs(
    events: Sequence[Event], agent: Samples, said: Sequence[Span], time_outs: TimeOuts
) -> Iterator[TakeOver]:
    """The failures of one call that a caller who was silent waited for, and after which somebody went on.

    Args:
        events: its record.
        agent: what the caller heard, 24 kHz.
        said: when the caller spoke.
        time_outs: of its providers.
    """
    heard = _Heard(agent)
    yield from _of_engines(events, heard, said, time_outs)
    yield from _of_recognisers(events, heard, said, time_outs)


def _of_engines(
    events: Sequence[Event], heard: _Heard, said: Sequence[Span], time_outs: TimeOuts
) -> Iterator[TakeOver]:
    """Engines and voices: whoever failed was waited for since being asked, or since what was last heard of them."""
    began_ms = {0: 0.0, **{event.turn: event.at_ms for event in events if isinstance(event, Decided)}}
    for place, event in enumerate(events):
        if not _is_taken_over(event) or event.turn not in began_ms:
            continue  # nobody took over, or nobody waited for it
        from_ms = max(event.at_ms, began_ms[event.turn])
        if any(one.start_ms <= from_ms + EXTRA_MS and from_ms <= one.end_ms for one in said):
            continue  # who speaks waits for nobody
        answers_ms = [one.at_ms for one in events if isinstance(one, TurnAnswered) and one.turn == event.turn]
        mine = [one for one in events[:place] if getattr(one, "turn", None) == event.turn]
        asked_ms = max(began_ms[event.turn], *(one.at_ms for one in mine if _hands_on(one)), 0.0)
        begun = event.turn == 0 or any(asked_ms <= at_ms <= from_ms for at_ms in answers_ms)
        since_ms = max(
            asked_ms,
            *(one.at_ms for one in mine if isinstance(one, ToolCalled)),
            *(one.end_ms for one in said if one.end_ms <= from_ms),
            heard.last_ms(from_ms) if begun else 0.0,
        )
        yield from _taken_over(
            heard,
            event.turn,
            event.engine,
            event.error,
            from_ms=from_ms,
            since_ms=since_ms,
            sound_ms=heard.next_ms(from_ms),
            answer_ms=next((at_ms for at_ms in answers_ms if at_ms > from_ms), None),
            limit_ms=_limit_ms(event, time_outs),
        )


def _of_recognisers(
    events: Sequence[Event], heard: _Heard, said: Sequence[Span], time_outs: TimeOuts
) -> Iterator[TakeOver]:
    """Recognisers: the caller waits for the answer; another sound may be the rest of what was said before."""
    limit_ms = time_outs.recogniser + ANSWER_MS + EXTRA_MS
    answers_ms = [one.at_ms for one in events if isinstance(one, TurnAnswered)]
    for turn, span in enumerate(said, 1):
        by_ms = min((one.start_ms for one in said if one.start_ms > span.start_ms), default=inf)
        answer_ms = next((at_ms for at_ms in answers_ms if span.end_ms < at_ms <= by_ms), None)
        failed = [
            one
            for one in events
            if isinstance(one, PartFailed)
            and one.part == "transcriber"
            and span.start_ms <= one.at_ms < (by_ms if answer_ms is None else answer_ms)
        ]
        if failed:
            yield from _taken_over(
                heard,
                turn,
                RECOGNISER,
                failed[-1].error,
                from_ms=max(failed[-1].at_ms, span.end_ms),
                since_ms=span.end_ms,
                sound_ms=answer_ms,
                answer_ms=answer_ms,
                limit_ms=limit_ms,
            )


def _taken_over(
    heard: _Heard,
    turn: int,
    engine: str,
    error: str,
    *,
    from_ms: float,
    since_ms: float,
    sound_ms: float | None,
    answer_ms: float | None,
    limit_ms: float,
) -> Iterator[TakeOver]:
    if sound_ms is None and heard.until_ms < from_ms + EXTRA_MS:
        return  # the caller had gone
    yield TakeOver(
        turn,
        engine,
        error,
        None if sound_ms is None else sound_ms - from_ms,
        None if sound_ms is None else sound_ms - since_ms,
        None if answer_ms is None else answer_ms - from_ms,
        limit_ms,
    )


def _is_taken_over(event: Event) -> TypeGuard[ProviderFailed]:
    return isinstance(event, ProviderFailed) and event.action.startswith((_TO_ENGINE, _TO_VOICE))


def _hands_on(event: Event) -> bool:
    """Whether somebody else is asked for the answer from then on."""
    return isinstance(event, TurnMoved) or _is_taken_over(event)


def _limit_ms(event: ProviderFailed, time_outs: TimeOuts) -> float:
    voice = "voice" in (event.engine, event.provider)
    if not voice:
        time_out_ms = time_outs.engines.get(event.engine, 0.0)
    elif event.error == TIMED_OUT:
        time_out_ms = time_outs.voice
    else:
        time_out_ms = time_outs.voice_plugin
    usual_ms = ANSWER_MS if event.turn == 0 else BEGIN_MS if voice else time_outs.begun
    return time_out_ms + usual_ms + EXTRA_MS


class _Heard:
    """When the caller heard anything. Times in ms.

    Args:
        agent: what was heard, 24 kHz.
    """

    def __init__(self, agent: Samples) -> None:
        self._loud = np.flatnonzero(np.abs(agent.astype(np.int32)) > SOUND_LEVEL) * 1000 / RATE_HZ
        self.until_ms = len(agent) * 1000 / RATE_HZ

    def next_ms(self, at_ms: float) -> float | None:
        """The next sound from then on."""
        place = np.searchsorted(self._loud, at_ms)
        return float(self._loud[place]) if place < len(self._loud) else None

    def last_ms(self, at_ms: float) -> float:
        """The last sound until then; 0 if there was none."""
        place = np.searchsorted(self._loud, at_ms, side="right")
        return float(self._loud[place - 1]) if place else 0.0
