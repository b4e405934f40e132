"""A call's bill: every use is on record with its price, and they add up."""

from __future__ import annotations

import pytest

from compliance.clock import CallClock
from compliance.events import Event, UsageIncurred
from engines.prices import Prices
from engines.unfinished import Unfinished, Unread
from engines.usage import OfReply, Usage
from service.bill import Bill, Work

pytestmark = pytest.mark.unit

BOOK = Prices.parse("""
version: 2
as_of: 2026-11-01
source: invented
prices:
  openai/mind: {input_text_tokens: 2.0, output_text_tokens: 8.0}
  deepgram/ears: {audio_minutes: 0.0077}
""")


def test_every_use_is_on_record_with_its_price_and_they_add_up() -> None:
    events: list[Event] = []
    bill = Bill(BOOK, clock=CallClock(), emit=events.append, call_id="c")
    asked = Usage("mind", {"input_text_tokens": 1000, "output_text_tokens": 100}, sends_conversation=True)
    bill.add(asked, turn=1, engine="fast", provider="openai")
    bill.add(Usage("ears", {"audio_minutes": 0.5}), turn=1, engine="transcriber", provider="deepgram")
    bill.add(asked, turn=2, engine="fast", provider="openai")
    used = [event for event in events if isinstance(event, UsageIncurred)]
    assert [(one.turn, one.engine, one.provider, one.model) for one in used] == [
        (1, "fast", "openai", "mind"),
        (1, "transcriber", "deepgram", "ears"),
        (2, "fast", "openai", "mind"),
    ]
    assert [one.cost_usd for one in used] == pytest.approx([0.0028, 0.00385, 0.0028])
    assert [one.again_usd > 0 for one in used] == [False, False, True]
    assert bill.cost_usd == pytest.approx(sum(one.cost_usd for one in used))


def test_what_reads_an_engines_words_aloud_is_booked_on_the_engine_and_its_reply() -> None:
    used = booked(Unread("voice-1", 25), "voice", "elevenlabs")
    assert (used.engine, used.part, used.generation, used.turn) == ("fast", "voice", 7, 3)


def test_a_reply_that_was_asked_for_ahead_is_booked_as_that_reply() -> None:
    wrong = OfReply(Unfinished("mind", 400, 0), 5)
    used = booked(wrong, "realtime", "openai")
    assert (used.engine, used.part, used.generation) == ("realtime", "model", 5)
    assert used.cost_usd == pytest.approx(0.0008)


def test_what_all_engines_share_is_booked_by_itself() -> None:
    used = booked(Unread("ears", 3), "transcriber", "deepgram")
    assert (used.engine, used.generation) == ("transcriber", 0)


def test_a_use_that_has_no_price_says_so() -> None:
    used = booked(Unread("voice-1", 25), "voice", "elevenlabs")
    assert (used.cost_usd, used.unpriced) == (0, ("characters", "input_text_tokens"))


def booked(event: object, engine: str, provider: str) -> UsageIncurred:
    """How the bill books a measurement that comes while `fast` answers the third turn."""
    events: list[Event] = []
    bill = Bill(BOOK, clock=CallClock(), emit=events.append, call_id="c")
    bill.measured(event, Work(3, "fast", 7), engine=engine, provider=provider)
    [used] = events
    assert isinstance(used, UsageIncurred)
    return used
