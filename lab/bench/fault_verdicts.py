"""What a call with a faulty provider is judged by: its record, its line's audio, and the caller.

A caller is answered by what an engine says in reply, or by a person (:mod:`service.answered`); neither the word about
the delay nor an apology is an answer. After a failure two sounds are told apart: the first one, which may be the word
about the delay and is held to a limit, and the first of the answer itself, which has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from compliance.events import (
    Decided,
    Event,
    PartFailed,
    ProviderFailed,
    ToolCalled,
    TurnAnswered,
    UsageIncurred,
)
from compliance.tap import RATE_HZ
from compliance.voiced import SOUND_LEVEL, Samples
from engines.voices import VOICE
from lab.caller import CallerReport
from service.answered import Answers
from service.heard import Span
from service.promises import promises

EXTRA_MS = 300.0
"""From a provider's time-out to the next sound: the word about the delay, or the next engine's answer."""
TIMED_OUT = "TimeoutError"
ASIDES = ("silence", "noise")
"""What a caller does that asks for no answer."""
_TO_ENGINE, _TO_VOICE = "moved to", "the next voice"
"""How the record says that somebody takes over."""


@dataclass(frozen=True, slots=True)
class TakeOver:
    """A failure, and what the caller heard next. Times in ms."""

    turn: int
    engine: str
    error: str
    after_failure_ms: float | None
    """From the failure, or the end of the turn if that is later, to the next sound; ``None``: there was none."""
    since_decided_ms: float | None
    """The same from the decision of the turn: what the failed provider was waited for is in it. From the failure where
    that was a voice's, or came in mid-answer."""
    answer_after_ms: float | None
    """From the failure, or the end of the turn, to the answer's first sound; ``None``: it had begun, or none came."""
    limit_ms: float
    """The provider's time-out, and :data:`EXTRA_MS`."""

    @property
    def in_time(self) -> bool:
        """Whether the next sound was heard in time: at the limit for whoever waits for a provider to fail."""
        if self.after_failure_ms is None or self.since_decided_ms is None:
            return False
        waited_out = self.error.startswith(TIMED_OUT)
        return (self.after_failure_ms <= EXTRA_MS) if waited_out else self.since_decided_ms <= self.limit_ms


@dataclass(frozen=True, slots=True)
class Verdict:
    """One call, judged; JSON holds it whole."""

    commit: str
    """What was judged, as git describes it."""
    provider: str
    fault: str
    number: int
    in_mid_call: bool
    """Whether the fault began in mid-call."""
    broken: tuple[str, ...]
    """Promises that it broke, in sentences."""
    heard_ms: tuple[float, ...]
    """What the caller waited for the first sound in each turn that was followed by one, measured on the audio."""
    said: int
    """What the caller said, in turns."""
    unanswered: int
    """How much of it nobody answered."""
    take_overs: tuple[TakeOver, ...]
    failures: int
    """Failures of providers and of the recogniser that are on record."""
    tools: int
    """Tools that ran."""
    estimated_usd: float
    """The part of its cost for requests that failed or were cut."""
    ended: str
    """How it ended."""

    @property
    def late(self) -> int:
        """How many take-overs came too late."""
        return sum(not one.in_time for one in self.take_overs)

    @property
    def good(self) -> bool:
        return not (self.broken or self.unanswered or self.late)

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Verdict:
        """Reads :meth:`as_json` back."""
        overs = tuple(TakeOver(**one) for one in value["take_overs"])
        lists = {name: tuple(value[name]) for name in ("broken", "heard_ms")}
        return cls(**{**value, **lists, "take_overs": overs})


@dataclass(frozen=True, slots=True)
class Case:
    """Which call is judged; see :class:`Verdict`."""

    commit: str
    provider: str
    fault: str
    number: int
    in_mid_call: bool


def judged(
    case: Case,
    *,
    events: Sequence[Event],
    agent: Samples,
    report: CallerReport,
    time_outs_ms: Mapping[str, float],
) -> Verdict:
    """The verdict on one call.

    Args:
        case: the call.
        events: its record.
        agent: what the caller heard, 24 kHz.
        report: what the caller says of it.
        time_outs_ms: by engine.
    """
    broken = [f"{one.promise}: {one.sentence}" for one in promises(events)]
    if not report.greeted:
        broken.append("The caller is greeted: the caller heard no greeting.")
    if report.cut_off:
        broken.append("The caller hangs up: the line was closed before the caller was through.")
    said = [Span(turn.start_ms, turn.end_ms) for turn in report.turns if turn.state not in ASIDES]
    answered = Answers(events).of_speech(said)
    if answered and report.gave_up is not None:  # on an answer, or on its rest
        answered = (*answered[:-1], False)
    usage = [event for event in events if isinstance(event, UsageIncurred)]
    return Verdict(
        case.commit,
        case.provider,
        case.fault,
        case.number,
        case.in_mid_call,
        tuple(broken),
        tuple(turn.heard_latency_ms for turn in report.turns if turn.heard_latency_ms is not None),
        len(said),
        answered.count(False),
        tuple(_take_overs(events, agent, said, time_outs_ms)),
        sum(isinstance(event, ProviderFailed | PartFailed) for event in events),
        sum(isinstance(event, ToolCalled) for event in events),
        sum(event.cost_usd for event in usage if event.estimated),
        "cut off" if report.cut_off else "gave up" if report.gave_up is not None else "hung up",
    )


def not_made(case: Case, reason: str) -> Verdict:
    """The verdict on a call that could not be brought to its end."""
    sentence = f"Every call ends properly: {reason}"
    return Verdict(
        case.commit,
        case.provider,
        case.fault,
        case.number,
        case.in_mid_call,
        (sentence,),
        (),
        0,
        0,
        (),
        0,
        0,
        0.0,
        "broken off",
    )


def _take_overs(
    events: Sequence[Event], agent: Samples, said: Sequence[Span], time_outs_ms: Mapping[str, float]
) -> Iterator[TakeOver]:
    decided = {event.turn: event.at_ms for event in events if isinstance(event, Decided)}
    for event in (one for one in events if isinstance(one, ProviderFailed)):
        if not event.action.startswith((_TO_ENGINE, _TO_VOICE)) or event.turn not in decided:
            continue  # nobody waited for it, or nobody took over
        from_ms = max(event.at_ms, decided[event.turn])
        if any(one.start_ms <= from_ms + EXTRA_MS and from_ms <= one.end_ms for one in said):
            continue  # who speaks waits for nobody
        sound_ms = _sound_after(agent, from_ms)
        if sound_ms is None and len(agent) * 1000 / RATE_HZ - from_ms < EXTRA_MS:
            continue  # the caller had gone
        answers_ms = [one.at_ms for one in events if isinstance(one, TurnAnswered) and one.turn == event.turn]
        begun = any(at_ms <= from_ms for at_ms in answers_ms)
        answer_ms = next((at_ms for at_ms in answers_ms if at_ms > from_ms), None)
        voice = event.action.startswith(_TO_VOICE)
        since_ms = from_ms if voice or begun else decided[event.turn]
        yield TakeOver(
            event.turn,
            event.engine,
            event.error,
            None if sound_ms is None else sound_ms - from_ms,
            None if sound_ms is None else sound_ms - since_ms,
            None if answer_ms is None else answer_ms - from_ms,
            (1000 * VOICE.timeout if voice else time_outs_ms.get(event.engine, 0.0)) + EXTRA_MS,
        )


def _sound_after(agent: Samples, at_ms: float) -> float | None:
    at = round(at_ms * RATE_HZ / 1000)
    loud = np.flatnonzero(np.abs(agent[at:].astype(np.int32)) > SOUND_LEVEL)
    return None if not loud.size else at_ms + float(loud[0]) * 1000 / RATE_HZ
