"""A cascade's model: how long it may stay silent, and what tools it is offered."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from livekit.agents import (
    NOT_GIVEN,
    APIConnectionError,
    ModelSettings,
    function_tool,
    llm,
)

from engines import cascade as module
from engines.cascade import TOLD, Cascade
from tests.virtual_time import in_virtual_time

pytestmark = pytest.mark.unit


class Mind(llm.LLM[Any]):
    """Says each word after its wait in seconds; an exception among the words is raised."""

    def __init__(self, *words: tuple[float, str | Exception]) -> None:
        super().__init__()
        self.words = words
        self.offered: list[tuple[list[str], Any]] = []
        self.read: list[list[tuple[str, str]]] = []

    @property
    def model(self) -> str:
        return "scripted"

    @property
    def provider(self) -> str:
        return "nobody"

    def chat(self, *, chat_ctx: llm.ChatContext, tools: Any = None, **how: Any) -> llm.LLMStream:
        self.read.append([(item.role, item.text_content or "") for item in chat_ctx.messages()])
        self.offered.append(([tool.id for tool in tools or []], how.get("tool_choice", NOT_GIVEN)))
        return _Stream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=how["conn_options"])


class _Stream(llm.LLMStream):
    async def _run(self) -> None:
        assert isinstance(self._llm, Mind)
        for wait_s, word in self._llm.words:
            await asyncio.sleep(wait_s)
            if isinstance(word, Exception):
                raise word
            self._event_ch.send_nowait(llm.ChatChunk(id="1", delta=llm.ChoiceDelta(content=word)))


def cascade(mind: Mind, *, tools: bool = False, first_reply_s: float = 5.0) -> Cascade:
    voice: Any = None
    return Cascade("fast", mind, voice, tools, first_reply_s)


async def said(chain: Cascade, tools: Sequence[llm.Tool] = ()) -> list[str]:
    words = []
    async for chunk in chain.think(llm.ChatContext(), [*tools], ModelSettings(tool_choice="auto")):
        assert chunk.delta is not None
        words.append(chunk.delta.content or "")
    return words


@function_tool
async def order_lookup(order_number: str) -> str:
    """Find an order."""
    return "on its way"


@in_virtual_time
async def test_a_reply_is_streamed_as_it_comes() -> None:
    assert await said(cascade(Mind((0, "Good "), (0, "day.")))) == ["Good ", "day."]


@in_virtual_time
async def test_a_model_that_does_not_begin_in_time_has_failed() -> None:
    with pytest.raises(TimeoutError):
        await said(cascade(Mind((60, "late")), first_reply_s=0.01))


@in_virtual_time
async def test_a_model_that_stops_in_mid_reply_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STALL_S", 0.01)
    with pytest.raises(TimeoutError):
        await said(cascade(Mind((0, "Good "), (60, "day."))))


def test_a_model_may_stop_for_no_longer_than_it_may_take_to_begin_but_for_a_second() -> None:
    limits = {first: cascade(Mind(), first_reply_s=first).stall_s for first in (0.5, 2.0, 30.0)}
    assert limits == {0.5: 1.0, 2.0: 2.0, 30.0: module.STALL_S}


@in_virtual_time
async def test_a_failure_is_not_tried_again_on_the_same_model() -> None:
    mind = Mind((0, APIConnectionError("gone")))
    with pytest.raises(APIConnectionError):
        await said(cascade(mind))
    assert len(mind.offered) == 1


@in_virtual_time
async def test_tools_are_offered_only_to_an_engine_that_may_use_them() -> None:
    mind = Mind((0, "Good day."))
    await said(cascade(mind, tools=True), [order_lookup])
    await said(cascade(mind, tools=False), [order_lookup])
    assert mind.offered == [(["order_lookup"], "auto"), ([], NOT_GIVEN)]


@pytest.mark.parametrize(("aware", "manner"), [(True, "upset"), (True, ""), (False, "upset")])
@in_virtual_time
async def test_only_an_audio_aware_engine_is_told_how_the_caller_sounds(aware: bool, manner: str) -> None:
    mind = Mind((0, "Good day."))
    chain = replace(cascade(mind), audio_aware=aware)
    history = llm.ChatContext()
    history.add_message(role="assistant", content="Hello.")
    history.add_message(role="user", content="where is it")
    async for _ in chain.think(history, [], ModelSettings(), manner):
        pass
    told = [("system", TOLD.format(manner="upset"))] if aware and manner else []
    assert mind.read == [[("assistant", "Hello."), *told, ("user", "where is it")]]
    assert len(history.items) == 2


def test_a_caller_who_sounds_otherwise_is_answered_in_another_voice() -> None:
    plain: Any = object()
    gentle: Any = object()
    chain = replace(cascade(Mind()), voice=plain, voices_when={"upset": gentle})
    assert chain.voice_for("upset") is gentle
    assert chain.voice_for("") is plain
