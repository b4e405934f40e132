"""Warmth: a session is open, in step and fed while it is wanted, and never otherwise."""

import asyncio

import pytest
from livekit.agents import llm

from engines import warmth as module
from engines.generations import current_speech_id
from tests.unit.engines.kept import Kept

pytestmark = pytest.mark.unit


async def test_a_session_that_is_not_wanted_is_never_opened_nor_fed() -> None:
    kept = Kept(wanted=lambda: False)
    await kept.refreshed()
    kept.warmth.speech_started(0)
    await kept.caller_speaks(200)
    assert kept.inner.sessions == []
    assert not kept.warmth.ready
    assert not kept.feed.has_turn
    await kept.warmth.aclose()


async def test_a_fresh_session_is_told_everything_and_then_only_the_conversation() -> None:
    kept = Kept()
    await kept.refreshed()
    assert kept.told == ["instructions Be brief.", "0 tools", "history"]
    kept.history.add_message(role="user", content="hello")
    await kept.refreshed()
    assert kept.told[3:] == ["history"]
    assert kept.inner.sessions[0].synced == [[], ["hello"]]
    await kept.warmth.aclose()


async def test_what_is_said_while_it_is_brought_in_step_is_not_missed() -> None:
    kept = Kept()
    kept.warmth.refresh()
    await asyncio.sleep(0)
    kept.history.add_message(role="user", content="hello")
    kept.warmth.refresh()
    await kept.warmth.settled()
    assert kept.inner.sessions[0].synced[-1] == ["hello"]
    await kept.warmth.aclose()


async def test_a_session_no_longer_wanted_is_closed_and_not_fed() -> None:
    wanted = True
    kept = Kept(wanted=lambda: wanted)
    await kept.refreshed()
    wanted = False
    await kept.refreshed()
    kept.warmth.speech_started(0)
    await kept.caller_speaks(200)
    await kept.warmth.aclose()
    assert "audio" not in kept.told
    assert kept.told[-1] == "closed"


async def test_a_session_that_cannot_be_kept_in_step_is_closed_and_told_of_once() -> None:
    kept = Kept()
    kept.inner.refuses = llm.RealtimeError("no")
    await kept.refreshed()
    assert len(kept.failures) == 1
    assert not kept.warmth.ready
    await kept.warmth.aclose()
    assert kept.inner.sessions[0].told[-1] == "closed"


async def test_a_fresh_session_that_is_in_step_shows_that_the_vendor_is_well() -> None:
    kept = Kept()
    kept.inner.refuses = llm.RealtimeError("no")
    await kept.refreshed()
    assert (kept.opened, len(kept.failures)) == (0, 1)
    kept.inner.refuses = None
    await kept.refreshed()
    await kept.refreshed()  # the same session: nothing new is learnt
    assert (kept.opened, len(kept.failures)) == (1, 1)
    await kept.warmth.aclose()


async def test_a_vendor_that_hangs_is_given_up() -> None:
    kept = Kept(first_reply_s=0.01)
    kept.inner.hangs = True
    await kept.refreshed()
    assert len(kept.failures) == 1
    assert not kept.warmth.ready
    await kept.warmth.aclose()


async def test_a_failure_of_a_session_already_dropped_leaves_the_next_alone() -> None:
    kept = Kept(first_reply_s=0.01)
    kept.inner.hangs = True
    kept.warmth.refresh()
    await asyncio.sleep(0)
    kept.warmth.drop()
    following = kept.model.open()
    await kept.warmth.settled()
    assert kept.model.warm is following
    assert kept.failures == []
    await kept.warmth.aclose()


async def test_a_session_that_was_lost_is_replaced_at_the_next_refresh() -> None:
    kept = Kept()
    await kept.refreshed()
    kept.warmth.lost(llm.RealtimeError("gone"))
    assert len(kept.failures) == 1
    assert not kept.warmth.ready
    await kept.refreshed()
    assert kept.warmth.ready
    assert len(kept.inner.sessions) == 2
    await kept.warmth.aclose()


async def test_a_session_wanted_because_of_what_is_being_said_hears_it_from_its_onset() -> None:
    wanted = False
    kept = Kept(wanted=lambda: wanted)
    await kept.refreshed()
    kept.warmth.speech_started(0)
    await kept.caller_speaks(200)
    wanted = True
    await kept.refreshed()
    assert kept.told.count("audio") == 10
    await kept.warmth.aclose()


async def test_speech_that_no_turn_comes_of_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FALSE_START_S", 0.0)
    kept = Kept()
    await kept.refreshed()
    kept.warmth.speech_started(0)
    await kept.caller_speaks(200)
    kept.warmth.speech_stopped()
    await asyncio.sleep(0.001)
    assert kept.told[-1] == "clear"
    assert not kept.feed.has_turn
    await kept.warmth.aclose()


async def test_a_turn_that_ended_is_not_taken_for_a_false_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FALSE_START_S", 0.0)
    kept = Kept()
    await kept.refreshed()
    kept.warmth.speech_started(0)
    await kept.caller_speaks(200)
    kept.warmth.speech_stopped()
    kept.warmth.turn_ended()
    await asyncio.sleep(0.001)
    assert kept.feed.has_turn
    await kept.warmth.aclose()


async def test_a_session_opened_for_a_turn_is_sent_the_turn() -> None:
    kept = Kept(wanted=lambda: False)
    await kept.caller_speaks(400)
    kept.warmth.open_now(0)
    assert kept.told.count("audio") == 20
    assert kept.feed.has_turn
    await kept.warmth.aclose()


async def test_a_session_works_for_no_reply_whatever_reply_it_was_opened_after() -> None:
    # What it uses would otherwise be booked on that reply for the rest of the call.
    from livekit.agents.voice.agent_activity import _SpeechHandleContextVar
    from livekit.agents.voice.speech_handle import SpeechHandle

    seen: list[str | None] = []
    kept = Kept(wanted=lambda: seen.append(current_speech_id()) is None)
    token = _SpeechHandleContextVar.set(SpeechHandle.create())
    await kept.refreshed()
    _SpeechHandleContextVar.reset(token)
    assert seen == [None]
    await kept.warmth.aclose()


async def test_closing_waits_for_nobody_longer_than_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLOSE_LIMIT_S", 0.01)
    kept = Kept()
    await kept.refreshed()

    async def never() -> None:
        await asyncio.Event().wait()

    kept.inner.sessions[0].aclose = never  # type: ignore[method-assign]
    await kept.warmth.aclose()
    assert kept.inner.closed
