"""A realtime session's state: items in order, what they cost, what was heard of them."""

import asyncio

import pytest

from lab.realtime_conversation import (
    Conversation,
    Item,
    RejectedError,
    Tokens,
    new_session,
    tool_names,
    update_session,
)

pytestmark = pytest.mark.unit


def item(item_id: str, role: str = "user", text: str = "hello", audio_ms: int = 0) -> Item:
    content = [{"type": "input_text", "text": text}] if text else []
    return Item(item_id, {"type": "message", "role": role, "content": content}, audio_ms=audio_ms)


def spoken(item_id: str, transcript: str, audio_ms: int) -> Item:
    wire = {"type": "message", "role": "assistant", "content": [{"type": "output_audio", "transcript": ""}]}
    return Item(item_id, wire, audio_ms=audio_ms, transcript=transcript)


def test_items_stand_where_they_were_put() -> None:
    conversation = Conversation()
    assert conversation.add(item("b")) is None
    assert conversation.add(item("d")) == "b"
    assert conversation.add(item("c"), "b") == "b"
    assert conversation.add(item("a"), "root") is None
    assert [i.id for i in conversation.items] == ["a", "b", "c", "d"]
    conversation.delete("b")
    assert [i.id for i in conversation.items] == ["a", "c", "d"]


def test_what_cannot_be_done_is_rejected_with_the_services_code() -> None:
    conversation = Conversation([item("a"), spoken("b", "hello there", 1000)])
    for code, attempt in (
        ("item_create_duplicate_item_id", lambda: conversation.add(item("a"))),
        ("item_create_invalid_previous_item_id", lambda: conversation.add(item("x"), "nowhere")),
        ("item_delete_invalid_item_id", lambda: conversation.delete("nothing")),
        ("item_truncate_invalid_item_id", lambda: conversation.truncate("nothing", 5)),
        ("item_retrieve_invalid_item_id", lambda: conversation["nothing"]),
        ("invalid_value", lambda: conversation.truncate("a", 5)),
        ("invalid_value", lambda: conversation.truncate("b", 1001)),
    ):
        with pytest.raises(RejectedError) as caught:
            attempt()
        assert caught.value.code == code


async def test_truncation_keeps_the_words_that_were_heard() -> None:
    conversation = Conversation([spoken("a", "one two three four", 2000)])
    conversation.truncate("a", 1000)
    request = await conversation.request("", frozenset())
    assert [(m.role, m.text) for m in request.messages] == [("assistant", "one two")]
    assert conversation.items[0].tokens.audio == 20


async def test_a_request_waits_until_the_caller_was_understood() -> None:
    conversation = Conversation([item("a", text="", audio_ms=500)])
    conversation.items[0].heard = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(conversation.request("Be brief.", frozenset({"t"})))
    await asyncio.sleep(0)
    assert not waiting.done()
    conversation.items[0].heard.set_result("good morning")
    request = await waiting
    assert [(m.role, m.text) for m in request.messages] == [("system", "Be brief."), ("user", "good morning")]
    assert (request.tools, request.engine) == (frozenset({"t"}), "realtime")


async def test_a_tool_result_knows_which_tool_it_is_from() -> None:
    call = Item("a", {"type": "function_call", "call_id": "c1", "name": "order_lookup", "arguments": "{}"})
    result = Item("b", {"type": "function_call_output", "call_id": "c1", "output": "{}"})
    request = await Conversation([call, result]).request("", frozenset())
    assert request.pending is not None
    assert request.pending.tool == "order_lookup"


def test_audio_costs_10_tokens_a_second_from_the_caller_and_20_from_the_agent() -> None:
    assert item("a", text="", audio_ms=3000).tokens.audio == 30
    assert spoken("a", "hello", 3000).tokens.audio == 60


def test_what_the_last_response_paid_for_is_cached_up_to_the_first_change() -> None:
    conversation = Conversation([item("a", audio_ms=8_000, text=""), spoken("b", "hi", 4_000)])
    assert conversation.bill("x " * 100, []) == (Tokens(112, 160), Tokens())
    conversation.add(item("c", text="more"))
    assert conversation.bill("x " * 100, []) == (Tokens(117, 160), Tokens(64, 128))
    conversation.truncate("b", 1_000)
    assert conversation.bill("x " * 100, [])[1] == Tokens(64, 64)
    assert conversation.bill("y " * 100, [])[1] == Tokens()


def test_an_update_changes_what_it_names_and_null_switches_off() -> None:
    session = new_session("sess_1", "gpt-realtime")
    update_session(session, {"type": "realtime", "audio": {"input": {"turn_detection": None}}})
    update_session(session, {"instructions": "Be brief.", "audio": {"output": {"voice": "cedar"}}})
    assert session["audio"]["input"]["turn_detection"] is None
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24_000}
    assert (session["instructions"], session["audio"]["output"]["voice"]) == ("Be brief.", "cedar")


def test_a_tool_choice_of_none_offers_no_tools() -> None:
    tools = [{"type": "function", "name": "a"}, {"type": "mcp"}]
    assert tool_names(tools, "auto") == frozenset({"a"})
    assert tool_names(tools, "none") == frozenset()
