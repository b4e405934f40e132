"""What a call with a faulty provider is judged by: its record, its line's audio, and the caller.

A caller is answered by what an engine says in reply, or by a person (:mod:`service.answered`); neither the word about
the delay nor an apology is an answer. How long the caller is left in silence is :mod:`lab.bench.fault_takeovers`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from compliance.events import Event, PartFailed, ProviderFailed, ToolCalled, TurnAnswered, UsageIncurred
from compliance.voiced import Samples
from lab.bench.fault_takeovers import TakeOver, TimeOuts, take_overs
from lab.caller import CallerReport
from service.answered import Answers
from service.heard import Span
from service.promises import promises

ASIDES = ("silence", "noise")
"""What a caller does that asks for no answer."""
SLOW_MS = 1000.0
"""A stage of an answer that took longer was slow: ten times what voices and recognisers of the lab take."""
_STAGES = ("transcription", "thinking", "voice")


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
    struck: bool
    """Whether the fault was met at all."""
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
    time_outs: TimeOuts,
    noted: bool = False,
) -> Verdict:
    """The verdict on one call.

    Args:
        case: the call.
        events: its record.
        agent: what the caller heard, 24 kHz.
        report: what the caller says of it.
        time_outs: of its providers.
        noted: whether the provider's simulator has noted that its fault struck.
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
    failures = sum(
        isinstance(event, ProviderFailed) or (isinstance(event, PartFailed) and event.part == "transcriber")
        for event in events
    )
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
        tuple(take_overs(events, agent, said, time_outs)),
        failures,
        noted or bool(failures) or (case.fault == "slow" and _was_slow(events)),
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
        False,
        0,
        0.0,
        "broken off",
    )


def _was_slow(events: Sequence[Event]) -> bool:
    answers = [event for event in events if isinstance(event, TurnAnswered)]
    return any(answer.waits.get(stage, 0.0) > SLOW_MS for answer in answers for stage in _STAGES)
