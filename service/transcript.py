"""The redacted transcript of a call in the order spoken, with what was decided and done in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from compliance.events import Event
from service.segments import by_turn
from service.summary import CallSummary, Failure, Said, ToolUse, TurnSummary


@dataclass(frozen=True, slots=True)
class CallerLine:
    """What the caller said; ``turn`` is ``None`` for words in no turn, such as those over the greeting."""

    at_ms: float
    text: str
    turn: int | None
    kind: Literal["caller"] = "caller"


@dataclass(frozen=True, slots=True)
class RouteLine:
    """The decision for a turn, when the caller had finished it."""

    at_ms: float
    turn: TurnSummary
    kind: Literal["route"] = "route"


@dataclass(frozen=True, slots=True)
class ToolLine:
    """A tool that an engine used."""

    at_ms: float
    tool: ToolUse
    kind: Literal["tool"] = "tool"


@dataclass(frozen=True, slots=True)
class FailureLine:
    """A provider that failed, and what was done."""

    at_ms: float
    failure: Failure
    kind: Literal["failure"] = "failure"


@dataclass(frozen=True, slots=True)
class AgentLine:
    """A reply as it was heard."""

    at_ms: float
    said: Said
    kind: Literal["agent"] = "agent"


Line = CallerLine | RouteLine | ToolLine | FailureLine | AgentLine


def transcript(events: Sequence[Event], summary: CallSummary) -> tuple[Line, ...]:
    """The lines of the call whose summary is ``summary``, by the time at which each began."""
    lines: list[Line] = [
        CallerLine(segment.start_ms, segment.text, None) for segment in by_turn(events).get(None, ())
    ]
    lines += [AgentLine(said.start_ms, said) for said in summary.greeting]
    for turn in summary.turns:
        ended_ms = turn.end_ms if turn.end_ms is not None else turn.decided_ms or 0.0
        if turn.caller_text:
            lines.append(
                CallerLine(ended_ms if turn.start_ms is None else turn.start_ms, turn.caller_text, turn.turn)
            )
        if turn.route:
            lines.append(RouteLine(ended_ms, turn))
        lines += [ToolLine(tool.at_ms, tool) for tool in turn.tools]
        lines += [FailureLine(failure.at_ms, failure) for failure in turn.failures]
        lines += [AgentLine(said.start_ms, said) for said in turn.said]
    return tuple(sorted(lines, key=lambda line: line.at_ms))
