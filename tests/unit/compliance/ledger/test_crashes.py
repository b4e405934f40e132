"""Processes that write at once, are killed, or lose their database: what was acknowledged is there, and verifies."""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.errors import LedgerError
from compliance.ledger import Ledger
from lab.postgres import Postgres
from tests.one_fixture import SHARED
from tests.unit.compliance.ledger.conftest import KEYS, Place, heard

pytestmark = pytest.mark.unit

WRITING = """
import os, sys
from compliance.events import SpeechHeard
from compliance.ledger import Ledger
from compliance.ledger.keys import Keyring

KEYS = Keyring(b"s" * 32, b"e" * 32)

def append(call_id, times, acknowledged):
    ledger = Ledger.open(sys.argv[1], keys=KEYS, wait_ms=100_000)  # who is unlucky waits for all the others
    for number in range(times):
        events = [
            SpeechHeard(call_id=call, at_ms=number, speaker="agent", start_ms=number, end_ms=number + 1)
            for call in (call_id, "shared")
        ]
        for some in ([events] if number % 4 == 0 else [[event] for event in events]):
            for receipt in ledger.append_many(some):
                os.write(acknowledged, f"{receipt.seq} {receipt.hash}\\n".encode())
    os._exit(0)
"""
AT_ONCE = """
writers = [os.fork() or append(f"call {n}", 25, 1) for n in range(4)]
for writer in writers:
    assert os.waitpid(writer, 0)[1] == 0
"""
KILLED = """
import random, signal
lot = random.Random(1)

def kill(writer, lines):
    os.kill(writer, signal.SIGKILL)
    print("".join(line for line in lines if line.endswith("\\n")), end="")
    os.waitpid(writer, 0)
    lines.close()

before = None
for round in range(8):
    reading, writing = os.pipe()
    if before is not None and lot.random() < 0.5:
        kill(*before)  # while nobody else writes
        before = None
    writer = os.fork() or append(f"call {round}", 100_000, writing)
    os.close(writing)
    lines = os.fdopen(reading)
    for _ in range(lot.randrange(1, 24)):
        print(lines.readline(), end="")
    if before is not None:
        kill(*before)  # while the other goes on
    before = writer, lines
kill(*before)
"""


def run(program: str, place: Place) -> list[tuple[int, str]]:
    """Runs a program that appends in processes of its own; the places and hashes that these were told."""
    place.open().close()
    done = subprocess.run(  # noqa: S603 # our own code
        [sys.executable, "-c", WRITING + program, place.where],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [
        (int(seq), digest) for seq, _, digest in (line.partition(" ") for line in done.stdout.splitlines())
    ]


def test_processes_append_to_one_log_without_losing_or_mixing_up_an_event(place: Place) -> None:
    acknowledged = run(AT_ONCE, place)
    with closing(place.open()) as ledger:
        found = ledger.verify()
        hashes = [entry.leaf_hash.hex() for entry in ledger.entries()]

        assert (found.ok, found.events) == (True, 200)
        assert sorted(seq for seq, _ in acknowledged) == list(range(200))
        assert all(hashes[seq] == digest for seq, digest in acknowledged)
        for n in range(4):
            assert [event.at_ms for event in ledger.events(f"call {n}")] == list(range(25))
        assert len(ledger.events("shared")) == 100


def test_processes_that_are_killed_leave_a_ledger_that_verifies_and_has_all_they_acknowledged(
    place: Place,
) -> None:
    acknowledged = run(KILLED, place)
    with closing(place.open()) as ledger:
        hashes = [entry.leaf_hash.hex() for entry in ledger.entries()]
        assert len(acknowledged) >= 12
        assert all(hashes[seq] == digest for seq, digest in acknowledged)
        assert ledger.verify().ok
        for call_id in ledger.calls():
            events = ledger.events(call_id)
            assert call_id == "shared" or [e.at_ms for e in events] == list(range(len(events)))
        ledger.append(heard("after", 1))
        assert ledger.verify().ok


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int]]:
    """A ledger that nobody closed, and how long its write-ahead log was after each append."""
    folder = tmp_path_factory.mktemp("written")
    log = folder / "ledger.sqlite-wal"
    with closing(Ledger.open(folder / "ledger.sqlite", keys=KEYS)) as ledger:
        lengths = [log.stat().st_size]
        for number in range(5):
            ledger.append_many([heard("a", number)] * (1 + number))
            lengths.append(log.stat().st_size)
        shutil.copytree(folder, folder.parent / "crashed", dirs_exist_ok=True)
    return folder.parent / "crashed", lengths


@settings(max_examples=40, deadline=None, suppress_health_check=SHARED)
@given(data=st.data(), garbage=st.binary(max_size=64))
def test_a_crash_at_any_byte_loses_nothing_that_was_on_disk_before(
    written: tuple[Path, list[int]], tmp_path: Path, data: st.DataObject, garbage: bytes
) -> None:
    folder, lengths = written
    cut = data.draw(st.integers(lengths[0], lengths[-1]))
    kept = sum(1 + number for number in range(5) if lengths[number + 1] <= cut)
    path = shutil.copytree(folder, tmp_path / "cut", dirs_exist_ok=True) / "ledger.sqlite"
    (path.parent / "ledger.sqlite-shm").unlink(missing_ok=True)
    log = path.with_name("ledger.sqlite-wal")
    log.write_bytes(log.read_bytes()[:cut] + garbage)

    with closing(Ledger.open(path, keys=KEYS)) as ledger:
        found = ledger.verify()
        assert (found.ok, found.events) == (True, kept)
        assert ledger.append(heard("a", 9)).seq == kept
        assert ledger.verify().ok


def test_a_server_that_crashes_again_and_again_has_all_that_was_acknowledged_once(postgres: Postgres) -> None:
    with closing(Ledger.open(postgres.url(), keys=KEYS)) as ledger:
        hashes: list[str] = []
        for number in range(12):
            event = heard("a", number)
            if number % 4 == 2:
                postgres.stop("immediate")
                with pytest.raises(LedgerError, match="cannot be reached"):
                    ledger.append(event)
                postgres.start()
            hashes.append(ledger.append(event).hash)

        assert [entry.leaf_hash.hex() for entry in ledger.entries()] == hashes
        assert [event.at_ms for event in ledger.events("a")] == list(range(12))
        assert ledger.verify().ok


def test_a_server_that_crashes_while_threads_append_loses_and_doubles_nothing(postgres: Postgres) -> None:
    acknowledged: dict[int, str] = {}
    enough = Event()

    def append(call_id: str) -> int:
        at_ms = 0
        while not enough.is_set():
            with suppress(LedgerError):  # it is tried again
                receipt = ledger.append(heard(call_id, at_ms))
                acknowledged[receipt.seq] = receipt.hash
                at_ms += 1
        return at_ms

    with closing(Ledger.open(postgres.url(), keys=KEYS)) as ledger, ThreadPoolExecutor(2) as threads:
        appending = {call_id: threads.submit(append, call_id) for call_id in "ab"}
        try:
            for number in range(3):
                while len(acknowledged) < 40 * (1 + number) and not any(t.done() for t in appending.values()):
                    pass
                postgres.stop("immediate")
                postgres.start()
        finally:
            enough.set()

        lengths = {call_id: done.result() for call_id, done in appending.items()}
        for call_id, length in lengths.items():
            assert [event.at_ms for event in ledger.events(call_id)] == list(range(length))
        assert dict(enumerate(entry.leaf_hash.hex() for entry in ledger.entries())) == acknowledged
        assert ledger.verify().ok
