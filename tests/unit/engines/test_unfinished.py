"""What is billed of a request that its provider told nothing about."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from livekit.agents import APIConnectionError, APIStatusError, APITimeoutError, ModelSettings, llm

from engines.cascade import Cascade
from engines.meter import Meter
from engines.prices import Prices
from engines.unfinished import Unfinished, estimated, is_billed
from engines.usage import usage
from policies import shipped
from tests.unit.engines.test_cascade import Mind, cascade, order_lookup
from tests.virtual_time import in_virtual_time

pytestmark = pytest.mark.unit

ASKED = "where is my order"


def conversation() -> llm.ChatContext:
    context = llm.ChatContext()
    context.add_message(role="user", content=ASKED)
    return context


async def used_by(mind: Mind, *, words: int | None = None, **how: Any) -> list[Unfinished]:
    """What is told of a reply of which ``words`` are taken, or all; failures are its own."""
    told: list[Unfinished] = []
    chain: Cascade = replace(cascade(mind, **how), on_unfinished=told.append)
    reply = chain.think(conversation(), [order_lookup], ModelSettings())
    try:
        heard = 0
        async for _ in reply:
            heard += 1
            if heard == words:
                break
    except (APIConnectionError, APIStatusError, TimeoutError):
        pass
    await reply.aclose()
    return told


@in_virtual_time
async def test_a_reply_that_is_cut_is_billed_as_far_as_it_came() -> None:
    [used] = await used_by(Mind((0, "On its "), (0, "way."), (60, "Bye.")), words=2)
    assert used == Unfinished("scripted", 4 + 5, 3)


@in_virtual_time
async def test_a_reply_that_breaks_off_is_billed_as_far_as_it_came() -> None:
    [used] = await used_by(Mind((0, "On its "), (0, APIConnectionError("gone"))))
    assert used.output_text_tokens == 2


@in_virtual_time
async def test_a_model_that_never_answers_is_billed_what_it_was_sent() -> None:
    [used] = await used_by(Mind((60, "late")), first_reply_s=0.01)
    assert used == Unfinished("scripted", 9, 0)


@in_virtual_time
async def test_tools_are_sent_too() -> None:
    [used] = await used_by(Mind((60, "late")), first_reply_s=0.01, tools=True)
    assert used.input_text_tokens > 9


@pytest.mark.parametrize("refusal", [APIConnectionError("gone"), APIStatusError("busy", status_code=429)])
@in_virtual_time
async def test_a_request_that_is_turned_away_costs_nothing(refusal: Exception) -> None:
    assert await used_by(Mind((0, refusal))) == []


@in_virtual_time
async def test_a_request_that_nobody_wants_any_more_is_billed_what_it_was_sent() -> None:
    told: list[Unfinished] = []
    chain = replace(cascade(Mind((60, "late"))), on_unfinished=told.append)

    async def listen() -> None:
        async for _ in chain.think(conversation(), [], ModelSettings()):
            pass

    task = asyncio.create_task(listen())
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [one.input_text_tokens for one in told] == [9]


@in_virtual_time
async def test_a_reply_whose_usage_came_is_not_billed_again() -> None:
    told: list[Unfinished] = []

    class Told(Mind):
        def chat(self, **how: Any) -> Any:
            return _Told(self, chat_ctx=how["chat_ctx"], tools=[], conn_options=how["conn_options"])

    class _Told(llm.LLMStream):
        async def _run(self) -> None:
            used = llm.CompletionUsage(completion_tokens=1, prompt_tokens=9, total_tokens=10)
            self._event_ch.send_nowait(llm.ChatChunk(id="1", delta=llm.ChoiceDelta(content="Hi.")))
            self._event_ch.send_nowait(llm.ChatChunk(id="1", usage=used))

    chain = replace(cascade(Told()), on_unfinished=told.append)
    async for _ in chain.think(conversation(), [], ModelSettings()):
        pass
    assert told == []


def test_what_was_called_and_came_back_is_part_of_what_was_sent() -> None:
    context = conversation()
    context.items.append(llm.FunctionCall(call_id="1", name="order_lookup", arguments="{}"))
    context.items.append(
        llm.FunctionCallOutput(call_id="1", name="order_lookup", output="on its way", is_error=False)
    )
    assert estimated("m", context, [], "").input_text_tokens == 9 + 4 + 4 + 4 + 3


def test_who_waited_in_vain_pays_and_who_was_refused_does_not() -> None:
    assert is_billed(APITimeoutError(), began=False)
    assert is_billed(TimeoutError(), began=False)
    assert is_billed(None, began=False)
    assert is_billed(APIConnectionError("gone"), began=True)
    assert not is_billed(APIConnectionError("gone"), began=False)


def test_an_estimate_is_priced_like_any_use_and_marked() -> None:
    used = usage(Unfinished("gpt-4.1-mini", 1000, 100))
    assert used is not None
    assert used.estimated
    assert used.quantities == {"input_text_tokens": 1000, "output_text_tokens": 100}
    charge = Meter(Prices.load(shipped("prices.yaml"))).charge("openai", used)
    assert charge.unpriced == ()
    assert charge.cost_usd > 0
    assert usage(Unfinished("m", 0, 0)) is None
