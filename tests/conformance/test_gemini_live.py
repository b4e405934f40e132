"""Our Gemini Live session on the real plugin and google-genai, against the lab: one generation for every turn."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from google.genai import types
from livekit import rtc
from livekit.agents import APIConnectionError, llm
from livekit.agents.metrics import RealtimeModelMetrics
from livekit.plugins.google.realtime import realtime_api as plugin

from engines.component import Component
from engines.gemini import LOSSES, GeminiModel, GeminiSession
from engines.plugins import Endpoint, build
from engines.usage import usage
from engines.warm import WarmModel
from engines.warm_session import WarmSession
from lab.delays import Delays
from lab.faults import Fault
from lab.gemini_generation import PROVIDER
from lab.journal import Entry
from lab.script import Call, Reply, Request, Say, Script
from lab.server import Lab, LabSettings
from lab.standins import GivenHearing, ToneVoices
from tests.virtual_time import in_virtual_time_with_sockets

pytestmark = pytest.mark.conformance

OLDER = "gemini-2.5-flash-native-audio-preview-12-2025"
NEWER = "gemini-3.1-flash-live-preview"
RATE_HZ = 24_000
HOURS = "what are your opening hours"
OPEN = "We are open from Monday to Saturday, from nine in the morning until five in the afternoon."
LONG = "can you explain the difference between the basic and the premium plan"
OF_THE_PLUGIN = pytest.mark.filterwarnings("ignore:Setting .LiveConnectConfig.generation_config")


@asynccontextmanager
async def a_lab() -> AsyncIterator[Lab]:
    voices = ToneVoices(character_ms=4.0)
    async with Lab(LabSettings(Delays.none()), hearing=GivenHearing(), voices=voices) as running:
        yield running


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with a_lab() as running:
        yield running


def hears(lab: Lab, *texts: str) -> None:
    """What the service will make of the next turns."""
    assert isinstance(lab.context.hearing, GivenHearing)
    lab.context.hearing.texts.extend(texts)


def built(lab: Lab, model: str = OLDER, **options: Any) -> GeminiModel:
    component = Component("google", model, options)
    made = build("realtime", component, Endpoint("lab", lab.google_url, simulated=True), None)  # type: ignore[arg-type]
    assert isinstance(made, GeminiModel)
    return made


@asynccontextmanager
async def opened(
    lab: Lab, model: str = OLDER, *, tools: Sequence[llm.Tool] = ()
) -> AsyncIterator[GeminiSession]:
    """A session with a conversation behind it, connected."""
    made = built(lab, model)
    session = made.session()
    there = listen(session, "metrics_collected")
    try:
        await session.update_instructions("You answer the telephone.")
        await session.update_tools([*tools])
        await session.update_chat_ctx(conversation(("user", "hello"), ("assistant", "How can I help?")))
        async with asyncio.timeout(60):
            await there.get()
        yield session
    finally:
        await session.aclose()
        await made.aclose()


@asynccontextmanager
async def warm(
    lab: Lab, *, first_reply_s: float = 30, **options: Any
) -> AsyncIterator[tuple[WarmModel, WarmSession]]:
    model = WarmModel(built(lab, **options), first_reply_s=first_reply_s)
    try:
        session = model.open().take()
        await session.update_chat_ctx(llm.ChatContext.empty())
        await lab.context.journal.until(PROVIDER, "setup")
        yield model, session
    finally:
        await model.aclose()


def conversation(*said: tuple[Any, str]) -> llm.ChatContext:
    context = llm.ChatContext.empty()
    for role, text in said:
        context.add_message(role=role, content=text)
    return context


def frames(ms: int) -> list[rtc.AudioFrame]:
    size = RATE_HZ * 20 // 1000
    return [rtc.AudioFrame(bytes(2 * size), RATE_HZ, 1, size) for _ in range(ms // 20)]


def speaks(session: GeminiSession, ms: int = 700) -> None:
    for frame in frames(ms):
        session.push_audio(frame)


async def ask(session: GeminiSession, text: str = "hello") -> llm.GenerationCreatedEvent:
    """Ask about a turn of the caller's audio, which goes by ``text``."""
    items: list[Any] = []
    session.once("remote_item_added", items.append)
    speaks(session)
    session.commit_audio()
    reply = session.generate_reply()
    session.worded(items[0].item.id, text)
    async with asyncio.timeout(60):
        return await reply


async def spoken(created: llm.GenerationCreatedEvent) -> tuple[str, float]:
    words, seconds = "", 0.0
    async with asyncio.timeout(60):
        async for message in created.message_stream:
            words += "".join([text async for text in message.text_stream])
            seconds += sum([frame.duration async for frame in message.audio_stream])
    return words.strip(), seconds


async def called(created: llm.GenerationCreatedEvent) -> list[llm.FunctionCall]:
    async with asyncio.timeout(60):
        return [call async for call in created.function_stream]


def listen(session: llm.RealtimeSession[Any], event: Any) -> asyncio.Queue[Any]:
    queue: asyncio.Queue[Any] = asyncio.Queue()
    session.on(event, queue.put_nowait)
    return queue


async def billed(queue: asyncio.Queue[Any]) -> RealtimeModelMetrics:
    """The next metrics of a reply, not those of a connection."""
    async with asyncio.timeout(60):
        while not (result := await queue.get()).request_id:
            pass
    assert isinstance(result, RealtimeModelMetrics)
    return result


def told(lab: Lab, connection: int = -1) -> list[str]:
    """What a connection was told after its setup, the pieces of audio as one."""
    names: list[str] = []
    for entry in of_connection(lab, connection):
        if entry.name not in ("connect", "setup", "disconnect") and entry.name != (names or [""])[-1]:
            names.append(entry.name)
    return names


def of_connection(lab: Lab, connection: int) -> list[Entry]:
    entries = lab.context.journal.of(PROVIDER)
    chosen = [entry.connection for entry in entries if entry.name == "connect"][connection]
    return [entry for entry in entries if entry.connection == chosen]


def seeded(lab: Lab, connection: int = -1) -> list[tuple[str, str]]:
    """The history that a connection was given: role and text."""
    [seed] = [entry for entry in of_connection(lab, connection) if entry.name == "clientContent"]
    turns = seed.payload["turns"]
    return [(turn["role"], " ".join(part["text"] for part in turn["parts"])) for turn in turns]


async def connections(lab: Lab, count: int) -> None:
    """Wait until there have been so many, and the last of them is set up."""
    await lab.context.journal.until(PROVIDER, "setup", count=count, timeout_s=60)


MODELS = [OLDER, "gemini-live-2.5-flash", NEWER, "gemini-3.8-live"]
HEARD = ["realtimeInput.activityStart", "realtimeInput.audio", "realtimeInput.activityEnd", "lab.generation"]
WRITTEN = ["realtimeInput.activityStart", "realtimeInput.text", "realtimeInput.activityEnd", "lab.generation"]


# -- one generation for a turn ------------------------------------------------------------------------------
@pytest.mark.parametrize("model", MODELS)
async def test_a_turn_that_was_heard_is_one_activity_and_one_generation(lab: Lab, model: str) -> None:
    hears(lab, HOURS)
    async with opened(lab, model) as session:
        created = await ask(session, HOURS)
        assert created.user_initiated
        words, seconds = await spoken(created)
        assert words == OPEN
        assert seconds == pytest.approx(len(OPEN) * 0.004, abs=0.02)
        assert told(lab) == ["clientContent", *HEARD]
        assert seeded(lab) == [("user", "hello"), ("model", "How can I help?")]
        # To the later ones the history is complete; the others would answer it.
        [seed] = lab.context.journal.of(PROVIDER, "clientContent")
        assert seed.payload["turnComplete"] is (model in MODELS[2:])


@pytest.mark.parametrize("model", [OLDER, NEWER])
async def test_a_turn_in_writing_is_one_activity_and_one_generation(lab: Lab, model: str) -> None:
    async with opened(lab, model) as session:
        context = session.chat_ctx
        context.add_message(role="user", content=HOURS)
        await session.update_chat_ctx(context)
        assert (await spoken(await session.generate_reply()))[0] == OPEN
        assert told(lab) == ["clientContent", *WRITTEN]
        assert seeded(lab) == [("user", "hello"), ("model", "How can I help?")]


@OF_THE_PLUGIN
async def test_the_stock_plugin_makes_two_of_one_turn(lab: Lab) -> None:
    # Why the plugin is not used as it is. When this fails, it may be.
    stock = built(lab).inner.session()
    try:
        stock.start_user_activity()
        for frame in frames(700):
            stock.push_audio(frame)
        stock.generate_reply()
        await lab.context.journal.until(PROVIDER, "lab.generation", count=2, timeout_s=60)
    finally:
        await stock.aclose()


async def test_every_sample_of_a_turn_is_sent(lab: Lab) -> None:
    async with opened(lab) as session:
        await spoken(await ask(session))
        assert isinstance(lab.context.hearing, GivenHearing)
        [heard] = lab.context.hearing.heard_bytes
        assert heard / 2 / 16_000 == pytest.approx(0.7, abs=0.005)


async def test_nothing_is_sent_before_a_turn_is_certain(lab: Lab) -> None:
    async with opened(lab) as session:
        speaks(session)
        session.clear_audio()  # another engine answered it
        context = conversation(("user", "hello"), ("assistant", "How can I help?"), ("user", "goodbye"))
        await session.update_chat_ctx(context)
        speaks(session)
        await asyncio.sleep(0)
        assert told(lab) == []
        session.clear_audio()
        await spoken(await ask(session))
        assert isinstance(lab.context.hearing, GivenHearing)
        assert len(lab.context.hearing.heard_bytes) == 1
        assert (
            lab.context.journal.count(PROVIDER, "connect") == 1
        )  # nothing was said to it: it is fresh still
        assert seeded(lab)[-1] == ("user", "goodbye")


async def test_the_next_turn_of_a_stay_is_nothing_but_its_activity(lab: Lab) -> None:
    async with opened(lab, NEWER) as session:
        hears(lab, HOURS, "goodbye")
        await spoken(await ask(session, HOURS))
        assert (await spoken(await ask(session, "goodbye")))[0] == "Thank you for calling. Goodbye."
        assert told(lab) == ["clientContent", *HEARD, *HEARD]
        assert [item.text_content for item in session.chat_ctx.messages()][2:4] == [HOURS, OPEN]


async def test_a_transcript_that_is_late_does_not_become_the_next_reply(lab: Lab) -> None:
    lab.context.delays = Delays.parse("none,stt=600")
    hears(lab, "goodbye", HOURS)
    async with warm(lab, own_transcript=True) as (_, session):
        inner = session._inner
        assert isinstance(inner, GeminiSession)
        begun = listen(inner, "generation_created")
        late = asyncio.Event()
        inner.on("input_audio_transcription_completed", lambda event: late.set())
        await spoken(await ask(inner, "goodbye"))
        async with asyncio.timeout(60):
            await late.wait()
        assert (await spoken(await ask(inner, HOURS)))[0] == OPEN
        assert begun.qsize() == 2


# -- tools --------------------------------------------------------------------------------------------------
@llm.function_tool
async def order_lookup(order_number: str) -> str:
    """Look an order up."""
    return order_number


@llm.function_tool
async def opening_hours(day: str) -> str:
    """Say when the shop is open."""
    return day


class TwoAtOnce(Script):
    """Asks two things side by side, and says what came of it."""

    def reply(self, request: Request) -> Reply:
        results = [message.text for message in request.messages if message.role == "result"]
        if results:
            return Say(f"Done: {'; '.join(results)}.")
        return Call("order_lookup", {"order_number": "7"}, (Call("opening_hours", {"day": "monday"}),))


def outcome(call: llm.FunctionCall, output: str, *, error: bool = False) -> llm.FunctionCallOutput:
    return llm.FunctionCallOutput(call_id=call.call_id, name=call.name, output=output, is_error=error)


async def finish(session: GeminiSession, *outputs: llm.FunctionCallOutput) -> None:
    """Give results as LiveKit does."""
    context = session.chat_ctx
    context.items.extend(outputs)
    await session.update_chat_ctx(context)
    session.interrupt()


async def test_two_tools_side_by_side_are_answered_together_and_make_one_reply(lab: Lab) -> None:
    lab.context.script = TwoAtOnce(())
    async with opened(lab, tools=[order_lookup, opening_hours]) as session:
        first, second = await called(await ask(session))
        assert (first.name, first.arguments) == ("order_lookup", '{"order_number": "7"}')
        assert (second.name, second.arguments) == ("opening_hours", '{"day": "monday"}')
        await finish(session, outcome(first, "it is on its way"), outcome(second, "it is closed"))
        created = await session.generate_reply()
        assert created.user_initiated
        assert (await spoken(created))[0] == "Done: it is on its way; it is closed."
        assert told(lab) == ["clientContent", *HEARD, "toolResponse", "lab.generation"]


async def test_a_tool_that_failed_is_told_as_an_error(lab: Lab) -> None:
    lab.context.script = TwoAtOnce(())
    async with opened(lab, tools=[order_lookup, opening_hours]) as session:
        first, second = await called(await ask(session))
        await finish(session, outcome(first, "not available", error=True), outcome(second, "closed"))
        await spoken(await session.generate_reply())
        [given] = lab.context.journal.of(PROVIDER, "toolResponse")
        assert [each["response"] for each in given.payload["functionResponses"]] == [
            {"error": "not available"},
            {"output": "closed"},
        ]


async def test_tools_wait_for_their_results_and_each_reply_is_billed(lab: Lab) -> None:
    lab.context.script = TwoAtOnce(())
    async with opened(lab, tools=[order_lookup, opening_hours]) as session:
        declared = lab.context.journal.of(PROVIDER, "setup")[0].payload["tools"][0]["functionDeclarations"]
        assert [each["behavior"] for each in declared] == ["BLOCKING", "BLOCKING"]
        metrics = listen(session, "metrics_collected")
        first, second = await called(await ask(session))
        calls = await billed(metrics)
        await finish(session, outcome(first, "a"), outcome(second, "b"))
        await spoken(await session.generate_reply())
        reply = await billed(metrics)
        assert calls.output_token_details.audio_tokens == 0
        assert reply.output_token_details.audio_tokens > 0
        assert reply.input_tokens > calls.input_tokens


async def test_a_caller_who_cuts_in_while_tools_run_gets_a_fresh_connection(lab: Lab) -> None:
    lab.context.script = TwoAtOnce(())
    async with opened(lab, tools=[order_lookup, opening_hours]) as session:
        first, _ = await called(await ask(session, HOURS))
        session.interrupt()
        context = session.chat_ctx
        context.items.append(outcome(first, "too late"))
        await session.update_chat_ctx(context)
        lab.context.script = Script.load()
        hears(lab, "goodbye")
        await spoken(await ask(session, "goodbye"))
        assert told(lab) == ["clientContent", *HEARD]
        assert seeded(lab)[-1] == ("user", HOURS)


# -- what the caller heard ----------------------------------------------------------------------------------
async def test_a_reply_that_was_cut_is_billed_and_the_next_connection_knows_what_was_heard(lab: Lab) -> None:
    hears(lab, LONG, "goodbye")
    async with opened(lab) as session:
        metrics = listen(session, "metrics_collected")
        created = await ask(session, LONG)
        message = await anext(aiter(created.message_stream))
        await anext(aiter(message.audio_stream))
        session.interrupt()
        bill = await billed(metrics)
        assert bill.cancelled
        assert bill.output_tokens > 0
        session.truncate(
            message_id=message.message_id,
            modalities=["audio"],
            audio_end_ms=80,
            audio_transcript="I am happy",
        )
        assert (await spoken(await ask(session, "goodbye")))[0] == "Thank you for calling. Goodbye."
        assert told(lab, 0) == ["clientContent", *HEARD, "realtimeInput.activityStart"]
        assert seeded(lab, 1)[2:] == [("user", LONG), ("model", "I am happy")]
        assert lab.context.journal.count(PROVIDER, "connect") == 2


async def test_a_whole_reply_of_which_a_part_was_heard_is_told_in_that_part(lab: Lab) -> None:
    hears(lab, HOURS, "goodbye")
    async with opened(lab) as session:
        metrics = listen(session, "metrics_collected")
        created = await ask(session, HOURS)
        message = await anext(aiter(created.message_stream))
        await billed(metrics)  # the service has nothing more to say
        session.truncate(
            message_id=message.message_id,
            modalities=["audio"],
            audio_end_ms=80,
            audio_transcript="We are open",
        )
        await spoken(await ask(session, "goodbye"))
        assert seeded(lab)[-1] == ("model", "We are open")


async def test_another_engines_turns_are_in_the_next_connection(lab: Lab) -> None:
    hears(lab, HOURS, "goodbye")
    async with opened(lab) as session:
        await spoken(await ask(session, HOURS))
        context = session.chat_ctx
        context.add_message(role="user", content="and on holidays")
        context.add_message(role="assistant", content="Closed on holidays.")
        await session.update_chat_ctx(context)
        await connections(lab, 2)
        assert told(lab) == []
        await spoken(await ask(session, "goodbye"))
        assert seeded(lab)[2:] == [
            ("user", HOURS),
            ("model", OPEN),
            ("user", "and on holidays"),
            ("model", "Closed on holidays."),
        ]


async def test_other_instructions_need_another_connection(lab: Lab) -> None:
    async with opened(lab) as session:
        await session.update_instructions("You answer the door.")
        await connections(lab, 2)
        _, last = lab.context.journal.of(PROVIDER, "setup")
        assert last.payload["systemInstruction"]["parts"][0]["text"] == "You answer the door."


# -- in its own words, and what it costs --------------------------------------------------------------------
async def test_what_the_service_heard_is_told_beside_our_words(lab: Lab) -> None:
    hears(lab, "what are your open hours")
    async with warm(lab, own_transcript=True) as (model, session):
        compared: asyncio.Queue[Any] = asyncio.Queue()
        model.on_own_transcript = lambda *heard: compared.put_nowait(heard)
        history: list[Any] = []
        session.on("input_audio_transcription_completed", history.append)
        for frame in frames(700):
            session.hear(frame)
        session.expect(HOURS, 12.0)
        async with asyncio.timeout(60):
            await spoken(await session.generate_reply())
            assert await compared.get() == (0, HOURS, "what are your open hours")
        assert [one.transcript for one in history] == [HOURS]


async def test_without_the_option_the_service_writes_nothing_down(lab: Lab) -> None:
    async with opened(lab):
        [setup] = lab.context.journal.of(PROVIDER, "setup")
        assert "inputAudioTranscription" not in setup.payload


async def test_usage_is_told_by_modality(lab: Lab) -> None:
    async with opened(lab) as session:
        metrics = listen(session, "metrics_collected")
        await spoken(await ask(session))
        used = usage(await billed(metrics))
        assert used is not None
        assert used.model == OLDER
        assert used.quantities["input_audio_tokens"] == 17  # 0.7 s at 25 tokens a second
        assert used.quantities["input_text_tokens"] > 10
        assert used.quantities["output_audio_tokens"] > 0
        assert "output_text_tokens" not in used.quantities


# -- sessions that end --------------------------------------------------------------------------------------
@in_virtual_time_with_sockets
async def test_a_connection_that_is_told_to_end_is_replaced_before_it_does() -> None:
    async with a_lab() as lab:
        hears(lab, "goodbye")
        lab.context.session_limit_s = 0.6
        async with opened(lab) as session:
            errors = listen(session, "error")
            await connections(lab, 3)
            lab.context.session_limit_s = 600
            await connections(lab, 4)
            assert (await spoken(await ask(session, "goodbye")))[0] == "Thank you for calling. Goodbye."
            assert seeded(lab) == [("user", "hello"), ("model", "How can I help?")]
            assert errors.empty()


@in_virtual_time_with_sockets
async def test_a_reply_in_hand_is_finished_before_its_connection_is_replaced() -> None:
    async with a_lab() as lab:
        hears(lab, HOURS, "goodbye")
        lab.context.session_limit_s = 2.0  # its end is announced after one second, in the middle of a reply
        lab.context.delays = Delays.parse("none,realtime=1200")
        async with opened(lab) as session:
            errors = listen(session, "error")
            words, _ = await spoken(await ask(session, HOURS))
            lab.context.session_limit_s = 600
            await connections(lab, 2)
            assert errors.empty()
            await spoken(await ask(session, "goodbye"))
            assert seeded(lab)[2:] == [("user", HOURS), ("model", words)]
            assert told(lab, 0) == ["clientContent", *HEARD]


async def test_a_connection_that_breaks_while_nobody_needs_it_is_replaced_without_a_word(lab: Lab) -> None:
    hears(lab, HOURS, "goodbye")
    async with opened(lab) as session:
        errors = listen(session, "error")
        metrics = listen(session, "metrics_collected")
        await spoken(await ask(session, HOURS))
        await billed(metrics)
        assert lab.cut("/ws/") == 1
        await connections(lab, 2)
        assert errors.empty()
        await spoken(await ask(session, "goodbye"))
        assert seeded(lab)[2:] == [("user", HOURS), ("model", OPEN)]


async def test_a_connection_that_breaks_in_mid_reply_is_lost_and_the_next_is_seeded(lab: Lab) -> None:
    hears(lab, LONG, "goodbye")
    async with opened(lab) as session:
        errors = listen(session, "error")
        lab.context.faults.set(PROVIDER, Fault("drop", times=1, after=4))
        await spoken(await ask(session, LONG))
        async with asyncio.timeout(60):
            failed = await errors.get()
        assert not failed.recoverable
        assert isinstance(failed.error, APIConnectionError)
        assert (await spoken(await ask(session, "goodbye")))[0] == "Thank you for calling. Goodbye."
        assert seeded(lab)[2:] == [("user", LONG)]  # nobody said that a part of the reply was heard


@pytest.mark.parametrize("kind", ["refuse", "rate_limited", "server_error", "malformed"])
async def test_an_answer_that_fails_is_lost(lab: Lab, kind: Any) -> None:
    async with opened(lab) as session:
        errors = listen(session, "error")
        lab.context.faults.set(PROVIDER, Fault(kind, times=1, after=0))
        speaks(session)
        session.commit_audio()
        reply = session.generate_reply()
        async with asyncio.timeout(60):
            await errors.get()
            with pytest.raises(llm.RealtimeError, match="left"):
                await reply


async def test_a_message_that_cannot_be_read_is_in_no_log_and_in_no_error(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    # google-genai quotes it, and it may hold what the caller said.
    async with opened(lab) as session:
        errors = listen(session, "error")
        lab.context.faults.set(PROVIDER, Fault("malformed", times=1, after=0))
        speaks(session)
        session.commit_audio()
        session.generate_reply().add_done_callback(lambda reply: reply.exception())
        async with asyncio.timeout(60):
            failed = await errors.get()
    assert "ValueError" in caplog.text
    assert "serverContent" not in caplog.text
    assert "serverContent" not in f"{failed.error!r} {failed.error.__cause__!r}"


@pytest.mark.parametrize("kind", ["refuse", "rate_limited", "server_error"])
async def test_a_service_that_cannot_be_reached_is_lost_at_once(lab: Lab, kind: Any) -> None:
    lab.context.faults.set(PROVIDER, Fault(kind, times=1))
    model = built(lab)
    session = model.session()
    errors = listen(session, "error")
    try:
        await session.update_chat_ctx(llm.ChatContext.empty())
        async with asyncio.timeout(60):
            assert not (await errors.get()).recoverable
        hears(lab, "goodbye")
        await spoken(await ask(session, "goodbye"))  # the next turn tries again
    finally:
        await session.aclose()
        await model.aclose()


async def test_a_connection_that_breaks_again_and_again_is_lost(lab: Lab) -> None:
    async with opened(lab) as session:
        errors = listen(session, "error")
        there = listen(session, "metrics_collected")
        for count in range(1, LOSSES + 2):
            assert errors.empty()
            if count > 1:
                await there.get()  # the connection is there for us, too
            await connections(lab, count)
            assert lab.cut("/ws/") == 1
        async with asyncio.timeout(60):
            assert not (await errors.get()).recoverable


async def test_the_results_of_tools_do_not_go_to_a_connection_that_never_asked(lab: Lab) -> None:
    lab.context.script = TwoAtOnce(())
    async with opened(lab, tools=[order_lookup, opening_hours]) as session:
        first, second = await called(await ask(session))
        assert lab.cut("/ws/") == 1
        await connections(lab, 2)
        await finish(session, outcome(first, "a"), outcome(second, "b"))
        with pytest.raises(llm.RealtimeError, match="while it waited for tools"):
            await session.generate_reply()
        assert told(lab) == []


@in_virtual_time_with_sockets
async def test_a_service_that_never_answers_is_left_when_its_time_is_up() -> None:
    async with a_lab() as lab, warm(lab, first_reply_s=0.5) as (_, session):
        lab.context.faults.set(PROVIDER, Fault("hang", times=1))
        for frame in frames(700):
            session.hear(frame)
        session.expect(HOURS, 12.0)
        with pytest.raises(llm.RealtimeError, match="no reply within"):
            await session.generate_reply()
        assert not session.busy
        session.hear(frames(20)[0])  # the caller goes on, and with that a fresh connection is opened
        await connections(lab, 2)


async def test_a_session_that_is_closed_answers_nothing(lab: Lab) -> None:
    async with opened(lab) as session:
        await session.aclose()
        with pytest.raises(llm.RealtimeError, match="closed"):
            await session.generate_reply()


async def test_there_is_no_reply_to_nothing(lab: Lab) -> None:
    async with opened(lab) as session:
        with pytest.raises(llm.RealtimeError, match="nothing to answer"):
            await session.generate_reply()


# -- the simulator ------------------------------------------------------------------------------------------
async def closed_with(lab: Lab, change: Any) -> str:
    """Why the service closes a stock session that was set up otherwise than ours are."""
    made = built(lab, NEWER)
    made.inner._opts = change(made.inner._opts)
    session = made.inner.session()
    errors = listen(session, "error")
    try:
        session.generate_reply()
        async with asyncio.timeout(60):
            return str((await errors.get()).error)
    finally:
        await session.aclose()


@OF_THE_PLUGIN
async def test_the_lab_refuses_what_the_service_refuses(lab: Lab) -> None:
    text = await closed_with(lab, lambda options: replace(options, response_modalities=[types.Modality.TEXT]))
    assert "response modalities (TEXT) is not supported" in text
    # Client content that is not the history, to a model that takes it for nothing else.
    assert "1007" in await closed_with(lab, lambda options: options)


@OF_THE_PLUGIN
async def test_the_lab_says_that_it_detects_no_activity(lab: Lab) -> None:
    automatic = types.RealtimeInputConfig()
    text = await closed_with(lab, lambda options: replace(options, realtime_input_config=automatic))
    assert "The lab detects no activity" in text


def test_the_plugin_still_has_what_the_link_leans_on() -> None:
    for name in ("_build_connect_config", "_is_new_generation", "_handle_go_away", "_handle_usage_metadata"):
        assert callable(getattr(plugin.RealtimeSession, name))
