"""The real ``openai.LLM`` plugin against the lab's chat completions: one test per message it relies on."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from livekit.agents import APIConnectionError, APIConnectOptions, APIStatusError, APITimeoutError, llm
from livekit.plugins import openai

from lab.delays import Delays
from lab.faults import Fault, Kind
from lab.server import Lab, LabSettings
from lab.standins import GivenHearing, ToneVoices

pytestmark = pytest.mark.conformance

ONCE = APIConnectOptions(max_retry=0, timeout=30.0)


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with Lab(LabSettings(Delays.none()), hearing=GivenHearing(), voices=ToneVoices()) as running:
        yield running


@pytest.fixture
async def model(lab: Lab) -> AsyncIterator[openai.LLM]:
    plugin = openai.LLM(model="gpt-4o-mini", base_url=lab.openai_url, api_key="lab")
    yield plugin
    await plugin.aclose()


@llm.function_tool
async def order_lookup(order_number: str) -> str:
    """Look an order up.

    Args:
        order_number: as the caller said it
    """
    return order_number


def conversation(*texts: str) -> llm.ChatContext:
    """The agent and the caller in turns, the agent first."""
    context = llm.ChatContext.empty()
    for index, text in enumerate(texts):
        context.add_message(role="assistant" if index % 2 == 0 else "user", content=text)
    return context


async def chunks(
    model: openai.LLM,
    context: llm.ChatContext,
    tools: list[llm.Tool] | None = None,
    options: APIConnectOptions = ONCE,
    into: list[llm.ChatChunk] | None = None,
) -> list[llm.ChatChunk]:
    """What the plugin hands on; also put ``into`` a list, for what came before an error."""
    received = [] if into is None else into
    async with model.chat(chat_ctx=context, tools=tools, conn_options=options) as stream:
        async for chunk in stream:
            received.append(chunk)
    return received


def text_of(received: list[llm.ChatChunk]) -> str:
    return "".join(c.delta.content or "" for c in received if c.delta)


async def test_a_reply_streams_word_by_word(model: openai.LLM) -> None:
    received = await chunks(model, conversation("Hello", "what are your opening hours on saturday"))
    assert (
        text_of(received) == "On saturday we are open from nine in the morning until five in the afternoon."
    )
    assert len(received) > 10


async def test_the_last_chunk_bills_the_prompt_and_the_reply(model: openai.LLM) -> None:
    received = await chunks(model, conversation("Hello", "goodbye"))
    usage = received[-1].usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (10, 8)
    assert usage.total_tokens == 18
    assert usage.prompt_cached_tokens == 0


async def test_the_beginning_a_conversation_repeats_is_billed_as_cached(model: openai.LLM) -> None:
    context = llm.ChatContext.empty()
    context.add_message(role="system", content="You answer the telephone. " * 300)
    context.add_message(role="user", content="hello")
    first = await chunks(model, context)
    context.add_message(role="assistant", content=text_of(first))
    context.add_message(role="user", content="goodbye")
    second = (await chunks(model, context))[-1].usage
    assert first[-1].usage is not None
    assert second is not None
    assert first[-1].usage.prompt_cached_tokens == 0
    assert 1024 <= second.prompt_cached_tokens < second.prompt_tokens
    assert second.prompt_cached_tokens % 128 == 0


async def test_a_tool_call_is_put_together_from_its_fragments(model: openai.LLM) -> None:
    context = conversation("What is your order number?", "it is order four four one seven nine two")
    received = await chunks(model, context, [order_lookup])
    calls = [call for c in received if c.delta for call in c.delta.tool_calls]
    assert [(c.name, c.arguments) for c in calls] == [("order_lookup", '{"order_number": "441792"}')]
    assert calls[0].call_id.startswith("call_")


async def test_a_tool_result_is_answered(model: openai.LLM) -> None:
    context = conversation("What is your order number?", "it is order four four one seven nine two")
    arguments = '{"order_number": "441792"}'
    output = '[{"type": "text", "text": "{\\"item\\": \\"kettle\\", \\"status\\": \\"shipped\\"}"}]'
    context.insert(llm.FunctionCall(call_id="call_1", name="order_lookup", arguments=arguments))
    context.insert(
        llm.FunctionCallOutput(call_id="call_1", name="order_lookup", output=output, is_error=False)
    )
    received = await chunks(model, context, [order_lookup])
    assert "order 4 4 1 7 9 2, your kettle. It is shipped" in text_of(received)


async def test_what_was_asked_stands_in_the_journal(lab: Lab, model: openai.LLM) -> None:
    await chunks(model, conversation("Hello", "goodbye"))
    (entry,) = lab.context.journal.of("openai.chat", "chat.completions")
    assert entry.payload["messages"][-1] == {"role": "user", "content": "goodbye"}
    assert entry.payload["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(("kind", "status"), [("rate_limited", 429), ("server_error", 500)])
async def test_an_error_status_reaches_the_plugin_as_such(
    lab: Lab, model: openai.LLM, kind: Kind, status: int
) -> None:
    lab.context.faults.set("openai.chat", Fault(kind))
    with pytest.raises(APIStatusError) as caught:
        await chunks(model, conversation("Hello", "goodbye"))
    assert caught.value.status_code == status
    assert caught.value.request_id is not None


async def test_a_refused_connection_is_a_connection_error(lab: Lab, model: openai.LLM) -> None:
    lab.context.faults.set("openai.chat", Fault("refuse"))
    with pytest.raises(APIConnectionError):
        await chunks(model, conversation("Hello", "goodbye"))


async def test_a_server_that_hangs_times_out(lab: Lab, model: openai.LLM) -> None:
    lab.context.faults.set("openai.chat", Fault("hang"))
    with pytest.raises(APITimeoutError):
        await chunks(
            model, conversation("Hello", "goodbye"), options=APIConnectOptions(max_retry=0, timeout=0.2)
        )


@pytest.mark.parametrize("kind", ["drop", "malformed"])
async def test_a_broken_stream_is_an_error_after_the_words_that_came(
    lab: Lab, model: openai.LLM, kind: Kind
) -> None:
    lab.context.faults.set("openai.chat", Fault(kind, after=4))
    received: list[llm.ChatChunk] = []
    with pytest.raises(APIConnectionError) as caught:
        await chunks(model, conversation("Hello", "goodbye"), into=received)
    assert text_of(received) == "Thank you for"
    assert caught.value.retryable is False


async def test_the_plugin_retries_by_itself_over_a_fault_that_passes(lab: Lab, model: openai.LLM) -> None:
    lab.context.faults.set("openai.chat", Fault("server_error", times=1))
    options = APIConnectOptions(max_retry=1, retry_interval=0.0, timeout=30.0)
    received = await chunks(model, conversation("Hello", "goodbye"), options=options)
    assert text_of(received) == "Thank you for calling. Goodbye."
    assert lab.context.journal.count("openai.chat", "chat.completions") == 2


async def test_a_client_that_leaves_stops_the_reply(lab: Lab, model: openai.LLM) -> None:
    lab.context.delays = Delays.none().override({"llm_ttft": 1})
    question = "can you explain the difference between the basic and the premium plan"
    async with model.chat(chat_ctx=conversation("Hello", question), conn_options=ONCE) as stream:
        async for _ in stream:
            break
    await lab.context.journal.until("openai.chat", "lab.disconnected")


async def test_a_reply_can_come_in_one_piece(lab: Lab) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "goodbye"}]}
    url = f"{lab.openai_url}/chat/completions"
    async with aiohttp.ClientSession() as http, http.post(url, json=body) as response:
        answer = await response.json()
    assert answer["choices"][0]["message"]["content"] == "Thank you for calling. Goodbye."
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] + 8


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"{}", b'{"messages": [1]}', b'{"messages": [{"role": "tool"}]}']
)
async def test_a_bad_request_gets_openais_error_body(lab: Lab, body: bytes) -> None:
    url = f"{lab.openai_url}/chat/completions"
    async with aiohttp.ClientSession() as http, http.post(url, data=body) as response:
        answer = await response.json()
    assert response.status == 400
    assert answer["error"]["type"] == "invalid_request_error"
