"""How fast the standalone verifier checks a ledger, and in how much memory.

``python -m lab.bench verify [EVENTS]`` writes a ledger of that many events (1,000,000) in calls of forty, with a
checkpoint kept every hundred, then runs the verifier on it as an auditor would: in a process of its own, without our
packages. The events are of the usual size, of random bytes instead of ciphertext: nobody verifies by decrypting.
"""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from compliance.ledger import Ledger, verifier
from compliance.ledger.checkpoint import Checkpoint, digest
from compliance.ledger.keys import Keyring
from compliance.ledger.leaf import Header
from compliance.ledger.merkle import leaf_hash
from compliance.ledger.note import signed

LEAST_PER_S = 200_000
MOST_MB = 200
_PER_CALL = 40
_KEPT_EVERY = 100
_BODY = os.urandom(300)
_RUN = """
import runpy, sys
sys.argv[:] = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    with open("/proc/self/status") as status:
        print(*(line.split()[1] for line in status if line.startswith("VmHWM")), file=sys.stderr)
"""
"""Runs the verifier and tells its peak memory in KiB, which a process does not share with the one that started it."""


def main(arguments: Sequence[str] = ()) -> int:
    """Print events per second and peak memory; returns 1 if either is missed.

    Args:
        arguments: how many events (1,000,000).
    """
    events = int(arguments[0]) if arguments else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite"
        vkey = write(path, events)
        print(f"{events:,} events, {path.stat().st_size / 1e6:,.0f} MB")
        before, began = _used(), time.perf_counter()
        done = subprocess.run(  # noqa: S603 # our own file
            [sys.executable, "-I", "-S", "-c", _RUN, verifier.__file__, str(path), "--key", vkey],
            check=False,
            stderr=subprocess.PIPE,
            text=True,
        )
        took_s, spent_s = time.perf_counter() - began, _used() - before
    rate = events / took_s
    peak_mb = int(done.stderr.split()[-1]) / 1024
    good = done.returncode == 0 and rate >= LEAST_PER_S and peak_mb <= MOST_MB
    print(
        f"{rate:,.0f} events/s ({took_s:.1f} s, {spent_s:.1f} s of processor time), peak memory {peak_mb:.0f} MB"
    )
    print(f"{'within' if good else 'MISSED'}: {LEAST_PER_S:,} events/s in {MOST_MB} MB")
    return 0 if good else 1


def write(path: Path, events: int) -> str:
    """A ledger of so many events, written past the API, which would take its time to make them durable; its vkey."""
    keys = Keyring.new()
    with closing(Ledger.open(path, keys=keys)) as ledger:
        origin, log, vkey = ledger.origin, ledger.log, ledger.vkey
    signer = keys.of_log(log)
    tree = verifier.Tree()
    started_ms = 1_790_000_000_000
    kept: list[tuple[str, int, str]] = []

    def note(size: int) -> str:
        before = digest(kept[-1][2] if kept else "")
        text = Checkpoint(origin, size, tree.root(), started_ms + size, before).text
        return signed(text, origin, signer.public_key, signer.sign)

    def rows() -> Iterator[tuple[str, int, str, int, str, bytes, bytes]]:
        sample = Header(log, 0, "CALL", 0, "0" * 64, "caller_said", 0, "0" * 32).to_bytes().decode()
        for place, name in (("CALL", "%032x"), ('"call_seq":0', '"call_seq":%d'), ('"seq":0', '"seq":%d')):
            sample = sample.replace(place, name)
        head = sample.replace('"time_ms":0', '"time_ms":%d').encode() + b"\n"
        for seq in range(events):
            call, call_seq = divmod(seq, _PER_CALL)
            leaf = head % (call, call_seq, seq, started_ms + seq) + _BODY
            digest = leaf_hash(leaf)
            tree.add(digest)
            if tree.size % _KEPT_EVERY == 0:
                kept.append((log, tree.size, note(tree.size)))
            yield log, seq, f"{call:032x}", call_seq, "caller_said", leaf, digest

    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = OFF")  # what a crash would leave is thrown away
        db.executemany(
            "INSERT INTO entries (log, seq, call_id, call_seq, kind, leaf, leaf_hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
            rows(),
        )
        db.executemany("INSERT INTO checkpoints (log, size, note) VALUES (?, ?, ?)", kept)
        frontier = b"".join(tree.roots)
        db.execute("UPDATE heads SET size = ?, frontier = ?, note = ?", (events, frontier, note(events)))
        db.commit()
    return vkey


def _used() -> float:
    """Processor seconds of processes that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
