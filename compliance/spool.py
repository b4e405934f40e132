"""Redacted events that the ledger refused, one JSON line each, in a file until the ledger takes them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from compliance.events import EVENT, Event


@dataclass(frozen=True, slots=True)
class Spool:
    """The spool of one call. Errors are ``OSError``."""

    path: Path

    @classmethod
    def beside(cls, ledger: Path | None, call_id: str) -> Spool:
        """The spool of ``call_id`` in the folder of the ledger's file, or the current one for a ledger on a server."""
        name = ledger.name if ledger else "ledger"
        folder = ledger.parent if ledger else Path()
        return cls(folder / f"{name}.{hashlib.sha256(call_id.encode()).hexdigest()[:16]}.spool.jsonl")

    @property
    def name(self) -> str:
        return self.path.name

    def write(self, events: Iterable[Event]) -> None:
        """Appends events; they are on disk when this returns."""
        with self.path.open("ab") as file:
            for event in events:
                file.write(event.model_dump_json().encode("utf-8") + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> tuple[Event, ...]:
        """What is in it; empty when there is no spool. A last line cut by a crash is left out."""
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return ()
        return tuple(EVENT.validate_json(line) for line in lines[:-1])

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
