"""Callbacks that are owed, from the records of calls: to whom stays sealed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from compliance.events import CallbackAsked, CallStarted, Event, TransferAsked, ValueSealed
from compliance.oversight import OversightEvent, Revealed
from service.transfer.transfers import NUMBER

NEEDS: tuple[str, ...] = ("call_started", "transfer_asked", "callback_asked", "value_sealed")
"""The kinds of events that are read of a call."""
OVERSIGHT: tuple[str, ...] = ("revealed",)
"""And of the record itself."""


@dataclass(frozen=True, slots=True)
class Callback:
    """Somebody who was promised a call.

    Attributes:
        call_id: the call in which.
        asked_at: when, UTC, ISO 8601.
        engine: the person's engine who was wanted.
        best_time: when it suits the caller, in their words, redacted.
        values: the sealed values of the call that are the number, in the order in which it was said: it may come in
            several breaths.
        taken_by: who had the number revealed, and so took the callback on; empty while nobody has.
    """

    call_id: str
    asked_at: str
    engine: str
    best_time: str
    values: tuple[int, ...]
    taken_by: str = ""


def callbacks(calls: Iterable[Iterable[Event]], oversight: Iterable[OversightEvent]) -> tuple[Callback, ...]:
    """All callbacks that were asked for, in the order of the calls.

    Args:
        calls: the events of each; those of :data:`NEEDS` are enough.
        oversight: of the record; those of :data:`OVERSIGHT` are enough.
    """
    seen = {
        (one.call_id, number): one.actor
        for one in oversight
        if isinstance(one, Revealed)
        for number in one.numbers
    }
    return tuple(one for events in calls for one in _of_call(tuple(events), seen))


def _of_call(events: tuple[Event, ...], seen: dict[tuple[str, int], str]) -> Iterator[Callback]:
    began, since_ms = "", 0.0
    sealed = [event for event in events if isinstance(event, ValueSealed) and event.entity == NUMBER]
    for event in events:
        match event:
            case CallStarted():
                began = event.started_at
            case TransferAsked():
                since_ms = event.at_ms
            case CallbackAsked():
                values = tuple(one.number for one in sealed if since_ms <= one.at_ms <= event.at_ms)
                takers = [seen[event.call_id, value] for value in values if (event.call_id, value) in seen]
                at = _moment(began, event.at_ms) if began else ""
                yield Callback(
                    event.call_id, at, event.engine, event.best_time, values, takers[0] if takers else ""
                )
            case _:
                pass


def _moment(started_at: str, at_ms: float) -> str:
    return (datetime.fromisoformat(started_at) + timedelta(milliseconds=at_ms)).isoformat(timespec="seconds")
