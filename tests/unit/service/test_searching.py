from __future__ import annotations

from datetime import UTC, datetime

import pytest

from compliance.events import (
    AgentSaid,
    CallerSaid,
    CallStarted,
    Decided,
    Event,
    HumanSaid,
    ProviderFailed,
    ToolCalled,
)
from service.searching import Query, hit, shown

pytestmark = pytest.mark.unit

AT = {"call_id": "c", "at_ms": 1000.0}
EVENTS: tuple[Event, ...] = (
    CallStarted(
        call_id="c",
        at_ms=0,
        started_at="2026-11-02T09:00:00+00:00",
        source="lab:a",
        policy="p",
        policy_hash="h",
    ),
    CallerSaid(**AT, start_ms=0, end_ms=900, text="Where is my  Refund, <PERSON>", confidence=1),
    Decided(**AT, turn=1, engine="tool", rule="tools", reason="needs one", policy_hash="h", signals={}),
    ToolCalled(
        **AT,
        turn=1,
        engine="tool",
        name="find_order",
        arguments={"q": ["order 4417"]},
        result={"state": {"now": "sent back"}},
        failed=True,
        took_ms=1,
    ),
    ProviderFailed(**AT, turn=1, engine="tool", provider="openai", error="APIError 503", action="again"),
    AgentSaid(
        **AT,
        turn=1,
        engine="standard",
        generation=1,
        start_ms=0,
        end_ms=1,
        text="it is on its way",
        interrupted=False,
    ),
    HumanSaid(
        **AT, turn=1, engine="human", person="anna", start_ms=0, end_ms=1, text="let me look", confidence=1
    ),
)


def kinds(query: Query) -> list[str] | None:
    found = hit("c", EVENTS, query)
    return None if found is None else [event.kind for event in found.events]


@pytest.mark.parametrize(
    ("query", "by"),
    [
        (Query("my refund"), ["caller_said"]),
        (Query("ON ITS WAY"), ["agent_said"]),
        (Query("let me look"), ["human_said"]),
        (Query("sent back"), ["tool_called"]),
        (Query("4417"), ["tool_called"]),
        (Query(engine="tool"), ["decided"]),
        (Query(engine="standard"), ["agent_said"]),
        (Query(engine="human"), ["human_said"]),
        (Query(rule="tools"), ["decided"]),
        (Query(entity="PERSON"), ["caller_said"]),
        (Query(tool="find_order"), ["tool_called"]),
        (Query(failed="openai"), ["provider_failed"]),
        (Query("refund", tool="find_order"), ["caller_said", "tool_called"]),
        (Query(since=datetime(2026, 11, 2, tzinfo=UTC)), []),
    ],
    ids=str,
)
def test_a_call_is_found_by_what_it_has(query: Query, by: list[str]) -> None:
    assert kinds(query) == by


@pytest.mark.parametrize(
    "query",
    [
        Query("cancel"),
        Query("refund is"),
        Query(engine="fast"),
        Query(rule="default"),
        Query(entity="CREDIT_CARD"),
        Query(tool="refund"),
        Query(failed="deepgram"),
        Query("refund", tool="other"),
        Query("refund", until=datetime(2026, 11, 2, 9, tzinfo=UTC)),
        Query("refund", since=datetime(2026, 11, 2, 9, 1, tzinfo=UTC)),
    ],
    ids=str,
)
def test_a_call_is_not_found_by_what_it_lacks(query: Query) -> None:
    assert kinds(query) is None


def test_a_call_that_began_nobody_knows_when_is_found_by_no_time() -> None:
    assert hit("c", EVENTS[1:], Query("refund"))
    assert hit("c", EVENTS[1:], Query("refund", since=datetime(2026, 11, 2, tzinfo=UTC))) is None


def test_what_is_not_asked_for_is_not_named() -> None:
    query = Query("refund", tool="find_order", since=datetime(2026, 11, 2, tzinfo=UTC))
    assert query.facts == {"tool": "find_order"}


def test_every_event_has_a_line() -> None:
    assert [shown(event) for event in EVENTS[1:]] == [
        "Where is my Refund, <PERSON>",
        "tool by tools: needs one",
        "find_order failed",
        "openai failed (APIError 503): again",
        "it is on its way",
        "let me look",
    ]
