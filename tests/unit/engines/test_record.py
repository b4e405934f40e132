from __future__ import annotations

import pytest
from livekit.agents import APIStatusError, llm

from compliance.clock import CallClock
from compliance.events import Event, LateEventDropped, ProviderFailed
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
