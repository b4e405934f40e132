"""Which turns of a recorded call have a label, and which."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from classifiers.tool_need import Earlier
from compliance.events import (
    AgentSaid,
    CallerSaid,
    Decided,
    Event,
    PartFailed,
    PreviewSettled,
    ProviderFailed,
    ToolCalled,
    TurnMoved,
)
from router import Policy
from service.learning.turns import RecordedTurn, Unlabelled, recorded_turns
from tests.unit.service.learning.lines import ABLE, EXPLORING, GREETING, Said, events_of

pytestmark = pytest.mark.unit

WITH_TOOLS, WITHOUT = 0.9, 0.1
"""What the classifier in use makes of a turn that the policy sends to an engine with tools, and to one without."""


def a_call(*turns: Said) -> list[Event]:
    policy = Policy.parse(EXPLORING.replace("as-ever: 90", "as-ever: 1").replace("weight: 10", "weight: 0"))
    return events_of(policy, "call-1", turns)


def the_turn(events: Sequence[Event]) -> RecordedTurn:
    (turn,) = recorded_turns(events, ABLE)
    return turn


def test_a_turn_in_which_a_tool_was_called_needed_one_and_others_did_not() -> None:
    first, second = recorded_turns(
        a_call(Said("where is my kettle", True, WITH_TOOLS), Said("and my guarantee", False, WITH_TOOLS)),
        ABLE,
    )
    assert (first.unlabelled, first.needs_tool, first.tools) == (None, True, ("look_up_order",))
    assert (second.unlabelled, second.needs_tool) == (None, False)


def test_a_turn_answered_by_an_engine_without_tools_is_censored_rather_than_negative() -> None:
    turn = the_turn(a_call(Said("the kettle never came", True, WITHOUT)))
    assert (turn.engine, turn.unlabelled) == ("fast", Unlabelled.CENSORED)


def test_an_engine_that_the_caller_of_this_names_able_gives_labels() -> None:
    (turn,) = recorded_turns(a_call(Said("the kettle never came", False, WITHOUT)), {*ABLE, "fast"})
    assert turn.unlabelled is None


def test_a_tool_that_failed_was_needed_all_the_same() -> None:
    events = [
        event.model_copy(update={"failed": True, "result": "no answer within 8 s"})
        if isinstance(event, ToolCalled)
        else event
        for event in a_call(Said("where is my kettle", True, WITH_TOOLS))
    ]
    assert the_turn(events).needs_tool


@pytest.mark.parametrize("needs_tool", [True, False])
def test_a_turn_whose_reply_was_cut_is_left_out_whether_or_not_a_tool_was_called(needs_tool: bool) -> None:
    events = [
        event.model_copy(update={"interrupted": True})
        if isinstance(event, AgentSaid) and event.turn
        else event
        for event in a_call(Said("where is my kettle", needs_tool, WITH_TOOLS))
    ]
    assert the_turn(events).unlabelled is Unlabelled.CUT


@pytest.mark.parametrize("needs_tool", [True, False])
def test_a_turn_in_which_a_provider_failed_is_left_out(needs_tool: bool) -> None:
    events = a_call(Said("where is my kettle", needs_tool, WITH_TOOLS))
    at = {"call_id": "call-1", "at_ms": 5_400, "turn": 1}
    failed = ProviderFailed(**at, engine="tool", provider="openai", error="APITimeoutError", action="moved")
    moved = TurnMoved(**at, from_engine="tool", to_engine="standard")
    assert the_turn([*events, failed]).unlabelled is Unlabelled.MOVED
    assert the_turn([*events, moved]).unlabelled is Unlabelled.MOVED


def test_a_turn_answered_by_another_engine_than_was_decided_is_left_out() -> None:
    events = [
        event.model_copy(update={"engine": "standard"})
        if isinstance(event, AgentSaid) and event.turn
        else event
        for event in a_call(Said("where is my kettle", True, WITH_TOOLS))
    ]
    assert the_turn(events).unlabelled is Unlabelled.MOVED


def test_the_turns_of_a_call_whose_tools_were_away_are_left_out() -> None:
    away = PartFailed(
        call_id="call-1", at_ms=1, part="tools", error="ToolsUnavailableError", action="goes on"
    )
    assert the_turn([away, *a_call(Said("hello", False, WITH_TOOLS))]).unlabelled is Unlabelled.NO_TOOLS


def test_a_call_that_stops_in_the_middle_keeps_what_is_certain() -> None:
    events = a_call(Said("where is my kettle", True, WITH_TOOLS), Said("thanks", False, WITH_TOOLS))
    second = next(i for i, event in enumerate(events) if isinstance(event, Decided) and event.turn == 2)
    first, last = recorded_turns(events[: second + 1], ABLE)
    assert first.unlabelled is None
    assert last.unlabelled is Unlabelled.UNANSWERED


def test_a_turn_whose_routing_failed_is_left_out() -> None:
    events = [
        event.model_copy(update={"rule": "default-engine", "signals": {}})
        if isinstance(event, Decided)
        else event
        for event in a_call(Said("where is my kettle", True, WITH_TOOLS))
    ]
    assert the_turn(events).unlabelled is Unlabelled.NOT_ROUTED


@pytest.mark.parametrize("kept", ["", "[REDACTION_FAILED]"])
def test_a_turn_whose_words_are_not_on_record_is_left_out(kept: str) -> None:
    events = [
        event.model_copy(update={"text": kept}) if isinstance(event, CallerSaid) else event
        for event in a_call(Said("where is my kettle", True, WITH_TOOLS))
    ]
    assert the_turn(events).unlabelled is Unlabelled.NO_WORDS


def test_the_agents_words_are_the_last_that_had_been_said_when_the_turn_was_routed() -> None:
    events = a_call(
        Said("hello", False, WITH_TOOLS, reply="What is your order number?"), Said("one", True, WITH_TOOLS)
    )
    first, second = recorded_turns(events, ABLE)
    assert (first.agent, second.agent) == (GREETING, "What is your order number?")
    # A reply that the caller cut may reach the record only after their next turn was routed.
    late = [event for event in events if not (isinstance(event, AgentSaid) and event.turn == 1)]
    late += [event for event in events if isinstance(event, AgentSaid) and event.turn == 1]
    assert recorded_turns(late, ABLE)[1].agent == GREETING


def test_a_turn_comes_with_what_the_live_classifier_would_remember_of_the_turns_before() -> None:
    stored = ("hello", "my order is four four one seven", "my phone is <PHONE_NUMBER>", "yes <SPELLED>", "ok")
    spoken = ("hello", "my order is four four one seven", "my phone is five five five one", "yes j o h n")
    turns = recorded_turns(a_call(*(Said(one, False, WITH_TOOLS) for one in stored)), ABLE)
    remembered = Earlier()
    for turn, words in zip(turns, (*spoken, ""), strict=True):
        assert turn.earlier == remembered
        remembered = remembered.then(words).having_called(*turn.tools)


def test_a_reply_that_was_begun_early_and_thrown_away_changes_nothing() -> None:
    events = a_call(Said("where is my kettle", False, WITH_TOOLS))
    discarded = PreviewSettled(call_id="call-1", at_ms=4_900, turn=1, engine="fast", used=False)
    assert recorded_turns([*events, discarded], ABLE) == recorded_turns(events, ABLE)


def test_a_call_without_a_turn_has_none() -> None:
    assert recorded_turns(a_call(), ABLE) == ()
    assert recorded_turns([], ABLE) == ()
