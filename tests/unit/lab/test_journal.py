"""The journal: what arrived, in order, and waiting for it without sleeping."""

import asyncio

import pytest

from lab.journal import Journal

pytestmark = pytest.mark.unit


def test_entries_are_kept_in_order_by_provider() -> None:
    journal = Journal(clock=lambda: 4.5)
    journal.record("openai.realtime", "a", "session.update", {"session": {}})
    journal.record("deepgram", "b", "KeepAlive")
    journal.record("openai.realtime", "a", "response.create")
    assert journal.names("openai.realtime") == ["session.update", "response.create"]
    assert journal.count("deepgram", "KeepAlive") == 1
    assert journal.of("openai.realtime", "session.update")[0].payload == {"session": {}}
    assert {e.at_s for e in journal.entries} == {4.5}


def test_audio_in_a_payload_is_cut_short_and_words_are_not() -> None:
    entry = Journal().record("deepgram", "a", "x", {"audio": "A" * 5000, "raw": b"\0" * 9, "says": ["hi"]})
    assert entry.payload == {"audio": "A" * 40 + "… (5000 characters)", "raw": "(9 bytes)", "says": ["hi"]}


async def test_until_returns_at_once_what_already_came() -> None:
    journal = Journal()
    journal.record("elevenlabs", "a", "text")
    assert len(await journal.until("elevenlabs", "text")) == 1


async def test_until_wakes_when_the_counted_message_arrives() -> None:
    journal = Journal()
    waiting = asyncio.create_task(journal.until("elevenlabs", "text", count=2))
    await asyncio.sleep(0)
    journal.record("elevenlabs", "a", "text")
    journal.record("elevenlabs", "a", "flush")
    await asyncio.sleep(0)
    assert not waiting.done()
    journal.record("elevenlabs", "a", "text")
    assert len(await waiting) == 2


async def test_until_says_what_came_instead() -> None:
    journal = Journal()
    journal.record("deepgram", "a", "KeepAlive")
    with pytest.raises(TimeoutError, match=r"received 0 of 1 'Finalize'.*KeepAlive"):
        await journal.until("deepgram", "Finalize", timeout_s=0.01)
    assert journal._waiting == []
