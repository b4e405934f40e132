"""A warm session: it outlives its agents, hears whole turns, and speaks nothing that nobody waits for."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from livekit.agents import APIConnectionError, APIError, llm
from livekit.agents.metrics import RealtimeModelMetrics, STTMetrics

from engines.errors import timed_out
from engines.realtime import RealtimeAgent
from engines.warm import Stay, WarmModel
from engines.warm_reply import LEAST_S
from engines.warm_session import Seeded, SessionGoneError, WarmSession
from tests.unit.engines.fakes import FakeRealtime, FakeSession, frame
from tests.unit.engines.sat import Sat
from tests.virtual_time import in_virtual_time

pytestmark = pytest.mark.unit

TRANSCRIBED = STTMetrics(
    label="openai", request_id="1", timestamp=0, duration=0, audio_duration=2, streamed=True
)


def audio_item() -> llm.ChatMessage:
    """A turn as the server stores it: without words."""
    return llm.ChatMessage(id="server-1", role="user", content=[])


def opened(first_reply_s: float = 5.0) -> tuple[WarmModel, WarmSession, FakeSession]:
    """A model, its session as an agent has taken it, and the vendor's session behind."""
    inner = FakeRealtime()
    model = WarmModel(inner, first_reply_s=first_reply_s)
    return model, model.open().take(), inner.sessions[0]


def listened(session: WarmSession, event: Any) -> list[Any]:
    heard: list[Any] = []
    session.on(event, heard.append)
    return heard


# -- instructions and tools ---------------------------------------------------------------------------------
@llm.function_tool
async def order_lookup() -> str:
    """Looks an order up."""
    return ""


async def test_instructions_and_tools_that_the_server_has_are_not_given_again() -> None:
    _, session, inner = opened()
    for _ in range(2):  # before it is needed, and by the agent that enters
        await session.update_instructions("Be brief.")
        await session.update_tools([order_lookup])
    assert inner.told == ["instructions Be brief.", "1 tools"]


async def test_other_instructions_and_tools_are_given() -> None:
    _, session, inner = opened()
    tools: list[llm.Tool] = [order_lookup]
    for instructions in ("Be brief.", "Be kind."):
        await session.update_instructions(instructions)
        await session.update_tools(tools)
        tools.clear()  # the list is the caller's
    assert inner.told == ["instructions Be brief.", "1 tools", "instructions Be kind.", "0 tools"]


# -- audio and turns ----------------------------------------------------------------------------------------
async def test_what_livekit_pushes_commits_and_clears_is_ignored() -> None:
    _, session, inner = opened()
    session.push_audio(frame())
    session.commit_audio()
    session.clear_audio()
    assert inner.told == []


async def test_the_turn_is_committed_once_and_with_the_request_for_its_reply() -> None:
    _, session, inner = opened()
    sent: list[str] = []
    session.hear(frame())
    session.expect("where is my order", 12.0, sent=lambda: sent.append("sent"))
    assert inner.told == ["audio"]
    assert sent == []
    session.generate_reply()
    session.generate_reply()  # after a tool: the same turn
    assert inner.told == ["audio", "commit", "reply", "reply"]
    assert sent == ["sent"]


async def test_the_history_gets_our_words_under_the_servers_id_exactly_once() -> None:
    _, session, inner = opened()
    written = listened(session, "input_audio_transcription_completed")
    session.expect("where is my order", 12.0)
    session.generate_reply()
    inner.stores(llm.ChatMessage(id="assistant", role="assistant", content=[]))
    inner.stores(llm.ChatMessage(id="text", role="user", content=["an earlier turn, written by us"]))
    assert written == []
    inner.stores(audio_item())
    inner.stores(llm.ChatMessage(id="server-2", role="user", content=[]))
    [turn] = written
    assert (turn.item_id, turn.transcript, turn.is_final) == ("server-1", "where is my order", True)
    assert turn.turn_started_at == 12.0


async def test_the_plugin_is_given_our_words_for_a_turn_that_no_new_connection_could_hear() -> None:
    _, session, inner = opened()
    item = audio_item()
    session.expect("where is my order", 12.0)
    session.generate_reply()
    inner.stores(item)
    assert item.text_content == "where is my order"


async def test_a_vendor_that_writes_down_what_it_hears_keeps_its_own_words() -> None:
    model, session, inner = opened()
    model._inner._capabilities = replace(model._inner.capabilities, user_transcription=True)
    item = audio_item()
    session.expect("where is my order", 12.0)
    session.generate_reply()
    inner.stores(item)
    assert item.text_content is None


async def test_what_the_vendor_heard_is_told_beside_our_words_and_never_becomes_history() -> None:
    model, session, inner = opened()
    told: list[tuple[int, str, str]] = []
    model.on_own_transcript = lambda *heard: told.append(heard)
    model.generation = lambda: 4
    written = listened(session, "input_audio_transcription_completed")
    session.expect("where is my order", 12.0)
    session.generate_reply()
    inner.stores(audio_item())
    inner.hears("server-1", "where is", final=False)
    inner.hears("server-1", "where is my water")
    inner.hears("server-1", "said twice")
    inner.hears("unknown", "of no turn of ours")
    assert told == [(4, "where is my order", "where is my water")]
    assert [one.transcript for one in written] == ["where is my order"]


async def test_a_turn_that_the_vendor_wrote_down_in_its_own_words_stays_as_it_was_heard() -> None:
    _, session, inner = opened()
    session.expect("where is my order", 12.0)
    session.generate_reply()
    inner.stores(audio_item())
    inner.hears("server-1", "where is my water")
    history = llm.ChatContext([audio_item().model_copy(update={"content": ["where is my order"]})])
    await session.update_chat_ctx(history)
    assert inner.synced == [["where is my water"]]  # so the plugin finds nothing to replace
    assert history.messages()[0].text_content == "where is my order"


async def test_the_bill_of_a_transcript_does_not_end_the_reply() -> None:
    _, session, inner = opened()
    session.generate_reply()
    inner.emit("metrics_collected", TRANSCRIBED)
    assert session.busy


@pytest.mark.parametrize("change", [{"request_id": ""}, {"cancelled": True}])
async def test_what_a_connection_or_a_reply_that_was_left_reports_does_not_end_the_reply(
    change: dict[str, Any],
) -> None:
    _, session, inner = opened()
    reported: list[RealtimeModelMetrics] = []
    inner.once("metrics_collected", reported.append)
    session.generate_reply()
    inner.ends()
    assert not session.busy
    session.generate_reply()
    inner.emit("metrics_collected", reported[0].model_copy(update=change))
    assert session.busy


async def test_a_reply_that_was_interrupted_is_not_waited_for() -> None:
    _, session, inner = opened()
    session.generate_reply()
    session.interrupt()
    assert not session.busy
    assert inner.told[-1] == "interrupt"


class Remembering(FakeSession, Seeded):
    """Keeps the conversation itself."""

    def worded(self, item_id: str, text: str) -> None:
        self.told.append(f"{item_id} is {text}")


async def test_a_session_that_keeps_the_conversation_is_given_our_words() -> None:
    inner = Remembering(FakeRealtime())
    model = WarmModel(FakeRealtime(), first_reply_s=5)
    session = WarmSession(model, inner, first_reply_s=5).take()
    session.expect("where is my order", 12.0)
    session.generate_reply()
    inner.stores(llm.ChatMessage(id="turn-1", role="user", content=[]))
    assert inner.told[-1] == "turn-1 is where is my order"


async def test_vendor_transcripts_that_never_come_are_not_waited_for_without_end() -> None:
    model, session, inner = opened()
    told: list[str] = []
    model.on_own_transcript = lambda generation, ours, theirs: told.append(ours)
    for number in range(20):
        session.expect(f"turn {number}", 12.0)
        session.generate_reply()
        inner.stores(llm.ChatMessage(id=f"server-{number}", role="user", content=[]))
    for number in range(20):
        inner.hears(f"server-{number}", "something")
    assert told == [f"turn {number}" for number in range(12, 20)]


def test_livekit_is_never_told_to_wait_for_the_vendors_transcript() -> None:
    inner = FakeRealtime()
    inner._capabilities = replace(inner.capabilities, user_transcription=True)
    model = WarmModel(inner, first_reply_s=5)
    assert not model.capabilities.user_transcription
    assert not model.open().take().capabilities.user_transcription


async def test_a_turn_that_went_on_before_it_was_committed_is_one_turn() -> None:
    _, session, inner = opened()
    written = listened(session, "input_audio_transcription_completed")
    session.expect("my number is four four one", 12.0)
    session.expect("seven nine two", 15.0)
    session.generate_reply()
    inner.stores(audio_item())
    assert inner.told.count("commit") == 1
    assert written[0].transcript == "my number is four four one seven nine two"
    assert written[0].turn_started_at == 12.0


async def test_a_turn_that_was_never_committed_can_be_taken_back() -> None:
    _, session, inner = opened()
    session.expect("where is my order", 12.0)
    taken = session.take_back()
    assert taken is not None
    assert (taken.role, taken.text_content, taken.created_at) == ("user", "where is my order", 12.0)
    assert session.take_back() is None
    session.generate_reply()
    assert "commit" not in inner.told


async def test_forgetting_empties_the_vendors_buffer() -> None:
    _, session, inner = opened()
    session.forget()
    assert inner.told == ["clear"]


# -- replies ------------------------------------------------------------------------------------------------
async def test_a_reply_that_was_asked_for_reaches_the_agent() -> None:
    _, session, inner = opened()
    created = listened(session, "generation_created")
    reply = session.generate_reply()
    event = inner.begins()
    assert await reply is event
    assert created == [event]
    assert "interrupt" not in inner.told


async def test_a_reply_that_does_not_begin_in_time_fails_and_is_cancelled() -> None:
    _, session, inner = opened(first_reply_s=0.01)
    with pytest.raises(llm.RealtimeError, match="no reply within"):
        await session.generate_reply()
    assert inner.told == ["reply", "interrupt"]


Sent = tuple[list[llm.MessageGeneration], list[llm.FunctionCall]]


async def never_ending(items: list[Any]) -> AsyncIterator[Any]:
    for item in items:
        yield item
    await asyncio.Event().wait()


def message() -> llm.MessageGeneration:
    modalities: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
    modalities.set_result(["audio", "text"])
    return llm.MessageGeneration("m", never_ending(["It"]), never_ending([frame()]), modalities)


def begun(inner: FakeSession, sent: Sent = ([], [])) -> llm.GenerationCreatedEvent:
    """The server begins the reply, sends as much of it, and does not end it."""
    messages, calls = sent
    return inner.begins(messages=never_ending(messages), calls=never_ending(calls))


async def takes(reply: asyncio.Future[llm.GenerationCreatedEvent]) -> None:
    """Take what comes of a reply, as LiveKit does; what is in its messages, not before everybody else is silent."""

    async def drain(stream: AsyncIterable[Any]) -> None:
        async for _ in stream:
            pass

    created = await reply
    await asyncio.gather(drain(created.message_stream), drain(created.function_stream))


def told_of(model: WarmModel) -> list[tuple[Exception, bool]]:
    told: list[tuple[Exception, bool]] = []
    model.on_lost = lambda error, for_good: told.append((error, for_good))
    return told


@in_virtual_time
async def test_what_is_in_a_message_has_what_is_left_of_the_limit_unless_it_is_taken_later() -> None:
    model, session, inner = opened(first_reply_s=4)
    assert model.begin_s == model.stall_s
    reply = session.generate_reply()
    await asyncio.sleep(3)
    begun(inner, ([message()], []))
    taking = asyncio.create_task(takes(reply))
    assert model.begin_s == pytest.approx(1)
    await asyncio.sleep(0.9)
    assert model.begin_s == LEAST_S
    await asyncio.sleep(1)
    assert model.begin_s == model.stall_s
    taking.cancel()


@in_virtual_time
async def test_a_reply_that_begins_with_nothing_is_told_of_at_the_limit() -> None:
    model, session, inner = opened(first_reply_s=4)
    told = told_of(model)
    reply = session.generate_reply()
    await asyncio.sleep(3)
    begun(inner)
    taking = asyncio.create_task(takes(reply))
    await asyncio.sleep(0.9)
    assert told == []
    await asyncio.sleep(0.2)
    taking.cancel()
    [(error, for_good)] = told
    assert (timed_out(error), for_good) == (True, False)


@pytest.mark.parametrize(
    "sent",
    [
        lambda: ([message()], []),
        lambda: ([], [llm.FunctionCall(call_id="c", name="order_lookup", arguments="")]),
    ],
)
@in_virtual_time
async def test_the_first_message_or_call_of_a_reply_ends_its_limit_whoever_speaks_meanwhile(
    sent: Callable[[], Sent],
) -> None:
    model, session, inner = opened(first_reply_s=4)
    told = told_of(model)
    reply = session.generate_reply()
    begun(inner, sent())
    taking = asyncio.create_task(takes(reply))
    await asyncio.sleep(9)
    taking.cancel()
    assert told == []


@in_virtual_time
async def test_nobody_waits_for_a_reply_that_was_cut_before_anything_came_of_it() -> None:
    model, session, inner = opened(first_reply_s=4)
    told = told_of(model)
    reply = session.generate_reply()
    begun(inner)
    session.interrupt()
    taking = asyncio.create_task(takes(reply))
    await asyncio.sleep(9)
    taking.cancel()
    assert told == []


@in_virtual_time
async def test_what_came_of_a_reply_asked_for_ahead_counts_from_when_it_is_wanted() -> None:
    model, session, inner = opened(first_reply_s=4)
    told = told_of(model)
    session.ask_ahead(lambda number, used: None)
    begun(inner)
    await asyncio.sleep(5)
    session.expect("where is my order", 12.0)
    reply = session.generate_reply()
    taking = asyncio.create_task(takes(reply))
    await asyncio.sleep(3.9)
    assert told == []
    await asyncio.sleep(0.2)
    taking.cancel()
    assert len(told) == 1


async def test_a_session_that_was_let_go_of_is_asked_for_no_reply() -> None:
    model, session, inner = opened()
    assert model.release() is session
    with pytest.raises(SessionGoneError):
        await session.generate_reply()
    assert "reply" not in inner.told


async def test_a_reply_that_begins_after_its_limit_is_dropped_and_told_of() -> None:
    # The plugin reports it as one that the server began by itself, and LiveKit would speak it.
    model, session, inner = opened(first_reply_s=0.01)
    late: list[tuple[str, int]] = []
    model.on_late = lambda event, generation: late.append((event, generation))
    model.generation = lambda: 7
    created = listened(session, "generation_created")
    with pytest.raises(llm.RealtimeError):
        await session.generate_reply()
    inner.begins(asked_for=False)
    assert created == []
    assert late == [("generation_created", 7)]
    assert inner.told[-1] == "interrupt"


async def test_what_comes_for_a_parked_session_is_dropped_and_told_of() -> None:
    model, session, inner = opened()
    late: list[tuple[str, int]] = []
    model.on_late = lambda event, generation: late.append((event, generation))
    model.generation = lambda: 3
    created = listened(session, "generation_created")
    stored = listened(session, "remote_item_added")
    written = listened(session, "input_audio_transcription_completed")
    session.expect("where is my order", 12.0)
    session.generate_reply()
    await session.aclose()
    inner.begins()
    inner.stores(audio_item())
    assert created == stored == written == []
    assert late == [("generation_created", 3)]


async def test_it_is_busy_from_the_request_to_the_end_of_the_response() -> None:
    _, session, inner = opened()
    assert not session.busy
    session.generate_reply()
    inner.begins()
    assert session.busy
    inner.ends()
    assert not session.busy


# -- staying in step ----------------------------------------------------------------------------------------
async def test_a_server_that_does_not_follow_the_conversation_is_asked_for_no_reply() -> None:
    model = FakeRealtime()
    warm = WarmModel(model, first_reply_s=0.01).open().take()
    model.hangs = True
    with pytest.raises(llm.RealtimeError, match="out of step"):
        await warm.update_chat_ctx(llm.ChatContext())
    with pytest.raises(llm.RealtimeError, match="out of step"):
        await warm.generate_reply()
    assert "reply" not in model.sessions[0].told
    model.hangs = False
    await warm.update_chat_ctx(llm.ChatContext())
    warm.generate_reply()
    assert model.sessions[0].told == ["history", "reply"]


# -- failures -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("error", "recoverable", "lost"),
    [
        (APIConnectionError("gone"), True, [False]),
        (APIConnectionError("gone"), False, [True]),
        (ValueError("malformed"), False, [True]),
        (APIError("the server did not like one item"), True, []),
    ],
)
async def test_a_broken_connection_is_told_of_and_never_ends_the_call(
    error: Exception, recoverable: bool, lost: list[bool]
) -> None:
    model, session, inner = opened()
    told: list[tuple[Exception, bool]] = []
    model.on_lost = lambda error, for_good: told.append((error, for_good))
    relayed = listened(session, "error")
    inner.fails(error, recoverable=recoverable)
    assert told == [(error, for_good) for for_good in lost]
    assert [event.recoverable for event in relayed] == [True]  # LiveKit hangs up on any other


async def test_a_connection_made_anew_is_told_of() -> None:
    model, session, inner = opened()
    told: list[str] = []
    model.on_buffer_lost = lambda: told.append("anew")
    relayed = listened(session, "session_reconnected")
    inner.emit("session_reconnected", llm.RealtimeSessionReconnectedEvent())
    assert told == ["anew"]
    assert len(relayed) == 1


# -- opening and closing ------------------------------------------------------------------------------------
async def test_an_agent_gets_the_session_that_is_open_and_parks_it() -> None:
    inner = FakeRealtime()
    model = WarmModel(inner, first_reply_s=5)
    warm = model.open()
    assert model.session() is warm
    await warm.aclose()
    assert model.session() is warm
    assert len(inner.sessions) == 1
    assert inner.sessions[0].told == ["interrupt"]


async def test_a_session_is_in_use_while_an_agent_has_it() -> None:
    model = WarmModel(FakeRealtime(), first_reply_s=5)
    warm = model.open()
    stay = Stay(model)
    assert not warm.in_use
    assert stay.session() is warm
    assert warm.in_use
    await stay.aclose()
    await warm.aclose()
    assert (model.warm, warm.in_use) == (warm, False)


async def test_livekit_takes_no_two_agents_for_users_of_one_session() -> None:
    sat = Sat(realtime=["realtime"])
    model = sat.desk._realtime.models["realtime"]
    asked = llm.ChatMessage(role="user", content=["hello"])
    agents = [
        RealtimeAgent(sat.desk, name="realtime", model=model, chat_ctx=llm.ChatContext(), answering=asked)
        for _ in range(2)
    ]
    one, other = (agent.llm for agent in agents)
    assert isinstance(one, Stay)
    assert one is not other
    assert (one.model, one.provider, one.label) == (model.model, model.provider, model.label)
    await sat.desk.aclose()


async def test_a_session_let_go_of_is_parked_and_the_next_is_fresh() -> None:
    inner = FakeRealtime()
    model = WarmModel(inner, first_reply_s=5)
    first = model.open()
    assert model.release() is first
    assert model.release() is None
    assert model.warm is None
    assert model.open() is not first
    await first.close()
    assert inner.sessions[0].told == ["interrupt", "closed"]


async def test_a_session_that_is_closed_keeps_nobody_waiting_for_its_conversation() -> None:
    model, session, inner = opened()
    inner.update_chat_ctx = asyncio.Event().wait  # type: ignore[method-assign,assignment]
    assert model.release() is session
    await session.close()
    await session.update_chat_ctx(llm.ChatContext())


async def test_closing_a_session_whose_connection_had_failed_does_not_raise() -> None:
    _, session, inner = opened()

    async def raises() -> None:
        raise APIConnectionError("it had failed long before")

    inner.aclose = raises  # type: ignore[method-assign]
    await session.close()


async def test_closing_the_model_closes_all() -> None:
    inner = FakeRealtime()
    model = WarmModel(inner, first_reply_s=5)
    model.open()
    await model.aclose()
    assert inner.closed
    assert inner.sessions[0].told[-1] == "closed"


async def test_metrics_reach_whoever_keeps_the_books() -> None:
    inner = FakeRealtime()
    kept: list[object] = []
    model = WarmModel(inner, first_reply_s=5, on_metrics=kept.append)
    relayed = listened(model.open(), "metrics_collected")
    inner.sessions[0].ends()
    await asyncio.sleep(0)
    assert len(kept) == len(relayed) == 1
