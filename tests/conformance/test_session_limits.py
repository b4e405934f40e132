"""OpenAI ends a realtime session after an hour: the plugin, as we use it, has a new one before and after."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from livekit import rtc
from livekit.agents import llm

from engines.component import Component
from engines.plugins import Endpoint, build
from engines.warm import WarmModel
from engines.warm_session import WarmSession
from lab.delays import Delays
from lab.faults import Provider
from lab.server import Lab, LabSettings
from lab.standins import GivenHearing, ToneVoices
from tests.virtual_time import in_virtual_time_with_sockets

pytestmark = pytest.mark.conformance

REALTIME: Provider = "openai.realtime"
VENDORS_LIMIT_S = 3600.0
"""OpenAI guide, *Realtime conversations*: the maximum duration of a session is 60 minutes."""
RATE_HZ = 24_000


@asynccontextmanager
async def a_lab() -> AsyncIterator[Lab]:
    voices = ToneVoices(character_ms=4.0)
    async with Lab(LabSettings(Delays.none()), hearing=GivenHearing(), voices=voices) as running:
        yield running


@asynccontextmanager
async def warm(
    lab: Lab, *, limit_s: float = VENDORS_LIMIT_S, **options: Any
) -> AsyncIterator[tuple[WarmModel, WarmSession]]:
    """A session in step with its history; the vendor ends it after ``limit_s``."""
    lab.context.session_limit_s = limit_s
    component = Component("openai", "gpt-realtime", {"voice": "marin", **options})
    async with aiohttp.ClientSession() as http:
        inner = build("realtime", component, Endpoint("lab", lab.openai_url, simulated=True), http)
        model = WarmModel(inner, first_reply_s=30)
        try:
            session = model.open().take()
            history = llm.ChatContext.empty()
            history.add_message(role="user", content="hello")
            history.add_message(role="assistant", content="How can I help?")
            await session.update_chat_ctx(history)
            yield model, session
        finally:
            await model.aclose()


def hears(session: WarmSession) -> None:
    for _ in range(7):
        session.hear(rtc.AudioFrame(bytes(RATE_HZ // 10 * 2), RATE_HZ, 1, RATE_HZ // 10))


async def spoken(session: WarmSession) -> str:
    async with asyncio.timeout(60):
        created = await session.generate_reply()
        words = ""
        async for message in created.message_stream:
            words += "".join([text async for text in message.text_stream])
    return words


def conversation(lab: Lab) -> list[list[str]]:
    """The texts that each connection was given as items."""
    given: dict[str, list[str]] = {}
    for entry in lab.context.journal.of(REALTIME, "conversation.item.create"):
        texts = [part["text"] for part in entry.payload["item"]["content"]]
        given.setdefault(entry.connection, []).extend(texts)
    return list(given.values())


@in_virtual_time_with_sockets
async def test_a_session_that_the_vendor_ended_is_there_again_with_its_history() -> None:
    async with a_lab() as lab, warm(lab, limit_s=30.0) as (model, session):
        lost: list[bool] = []
        anew = asyncio.Event()
        model.on_lost = lambda error, for_good: lost.append(for_good)
        model.on_buffer_lost = anew.set
        hears(session)  # a part of a turn, which the vendor's next session knows nothing of
        lab.context.session_limit_s = 600
        async with asyncio.timeout(60):
            await anew.wait()
        hears(session)
        session.expect("what are your opening hours", 12.0)
        assert isinstance(lab.context.hearing, GivenHearing)
        lab.context.hearing.texts.append("what are your opening hours")
        assert (await spoken(session)).startswith("We are open")
        assert conversation(lab) == [["hello", "How can I help?"]] * 2
        assert True not in lost


@in_virtual_time_with_sockets
async def test_a_session_is_renewed_before_the_vendor_ends_it_and_after_the_reply_in_hand() -> None:
    async with a_lab() as lab, warm(lab, max_session_duration=6.0) as (model, session):
        lab.context.delays = Delays.parse("none,realtime=9000")
        anew = asyncio.Event()
        lost: list[bool] = []
        model.on_lost = lambda error, for_good: lost.append(for_good)
        model.on_buffer_lost = anew.set
        hears(session)
        session.expect("hello", 12.0)
        assert (await spoken(session)) != ""
        async with asyncio.timeout(60):
            await anew.wait()
        assert lost == []


def test_the_plugins_own_limit_is_shorter_than_the_vendors() -> None:
    model = build("realtime", Component("openai", "gpt-realtime", {}), Endpoint("key"), None)  # type: ignore[arg-type]
    assert model._opts.max_session_duration < VENDORS_LIMIT_S
