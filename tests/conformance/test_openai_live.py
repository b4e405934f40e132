"""The real GPT-Live plugin, in LiveKit's adapter for full-duplex models, against the lab."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from livekit import rtc
from livekit.agents import APIConnectOptions, llm
from livekit.agents.metrics import LLMMetrics, RealtimeModelMetrics
from livekit.plugins import openai

from lab.delays import Delays
from lab.faults import Fault
from lab.openai_live import PROVIDER
from lab.server import Lab, LabSettings
from lab.standins import GivenHearing, ToneVoices
from tests.virtual_time import in_virtual_time_with_sockets

pytestmark = pytest.mark.conformance

RATE_HZ = 24_000
HOURS = "what time do you open on saturday"


@llm.function_tool
async def order_lookup(order_number: str) -> str:
    """Look an order up.

    Args:
        order_number: Its number.
    """
    return f'{{"found": true, "order_number": "{order_number}"}}'


@asynccontextmanager
async def a_lab(*heard: str) -> AsyncIterator[Lab]:
    voices = ToneVoices(character_ms=12.0)
    async with Lab(LabSettings(Delays.none()), hearing=GivenHearing(heard), voices=voices) as running:
        yield running


@asynccontextmanager
async def opened(lab: Lab, *said: tuple[str, str], tools: bool = False) -> AsyncIterator[Any]:
    """A session as the framework opens it: instructions, history and tools at once."""
    connect = APIConnectOptions(max_retry=3, retry_interval=0.01, timeout=30.0)
    async with aiohttp.ClientSession() as http:
        model = openai.realtime.GPTLiveModel(
            base_url=lab.openai_url, api_key="lab", http_session=http, conn_options=connect
        )
        session = llm.DuplexRealtimeAdapter(model).session()
        history = llm.ChatContext.empty()
        for role, text in said:
            history.add_message(role=role, content=text)  # type: ignore[arg-type]
        await session._update_session(
            instructions="You are the voice of Harbour Goods.",
            chat_ctx=history,
            tools=[order_lookup] if tools else [],
        )
        try:
            yield session
        finally:
            await session.aclose()
            await model.aclose()


def listen(session: llm.RealtimeSession, event: str) -> asyncio.Queue[Any]:
    queue: asyncio.Queue[Any] = asyncio.Queue()
    session.on(event, queue.put_nowait)  # type: ignore[arg-type]
    return queue


async def following(queue: asyncio.Queue[Any]) -> Any:
    async with asyncio.timeout(30):
        return await queue.get()


async def spoken(created: llm.GenerationCreatedEvent) -> tuple[str, float]:
    """The words and the seconds of audio of a generation."""
    words, seconds = "", 0.0
    async with asyncio.timeout(30):
        async for message in created.message_stream:
            async for frame in message.audio_stream:
                seconds += frame.duration
            async for text in message.text_stream:
                words += text
    return words, seconds


def noise(seconds: float, level: int) -> Iterator[rtc.AudioFrame]:
    """A square wave, which counts as speech when it is loud."""
    half = level.to_bytes(2, "little", signed=True) * 60 + (-level).to_bytes(2, "little", signed=True) * 60
    for _ in range(round(seconds / 0.1)):
        yield rtc.AudioFrame(half * (RATE_HZ // 10 // 120), RATE_HZ, 1, RATE_HZ // 10)


def speak(session: llm.RealtimeSession, seconds: float = 0.6) -> None:
    for frame in (*noise(seconds, 4000), *noise(1.0, 0)):
        session.push_audio(frame)


@in_virtual_time_with_sockets
async def test_what_the_caller_says_is_answered_in_words_and_audio() -> None:
    async with a_lab(HOURS) as lab, opened(lab) as session:
        replies, heard = (
            listen(session, "generation_created"),
            listen(session, "input_audio_transcription_completed"),
        )
        speak(session)
        words, seconds = await spoken(await following(replies))
        speak(session)  # the end of the caller's first turn is known by its silence

        assert "saturday" in words.lower()
        assert seconds > 0.5
        first = await following(heard)
        while not first.is_final:
            first = await following(heard)
        assert first.transcript == HOURS


@in_virtual_time_with_sockets
async def test_a_typed_question_is_answered_at_once() -> None:
    async with a_lab() as lab, opened(lab, ("assistant", "Hello."), ("user", HOURS)) as session:
        words, _ = await spoken(await session.generate_reply())

        assert "saturday" in words.lower()


@in_virtual_time_with_sockets
async def test_it_says_what_it_is_told_to_say() -> None:
    async with a_lab() as lab, opened(lab) as session:
        words, _ = await spoken(await session.generate_reply(instructions="This call is recorded."))

        assert words == "This call is recorded."


@in_virtual_time_with_sockets
async def test_it_falls_silent_when_the_caller_speaks_over_it() -> None:
    long = "can you explain the difference between the basic and the premium plan"
    async with a_lab(HOURS) as lab, opened(lab, ("user", long)) as session:
        created = await session.generate_reply()
        message = await anext(aiter(created.message_stream))
        audio = aiter(message.audio_stream)
        await anext(audio)
        speak(session)
        seconds = 0.0
        async with asyncio.timeout(30):
            async for frame in audio:
                seconds += frame.duration

        whole = len(lab.context.voices.spoken[0]) * 0.012  # type: ignore[attr-defined]
        assert seconds < whole / 2


@in_virtual_time_with_sockets
async def test_a_tool_is_called_by_the_backend_and_its_result_is_spoken() -> None:
    async with (
        a_lab() as lab,
        opened(lab, ("user", "where is my order four one seven two nine"), tools=True) as session,
    ):
        replies, metrics = listen(session, "generation_created"), listen(session, "metrics_collected")
        asked = session.generate_reply()
        created = await following(replies)
        async with asyncio.timeout(30):
            call = await anext(aiter(created.function_stream))
        assert (call.name, call.arguments) == ("order_lookup", '{"order_number": "41729"}')
        history = session.chat_ctx
        result = '{"found": true, "order_number": "41729", "status": "shipped"}'
        history.insert(
            llm.FunctionCallOutput(
                call_id=call.call_id, name=call.name, output=result, is_error=False, created_at=2e9
            )
        )
        await session.update_chat_ctx(history)
        words, _ = await spoken(await asked)

        assert "4 1 7 2 9" in words or "41729" in words or "four one seven" in words.lower()
        used = [await following(metrics) for _ in range(metrics.qsize())]
        backend = [m for m in used if isinstance(m, LLMMetrics)]
        assert backend
        assert all(m.prompt_tokens > 0 for m in backend)


@in_virtual_time_with_sockets
async def test_seconds_are_billed_and_none_twice() -> None:
    async with a_lab() as lab, opened(lab, ("user", HOURS)) as session:
        metrics = listen(session, "metrics_collected")
        await spoken(await session.generate_reply())
        await session.aclose()
        used = [metrics.get_nowait() for _ in range(metrics.qsize())]
        seconds = sum(m.session_duration or 0 for m in used if isinstance(m, RealtimeModelMetrics))
        assert 0.3 < seconds < 30


@in_virtual_time_with_sockets
async def test_a_connection_that_is_lost_comes_back_with_the_conversation() -> None:
    async with a_lab() as lab, opened(lab, ("user", HOURS)) as session:
        lab.context.faults.set(PROVIDER, Fault("drop", times=1, after=1))
        again = listen(session, "session_reconnected")
        await spoken(await session.generate_reply())
        await following(again)
        words, _ = await spoken(await session.generate_reply(instructions="Sorry for that."))

        assert words == "Sorry for that."
        starts = lab.context.journal.of(PROVIDER, "session.start")
        assert HOURS in str(starts[-1].payload)


@in_virtual_time_with_sockets
async def test_a_broken_frame_does_no_harm_to_the_rest_of_the_reply() -> None:
    async with a_lab() as lab, opened(lab, ("user", HOURS)) as session:
        lab.context.faults.set(PROVIDER, Fault("malformed", times=1, after=1))
        errors = listen(session, "error")
        asyncio.ensure_future(session.generate_reply())  # noqa: RUF006 # it fails with the session
        assert not (await following(errors)).recoverable
