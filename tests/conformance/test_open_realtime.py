"""OpenAI's realtime plugin against a server that speaks less than all of the protocol, as open ones do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from livekit import rtc
from livekit.agents import llm
from livekit.plugins import openai

from engines.component import Component
from engines.open_realtime import Interpreter, OpenRealtimeModel
from engines.plugins import Endpoint, Endpoints, build
from engines.warm import WarmModel
from lab.delays import Delays
from lab.server import Lab, LabSettings
from lab.standins import GivenHearing, ToneVoices

pytestmark = pytest.mark.conformance

RATE_HZ = 24_000
PATIENT_S = 60.0
HOURS = "what are your opening hours"


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with Lab(
        LabSettings(Delays.none()), hearing=GivenHearing([HOURS] * 9), voices=ToneVoices(character_ms=4.0)
    ) as running:
        yield running


def component(lab: Lab) -> Component:
    return Component("openai", "ultravox", {}, f"{lab.url}/plain/v1", keyless=True, billed_as="self-hosted")


@asynccontextmanager
async def warm(lab: Lab) -> AsyncIterator[WarmModel]:
    """The model as a call has it."""
    part = component(lab)
    async with aiohttp.ClientSession() as http:
        model = WarmModel(build("realtime", part, Endpoints({}).of(part), http), first_reply_s=PATIENT_S)
        try:
            yield model
        finally:
            await model.aclose()


def turn(model: WarmModel) -> asyncio.Future[llm.GenerationCreatedEvent]:
    """Say something, and ask for the reply."""
    session = model.open().take()
    for _ in range(10):
        session.hear(rtc.AudioFrame(bytes(RATE_HZ // 10 * 2), RATE_HZ, 1, RATE_HZ // 10))
    session.expect(HOURS, None)
    return session.generate_reply()


async def spoken(created: llm.GenerationCreatedEvent) -> tuple[str, float]:
    """The reply's words, and how many seconds of it were spoken."""
    async for message in created.message_stream:
        seconds = sum([frame.duration async for frame in message.audio_stream])
        return "".join([str(text) async for text in message.text_stream]), seconds
    raise AssertionError("the reply had no message")


async def test_a_turn_is_heard_and_answered_aloud(lab: Lab) -> None:
    async with warm(lab) as model, asyncio.timeout(PATIENT_S):
        created = await turn(model)
        text, seconds = await spoken(created)
        assert created.user_initiated
        assert text
        assert seconds > 0.1


async def test_one_turn_after_another_is_answered_by_its_own_reply(lab: Lab) -> None:
    async with warm(lab) as model, asyncio.timeout(PATIENT_S):
        late: list[str] = []
        model.on_late = lambda what, _: late.append(what)
        for _ in range(3):
            assert (await spoken(await turn(model)))[0]
        assert late == []


async def test_the_history_is_taken_along(lab: Lab) -> None:
    history = llm.ChatContext()
    history.add_message(role="user", content="hello")
    history.add_message(role="assistant", content="Hello, how can I help you?")
    async with warm(lab) as model, asyncio.timeout(PATIENT_S):
        await model.open().update_chat_ctx(history)
        assert [item.id for item in model.open().chat_ctx.items] == [item.id for item in history.items]


async def test_what_the_server_cannot_do_ends_no_call(lab: Lab) -> None:
    """Deleting, truncating and cancelling are refused; what was said stays, and the next turn is answered."""
    async with warm(lab) as model, asyncio.timeout(PATIENT_S):
        lost: list[Exception] = []
        model.on_lost = lambda error, _: lost.append(error)
        created = await turn(model)
        session = model.open()
        session.truncate(message_id="item_none", modalities=["audio"], audio_end_ms=500)
        session.interrupt()
        assert (await spoken(created))[0]
        assert (await spoken(await turn(model)))[0]
        assert lost == []


async def test_openais_own_model_is_left_as_it_is(lab: Lab) -> None:
    vendor = Component("openai", "gpt-realtime", {})
    async with aiohttp.ClientSession() as http:
        for endpoint in (Endpoint("key"), Endpoint("lab", lab.openai_url, simulated=True)):
            made = build("realtime", vendor, endpoint, http)
            assert type(made) is openai.realtime.RealtimeModel
            await made.aclose()
        made = build("realtime", component(lab), Endpoint("none", f"{lab.url}/plain/v1"), http)
        assert isinstance(made, OpenRealtimeModel)
        await made.aclose()


async def test_a_refused_request_claims_no_later_reply() -> None:
    listening = Interpreter()
    for number in (1, 2):
        listening.sent({"type": "response.create", "event_id": f"request_{number}"})
    listening.received({"type": "error", "error": {"event_id": "request_1", "message": "no"}})
    created = {"type": "response.created", "response": {"id": "resp_1"}}
    listening.received(created)
    assert created["response"] == {"id": "resp_1", "metadata": {"client_event_id": "request_2"}}


async def test_an_error_may_say_as_little_as_it_likes() -> None:
    event = {"type": "error", "error": {"type": "server_error"}}
    Interpreter().received(event)
    assert event["error"] == {
        "type": "server_error",
        "event_id": None,
        "code": None,
        "message": "an error without a message",
    }
