from __future__ import annotations

import pytest
from livekit.agents import APIStatusError, llm

from compliance.clock import CallClock
from compliance.events import EngineHeard, Event, HeardAlike, LateEventDropped, ProviderFailed
from engines.record import Record, name_of

pytestmark = pytest.mark.unit


def test_what_came_late_is_booked_on_the_generation_it_belongs_to() -> None:
    events: list[Event] = []
    Record(events.append, CallClock(), "c").late("realtime", "generation_created", 3)
    [event] = events
    assert isinstance(event, LateEventDropped)
    assert (event.engine, event.what, event.generation, event.count) == (
        "realtime",
        "generation_created",
        3,
        1,
    )


def test_a_failure_is_recorded_by_class_and_code_never_by_its_words() -> None:
    events: list[Event] = []
    error = APIStatusError("the caller said four one one one", status_code=503)
    Record(events.append, CallClock(), "c").failed(2, "fast", "openai", error, "moved to standard")
    [event] = events
    assert isinstance(event, ProviderFailed)
    assert event.error == "APIStatusError 503"
    assert "four" not in event.model_dump_json()


def test_an_error_without_a_code_is_named_by_its_class() -> None:
    assert name_of(TimeoutError("words")) == "TimeoutError"
    assert name_of(llm.RealtimeError("words", code="silent")) == "RealtimeError silent"


def test_what_a_realtime_engine_heard_is_recorded_where_it_differs_and_counted_where_it_does_not() -> None:
    events: list[Event] = []
    record = Record(events.append, CallClock(), "c")
    record.heard_by_engine("realtime", 2, "refund order four four one", "Refund order 441.")
    alike = events.pop()
    assert isinstance(alike, HeardAlike)
    assert (alike.turn, alike.engine, alike.words) == (2, "realtime", 3)
    record.heard_by_engine("realtime", 3, "refund order four four one", "refund the order 449")
    [event] = events
    assert isinstance(event, EngineHeard)
    assert (event.turn, event.engine, event.record) == (3, "realtime", "refund order four four one")
    assert (event.words, event.substituted, event.inserted, event.deleted) == (3, 1, 1, 0)
    assert event.word_error_rate == pytest.approx(2 / 3, abs=1e-4)
