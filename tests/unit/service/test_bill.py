"""A call's bill: every use is on record with its price, and they add up."""

from __future__ import annotations

import pytest

from compliance.clock import CallClock
from compliance.events import Event, UsageIncurred
from engines.prices import Prices
from engines.usage import Usage
from service.bill import Bill

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
