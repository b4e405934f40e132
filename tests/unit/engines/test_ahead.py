"""Asked ahead: a warm realtime engine is asked when the caller falls silent, and what it says is used only if right."""

import asyncio

import pytest
from livekit.agents import llm

from compliance.clock import CallClock
from compliance.events import Event, PreviewSettled
from engines.ahead import AskedAhead
from engines.record import Record
from engines.routing import Route
from tests.unit.engines.kept import Kept

pytestmark = pytest.mark.unit

SERVED = Route(1, "realtime")
OTHERWISE = Route(1, "tool")


class Turn:
    """A turn of a caller whom a warm engine hears; ``silent`` says whether they speak just now."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.events: list[Event] = []
        self.asked: list[str] = []
        self.silent = True
        self.ahead = AskedAhead(
            {"realtime": kept.warmth},
            Record(self.events.append, CallClock(), "call"),
            asked=self.asked.append,
            silent=lambda: self.silent,
        )

    @classmethod
    async def heard(cls, *, previews: bool = True, ms: int = 400) -> "Turn":
        kept = Kept(previews=previews)
        await kept.refreshed()
        kept.warmth.speech_started(0)
        await kept.caller_speaks(ms)
        return cls(kept)

    @property
    def told(self) -> list[str]:
        """What the vendor was told since it was told of the conversation, without the audio."""
        return [one for one in self.kept.told[3:] if one != "audio"]

    @property
    def settled(self) -> list[tuple[int, str, bool]]:
        return [(one.turn, one.engine, one.used) for one in self.events if isinstance(one, PreviewSettled)]

    def audio(self) -> int:
        return self.kept.told.count("audio")

    def agent_asks(self) -> "asyncio.Future[llm.GenerationCreatedEvent]":
        session = self.kept.model.open().take()
        session.expect("where is my order", 12.0, sent=self.kept.feed.commit)
        return session.generate_reply()


async def test_the_engine_is_asked_once_when_the_turn_would_go_to_it() -> None:
    turn = await Turn.heard()
    turn.ahead.meant(SERVED)
    turn.ahead.meant(SERVED)  # with more words of what was said before
    assert turn.told == ["commit", "reply"]
    assert turn.asked == ["realtime"]
    assert turn.settled == []
    await turn.kept.warmth.aclose()


async def test_nobody_is_asked_for_a_turn_that_would_go_elsewhere() -> None:
    turn = await Turn.heard()
    turn.ahead.meant(OTHERWISE)
    assert turn.told == turn.asked == []
    await turn.kept.warmth.aclose()


async def test_an_engine_that_may_not_preview_is_not_asked() -> None:
    turn = await Turn.heard(previews=False)
    turn.ahead.meant(SERVED)
    assert turn.told == turn.asked == []
    await turn.kept.warmth.aclose()


async def test_an_engine_that_heard_no_turn_is_not_asked() -> None:
    turn = await Turn.heard(ms=40)
    turn.ahead.meant(SERVED)
    assert turn.told == turn.asked == []
    await turn.kept.warmth.aclose()


async def test_an_engine_that_is_being_brought_in_step_is_not_asked() -> None:
    turn = await Turn.heard()
    turn.kept.warmth.refresh()
    turn.ahead.meant(SERVED)
    assert turn.asked == []
    await turn.kept.warmth.aclose()


async def test_while_the_caller_speaks_the_engine_is_not_asked_but_as_soon_as_they_fall_silent() -> None:
    turn = await Turn.heard()
    turn.silent = False
    turn.ahead.meant(SERVED)
    assert turn.asked == []
    turn.silent = True
    turn.ahead.caller_silent()
    assert turn.told == ["commit", "reply"]
    await turn.kept.warmth.aclose()


async def test_the_agent_is_given_the_reply_that_was_asked_for_ahead() -> None:
    turn = await Turn.heard()
    turn.ahead.meant(SERVED)
    [begun] = turn.kept.inner.sessions[0].replies
    turn.ahead.decided(SERVED)
    assert turn.agent_asks() is begun
    assert turn.told == ["commit", "reply"]
    assert turn.settled == [(1, "realtime", True)]
    await turn.kept.warmth.aclose()


async def test_what_the_server_said_meanwhile_is_told_when_the_reply_is_wanted() -> None:
    turn = await Turn.heard()
    session = turn.kept.model.open()
    stored: list[str] = []
    session.on("remote_item_added", lambda added: stored.append(added.item.id))
    heard: list[tuple[str, str]] = []
    session.on(
        "input_audio_transcription_completed",
        lambda event: heard.append((event.item_id, event.transcript)),
    )
    own: list[tuple[str, str]] = []
    turn.kept.model.on_own_transcript = lambda _, record, transcript: own.append((record, transcript))
    turn.ahead.meant(SERVED)
    server = turn.kept.inner.sessions[0]
    server.stores(llm.ChatMessage(id="turn", role="user", content=[]))
    server.stores(llm.ChatMessage(id="reply", role="assistant", content=[]))
    server.hears("turn", "where's my order")
    assert (stored, heard, own) == ([], [], [])
    turn.ahead.decided(SERVED)
    turn.agent_asks()
    assert stored == ["turn", "reply"]
    assert heard == [("turn", "where is my order")]
    assert own == [("where is my order", "where's my order")]
    await turn.kept.warmth.aclose()


async def test_a_caller_who_goes_on_is_heard_from_the_onset_again_and_no_second_reply_is_risked() -> None:
    turn = await Turn.heard(ms=400)
    turn.ahead.meant(SERVED)
    await turn.kept.caller_speaks(100)
    assert turn.audio() == 20  # while the engine is asked it is sent nothing more
    turn.ahead.caller_speaks()
    assert turn.audio() == 20 + 25
    assert turn.settled == [(1, "realtime", False)]
    turn.ahead.meant(SERVED)
    assert turn.told[:3] == ["commit", "reply", "interrupt"]
    assert turn.asked == ["realtime"]
    turn.ahead.decided(SERVED)
    await turn.kept.warmth.settled()
    turn.agent_asks()
    assert turn.told[3:] == [
        "history",
        "commit",
        "reply",
    ]  # it forgot the first, and is asked about the whole
    await turn.kept.warmth.aclose()


async def test_in_the_next_turn_the_engine_may_be_asked_ahead_again() -> None:
    turn = await Turn.heard()
    turn.ahead.meant(SERVED)
    turn.ahead.caller_speaks()
    turn.ahead.decided(OTHERWISE)
    turn.kept.feed.discard()
    await turn.kept.warmth.settled()
    turn.kept.warmth.speech_started(400)
    await turn.kept.caller_speaks(400)
    turn.ahead.meant(Route(2, "realtime"))
    assert turn.asked == ["realtime", "realtime"]
    await turn.kept.warmth.aclose()


async def test_a_turn_that_goes_elsewhere_leaves_no_trace_with_the_engine() -> None:
    turn = await Turn.heard()
    turn.ahead.meant(SERVED)
    turn.ahead.decided(OTHERWISE)
    turn.kept.feed.discard()
    await turn.kept.warmth.settled()
    assert turn.settled == [(1, "realtime", False)]
    assert turn.told == ["commit", "reply", "interrupt", "clear", "history"]
    await turn.kept.warmth.aclose()


async def test_a_turn_that_would_go_elsewhere_after_all_is_heard_again_for_it_may_come_back() -> None:
    turn = await Turn.heard(ms=400)
    turn.ahead.meant(SERVED)
    turn.ahead.meant(OTHERWISE)
    assert turn.settled == [(1, "realtime", False)]
    assert turn.audio() == 40
    assert turn.kept.feed.has_turn
    await turn.kept.warmth.aclose()


async def test_a_turn_that_began_before_what_the_engine_heard_is_asked_about_whole() -> None:
    kept = Kept(previews=True)
    await kept.refreshed()
    await kept.caller_speaks(1000)
    kept.warmth.speech_started(800)  # a detector that was late
    await kept.caller_speaks(400)
    turn = Turn(kept)
    turn.ahead.meant(SERVED)
    turn.ahead.decided(SERVED)
    kept.warmth.turn_complete(0)
    await kept.warmth.settled()
    turn.agent_asks()
    assert turn.settled == [(1, "realtime", False)]
    assert turn.told == ["commit", "reply", "interrupt", "clear", "history", "commit", "reply"]
    await kept.warmth.aclose()


async def test_a_conversation_that_changed_meanwhile_makes_the_reply_wrong() -> None:
    turn = await Turn.heard(ms=400)
    turn.ahead.meant(SERVED)
    same = llm.ChatContext()
    await turn.kept.model.open().update_chat_ctx(same)
    assert turn.settled == []
    same.add_message(role="assistant", content="one moment")
    await turn.kept.model.open().update_chat_ctx(same)
    assert turn.settled == [(1, "realtime", False)]
    assert turn.audio() == 40  # sent again, for the reply that the agent asks for
    await turn.kept.warmth.aclose()


async def test_a_reply_that_fails_before_it_is_wanted_costs_the_engine_its_session_and_not_the_turn() -> None:
    turn = await Turn.heard()
    lost: list[tuple[str, bool]] = []

    def on_lost(error: Exception, for_good: bool) -> None:
        lost.append((str(error), for_good))
        turn.kept.warmth.lost(error)

    turn.kept.model.on_lost = on_lost
    turn.ahead.meant(SERVED)
    turn.kept.inner.sessions[0].replies[0].set_exception(llm.RealtimeError("full"))
    await asyncio.sleep(0)
    assert lost == [("full", True)]
    assert turn.settled == [(1, "realtime", False)]
    assert not turn.kept.warmth.ready
    turn.ahead.decided(SERVED)
    await turn.kept.warmth.aclose()


async def test_a_connection_made_anew_makes_the_reply_wrong_and_hears_the_turn_again() -> None:
    turn = await Turn.heard(ms=400)
    turn.ahead.meant(SERVED)
    turn.kept.inner.sessions[0].emit("session_reconnected", llm.RealtimeSessionReconnectedEvent())
    assert turn.settled == [(1, "realtime", False)]
    assert turn.audio() == 40
    await turn.kept.warmth.aclose()


async def test_an_agent_that_asks_for_something_else_does_not_get_the_reply() -> None:
    turn = await Turn.heard(ms=400)
    turn.ahead.meant(SERVED)
    session = turn.kept.model.open().take()
    session.generate_reply(instructions="Say goodbye.")
    assert turn.settled == [(1, "realtime", False)]
    assert turn.told == ["commit", "reply", "interrupt", "reply"]
    await turn.kept.warmth.aclose()


async def test_an_item_of_a_reply_that_was_taken_back_is_not_taken_for_the_turn() -> None:
    turn = await Turn.heard()
    session = turn.kept.model.open()
    heard: list[str] = []
    session.on("input_audio_transcription_completed", lambda event: heard.append(event.item_id))
    turn.ahead.meant(SERVED)
    turn.ahead.caller_speaks()
    turn.ahead.decided(SERVED)
    await turn.kept.warmth.settled()
    turn.agent_asks()
    server = turn.kept.inner.sessions[0]
    server.stores(llm.ChatMessage(id="first", role="user", content=[]))
    server.stores(llm.ChatMessage(id="whole", role="user", content=[]))
    assert heard == ["whole"]
    await turn.kept.warmth.aclose()


async def test_a_session_that_is_closed_leaves_nothing_asked() -> None:
    turn = await Turn.heard()
    turn.ahead.meant(SERVED)
    await turn.kept.warmth.aclose()
    assert turn.settled == [(1, "realtime", False)]
    assert turn.told[-1] == "closed"
