"""Several calls at once, while they run: a table that follows their events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from compliance.events import (
    AgentSaid,
    CallEnded,
    CallerSaid,
    CallStarted,
    Decided,
    Event,
    HandedOff,
    HumanSaid,
    PartFailed,
    ProviderFailed,
    SpeechHeard,
    TurnAnswered,
    TurnEnded,
    TurnMoved,
)
from service.tables import engine_text, redacted_text
from service.words import length, milliseconds


class CallState(StrEnum):
    """What a call is doing, as far as its last event tells."""

    WAITING = "waiting"
    LISTENING = "listening"
    DECIDING = "deciding"
    ANSWERING = "answering"
    FAILING_OVER = "failing over"
    ENDED = "ended"


_MARKS = {
    CallState.WAITING: ("·", "dim"),
    CallState.LISTENING: ("◂", "cyan"),
    CallState.DECIDING: ("?", "yellow"),
    CallState.ANSWERING: ("▸", "green"),
    CallState.FAILING_OVER: ("!", "red"),
    CallState.ENDED: ("✓", "dim"),
}

_ROOMY = 96
"""Columns from which a call's state is spelled out beside its mark."""


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    state: CallState = CallState.WAITING
    engine: str | None = None
    turn: int = 0
    words: str = ""
    by_agent: bool = False
    heard_ms: float | None = None
    elapsed_ms: float = 0


class LiveCalls:
    """A rich renderable with a row per call. Give it events with :meth:`take`, and refresh it in a ``Live``.

    The time shown is the call's own, of its last event: nothing here reads a clock.
    """

    def __init__(self, expected: tuple[str, ...] = ()) -> None:
        """``expected``: names of the calls to come (:attr:`CallSummary.name`), shown as waiting."""
        self._rows: dict[str, _Row] = {}
        self._waiting = list(expected)

    def take(self, event: Event) -> None:
        """Follow one event of any call."""
        row = self._rows.get(event.call_id)
        if row is None:
            name = (
                event.source.partition(":")[2] or event.source
                if isinstance(event, CallStarted)
                else event.call_id
            )
            row = _Row(name, CallState.LISTENING)
            if name in self._waiting:
                self._waiting.remove(name)
        self._rows[event.call_id] = replace(_after(row, event), elapsed_ms=max(row.elapsed_ms, event.at_ms))

    @property
    def running(self) -> int:
        """Calls that began and have not ended."""
        return sum(row.state is not CallState.ENDED for row in self._rows.values())

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        roomy = options.max_width >= _ROOMY
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), expand=True)
        table.add_column("", no_wrap=True, width=14 if roomy else 1)
        table.add_column("call", no_wrap=True, overflow="ellipsis", min_width=20, max_width=30)
        table.add_column("engine", no_wrap=True, overflow="ellipsis", width=8)
        table.add_column("turn", justify="right", no_wrap=True)
        table.add_column("heard", justify="right", no_wrap=True, width=8)
        table.add_column("last words", no_wrap=True, overflow="ellipsis", ratio=1)
        table.add_column("time", justify="right", no_wrap=True)
        for row in (*self._rows.values(), *map(_Row, self._waiting)):
            mark, style = _MARKS[row.state]
            words = Text("» " if row.by_agent else "« ", style="dim") if row.words else Text()
            table.add_row(
                Text(f"{mark} {row.state}" if roomy else mark, style=style),
                Text(row.name),
                engine_text(row.engine),
                str(row.turn or "–"),
                milliseconds(row.heard_ms),
                words.append_text(redacted_text(row.words)),
                length(row.elapsed_ms),
            )
        yield table


def _after(row: _Row, event: Event) -> _Row:
    """The row after ``event``."""
    match event:
        case CallerSaid():
            return replace(row, words=event.text, by_agent=False)
        case SpeechHeard(speaker="caller"):
            return replace(row, state=CallState.LISTENING)
        case TurnEnded():
            return replace(row, state=CallState.DECIDING, turn=event.turn)
        case Decided():
            return replace(row, state=CallState.ANSWERING, engine=event.engine)
        case HandedOff() | TurnMoved():
            return replace(row, engine=event.to_engine)
        case TurnAnswered():
            return replace(row, state=CallState.ANSWERING, engine=event.engine, heard_ms=event.heard_ms)
        case AgentSaid() | HumanSaid():
            return replace(
                row, state=CallState.LISTENING, words=event.text, by_agent=True, engine=event.engine
            )
        case ProviderFailed() | PartFailed():
            return replace(row, state=CallState.FAILING_OVER)
        case CallEnded():
            return replace(row, state=CallState.ENDED)
        case _:
            return row
