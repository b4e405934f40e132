"""Events reach the ledger redacted, in order, whatever fails on the way."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from compliance.errors import LedgerError
from compliance.events import CallerSaid, Event, PartFailed, SpeechHeard, ToolCalled, ValueSealed
from compliance.intake import WITHHELD, Intake
from compliance.keeping import Keeping
from compliance.ledger import Ledger
from compliance.recorder import Recorder, RecorderClosedError
from compliance.redaction import REDACTION_FAILED, Redactor
from compliance.redaction.spans import Span
from compliance.spool import Spool

pytestmark = pytest.mark.unit

PATIENCE_S = 60.0
NAMED = "my name is "


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


class TellingLedger(MemoryLedger):
    """Tells when it has something."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def append_many(self, events: Sequence[Event]) -> None:
        super().append_many(events)
        self.written.set()


class PlainRedactor:
    """Keeps every text; fails on ``bad``, masks NAME in ``my name is NAME``. Waits for ``free`` before each."""

    suspends_recording = False

    def __init__(self, free: threading.Event | None = None) -> None:
        self.failures = 0
        self.last_failure: str | None = None
        self.told: list[object] = []
        self._free = free

    def redact(self, event: Event) -> tuple[Event, dict[str, tuple[Span, ...]]]:
        if self._free is not None:
            assert self._free.wait(PATIENCE_S)
        text = getattr(event, "text", "")
        if "bad" in text:
            self.failures += 1
            self.last_failure = "RuntimeError"
            return event.model_copy(update={"text": REDACTION_FAILED}), {}
        if text.startswith(NAMED):
            span = Span(len(NAMED), len(text), "PERSON")
            return event.model_copy(update={"text": f"{NAMED}<PERSON>"}), {"text": (span,)}
        self.told.append(text)
        return event, {}

    def know(self, entity: str, value: str) -> None:
        self.told.append((entity, value))

    def expect(self, entity: str) -> None:
        self.told.append(entity)

    def forget(self) -> None:
        self.told.append("forget")


class FullDisk:
    """A spool on a disk that is full while ``full``."""

    name = "the spool"

    def __init__(self) -> None:
        self.full = True
        self.kept: list[Event] = []

    def write(self, events: Sequence[Event]) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.kept.extend(events)

    def read(self) -> Sequence[Event]:
        return tuple(self.kept)

    def remove(self) -> None:
        self.kept.clear()

    def close(self) -> None: ...


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
    assert ledger.verify().ok


async def test_closing_writes_everything_queued_and_ends_the_thread(ledger: Ledger) -> None:
    recorder = Recorder(ledger, PlainRedactor(), "c")
    for i in range(1000):
        recorder.record(heard(i))
    await recorder.aclose()
    await recorder.aclose()
    await recorder.flush()

    assert [e.at_ms for e in ledger.events("c")] == list(range(1000))
    with pytest.raises(RecorderClosedError, match="after the record was closed"):
        recorder.record(heard(1))
    recorder._thread.join(PATIENCE_S)
    assert not recorder._thread.is_alive()


async def test_events_queued_while_the_ledger_is_busy_are_appended_together() -> None:
    busy, free = threading.Event(), threading.Event()

    class Busy(MemoryLedger):
        def append_many(self, events: Sequence[Event]) -> None:
            busy.set()
            free.wait(PATIENCE_S)
            super().append_many(events)

    ledger = Busy()
    recorder = Recorder(ledger, PlainRedactor(), "c", gather_s=PATIENCE_S)
    recorder.record(heard(0))
    async with asyncio.TaskGroup() as waiting:
        waiting.create_task(recorder.flush())
        await asyncio.to_thread(busy.wait, PATIENCE_S)
        for i in range(1, 200):
            recorder.record(heard(i))
        free.set()
    await recorder.aclose()

    assert [e.at_ms for e in ledger.kept] == list(range(200))
    assert ledger.attempts == 2


async def test_an_event_waits_for_those_that_follow_it_closely_unless_somebody_waits_for_the_record() -> None:
    ledger = MemoryLedger()
    recorder = Recorder(ledger, PlainRedactor(), "c", gather_s=10 * PATIENCE_S)
    shown = asyncio.Event()
    recorder.subscribe(lambda event: shown.set())

    async with asyncio.timeout(PATIENCE_S):
        recorder.record(said("the first"))
        await shown.wait()  # it is redacted, and nothing else is queued
        kept_alone = list(ledger.kept)
        recorder.record(heard(2))
        await recorder.flush()
    await recorder.aclose()

    assert kept_alone == []
    assert ledger.attempts == 1
    assert [event.at_ms for event in ledger.kept] == [1, 2]


@pytest.mark.parametrize("next_one", ["a text", "what is said next"])
async def test_an_event_does_not_wait_for_what_a_redactor_takes_long_over(next_one: str) -> None:
    free = threading.Event()

    class Slow(PlainRedactor):
        def redact(self, event: Event) -> tuple[Event, dict[str, tuple[Span, ...]]]:
            if event.at_ms > 1:
                assert free.wait(PATIENCE_S)
            return super().redact(event)

        def expect(self, entity: str) -> None:
            assert free.wait(PATIENCE_S)

    ledger = TellingLedger()
    recorder = Recorder(ledger, Slow(), "c", gather_s=PATIENCE_S)
    recorder.record(heard(1))
    if next_one == "a text":
        recorder.record(said("what takes long", 2))
    else:
        recorder.expect("CVV")
    assert await asyncio.to_thread(ledger.written.wait, PATIENCE_S / 2)
    assert [event.at_ms for event in ledger.kept] == [1]
    free.set()
    await recorder.aclose()


async def test_an_event_that_nothing_follows_is_kept_all_the_same() -> None:
    ledger = TellingLedger()
    recorder = Recorder(ledger, PlainRedactor(), "c")
    recorder.record(said("nothing follows"))

    assert await asyncio.to_thread(ledger.written.wait, PATIENCE_S)
    assert [event.at_ms for event in ledger.kept] == [1]
    await recorder.aclose()


async def test_events_of_another_call_are_refused() -> None:
    recorder = Recorder(MemoryLedger(), PlainRedactor(), "other")

    with pytest.raises(RecorderClosedError, match="not recorded here"):
        recorder.record(heard(1))
    await recorder.aclose()


async def test_a_live_view_sees_redacted_events_on_the_loop_until_it_unsubscribes(ledger: Ledger) -> None:
    seen: list[tuple[str, threading.Thread]] = []
    recorder = Recorder(ledger, Redactor(), "c", late_s=PATIENCE_S)
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
    recorder = Recorder(ledger, PlainRedactor(), "c", late_s=PATIENCE_S)

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
    recorder = Recorder(ledger, PlainRedactor(), "c")
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
    class Raising(PlainRedactor):
        def redact(self, event: Event) -> tuple[Event, dict[str, tuple[Span, ...]]]:
            raise MemoryError

    ledger = MemoryLedger()
    recorder = Recorder(ledger, Raising(), "c")
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
    recorder = Recorder(ledger, PlainRedactor(), "c", spool=spool, retry_after_s=(0, 0, 0))
    recorder.record(heard(1))
    await recorder.aclose()

    assert ledger.kept == [heard(1)]
    assert not spool.path.exists()


async def test_what_the_ledger_refuses_is_spooled_redacted_and_reported(
    spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Event] = []
    recorder = Recorder(
        MemoryLedger(refusing=1000), Redactor(), "c", spool=spool, retry_after_s=(0,), late_s=PATIENCE_S
    )
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
    ledger = MemoryLedger(refusing=1000)
    recorder = Recorder(ledger, PlainRedactor(), "c", spool=spool, retry_after_s=())
    recorder.record(heard(1))
    await recorder.flush()
    assert spool.read()[0] == heard(1)
    ledger.refusing = 0
    recorder.record(heard(2))
    await recorder.aclose()

    assert [e.kind for e in ledger.kept] == ["speech_heard", "part_failed", "speech_heard"]
    assert not spool.path.exists()


async def test_an_event_that_is_not_json_is_replaced_and_the_rest_is_kept(ledger: Ledger) -> None:
    recorder = Recorder(ledger, PlainRedactor(), "c")
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
    spool.close()
    with spool.path.open("ab") as file:
        file.write(b'{"kind": "speech')

    assert spool.path.parent == tmp_path
    assert spool.read() == (heard(1),)


# -- more than can be redacted ---------------------------------------------------------------------------------


def texts(events: Sequence[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, CallerSaid)]


async def test_past_the_bound_texts_are_withheld_and_counted_and_the_rest_is_kept() -> None:
    free, ledger = threading.Event(), MemoryLedger()
    recorder = Recorder(ledger, PlainRedactor(free), "c", intake=Intake(most_texts=2), gather_s=PATIENCE_S)
    for i in range(5):
        recorder.record(said(f"text {i}", i))
    recorder.record(heard(6))
    free.set()
    await recorder.flush()
    recorder.record(said("room again", 7))
    await recorder.aclose()

    assert texts(ledger.kept) == ["text 0", "text 1", WITHHELD, WITHHELD, WITHHELD, "room again"]
    [failed] = [event for event in ledger.kept if isinstance(event, PartFailed)]
    assert failed.error == "RedactionBacklogError"
    assert failed.action.startswith("the texts of 3 event(s) were withheld")


@pytest.mark.parametrize("intake", [Intake(most_chars=100), Intake(longest_chars=100)], ids=["all", "one"])
async def test_a_text_of_a_megabyte_is_withheld(intake: Intake) -> None:
    ledger = MemoryLedger()
    recorder = Recorder(ledger, PlainRedactor(), "c", intake=intake)
    recorder.record(said("four " * 200_000))
    recorder.record(said("short"))
    await recorder.aclose()

    assert texts(ledger.kept) == [WITHHELD, "short"]


async def test_the_size_of_what_a_tool_returned_counts_as_well() -> None:
    ledger = MemoryLedger()
    recorder = Recorder(ledger, PlainRedactor(), "c", intake=Intake(longest_chars=1000))
    recorder.record(
        ToolCalled(
            call_id="c", at_ms=1, turn=1, engine="tool", name="find", arguments={}, result=[{"a": "b" * 90}] * 12,
            failed=False, took_ms=1,
        )
    )  # fmt: skip
    await recorder.aclose()

    [called, _] = ledger.kept
    assert isinstance(called, ToolCalled)
    assert called.result == WITHHELD


async def test_a_text_that_takes_long_is_shown_as_withheld_and_the_record_has_it_when_it_comes() -> None:
    free, ledger, shown = threading.Event(), MemoryLedger(), asyncio.Event()
    recorder = Recorder(ledger, PlainRedactor(free), "c", late_s=0.001)
    seen: list[Event] = []

    def watch(event: Event) -> None:
        seen.append(event)
        if len(seen) == 2:
            shown.set()

    recorder.subscribe(watch)
    recorder.record(said("my name is ada"))
    recorder.record(heard(2))
    async with asyncio.timeout(PATIENCE_S):
        await shown.wait()
    assert texts(seen) == [WITHHELD]
    assert ledger.kept == []
    free.set()
    await recorder.aclose()

    assert texts(ledger.kept) == ["my name is <PERSON>"]
    assert len(seen) == 2


async def test_what_came_of_a_text_that_was_shown_as_withheld_is_shown() -> None:
    free, shown = threading.Event(), asyncio.Event()
    recorder = Recorder(MemoryLedger(), PlainRedactor(free), "c", late_s=0.001)
    seen: list[Event] = []

    def watch(event: Event) -> None:
        seen.append(event)
        shown.set()

    recorder.subscribe(watch)
    recorder.record(said("bad"))
    async with asyncio.timeout(PATIENCE_S):
        await shown.wait()
    free.set()
    await recorder.aclose()

    assert [event.kind for event in seen] == ["caller_said", "part_failed"]


# -- who follows the record ------------------------------------------------------------------------------------


async def test_who_follows_the_record_is_told_where_a_text_was_masked_and_all_of_one_that_was_withheld() -> (
    None
):
    followed: list[tuple[str, tuple[Span, ...]]] = []

    def follow(event: Event, spans: tuple[Span, ...]) -> None:
        followed.append((getattr(event, "text", event.kind), spans))

    recorder = Recorder(MemoryLedger(), PlainRedactor(), "c", on_redacted=follow)
    for text in ("my name is ada", "bad"):
        recorder.record(said(text))
    recorder.record(heard(2))
    await recorder.aclose()

    assert followed == [
        ("my name is <PERSON>", (Span(11, 14, "PERSON"),)),
        (REDACTION_FAILED, (Span(0, 3, WITHHELD),)),
        ("speech_heard", ()),
    ]


async def test_who_follows_the_record_and_fails_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def follow(event: Event, spans: tuple[Span, ...]) -> None:
        raise RuntimeError("secret")

    ledger = MemoryLedger()
    recorder = Recorder(ledger, PlainRedactor(), "c", on_redacted=follow)
    recorder.record(heard(1))
    await recorder.aclose()

    assert ledger.kept == [heard(1)]
    assert "secret" not in caplog.text


async def test_what_was_masked_is_sealed_right_after_its_event() -> None:
    def seal(entity: str, value: str, at_ms: float) -> Event:
        return ValueSealed(call_id="c", at_ms=at_ms, entity=entity, number=1, sealed=value[::-1])

    ledger = MemoryLedger()
    recorder = Recorder(ledger, PlainRedactor(), "c", seal=seal)
    recorder.record(said("my name is ada"))
    recorder.record(said("hello"))
    await recorder.aclose()

    assert [event.kind for event in ledger.kept] == ["caller_said", "value_sealed", "caller_said"]
    sealed = ledger.kept[1]
    assert isinstance(sealed, ValueSealed)
    assert (sealed.entity, sealed.sealed) == ("PERSON", "ada"[::-1])


async def test_what_cannot_be_sealed_is_masked_for_good_and_the_record_says_so() -> None:
    def seal(entity: str, value: str, at_ms: float) -> Event:
        raise LedgerError(value)

    ledger = MemoryLedger()
    recorder = Recorder(ledger, PlainRedactor(), "c", seal=seal)
    recorder.record(said("my name is ada"))
    await recorder.aclose()

    assert [event.kind for event in ledger.kept] == ["caller_said", "part_failed"]
    assert "ada" not in str(ledger.kept)


async def test_the_redactor_learns_what_it_is_told_between_the_utterances_where_it_was_told() -> None:
    redactor = PlainRedactor()
    recorder = Recorder(MemoryLedger(), redactor, "c")
    recorder.record(said("before"))
    recorder.know("PERSON", "ada")
    recorder.expect("CVV")
    recorder.record(said("after"))
    await recorder.aclose()

    assert redactor.told == ["before", ("PERSON", "ada"), "CVV", "after", "forget"]


# -- neither ledger nor disk -----------------------------------------------------------------------------------


async def test_where_the_record_is_kept_is_told_when_it_changes() -> None:
    kept: list[Keeping] = []
    ledger, disk = MemoryLedger(refusing=1000), FullDisk()
    recorder = Recorder(ledger, PlainRedactor(), "c", spool=disk, retry_after_s=(), on_keeping=kept.append)
    recorder.record(heard(1))
    await recorder.flush()
    assert kept == [Keeping.MEMORY]
    disk.full = False
    recorder.record(heard(2))
    await recorder.flush()
    assert kept == [Keeping.MEMORY, Keeping.SPOOL]
    assert [event.at_ms for event in disk.kept] == [1, 1, 1, 2]
    ledger.refusing = 0
    recorder.record(heard(3))
    await recorder.aclose()

    assert kept == [Keeping.MEMORY, Keeping.SPOOL, Keeping.LEDGER]
    kinds = [event.kind for event in ledger.kept]
    assert kinds == ["speech_heard", "part_failed", "part_failed", "speech_heard", "speech_heard"]
    assert disk.kept == []


async def test_a_ledger_that_was_away_is_asked_again_when_the_record_is_flushed() -> None:
    kept: list[Keeping] = []
    ledger = MemoryLedger(refusing=1000)
    recorder = Recorder(
        ledger, PlainRedactor(), "c", spool=FullDisk(), retry_after_s=(), on_keeping=kept.append
    )
    recorder.record(heard(1))
    await recorder.flush()
    assert kept == [Keeping.MEMORY]
    ledger.refusing = 0
    await recorder.flush()
    assert kept == [Keeping.MEMORY, Keeping.LEDGER]
    await recorder.aclose()
