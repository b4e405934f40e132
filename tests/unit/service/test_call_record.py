"""The record of a call: it begins with how it was answered, is redacted, and ends when all of it is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from compliance.clock import CallClock
from compliance.events import CallEnded, CallerSaid, CallStarted, Event, PartFailed
from compliance.ledger import Ledger
from compliance.recorder import RecorderClosedError
from compliance.redaction.policy import RedactionPolicy
from compliance.redaction.spans import Span
from engines.prices import Prices
from policies import shipped
from router import Policy
from service.aside import Aside
from service.call_record import CallRecord
from tests.unit.service.aside.beside import serving
from tests.unit.service.test_redaction_line import SECRET, Masking

pytestmark = pytest.mark.unit

POLICY = Policy.parse("""
policy: {name: short, version: 3}
engines: {fast: {}}
last_resort: fast
rules:
  - {id: otherwise, when: 'true', route: fast, because: no other rule matched}
""")


class Line:
    """What a line's calls share, as far as a record needs it."""

    def __init__(self, ledger: Ledger, redaction: Path) -> None:
        self.seen: list[Event] = []
        self.masked: list[Span] = []
        self.exchange: Any = SimpleNamespace(
            settings=SimpleNamespace(
                tenant="harbour", redaction_closing_s=60.0, fail_open_audio=False, record_grace_s=30.0
            ),
            ledger=ledger,
            redaction=Aside(redaction),
            redaction_policy=RedactionPolicy.load(shipped("redaction.yaml")),
            watchers=(self.seen.append,),
            prices=Prices.load(shipped("prices.yaml")),
        )

    def record(self) -> CallRecord:
        return CallRecord(self.exchange, "c", CallClock(), end=self._end, on_redacted=self._redacted)

    async def _end(self) -> None:
        raise AssertionError("this call may go on")

    def _redacted(self, event: Event, spans: Sequence[Span]) -> None:
        self.masked += spans


@asynccontextmanager
async def line(folder: Path) -> AsyncIterator[Line]:
    ledger = Ledger.open(str(folder / "ledger.sqlite"), tenant="harbour")
    try:
        async with serving(redaction=lambda: Masking([])) as address:
            yield Line(ledger, address)
    finally:
        ledger.close()


async def test_a_call_is_on_record_from_its_answer_to_its_end(tmp_path: Path) -> None:
    async with line(tmp_path) as there:
        record = there.record()
        record.started(POLICY, source="lab:test", simulated=("openai",), without=("recording",))
        record.emit(
            CallerSaid(call_id="c", at_ms=1, start_ms=0, end_ms=1, text=f"I am {SECRET}", confidence=1)
        )
        record.part_failed("tools", "TimeoutError", "the call goes on without tools")
        await record.closing()
        await record.ended(2000, reason="the caller hung up", turns=1, cost_usd=0.25)
        started, said, failed, ended = kept = there.exchange.ledger.events("c")
    assert isinstance(started, CallStarted)
    assert (started.policy, started.policy_version, started.tenant) == ("short", 3, "harbour")
    assert (started.source, started.simulated, started.without) == ("lab:test", ("openai",), ("recording",))
    assert isinstance(said, CallerSaid)
    assert said.text == "I am <PERSON>"
    assert isinstance(failed, PartFailed)
    assert (failed.part, failed.error) == ("tools", "TimeoutError")
    assert isinstance(ended, CallEnded)
    assert (ended.at_ms, ended.reason, ended.turns, ended.cost_usd) == (2000, "the caller hung up", 1, 0.25)
    assert [event.kind for event in there.seen] == [event.kind for event in kept]
    assert [(span.start, span.entity) for span in there.masked] == [(5, "PERSON")]


async def test_nothing_is_recorded_after_the_end(tmp_path: Path) -> None:
    async with line(tmp_path) as there:
        record = there.record()
        await record.closing()
        await record.ended(1, reason="the caller hung up", turns=0, cost_usd=0)
        with pytest.raises(RecorderClosedError):
            record.part_failed("tools", "TimeoutError", "too late")
