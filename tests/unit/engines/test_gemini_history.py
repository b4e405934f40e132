"""The conversation as the caller heard it: what of it a connection knows, and what is to be asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.agents import llm

from engines.gemini_history import HeardHistory

pytestmark = pytest.mark.unit


def said(item_id: str, text: str = "") -> llm.ChatMessage:
    """By the caller where the id begins with u."""
    role = "user" if item_id.startswith("u") else "assistant"
    return llm.ChatMessage(id=item_id, role=role, content=[text] if text else [])  # type: ignore[arg-type]


def history(*messages: llm.ChatItem) -> HeardHistory:
    made = HeardHistory()
    made.replace(llm.ChatContext([*messages]))
    return made


TALK = (said("u1", "hello"), said("a1", "How can I help?"), said("u2", "goodbye"))
KNOWN = {"u1": "", "a1": "How can I help?"}


def test_a_turn_of_the_callers_may_follow_what_is_known() -> None:
    assert history(*TALK[:2]).goes_on_from(KNOWN)
    assert history(*TALK).goes_on_from(KNOWN)


@pytest.mark.parametrize(
    "messages",
    [
        (TALK[0], said("a1", "How can I")),
        (TALK[0], TALK[2]),
        (*TALK, said("a2", "Bye.")),
        (TALK[0], said("a9", "Yes?"), TALK[1]),
        (TALK[0], TALK[2], TALK[1]),
    ],
    ids=["cut", "unheard", "answered by another", "answered in between", "said in between"],
)
def test_anything_else_needs_a_fresh_connection(messages: tuple[llm.ChatMessage, ...]) -> None:
    assert not history(*messages).goes_on_from(KNOWN)


def test_a_turn_without_words_that_was_heard_is_missed_by_nobody() -> None:
    assert history(TALK[1]).goes_on_from(KNOWN)


def test_what_is_asked_in_writing_is_what_nobody_answered() -> None:
    talk = history(*TALK, said("u3", "are you there"))
    assert [item.id for item in talk.unanswered({})] == ["u2", "u3"]
    assert [item.id for item in talk.unanswered({"u2": ""})] == ["u3"]
    assert [item.id for item in talk.without(talk.unanswered({})).items] == ["u1", "a1"]
    assert history(*TALK[:2]).unanswered({}) == []


def test_a_reply_stands_as_it_was_heard() -> None:
    talk = history(*TALK[:2])
    talk.said(said("a1", "How can"))
    assert [item.text_content for item in talk.context.messages()] == ["hello", "How can"]
    talk.forget("a1")
    assert not talk.has("a1")
    assert talk.last_id == "u1"


def test_results_are_given_once_all_are_there() -> None:
    first = llm.FunctionCallOutput(call_id="1", name="a", output="x", is_error=False)
    second = llm.FunctionCallOutput(call_id="2", name="b", output="y", is_error=True)
    assert history(TALK[0], first).results({"1", "2"}) is None
    given_results = history(TALK[0], first, second).results({"1", "2"})
    assert given_results is not None
    assert given_results.items == [first, second]
    assert history(TALK[0], first).results(set()) is None


@given(st.lists(st.sampled_from(["u1", "a1", "u2", "a2", "u3"]), unique=True))
def test_a_conversation_goes_on_from_itself(ids: list[str]) -> None:
    talk = history(*(said(item_id, f"words of {item_id}") for item_id in ids))
    known = {item.id: item.text_content or "" for item in talk.context.messages()}
    assert talk.goes_on_from(known)
    talk.said(said("a9", "of another engine"))
    assert not talk.goes_on_from(known)
