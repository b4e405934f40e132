"""What a history says of the turn in hand."""

from typing import Literal

import pytest
from livekit.agents import llm

from engines.turn_history import as_stored, drop_answers, insert_before, is_worked_on, last_asked, unanswered

pytestmark = pytest.mark.unit


def said(role: Literal["user", "assistant", "system"], text: str, at_s: float) -> llm.ChatMessage:
    return llm.ChatMessage(role=role, content=[text], created_at=at_s)


ASKED, ANSWERED = said("user", "where is my order", 1.0), said("assistant", "on its way", 2.0)
LOOKED = llm.FunctionCall(call_id="call", name="look", arguments="{}", created_at=1.5)


def test_what_the_caller_said_last_is_unanswered_until_something_is_said_to_them() -> None:
    history = llm.ChatContext([ASKED, LOOKED, said("system", "be brief", 1.6)])
    assert unanswered(history) is last_asked(history) is ASKED
    history.insert(ANSWERED)
    assert unanswered(history) is None
    assert last_asked(history) is ASKED
    assert last_asked(llm.ChatContext([ANSWERED])) is unanswered(llm.ChatContext()) is None


def test_a_turn_is_found_under_the_id_that_another_side_gave_it() -> None:
    theirs = said("user", "where is my order", 1.1)
    assert as_stored(ASKED, llm.ChatContext([theirs, ANSWERED])) is theirs
    assert as_stored(ASKED, llm.ChatContext([said("user", "something else", 1.1)])) is ASKED


def test_a_turn_that_was_taken_back_stands_before_the_one_after_it_in_each_history() -> None:
    late, one, other = (
        said("user", "hello", 5.0),
        llm.ChatContext([ASKED]),
        llm.ChatContext([ASKED, ANSWERED]),
    )
    insert_before(ASKED, late, one, other)
    assert one.items == [late, ASKED]
    assert other.items == [late, ASKED, ANSWERED]


def test_only_what_was_said_after_a_turn_is_left_out() -> None:
    greeting = said("assistant", "good morning", 0.5)
    history = llm.ChatContext([greeting, ASKED, LOOKED, ANSWERED])
    drop_answers(ASKED, history)
    assert history.items == [greeting, ASKED, LOOKED]


def test_a_turn_is_worked_on_once_something_follows_it() -> None:
    history = llm.ChatContext([ASKED])
    assert not is_worked_on(ASKED, history)
    history.insert(LOOKED)
    assert is_worked_on(ASKED, history)
    assert not is_worked_on(ANSWERED, history)
