"""What a person is told before they take a call."""

from __future__ import annotations

import pytest

from compliance.events import CallerSaid, Decided, Event, ToolCalled, TransferAsked, TurnEnded
from service.transfer.briefing import LATEST, LONGEST_WORDS, Briefing, speakable

pytestmark = pytest.mark.unit


def said(text: str) -> CallerSaid:
    return CallerSaid(call_id="c", at_ms=0, start_ms=0, end_ms=0, text=text, confidence=1)


def ended(turn: int) -> TurnEnded:
    return TurnEnded(call_id="c", at_ms=0, turn=turn, start_ms=0, end_ms=0)


def asked(cause: str = "policy", reason: str = "") -> TransferAsked:
    return TransferAsked.model_validate(
        {"call_id": "c", "at_ms": 0, "turn": 1, "engine": "human", "cause": cause, "reason": reason}
    )


def tool(name: str, *, failed: bool = False) -> ToolCalled:
    return ToolCalled(
        call_id="c",
        at_ms=0,
        turn=1,
        engine="tool",
        name=name,
        arguments={},
        result=None,
        failed=failed,
        took_ms=1,
    )


def told(*events: Event, transport: str = "sip") -> str:
    briefing = Briefing(queue="support", transport=transport)
    for event in events:
        briefing.take(event)
    return briefing.summary().text


DECIDED = Decided(
    call_id="c",
    at_ms=0,
    turn=1,
    engine="human",
    rule="r",
    reason="the caller asked for a person",
    policy_hash="",
    signals={},
)


def test_it_says_who_called_what_they_asked_what_was_done_and_why() -> None:
    assert told(said("where is my"), said("order"), ended(1), tool("order_status"), DECIDED, asked()) == (
        "A caller on the support line, by telephone. They said: “where is my order” So far: order status worked. "
        "You have the call because the caller asked for a person."
    )


def test_a_tool_that_failed_is_told_so() -> None:
    assert "order status failed" in told(tool("order_status", failed=True), asked())


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (asked("failure"), "the assistant has technical problems"),
        (asked("tool", "they want a refund."), "they want a refund"),
        (asked("tool"), "the assistant passed the call on"),
    ],
)
def test_the_reason_is_the_engines_or_the_policys_or_the_cause(event: TransferAsked, why: str) -> None:
    assert told(said("hello"), event).endswith(f"You have the call because {why}.")


def test_who_said_nothing_is_not_quoted() -> None:
    assert "They have not said what it is about." in told(asked())


def test_it_stays_short_however_long_the_call_was() -> None:
    events: list[Event] = []
    for turn in range(1, 10):
        events += [said(f"turn{turn} " + "word " * 200), ended(turn)]
    text = told(*events, asked())
    assert "turn6" not in text
    assert all(f"turn{turn}" in text for turn in (7, 8, 9))
    assert len(text.split()) < LATEST * (LONGEST_WORDS + 10) + 30


def test_masks_are_read_out_in_words() -> None:
    assert speakable("my card is <CREDIT_CARD> and [WITHHELD]") == (
        "my card is a credit card, withheld, and something withheld"
    )
