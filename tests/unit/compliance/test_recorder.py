"""Events reach the ledger redacted, in order, whatever fails on the way."""

import logging
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from compliance.errors import LedgerError
from compliance.events import CallerSaid, Event, PartFailed, SpeechHeard, ToolCalled
from compliance.ledger import Ledger
from compliance.recorder import Recorder, RecorderClosedError
from compliance.redaction import REDACTION_FAILED, RedactionEngine, Redactor
from compliance.redaction.pieces import Found
from compliance.spool import Spool

pytestmark = pytest.mark.unit


def said(text: str, at_ms: float = 1) -> CallerSaid:
    return CallerSaid(call_id="c", at_ms=at_ms, start_ms=0, end_ms=at_ms, text=text, confidence=0.9)


def heard(at_ms: float) -> SpeechHeard:
    return SpeechHeard(call_id="c", at_ms=at_ms, speaker="caller", start_ms=0, end_ms=at_ms)


class MemoryLedger:
    """Refuses while ``refusing``; otherwise keeps events in a list."""

    def __init__(self, *, refusing: int = 0) -> None:
        self.refusing = refusing
        self.attempts = 0
        self.kept: list[Event] = []

    def append_many(self, events: Sequence[Event]) -> None:
        self.attempts += 1
        if self.refusing:
            self.refusing -= 1
            raise LedgerError("ledger: the disk is full. Make room.")
        self.kept.extend(events)


class EchoEngine(RedactionEngine):
    """Finds nothing; raises on ``bad``."""

    def __init__(self) -> None:
        """Needs no Presidio."""

    def find(self, text: str) -> list[Found]:
        if "bad" in text:
            raise RuntimeError(text)
        return []


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool.jsonl")


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    with closing(Ledger.open(tmp_path / "ledger.sqlite")) as ledger:
        yield ledger


async def test_what_is_recorded_is_in_the_ledger_redacted_and_in_order(ledger: Ledger) -> None:
    recorder = Recorder(ledger, Redactor(), "c")
    recorder.record(heard(1))
    recorder.record(said("my card number is four one one one two two three four", 2))
    recorder.record(said("nine eight seven six five five zero one", 3))
    recorder.record(said("thank you", 4))
    await recorder.aclose()

    events = ledger.events("c")

    assert [e.at_ms for e in events] == [1, 2, 3, 4]
    assert [e.text for e in events if isinstance(e, CallerSaid)] == [
        "my card number is <CREDIT_CARD>",
        "<CREDIT_CARD>",
        "thank you",
    ]
    assert ledger.verify("c").ok


async def test_closing_writes_everything_queued_and_ends_the_thread(ledger: Ledger) -> None:
    recorder = Recorder(ledger, Redactor(EchoEngine()), "c")
    for i in range(1000):
        recorder.record(heard(i))
    await recorder.aclose()
    await recorder.aclose()
    await recorder.flush()

    assert [e.at_ms for e in ledger.events("c")] == list(range(1000))
    with pytest.raises(RecorderClosedError, match="after the record was closed"):
        recorder.record(heard(1))
    recorder._thread.join(5)
    assert not recorder._thread.is_alive()


async def test_events_queued_while_the_ledger_is_busy_are_appended_together() -> None:
    free = threading.Event()

    class Busy(MemoryLedger):
        def append_many(self, events: Sequence[Event]) -> None:
            free.wait(10)
            super().append_many(events)

    ledger = Busy()
    recorder = Recorder(ledger, Redactor(EchoEngine()), "c")
    for i in range(200):
        recorder.record(heard(i))
    free.set()
    await recorder.aclose()

    assert [e.at_ms for e in ledger.kept] == list(range(200))
    assert ledger.attempts < 20


async def test_events_of_another_call_are_refused() -> None:
    recorder = Recorder(MemoryLedger(), Redactor(EchoEngine()), "other")

    with pytest.raises(RecorderClosedError, match="not recorded here"):
        recorder.record(heard(1))
    await recorder.aclose()


async def test_a_live_view_sees_redacted_events_on_the_loop_until_it_unsubscribes(ledger: Ledger) -> None:
    seen: list[tuple[str, threading.Thread]] = []
    recorder = Recorder(ledger, Redactor(), "c")
    stop = recorder.subscribe(lambda e: seen.append((getattr(e, "text", ""), threading.current_thread())))
    recorder.record(said("my phone number is five five five zero one four two seven seven eight"))
    await recorder.flush()
    stop()
    stop()
    recorder.record(said("hello"))
    await recorder.aclose()

    assert seen == [("my phone number is <PHONE_NUMBER>", threading.current_thread())]


async def test_a_live_view_that_fails_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Event] = []
    ledger = MemoryLedger()
    recorder = Recorder(ledger, Redactor(EchoEngine()), "c")

    def broken(event: Event) -> None:
        raise RuntimeError(f"secret {event}")

    recorder.subscribe(broken)
    recorder.subscribe(seen.append)
    recorder.record(heard(1))
    await recorder.aclose()

    assert seen == ledger.kept == [heard(1)]
    assert "secret" not in caplog.text


async def test_a_text_that_cannot_be_redacted_is_withheld_and_the_record_says_so() -> None:
    ledger = MemoryLedger()
    recorder = Recorder(ledger, Redactor(EchoEngine()), "c")
    for text in ("good", "bad secret", "good again"):
        recorder.record(said(text))
    await recorder.aclose()

    kept = [(e.kind, getattr(e, "text", getattr(e, "error", None))) for e in ledger.kept]

    assert kept == [
        ("caller_said", "good"),
        ("caller_said", REDACTION_FAILED),
        ("part_failed", "RuntimeError"),
        ("caller_said", "good again"),
    ]


async def test_a_redactor_that_raises_itself_withholds_every_marked_field() -> None:
    class Raising(Redactor):
        def redact_event(self, event: Event) -> Event:
            raise MemoryError

    ledger = MemoryLedger()
    recorder = Recorder(ledger, Raising(EchoEngine()), "c")
    recorder.record(
        ToolCalled(
            call_id="c", at_ms=1, turn=1, engine="tool", name="find", arguments={"a": "secret"}, result="secret",
            failed=False, took_ms=1,
        )
    )  # fmt: skip
    await recorder.aclose()

    assert "secret" not in str(ledger.kept)
    assert [e.kind for e in ledger.kept] == ["tool_called", "part_failed"]


async def test_a_ledger_that_refuses_for_a_moment_is_tried_again(spool: Spool) -> None:
    ledger = MemoryLedger(refusing=2)
    recorder = Recorder(ledger, Redactor(EchoEngine()), "c", spool=spool, retry_after_s=(0, 0, 0))
    recorder.record(heard(1))
    await recorder.aclose()

    assert ledger.kept == [heard(1)]
    assert not spool.path.exists()


async def test_what_the_ledger_refuses_is_spooled_redacted_and_reported(
    spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Event] = []
    recorder = Recorder(MemoryLedger(refusing=1000), Redactor(), "c", spool=spool, retry_after_s=(0,))
    recorder.subscribe(seen.append)
    with caplog.at_level(logging.ERROR):
        recorder.record(said("my phone number is five five five zero one four two seven seven eight"))
        await recorder.flush()
        recorder.record(heard(2))
        await recorder.aclose()

    spooled = spool.read()

    assert [e.kind for e in spooled] == ["caller_said", "part_failed", "speech_heard"]
    assert spooled == tuple(seen)
    assert isinstance(spooled[0], CallerSaid)
    assert spooled[0].text == "my phone number is <PHONE_NUMBER>"
    assert isinstance(spooled[1], PartFailed)
    assert (spooled[1].part, spooled[1].error) == ("ledger", "LedgerError")
    assert "the disk is full. Make room." in caplog.text


async def test_a_ledger_that_recovers_gets_the_spooled_events_first_and_the_spool_is_removed(
    spool: Spool,
) -> None:
    ledger = MemoryLedger(refusing=1)
    recorder = Recorder(ledger, Redactor(EchoEngine()), "c", spool=spool, retry_after_s=())
    recorder.record(heard(1))
    await recorder.flush()
    assert spool.read()[0] == heard(1)
    recorder.record(heard(2))
    await recorder.aclose()

    assert [e.kind for e in ledger.kept] == ["speech_heard", "part_failed", "speech_heard"]
    assert not spool.path.exists()


async def test_an_event_that_is_not_json_is_replaced_and_the_rest_is_kept(ledger: Ledger) -> None:
    class Passing(Redactor):
        def redact_event(self, event: Event) -> Event:
            return event

    recorder = Recorder(ledger, Passing(EchoEngine()), "c")
    recorder.record(heard(1))
    recorder.record(
        ToolCalled(
            call_id="c", at_ms=2, turn=1, engine="tool", name="find", arguments={}, result=2**60, failed=False,
            took_ms=1,
        )
    )  # fmt: skip
    recorder.record(heard(3))
    await recorder.aclose()

    assert [e.kind for e in ledger.events("c")] == ["speech_heard", "part_failed", "speech_heard"]


def test_the_spool_of_a_call_is_beside_the_ledger_and_reads_past_a_cut_line(tmp_path: Path) -> None:
    spool = Spool.beside(tmp_path / "ledger.sqlite", "../c")
    assert spool.read() == ()
    spool.write([heard(1)])
    with spool.path.open("ab") as file:
        file.write(b'{"kind": "speech')

    assert spool.path.parent == tmp_path
    assert spool.read() == (heard(1),)
