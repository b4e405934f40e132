"""How many events a ledger takes: ``python -m lab.bench ledger [SECONDS] [POSTGRESQL_URL]``.

A writer waits for the disk before its next append, as the recorder of a call does: one writer's events one by one,
those of ten threads, which share commits, and one writer's groups of 50; then all of it verified. Without a URL,
Debian's PostgreSQL is started for it where it is installed. The disk decides: the cost of a bare ``fsync`` is printed
beside it, and other work on the machine shows.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from compliance.events import CallerSaid
from compliance.ledger import Ledger
from compliance.ledger.keys import Keyring

GROUP = 50
WRITERS = 10
LEAST_PER_S = 1_000.0
EVENTS_A_CALL = 200


@dataclass(frozen=True, slots=True)
class Appends:
    """Appends in a row."""

    events: int
    took_s: float
    took_ms: tuple[float, ...]
    """Each append, in ascending order."""
    cpu_s: float
    """What this process worked for all of them."""

    @property
    def events_per_s(self) -> float:
        return self.events / self.took_s

    def at(self, share: float) -> float:
        """The append that this share of them is not slower than, in ms."""
        return self.took_ms[min(int(len(self.took_ms) * share), len(self.took_ms) - 1)]


def appended(ledger: Ledger, group: int, seconds: float, writers: int = 1) -> Appends:
    """Appends groups of so many events for so long, from so many threads."""
    took_ms: list[float] = []
    begun_s, cpu_s = time.perf_counter(), time.process_time()

    def write(writer: int) -> None:
        number = writer * 1_000_000
        while time.perf_counter() - begun_s < seconds:
            events = [_said(number + place) for place in range(group)]
            number += group
            start_s = time.perf_counter()
            ledger.append_many(events)
            took_ms.append((time.perf_counter() - start_s) * 1000)

    with ThreadPoolExecutor(writers) as threads:
        for done in [threads.submit(write, writer) for writer in range(writers)]:
            done.result()
    took_s = time.perf_counter() - begun_s
    return Appends(len(took_ms) * group, took_s, tuple(sorted(took_ms)), time.process_time() - cpu_s)


def _said(number: int) -> CallerSaid:
    return CallerSaid(
        call_id=f"call-{number // EVENTS_A_CALL:06}",
        at_ms=number,
        start_ms=number,
        end_ms=number + 900,
        text="hello my card number is <CREDIT_CARD> and my name is <PERSON> can you tell me where my order is",
        confidence=0.93,
    )


def fsync_ms(folder: Path, times: int = 200) -> float:
    """The median of appending 4 KiB to a file and waiting for the disk."""
    took = []
    with (folder / "fsync").open("ab", buffering=0) as file:
        for _ in range(times):
            start_s = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            took.append(time.perf_counter() - start_s)
    return sorted(took)[times // 2] * 1000


@contextmanager
def postgresql(given: str) -> Iterator[str | None]:
    """The URL of an empty PostgreSQL database: the one given, or one of a server started for it."""
    if given:
        yield given
        return
    from lab.postgres import binaries, running

    found = binaries()
    if found is None:
        yield None
        return
    with running(found, durable=True) as server:
        yield server.url()


def measure(name: str, where: str, seconds: float) -> bool:
    """Print the figures of one store; whether single appends are fast enough."""
    with closing(Ledger.open(where, keys=Keyring.new())) as ledger:
        appended(ledger, 1, 0.2)
        fast = True
        for what, group, writers in (
            ("one by one", 1, 1),
            (f"{WRITERS} at once", 1, WRITERS),
            (f"groups of {GROUP}", GROUP, 1),
        ):
            found = appended(ledger, group, seconds, writers)
            fast = fast and found.events_per_s >= LEAST_PER_S
            print(
                f"{name:<11} {what:<13} {found.events_per_s:>8,.0f} events/s   an append: P50 {found.at(0.5):6.2f} ms, "
                f"P99 {found.at(0.99):6.2f} ms   {found.cpu_s / found.events * 1e6:5.0f} µs CPU an event"
            )
        start_s = time.perf_counter()
        checked = ledger.verify()
        per_s = checked.events / (time.perf_counter() - start_s)
        print(f"{name:<11} {'verified' if checked.ok else 'DOES NOT HOLD':<13} {per_s:>8,.0f} events/s")
    return fast and checked.ok


def main(arguments: Sequence[str] = ()) -> int:
    """Print the figures; returns 1 when a store takes fewer than :data:`LEAST_PER_S` events one by one.

    Args:
        arguments: seconds for each figure (3), and the URL of an empty PostgreSQL database.
    """
    seconds = float(arguments[0]) if arguments else 3.0
    with tempfile.TemporaryDirectory(dir=".") as folder, postgresql("".join(arguments[1:2])) as url:
        bare_ms = fsync_ms(Path(folder))
        print(f"a bare fsync of 4 KiB takes {bare_ms:.2f} ms (median)")
        fast = measure("SQLite", f"{folder}/ledger.sqlite", seconds)
        if url is None:
            print("PostgreSQL  is not installed, and no URL was given")
        else:
            fast = measure("PostgreSQL", url, seconds) and fast
    print(f"single appends are {'' if fast else 'NOT '}above {LEAST_PER_S:,.0f} a second")
    if not fast and bare_ms > 500 / LEAST_PER_S:
        print("the disk is slow or busy: most of that is waiting for it")
    return 0 if fast else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
