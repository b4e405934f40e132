"""What the real OpenAI Realtime plugin writes down of a turn, beside the words of our recogniser."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from livekit import rtc
from livekit.agents import llm

from engines.component import Component
from engines.errors import EngineNotConfiguredError
from engines.plugins import OWN_TRANSCRIPT, Endpoint, build
from engines.warm import WarmModel
from engines.warm_session import WarmSession
from lab.delays import Delays
from lab.server import Lab, LabSettings
from lab.standins import GivenHearing, ToneVoices

pytestmark = pytest.mark.conformance

RATE_HZ = 24_000
OURS, THEIRS = "what are your opening hours on saturday", "what are your open hours on saturday"


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    voices = ToneVoices(character_ms=4.0)
    async with Lab(LabSettings(Delays.none()), hearing=GivenHearing(), voices=voices) as running:
        yield running


@asynccontextmanager
async def warm(lab: Lab, **options: str) -> AsyncIterator[tuple[WarmModel, WarmSession]]:
    component = Component("openai", "gpt-realtime", {"voice": "marin", **options})
    async with aiohttp.ClientSession() as http:
        inner = build("realtime", component, Endpoint("lab", lab.openai_url, simulated=True), http)
        model = WarmModel(inner, first_reply_s=30)
        try:
            yield model, model.open().take()
        finally:
            await model.aclose()


async def test_an_engines_own_words_are_told_and_what_it_heard_stays_heard(lab: Lab) -> None:
    assert isinstance(lab.context.hearing, GivenHearing)
    lab.context.hearing.texts.append(THEIRS)
    async with warm(lab, **{OWN_TRANSCRIPT: "gpt-4o-mini-transcribe"}) as (model, session):
        told: asyncio.Queue[tuple[int, str, str]] = asyncio.Queue()
        model.on_own_transcript = lambda *heard: told.put_nowait(heard)
        sent: list[str] = []
        session._inner.on("openai_client_event_queued", lambda event: sent.append(event["type"]))
        history: list[llm.InputTranscriptionCompleted] = []
        session.on("input_audio_transcription_completed", history.append)
        for _ in range(10):
            session.hear(rtc.AudioFrame(bytes(RATE_HZ // 10 * 2), RATE_HZ, 1, RATE_HZ // 10))
        session.expect(OURS, 12.0)
        async with asyncio.timeout(60):
            await session.generate_reply()
            assert await told.get() == (0, OURS, THEIRS)
        assert [one.transcript for one in history] == [OURS]
        in_our_words = session.chat_ctx.messages()[0].model_copy(update={"content": [OURS]})
        ours = llm.ChatContext([in_our_words, *session.chat_ctx.items[1:]])
        del sent[:]
        await session.update_chat_ctx(ours)
        assert [kind for kind in sent if kind.startswith("conversation.item")] == []


async def test_without_the_option_the_vendor_writes_nothing_down(lab: Lab) -> None:
    async with warm(lab) as (_, session):
        assert session._inner.capabilities.user_transcription is False


def test_an_option_that_the_plugin_does_not_know_is_still_refused() -> None:
    component = Component("openai", "gpt-realtime", {"own_transcrip": "gpt-4o-mini-transcribe"})
    with pytest.raises(EngineNotConfiguredError, match="did you mean 'own_transcript'"):
        build("realtime", component, Endpoint("lab"), None)  # type: ignore[arg-type]
