"""A ledger whose disk is full."""

from __future__ import annotations

from compliance.errors import LedgerError
from compliance.ledger import Ledger


class RefusingLedger:
    """Refuses every append, so that the record is spooled; everything else is the real ledger's."""

    def __init__(self, part: Ledger) -> None:
        self.part = part

    def __getattr__(self, name: str) -> object:
        return getattr(self.part, name)

    def append_many(self, events: object) -> object:
        raise LedgerError("the disk is full. Make room.")
