"""Every place that keeps something of a call: what erasing a call, or the retention policy, has to reach."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from compliance.erasure import Shreddable
from compliance.ledger import Ledger
from compliance.recording.kept import Recordings
from compliance.reveal import SealedValues
from compliance.spool import Spool
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Spools:
    """Events that the ledger never took, in files beside it, under the ledger's key rather than the call's."""

    ledger: Path | None
    kind: str = "spool"

    def keeps(self, call_id: str) -> bool:
        return Spool.beside(self.ledger, call_id).path.exists()

    def shred(self, call_id: str) -> int:
        there = self.keeps(call_id)
        Spool.beside(self.ledger, call_id).remove()
        return int(there)


def shreddables(settings: Settings, ledger: Ledger) -> tuple[Shreddable, ...]:
    """All of them; whoever keeps something of calls in another place adds it here."""
    return Recordings(settings.recordings_folder()), SealedValues(ledger), Spools(ledger.path)
