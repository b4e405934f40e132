"""A call on its time axis: where everything is, in percent of the call's length.

Nothing here knows HTML. Positions are percentages, so the page zooms by widening one element, needs no
script to be read, and prints.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from compliance.events import Event, PartFailed, Speaker, SpeechHeard
from service.summary import CallSummary, Said, TurnSummary
from service.words import clock, milliseconds

MarkerKind = Literal["hand-off", "tool", "barge-in", "failure"]
_STEPS_MS = (500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000)
_TICKS = 10
_NOMINAL_PX = 760
"""The narrowest the axis is ever drawn, on a phone."""
_MARKER_PX = 22


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the axis. ``tip`` is read out and shown on hover; ``group`` names an engine or a speaker."""

    left: float
    width: float
    label: str
    tip: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """The caller's upset (0 to 1) in a turn, over the stretch it was heard in."""

    span: Span
    upset: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Marker:
    """Something that happened at a moment; ``row`` keeps near ones from covering each other."""

    left: float
    row: int
    kind: MarkerKind
    tip: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A time on the axis. Level 1 is always shown, 2 and 3 when there is room for them."""

    left: float
    label: str
    level: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything drawn on the axis, except the outlines of the audio."""

    until_ms: float
    ticks: tuple[Tick, ...]
    caller: tuple[Span, ...]
    agent: tuple[Span, ...]
    route: tuple[Span, ...]
    emotion: tuple[Bar, ...]
    markers: tuple[Marker, ...]

    @property
    def marker_rows(self) -> int:
        return max((marker.row for marker in self.markers), default=0) + 1


def timeline(events: Sequence[Event], summary: CallSummary, *, audio_ms: float = 0) -> Timeline:
    """The axis of one call; it is as long as the record or the audio, whichever is longer."""
    until_ms = max(summary.duration_ms, audio_ms, 1.0)
    axis = _Axis(until_ms)
    return Timeline(
        until_ms=until_ms,
        ticks=axis.ticks(),
        caller=_speech(axis, events, "caller", summary),
        agent=_speech(axis, events, "agent", summary),
        route=_route(axis, summary),
        emotion=_emotion(axis, summary),
        markers=_markers(axis, events, summary),
    )


@dataclass(frozen=True, slots=True)
class _Axis:
    until_ms: float

    def at(self, ms: float) -> float:
        return round(100 * min(max(ms, 0.0), self.until_ms) / self.until_ms, 3)

    def span(self, start_ms: float, end_ms: float, label: str, tip: str, group: str = "") -> Span:
        left = self.at(start_ms)
        return Span(left, round(max(self.at(end_ms) - left, 0.0), 3), label, tip, group)

    def ticks(self) -> tuple[Tick, ...]:
        step_ms = next((step for step in _STEPS_MS if self.until_ms / step <= _TICKS), _STEPS_MS[-1])
        finest_ms = step_ms / 4
        ticks = []
        for index in range(int(self.until_ms / finest_ms) + 1):
            level = 1 if index % 4 == 0 else 2 if index % 2 == 0 else 3
            whole = finest_ms % 1000 == 0 or (level == 1 and step_ms % 1000 == 0)
            label = clock(index * finest_ms)
            ticks.append(
                Tick(self.at(index * finest_ms), label.removesuffix(".0") if whole else label, level)
            )
        return tuple(ticks)


def _speech(axis: _Axis, events: Iterable[Event], speaker: Speaker, summary: CallSummary) -> tuple[Span, ...]:
    """Where one side spoke; the agent's spans are grouped by the engine that spoke."""
    replies = [*summary.greeting, *(said for turn in summary.turns for said in turn.said)]
    spans = []
    for event in events:
        if not isinstance(event, SpeechHeard) or event.speaker != speaker:
            continue
        group = "caller"
        if speaker == "agent":
            engines = (
                one.engine for one in replies if one.start_ms < event.end_ms and one.end_ms > event.start_ms
            )
            group = next(engines, "")
        who = f"Agent ({group})" if speaker == "agent" and group else speaker.capitalize()
        took = milliseconds(event.end_ms - event.start_ms)
        tip = f"{who} spoke {clock(event.start_ms)}–{clock(event.end_ms)}, {took}"
        spans.append(axis.span(event.start_ms, event.end_ms, "", tip, group))
    return tuple(spans)


def _route(axis: _Axis, summary: CallSummary) -> tuple[Span, ...]:
    """Who was in charge: each decision holds until the next one; a fall-over cuts its turn in two."""
    changes: list[tuple[float, str, str, str]] = []
    if summary.greeting:
        changes.append((0.0, summary.greeting[0].engine, "greeting", "Greeting"))
    for turn in summary.turns:
        if turn.route is None or turn.decided_ms is None:
            continue
        changes.append(
            (turn.decided_ms, turn.route, str(turn.turn), f"Turn {turn.turn} · {turn.rule}\n{turn.reason}")
        )
        if turn.engine and turn.engine != turn.route:
            left = turn.moves or turn.failures
            fell_ms = left[0].at_ms if left else turn.decided_ms
            why = f"Turn {turn.turn} · {turn.route} could not answer"
            changes.append((fell_ms, turn.engine, str(turn.turn), why))
    ends_ms = ([change[0] for change in changes[1:]] + [axis.until_ms])[: len(changes)]
    return tuple(
        axis.span(start_ms, end_ms, label, f"{engine}\n{why}", engine)
        for (start_ms, engine, label, why), end_ms in zip(changes, ends_ms, strict=True)
    )


def _emotion(axis: _Axis, summary: CallSummary) -> tuple[Bar, ...]:
    bars = []
    for turn in summary.turns:
        emotion = turn.emotion
        if emotion is None or turn.start_ms is None or turn.end_ms is None:
            continue
        figures = f"upset {emotion.upset:.2f}, confidence {emotion.confidence:.2f}"
        tip = "\n".join((f"Turn {turn.turn} · {emotion.label}", figures, *emotion.evidence))
        bars.append(
            Bar(axis.span(turn.start_ms, turn.end_ms, emotion.label, tip), emotion.upset, emotion.confidence)
        )
    return tuple(bars)


def _markers(axis: _Axis, events: Iterable[Event], summary: CallSummary) -> tuple[Marker, ...]:
    moments = _cuts(summary.greeting) + [moment for turn in summary.turns for moment in _moments(turn)]
    moments += [
        (event.at_ms, "failure", f"{event.part} failed: {event.error}\n{event.action}")
        for event in events
        if isinstance(event, PartFailed)
    ]
    markers: list[Marker] = []
    free_from: list[float] = []
    room = 100 * _MARKER_PX / _NOMINAL_PX
    for at_ms, kind, tip in sorted(moments, key=lambda moment: moment[0]):
        left = axis.at(at_ms)
        row = next((index for index, free in enumerate(free_from) if free <= left), len(free_from))
        free_from[row : row + 1] = [left + room]
        markers.append(Marker(left, row, kind, f"{clock(at_ms)} · {tip}"))
    return tuple(markers)


def _moments(turn: TurnSummary) -> list[tuple[float, MarkerKind, str]]:
    """The moments of a turn worth a marker: when, what kind, and what to say of it."""
    moments: list[tuple[float, MarkerKind, str]] = []
    for hand_off in turn.hand_offs:
        how = "warm" if hand_off.warm else "cold"
        heard = ", turn heard as audio" if hand_off.turn_as_audio else ""
        what = f"Hand-off {hand_off.from_engine} → {hand_off.to_engine}"
        moments.append(
            (hand_off.at_ms, "hand-off", f"{what}\n{milliseconds(hand_off.took_ms)}, {how}{heard}")
        )
    for tool in turn.tools:
        outcome = "failed" if tool.failed else "done"
        moments.append((tool.at_ms, "tool", f"Tool {tool.name}\n{outcome} in {milliseconds(tool.took_ms)}"))
    moments += [
        (failure.at_ms, "failure", f"{failure.provider} failed: {failure.error}\n{failure.action}")
        for failure in turn.failures
    ]
    return moments + _cuts(turn.said)


def _cuts(replies: Iterable[Said]) -> list[tuple[float, MarkerKind, str]]:
    return [
        (said.end_ms, "barge-in", f"Caller cut in on {said.engine}") for said in replies if said.interrupted
    ]
