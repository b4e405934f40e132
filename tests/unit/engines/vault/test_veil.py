"""What each model of a call is shown, with a finder that knows a few values by heart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from livekit.agents import llm

from compliance.events import Speaker
from compliance.redaction.placeholders import Placeholders
from compliance.redaction.spans import Span
from engines.vault import NO_VEIL, Veil, VeilLostError

pytestmark = [pytest.mark.unit, pytest.mark.asyncio]

VALUES = {"kim doe": "PERSON", "4111": "CREDIT_CARD", "5550142": "PHONE_NUMBER"}


class ByHeart:
    """Finds :data:`VALUES`, and notes what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.hangs = False
        self.fails = False

    def in_words(self, text: str, *, speaker: Speaker) -> asyncio.Future[tuple[Span, ...]]:
        self.told.append((speaker, text))
        found = [
            Span(at, at + len(value), entity)
            for value, entity in VALUES.items()
            if (at := text.lower().find(value)) >= 0
        ]
        return self._future(tuple(sorted(found, key=lambda span: span.start)))

    def in_data(self, value: Any) -> asyncio.Future[Any]:
        text = json.dumps(value)
        for each, entity in VALUES.items():
            text = text.replace(each, f"<{entity}>")
        return self._future(json.loads(text))

    def _future(self, found: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self.fails:
            future.set_exception(ConnectionError())
        elif not self.hangs:
            future.set_result(found)
        return future


def veiled(finder: ByHeart, *, when_lost: str = "withhold", entities: frozenset[str] | None = None) -> Veil:
    return Veil(Placeholders(frozenset({"tool"}), entities, when_lost), finder, limit_s=60.0)


def conversation(*items: llm.ChatItem) -> llm.ChatContext:
    return llm.ChatContext([llm.ChatMessage(role="system", content=["Be kind."]), *items])


def user(text: str) -> llm.ChatMessage:
    return llm.ChatMessage(role="user", content=[text])


def agent(text: str) -> llm.ChatMessage:
    return llm.ChatMessage(role="assistant", content=[text])


def texts(shown: llm.ChatContext) -> list[str]:
    return [
        item.text_content or "" for item in shown.items if item.type == "message" and item.role != "system"
    ]


async def test_a_veiled_engine_sees_placeholders_and_is_told_what_they_are() -> None:
    veil = veiled(ByHeart())
    chat_ctx = conversation(user("it is Kim Doe"), agent("Hello Kim Doe"))
    shown = await veil.seen_by("tool", chat_ctx)
    assert texts(shown) == ["it is [NAME_1]", "Hello [NAME_1]"]
    assert ["[NAME_2]" in str(item.content) for item in shown.items if item.type == "message"] == [
        False,
        True,
        False,
        False,
    ]
    assert texts(chat_ctx) == ["it is Kim Doe", "Hello Kim Doe"]


async def test_nothing_is_explained_before_there_is_a_placeholder() -> None:
    veil = veiled(ByHeart())
    assert len((await veil.seen_by("tool", conversation(user("hello")))).items) == 2


async def test_any_other_engine_sees_values_in_replies_that_have_placeholders() -> None:
    veil = veiled(ByHeart())
    chat_ctx = conversation(user("it is Kim Doe"))
    await veil.seen_by("tool", chat_ctx)
    chat_ctx.items.append(agent("Hello [NAME_1]"))
    assert (
        texts(await veil.seen_by("fast", chat_ctx))
        == texts(veil.shown(chat_ctx))
        == ["it is Kim Doe", "Hello Kim Doe"]
    )


async def test_only_the_entities_of_the_policy_are_hidden() -> None:
    veil = veiled(ByHeart(), entities=frozenset({"CREDIT_CARD"}))
    assert texts(await veil.seen_by("tool", conversation(user("kim doe with 4111")))) == [
        "kim doe with [CARD_1]"
    ]


async def test_words_are_looked_through_once_and_as_they_were_said() -> None:
    finder = ByHeart()
    veil = veiled(finder)
    for part in ("it is kim doe", "and 4111"):
        veil.caller_said(part)
    turn = user("it is kim doe and 4111")
    for _ in range(3):
        assert texts(await veil.seen_by("tool", conversation(turn))) == ["it is [NAME_1] and [CARD_1]"]
    assert finder.told == [("caller", "it is kim doe"), ("caller", "and 4111")]


async def test_a_reply_is_told_when_it_is_over_so_that_the_answer_to_it_is_understood() -> None:
    finder = ByHeart()
    veil = veiled(finder)
    question = agent("And your name?")
    veil.reply_heard(question, "tool")
    veil.caller_said("kim doe")
    await veil.seen_by("tool", conversation(question, user("kim doe")))
    assert finder.told == [("agent", "And your name?"), ("caller", "kim doe")]


async def test_the_record_is_given_what_the_caller_heard() -> None:
    veil = veiled(ByHeart())
    await veil.seen_by("tool", conversation(user("4111")))
    reply = agent("It ends in [CARD_1:last4].")
    assert veil.reply_heard(reply, "tool").text_content == "It ends in 4 1 1 1."
    assert reply.text_content == "It ends in [CARD_1:last4]."
    assert veil.reply_heard(reply, "fast") is reply


async def test_a_reply_in_pieces_is_filled_for_the_voice_of_a_veiled_engine_only() -> None:
    veil = veiled(ByHeart())
    await veil.seen_by("tool", conversation(user("4111")))

    async def words() -> AsyncIterator[str]:
        for piece in ("It is [CA", "RD_1]", "."):
            yield piece

    assert "".join([piece async for piece in veil.aloud(lambda: "tool", words())]) == "It is 4 1 1 1."
    assert "".join([piece async for piece in veil.aloud(lambda: "fast", words())]) == "It is [CARD_1]."


async def test_a_tool_has_the_values_and_the_model_does_not() -> None:
    veil = veiled(ByHeart())
    await veil.seen_by("tool", conversation(user("4111")))
    assert veil.for_tool("tool", {"card": "[CARD_1]"}) == {"card": "4111"}
    assert veil.for_tool("fast", {"card": "[CARD_1]"}) == {"card": "[CARD_1]"}
    result = await veil.from_tool("tool", '{"owner": "kim doe", "card": "4111"}')
    assert json.loads(result) == {"owner": "[NAME_1]", "card": "[CARD_1]"}
    chat_ctx = conversation(
        llm.FunctionCall(call_id="a", name="pay", arguments='{"card": "[CARD_1]"}'),
        llm.FunctionCallOutput(call_id="a", name="pay", output=result, is_error=False),
    )
    hidden = await veil.seen_by("tool", chat_ctx)
    assert hidden.items[-2:] == chat_ctx.items[-2:]
    open_to = veil.shown(chat_ctx).items
    assert "4111" in str(open_to[-2])
    assert "kim doe" in str(open_to[-1])


async def test_what_another_engine_passed_through_a_tool_is_hidden_as_well() -> None:
    veil = veiled(ByHeart())
    shown = await veil.seen_by(
        "tool",
        conversation(
            llm.FunctionCall(call_id="a", name="pay", arguments='{"card": "4111"}'),
            llm.FunctionCallOutput(call_id="a", name="pay", output="for kim doe", is_error=False),
        ),
    )
    assert "4111" not in str(shown.items)
    assert "kim doe" not in str(shown.items)


async def test_lines_for_the_decision_model_are_hidden_too() -> None:
    finder = ByHeart()
    veil = Veil(Placeholders(None), finder)
    veil.caller_said("it is kim doe")
    lines = await veil.lines("questions", [("agent", "Your name?"), ("caller", "it is kim doe")])
    assert lines == [("agent", "Your name?"), ("caller", "it is [NAME_1]")]
    assert await veiled(finder).lines("questions", [("caller", "kim doe")]) == [("caller", "kim doe")]


@pytest.mark.parametrize("how", ["hangs", "fails"])
async def test_words_that_cannot_be_looked_through_are_withheld(how: str) -> None:
    finder, lost = ByHeart(), list[BaseException]()
    setattr(finder, how, True)
    veil = Veil(Placeholders(frozenset({"tool"})), finder, lost=lost.append, limit_s=0.01)
    veil.caller_said("it is kim doe")
    turn = user("it is kim doe")
    shown = await veil.seen_by("tool", conversation(turn, user("kim doe again")))
    assert texts(shown) == ["[WITHHELD]", "[WITHHELD]"]
    assert await veil.from_tool("tool", "kim doe") == "[WITHHELD]"
    assert len(lost) == 3


async def test_words_that_were_withheld_are_shown_hidden_once_they_are_looked_through() -> None:
    finder = ByHeart()
    finder.fails = True
    veil = veiled(finder)
    veil.caller_said("it is kim doe")
    turn = user("it is kim doe")
    finder.fails = False
    assert texts(await veil.seen_by("tool", conversation(turn))) == ["it is [NAME_1]"]


async def test_or_another_engine_answers() -> None:
    finder = ByHeart()
    finder.fails = True
    veil = veiled(finder, when_lost="other_engine")
    with pytest.raises(VeilLostError):
        await veil.seen_by("tool", conversation(user("kim doe")))
    assert await veil.from_tool("tool", "kim doe") == "[WITHHELD]"


async def test_without_a_policy_everything_is_as_it_is() -> None:
    chat_ctx = conversation(user("kim doe"))
    assert await NO_VEIL.seen_by("tool", chat_ctx) is chat_ctx
    assert NO_VEIL.reply_heard(message := agent("[NAME_1]"), "tool") is message
    assert NO_VEIL.for_tool("tool", {"a": "[NAME_1]"}) == {"a": "[NAME_1]"}
    NO_VEIL.caller_said("kim doe")
