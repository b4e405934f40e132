"""Ledgers that were changed behind Patchbay's back, as somebody with the database, or with the keys too, can."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from compliance.events import Event
from compliance.ledger import Ledger, Recorded


@contextmanager
def unguarded(path: Path) -> Iterator[sqlite3.Connection]:
    """The database of a ledger without the triggers that refuse changes."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        yield db


def rewrite(path: Path, change: Callable[[Event], Event]) -> None:
    """Writes the ledger anew, with the same keys, each event as ``change`` gives it back.

    It verifies as before: only an anchor shows what was done.
    """
    old = path.with_name(f"{path.name}.old")
    with closing(Ledger.open(path)) as ledger:
        events: list[Recorded] = [change(ledger.event(entry)) for entry in ledger.entries()]  # type: ignore[arg-type]
    path.rename(old)
    with closing(Ledger.open(path)) as ledger:
        ledger.append_many(events)
    with unguarded(path) as db:
        db.execute("ATTACH ? AS old", (str(old),))
        db.execute("INSERT INTO policies SELECT * FROM old.policies")
    old.unlink()
