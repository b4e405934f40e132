"""The real ``openai.realtime.RealtimeModel`` plugin against the lab: one test per message it relies on."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from livekit import rtc
from livekit.agents import APIConnectOptions, llm
from livekit.agents.metrics import RealtimeModelMetrics
from livekit.plugins import openai
from openai.types.realtime import AudioTranscription
from openai.types.realtime.realtime_audio_input_turn_detection import ServerVad

from lab.delays import Delays
from lab.faults import Fault
from lab.server import Lab, LabSettings
from lab.standins import GivenHearing, Tone, ToneVoices
from tests.virtual_time import in_virtual_time_with_sockets

pytestmark = pytest.mark.conformance

REALTIME = "openai.realtime"
RATE_HZ = 24_000
GREETING = "Hello, thank you for calling. How can I help you?"
LONG = "can you explain the difference between the basic and the premium plan"


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    voices = ToneVoices(character_ms=4.0)
    async with Lab(LabSettings(Delays.none()), hearing=GivenHearing(), voices=voices) as running:
        yield running


@asynccontextmanager
async def opened(lab: Lab, **options: Any) -> AsyncIterator[openai.realtime.RealtimeSession]:
    """A session of the plugin; turns are taken on our side unless ``options`` say otherwise."""
    settings = {"turn_detection": None, "input_audio_transcription": None, **options}
    connect = APIConnectOptions(max_retry=3, retry_interval=0.01, timeout=30.0)
    # Outside a job there is no HTTP session to borrow.
    async with aiohttp.ClientSession() as http:
        model = openai.realtime.RealtimeModel(
            base_url=lab.openai_url, api_key="lab", http_session=http, conn_options=connect, **settings
        )
        session = model.session()
        try:
            yield session
        finally:
            await session.aclose()
            await model.aclose()


def silence(seconds: float) -> Iterator[rtc.AudioFrame]:
    for _ in range(round(seconds / 0.1)):
        yield rtc.AudioFrame(bytes(RATE_HZ // 10 * 2), RATE_HZ, 1, RATE_HZ // 10)


def listen(session: llm.RealtimeSession, event: str) -> asyncio.Queue[Any]:
    """Everything the plugin emits under ``event``."""
    queue: asyncio.Queue[Any] = asyncio.Queue()
    session.on(event, queue.put_nowait)  # type: ignore[arg-type]
    return queue


async def server_event(
    queue: asyncio.Queue[Any], name: str, such_that: Callable[[dict[str, Any]], bool] = lambda _: True
) -> dict[str, Any]:
    """The next raw server event called ``name``."""
    async with asyncio.timeout(60):
        while True:
            event: dict[str, Any] = await queue.get()
            if event["type"] == name and such_that(event):
                return event


def raw_events(session: llm.RealtimeSession) -> asyncio.Queue[Any]:
    return listen(session, "openai_server_event_received")


async def spoken(created: llm.GenerationCreatedEvent) -> tuple[str, float]:
    """The words and the seconds of audio of a generation with one message."""
    words, seconds = "", 0.0
    async for message in created.message_stream:
        async for text in message.text_stream:
            words += text
        async for frame in message.audio_stream:
            seconds += frame.duration
    return words, seconds


async def billed(metrics: asyncio.Queue[Any]) -> Any:
    """The next metrics of a response or a transcription, not those of the connection."""
    async with asyncio.timeout(60):
        while not (result := await metrics.get()).request_id:
            pass
    return result


async def done(created: llm.GenerationCreatedEvent, metrics: asyncio.Queue[Any]) -> RealtimeModelMetrics:
    await spoken(created)
    result = await billed(metrics)
    assert isinstance(result, RealtimeModelMetrics)
    return result


def said(session: llm.RealtimeSession, *texts: str) -> llm.ChatContext:
    """The session's history with more user messages."""
    context = session.chat_ctx.copy()
    for text in texts:
        context.add_message(role="user", content=text)
    return context


@llm.function_tool
async def order_lookup(order_number: str) -> str:
    """Look an order up.

    Args:
        order_number: as the caller said it
    """
    return order_number


# -- session -------------------------------------------------------------------------------------------------
async def test_a_session_update_is_acknowledged_with_what_it_changed(lab: Lab) -> None:
    async with opened(lab) as session:
        events = raw_events(session)
        assert (await server_event(events, "session.created"))["session"]["audio"]["input"]["turn_detection"]
        updated = (await server_event(events, "session.updated"))["session"]
        assert updated["audio"]["input"]["turn_detection"] is None
        assert updated["audio"]["output"]["voice"] == "marin"
        await session.update_instructions("You answer the telephone.")
        updated = (await server_event(events, "session.updated"))["session"]
        assert updated["instructions"] == "You answer the telephone."
        assert updated["audio"]["input"]["turn_detection"] is None


# -- items ---------------------------------------------------------------------------------------------------
async def test_items_created_and_deleted_are_acknowledged_in_their_places(lab: Lab) -> None:
    async with opened(lab) as session:
        await session.update_chat_ctx(said(session, "first", "second"))
        before = session.chat_ctx
        assert [m.text_content for m in before.messages()] == ["first", "second"]
        shorter = llm.ChatContext(items=[before.items[1]])
        shorter.add_message(role="assistant", content="third")
        await session.update_chat_ctx(shorter)
        assert [m.text_content for m in session.chat_ctx.messages()] == ["second", "third"]
        names = lab.context.journal.names(REALTIME)
        assert names.count("conversation.item.create") == 3
        assert names.count("conversation.item.delete") == 1


async def test_an_item_can_be_put_at_the_beginning(lab: Lab) -> None:
    async with opened(lab) as session:
        await session.update_chat_ctx(said(session, "second"))
        longer = session.chat_ctx.copy()
        longer.items.insert(0, llm.ChatMessage(role="user", content=["first"]))
        await session.update_chat_ctx(longer)
        assert [m.text_content for m in session.chat_ctx.messages()] == ["first", "second"]


async def test_deleting_what_is_not_there_is_an_error_that_names_the_event(lab: Lab) -> None:
    async with opened(lab) as session:
        events = raw_events(session)
        session.send_event({"type": "conversation.item.delete", "item_id": "nothing", "event_id": "mine"})
        error = (await server_event(events, "error"))["error"]
        assert (error["event_id"], error["code"]) == ("mine", "item_delete_invalid_item_id")


async def test_an_item_can_be_retrieved(lab: Lab) -> None:
    async with opened(lab) as session:
        events = raw_events(session)
        await session.update_chat_ctx(said(session, "hello"))
        item_id = session.chat_ctx.items[0].id
        session.send_event({"type": "conversation.item.retrieve", "item_id": item_id})
        item = (await server_event(events, "conversation.item.retrieved"))["item"]
        assert item["content"] == [{"type": "input_text", "text": "hello"}]


# -- the caller's audio ------------------------------------------------------------------------------------
async def test_committed_audio_becomes_an_item_and_is_what_the_reply_answers(lab: Lab) -> None:
    assert isinstance(lab.context.hearing, GivenHearing)
    lab.context.hearing.texts.append("what are your opening hours on saturday")
    async with opened(lab) as session:
        added = listen(session, "remote_item_added")
        for frame in silence(0.5):
            session.push_audio(frame)
        session.commit_audio()
        async with asyncio.timeout(60):
            item = (await added.get()).item
        assert item.role == "user"
        words, _ = await spoken(await session.generate_reply())
        assert words == "On saturday we are open from nine in the morning until five in the afternoon."
        assert lab.context.hearing.heard_bytes == [RATE_HZ]


async def test_less_than_100_ms_cannot_be_committed(lab: Lab) -> None:
    async with opened(lab) as session:
        events = raw_events(session)
        audio = base64.b64encode(bytes(4798)).decode()
        session.send_event({"type": "input_audio_buffer.append", "audio": audio})
        session.send_event({"type": "input_audio_buffer.commit", "event_id": "early"})
        error = (await server_event(events, "error"))["error"]
        assert (error["code"], error["event_id"]) == ("input_audio_buffer_commit_empty", "early")


async def test_cleared_audio_is_gone(lab: Lab) -> None:
    async with opened(lab) as session:
        events = raw_events(session)
        for frame in silence(1.0):
            session.push_audio(frame)
        session.clear_audio()
        await server_event(events, "input_audio_buffer.cleared")
        session.send_event({"type": "input_audio_buffer.commit"})
        await server_event(events, "error")


async def test_transcription_comes_when_the_session_asked_for_it(lab: Lab) -> None:
    assert isinstance(lab.context.hearing, GivenHearing)
    lab.context.hearing.texts.append("good morning")
    transcription = AudioTranscription(model="gpt-4o-mini-transcribe")
    async with opened(lab, input_audio_transcription=transcription) as session:
        transcripts = listen(session, "input_audio_transcription_completed")
        metrics = listen(session, "metrics_collected")
        for frame in silence(1.0):
            session.push_audio(frame)
        session.commit_audio()
        async with asyncio.timeout(60):
            seen = [await transcripts.get() for _ in range(3)]
            bill = await billed(metrics)
        assert [(t.transcript, t.is_final) for t in seen] == [
            ("good", False),
            ("good morning", False),
            ("good morning", True),
        ]
        assert session.chat_ctx.messages()[0].text_content == "good morning"
        assert (bill.input_audio_tokens, bill.output_tokens) == (10, 2)


# -- replies -------------------------------------------------------------------------------------------------
async def test_a_reply_resolves_by_its_event_id_and_streams_audio_with_its_words(lab: Lab) -> None:
    async with opened(lab) as session:
        events = raw_events(session)
        created = await session.generate_reply()
        assert created.user_initiated
        words, seconds = await spoken(created)
        assert words == GREETING
        assert seconds == pytest.approx(0.004 * len(GREETING), abs=0.001)
        (asked,) = lab.context.journal.of(REALTIME, "response.create")
        answered = (await server_event(events, "response.created"))["response"]
        assert answered["metadata"] == {"client_event_id": asked.payload["event_id"]}


async def test_the_events_of_a_reply_come_in_the_documented_order(lab: Lab) -> None:
    async with opened(lab) as session:
        events = raw_events(session)
        await spoken(await session.generate_reply())
        names: list[str] = []
        async with asyncio.timeout(60):
            while not names or names[-1] != "response.done":
                names.append((await events.get())["type"])
        assert [n for i, n in enumerate(names[2:]) if i == 0 or n != names[i + 1]] == [
            "response.created",
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            *["response.output_audio_transcript.delta", "response.output_audio.delta"] * 2,
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "response.output_item.done",
            "conversation.item.done",
            "response.done",
        ]


async def test_a_reply_in_text_only_has_no_audio(lab: Lab) -> None:
    async with opened(lab, modalities=["text"]) as session:
        words, seconds = await spoken(await session.generate_reply())
        assert (words, seconds) == (GREETING, 0.0)
        assert lab.context.voices.spoken == []  # type: ignore[attr-defined]
        await session.update_chat_ctx(said(session, "goodbye"))
        assert (await spoken(await session.generate_reply()))[0] == "Thank you for calling. Goodbye."


async def test_a_tool_is_called_and_its_result_answered(lab: Lab) -> None:
    async with opened(lab) as session:
        await session.update_tools([order_lookup])
        await session.update_chat_ctx(said(session, "my order number is four four one seven nine two"))
        created = await session.generate_reply()
        calls = [call async for call in created.function_stream]
        assert [(c.name, c.arguments) for c in calls] == [("order_lookup", '{"order_number": "441792"}')]
        context = session.chat_ctx.copy()
        output = json.dumps({"item": "kettle", "status": "shipped", "delivery_date": "Thursday"})
        context.items.append(
            llm.FunctionCallOutput(
                call_id=calls[0].call_id, name="order_lookup", output=output, is_error=False
            )
        )
        await session.update_chat_ctx(context)
        words, _ = await spoken(await session.generate_reply())
        assert "your kettle. It is shipped" in words


async def test_a_response_may_be_told_to_use_no_tools(lab: Lab) -> None:
    async with opened(lab) as session:
        await session.update_tools([order_lookup])
        await session.update_chat_ctx(said(session, "my order number is four four one seven nine two"))
        words, _ = await spoken(await session.generate_reply(tool_choice="none"))
        assert words == "Thank you. I have order 4 4 1 7 9 2. Is that right?"


async def test_a_second_response_is_rejected_while_one_is_active(lab: Lab) -> None:
    async with opened(lab) as session:
        await session.update_chat_ctx(said(session, LONG))
        first = await session.generate_reply()
        with pytest.raises(llm.RealtimeError, match="already has an active response"):
            await session.generate_reply()
        session.interrupt()
        await spoken(first)


# -- barge-in ------------------------------------------------------------------------------------------------
async def interrupted(lab: Lab, session: openai.realtime.RealtimeSession) -> tuple[str, str, float]:
    """The item, words and seconds of a long reply that was interrupted after its first audio."""
    await session.update_chat_ctx(said(session, LONG))
    created = await session.generate_reply()
    message = await anext(aiter(created.message_stream))
    first = await anext(aiter(message.audio_stream))
    session.interrupt()
    words = "".join([text async for text in message.text_stream])
    seconds = first.duration + sum([frame.duration async for frame in message.audio_stream])
    return message.message_id, words, seconds


async def test_an_interrupted_reply_ends_as_cancelled_and_bills_what_was_made(lab: Lab) -> None:
    async with opened(lab) as session:
        metrics = listen(session, "metrics_collected")
        events = raw_events(session)
        _, words, seconds = await interrupted(lab, session)
        response = (await server_event(events, "response.done"))["response"]
        assert response["status"] == "cancelled"
        assert response["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
        assert response["output"][0]["status"] == "incomplete"
        bill = await billed(metrics)
        assert bill.cancelled
        assert bill.output_token_details.audio_tokens == round(seconds * 20)
        assert 0 < len(words.split()) < 60


async def test_a_reply_cancelled_before_it_began_still_ends(lab: Lab) -> None:
    async with opened(lab) as session:
        events = raw_events(session)
        session.send_event({"type": "response.create", "response": {}})
        session.send_event({"type": "response.cancel"})
        assert (await server_event(events, "response.done"))["response"]["status"] == "cancelled"
        session.send_event({"type": "response.cancel", "event_id": "again"})
        error = (await server_event(events, "error"))["error"]
        assert (error["code"], error["event_id"]) == ("response_cancel_not_active", "again")


async def test_what_the_caller_did_not_hear_is_truncated(lab: Lab) -> None:
    async with opened(lab) as session:
        events = raw_events(session)
        item_id, words, _ = await interrupted(lab, session)
        session.truncate(message_id=item_id, modalities=["audio"], audio_end_ms=50, audio_transcript="")
        truncated = await server_event(events, "conversation.item.truncated")
        assert (truncated["item_id"], truncated["audio_end_ms"]) == (item_id, 50)
        session.send_event({"type": "conversation.item.retrieve", "item_id": item_id})
        item = (await server_event(events, "conversation.item.retrieved"))["item"]
        heard = item["content"][0]["transcript"]
        assert heard != words
        assert words.startswith(heard)


async def test_nothing_can_be_truncated_beyond_what_was_said(lab: Lab) -> None:
    async with opened(lab) as session:
        events = raw_events(session)
        item_id, _, _ = await interrupted(lab, session)
        session.truncate(message_id=item_id, modalities=["audio"], audio_end_ms=600_000, audio_transcript="")
        assert "already shorter" in (await server_event(events, "error"))["error"]["message"]


# -- usage ---------------------------------------------------------------------------------------------------
async def test_usage_counts_text_and_audio_apart_and_the_context_already_billed_as_cached(lab: Lab) -> None:
    async with opened(lab) as session:
        metrics = listen(session, "metrics_collected")
        await session.update_instructions("You answer the telephone. " * 30)
        for frame in silence(10.0):
            session.push_audio(frame)
        session.commit_audio()
        first = await done(await session.generate_reply(), metrics)
        assert first.input_token_details.audio_tokens == 100
        assert first.input_token_details.text_tokens > 150
        assert first.input_token_details.cached_tokens == 0
        assert first.output_token_details.audio_tokens > 0
        await session.update_chat_ctx(said(session, "goodbye"))
        second = await done(await session.generate_reply(), metrics)
        cached = second.input_token_details.cached_tokens_details
        assert cached is not None
        assert (cached.audio_tokens, cached.text_tokens % 64) == (64, 0)
        assert cached.text_tokens > 64
        # The first reply's own audio is now part of the context, and paid for again.
        assert second.input_token_details.audio_tokens > first.input_token_details.audio_tokens


# -- turns on the server's side --------------------------------------------------------------------------------
async def test_the_servers_own_turn_detection_answers_by_itself(lab: Lab) -> None:
    async with opened(lab, turn_detection=ServerVad(type="server_vad", silence_duration_ms=200)) as session:
        started, stopped = (listen(session, f"input_speech_{what}") for what in ("started", "stopped"))
        created = listen(session, "generation_created")
        speech = await lab.context.voices.synthesise("a loud enough tone, for long enough " * 4)
        samples = len(speech.pcm) // 2
        session.push_audio(rtc.AudioFrame(speech.pcm, RATE_HZ, 1, samples))
        for frame in silence(0.4):
            session.push_audio(frame)
        async with asyncio.timeout(60):
            await started.get()
            await stopped.get()
            words, _ = await spoken(await created.get())
        assert words == "Hello, how can I help you today?"


# -- delays ---------------------------------------------------------------------------------------------------
async def test_work_longer_than_the_drawn_delay_is_noted_as_an_overrun(lab: Lab) -> None:
    class SlowVoices(ToneVoices):
        async def synthesise(self, text: str, *, voice: str = "agent") -> Tone:
            await asyncio.sleep(0.05)
            return await super().synthesise(text, voice=voice)

    lab.context.voices = SlowVoices()
    lab.context.delays = Delays.parse("none,realtime=1")
    async with opened(lab) as session:
        await spoken(await session.generate_reply())
    (overrun,) = lab.context.journal.of(REALTIME, "lab.overrun")
    assert overrun.payload["ms"] > 0


@in_virtual_time_with_sockets
async def test_work_shorter_than_the_drawn_delay_is_part_of_it() -> None:
    drawn = LabSettings(Delays.parse("none,realtime=2000"))
    async with Lab(drawn, hearing=GivenHearing(), voices=ToneVoices()) as lab, opened(lab) as session:
        await spoken(await session.generate_reply())
    assert lab.context.journal.of(REALTIME, "lab.overrun") == []


# -- faults --------------------------------------------------------------------------------------------------
async def test_an_unknown_or_unreadable_event_is_an_error_and_the_session_lives(lab: Lab) -> None:
    async with opened(lab) as session:
        events = raw_events(session)
        for event in (
            {"type": "session.explode", "event_id": "a"},
            {"type": "input_audio_buffer.append", "audio": "!", "event_id": "b"},
            {"type": "conversation.item.create", "item": 3, "event_id": "c"},
            {"type": "session.update", "session": {"type": "transcription"}, "event_id": "d"},
        ):
            session.send_event(event)
            assert (await server_event(events, "error"))["error"]["event_id"] == event["event_id"]
        assert (await spoken(await session.generate_reply()))[0] == GREETING


async def test_a_dropped_socket_is_reconnected_and_the_history_replayed(lab: Lab) -> None:
    async with opened(lab) as session:
        await session.update_chat_ctx(said(session, LONG))
        reconnected = listen(session, "session_reconnected")
        lab.context.faults.set(REALTIME, Fault("drop", times=1, after=3))
        await spoken(await session.generate_reply())
        async with asyncio.timeout(60):
            await reconnected.get()
        assert lab.context.journal.count(REALTIME, "connect") == 2
        words, _ = await spoken(await session.generate_reply())
        assert words.startswith("I am happy to explain.")


async def test_a_refused_connection_is_tried_again(lab: Lab) -> None:
    lab.context.faults.set(REALTIME, Fault("refuse", times=2))
    async with opened(lab) as session:
        assert (await spoken(await session.generate_reply()))[0] == GREETING
        assert lab.context.journal.count(REALTIME, "connect") == 3


@pytest.mark.parametrize("kind", ["rate_limited", "server_error"])
async def test_a_failed_response_reports_its_error(lab: Lab, kind: Any) -> None:
    async with opened(lab) as session:
        events, errors = raw_events(session), listen(session, "error")
        await server_event(events, "session.updated")
        lab.context.faults.set(REALTIME, Fault(kind, times=1))
        assert (await spoken(await session.generate_reply()))[0] == ""
        assert (await server_event(events, "response.done"))["response"]["status"] == "failed"
        assert (await errors.get()).recoverable
        assert (await spoken(await session.generate_reply()))[0] == GREETING


async def test_a_voice_that_fails_is_a_failed_response(lab: Lab) -> None:
    assert isinstance(lab.context.voices, ToneVoices)
    lab.context.voices.broken = True
    async with opened(lab) as session:
        events = raw_events(session)
        await session.generate_reply()
        assert (await server_event(events, "response.done"))["response"]["status"] == "failed"


async def test_a_server_that_hangs_never_answers_an_item(lab: Lab) -> None:
    lab.context.faults.set(REALTIME, Fault("hang", times=1))
    async with opened(lab) as session:
        events = raw_events(session)
        session.send_event({"type": "conversation.item.retrieve", "item_id": "x"})
        await lab.context.journal.until(REALTIME, "connect")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await events.get()


async def test_a_malformed_frame_ends_the_plugins_session(lab: Lab) -> None:
    lab.context.faults.set(REALTIME, Fault("malformed", times=1, after=1))
    async with aiohttp.ClientSession() as http:
        model = openai.realtime.RealtimeModel(
            base_url=lab.openai_url, api_key="lab", http_session=http, turn_detection=None
        )
        session = model.session()
        errors = listen(session, "error")
        await spoken(await session.generate_reply())
        async with asyncio.timeout(60):
            assert not (await errors.get()).recoverable
        with pytest.raises(json.JSONDecodeError):
            await session.aclose()
