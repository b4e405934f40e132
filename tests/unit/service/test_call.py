"""A call comes to its end whatever fails on the way there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from compliance.events import CallEnded
from service.call import Call
from service.call_record import CallRecord
from service.exchange import Exchange
from service.line import Line
from service.ports import LinePort
from service.settings import Settings
from tests.whole_call import without_settings

pytestmark = pytest.mark.unit


@pytest.fixture
def exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Exchange]:
    without_settings(monkeypatch)
    settings = Settings(
        ledger=str(tmp_path / "ledger.sqlite"),
        stand_ins=dict.fromkeys(("openai", "deepgram", "elevenlabs"), "http://127.0.0.1:1"),
    )
    with closing(Exchange.load(settings, lab_only=True)) as loaded:
        yield loaded


async def test_a_record_that_cannot_be_closed_in_order_keeps_nobody_on_the_line(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(record: CallRecord) -> None:
        raise OSError("nobody is told goodbye")

    monkeypatch.setattr(CallRecord, "closing", fail)
    line = Line()
    call = Call(exchange, port=LinePort(line), clock=line.clock, source="lab:test")
    with pytest.raises(OSError, match="nobody is told goodbye"):
        async with call:
            pass
    assert line.closed
    [ended] = [event for event in exchange.ledger.events(call.call_id) if isinstance(event, CallEnded)]
    assert ended.reason == "the caller hung up"
