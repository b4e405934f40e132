"""The ledger's database is taken away and comes back, and the disk is full and is not: no event of a call is lost."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from compliance.events import CallerSaid, Event, PartFailed
from compliance.keeping import Keeping
from compliance.ledger import Ledger
from compliance.recorder import Recorder
from compliance.redaction.spans import Span
from service.record_demand import RecordDemand

pytestmark = pytest.mark.adversarial

LIMIT_S = 60.0


class Plain:
    """A redactor for texts that have nothing to redact."""

    failures, last_failure, suspends_recording = 0, None, False

    def redact(self, event: Event) -> tuple[Event, dict[str, tuple[Span, ...]]]:
        return event, {}

    def know(self, entity: str, value: str) -> None: ...
    def expect(self, entity: str) -> None: ...
    def forget(self) -> None: ...


def said(number: int) -> CallerSaid:
    text = f"sentence {number}"
    return CallerSaid(call_id="c", at_ms=number, start_ms=0, end_ms=number, text=text, confidence=0.9)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger.open(tmp_path / "ledger.sqlite", wait_ms=1)) as opened:
        yield opened


def bytes_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


def spools_in(folder: Path) -> list[Path]:
    return list(folder.glob("*.spool"))


@contextmanager
def database_taken(path: Path | None) -> Iterator[None]:
    """Another process holds the database and does not let go."""
    assert path is not None
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def disk_full(path: Path | None) -> Iterator[None]:
    """No file of this process can grow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("away", "kept_in"), [(database_taken, Keeping.SPOOL), (disk_full, Keeping.MEMORY)], ids=["database", "disk"]
)  # fmt: skip
async def test_every_event_is_in_the_ledger_once_and_in_order_when_it_is_back(
    ledger: Ledger, tmp_path: Path, away: object, kept_in: Keeping
) -> None:
    assert callable(away)
    kept: list[Keeping] = []
    recorder = Recorder(ledger, Plain(), "c", retry_after_s=(), on_keeping=kept.append)
    recorder.record(said(0))
    await recorder.flush()
    with away(ledger.path):
        for number in range(1, 400):
            recorder.record(said(number))
        await recorder.flush()
        assert kept == [kept_in]
        assert b"sentence" not in bytes_in(tmp_path)
    recorder.record(said(400))
    await recorder.aclose()

    assert (kept[0], kept[-1]) == (kept_in, Keeping.LEDGER)
    events = ledger.events("c")
    assert [event.at_ms for event in events if isinstance(event, CallerSaid)] == list(range(401))
    assert {event.part for event in events if isinstance(event, PartFailed)} == {"ledger"}
    assert ledger.verify().ok
    assert not spools_in(tmp_path)


@pytest.mark.parametrize("back", [True, False], ids=["is back", "stays away"])
async def test_a_call_that_demands_a_record_ends_unless_the_database_is_back(
    ledger: Ledger, back: bool
) -> None:
    ended, spooled, in_ledger = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def moved(keeping: Keeping) -> None:
        demand.kept_in(keeping)
        {Keeping.SPOOL: spooled, Keeping.LEDGER: in_ledger}[keeping].set()

    async def end() -> None:
        ended.set()

    recorder = Recorder(ledger, Plain(), "c", retry_after_s=(), on_keeping=moved)
    demand = RecordDemand(fail_open=False, grace_s=LIMIT_S if back else 0.0, retry=recorder.flush, end=end)
    async with asyncio.timeout(LIMIT_S):
        with database_taken(ledger.path):
            recorder.record(said(0))
            await spooled.wait()
            if not back:
                await ended.wait()
        recorder.record(said(1))
        await recorder.aclose()
        await in_ledger.wait()
    await demand.aclose()

    assert ended.is_set() is not back
    assert ledger.verify().ok
