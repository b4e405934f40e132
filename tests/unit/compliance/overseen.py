"""A ledger with small calls, and people who oversee it; shared by the tests of that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from compliance.access import Principal, Role
from compliance.access.overseer import Overseer
from compliance.events import CallEnded, CallerSaid, CallStarted, ConsentChanged
from compliance.ledger import Ledger
from compliance.redaction import Redactor
from compliance.reveal import Sealer, sealing_key

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
AUDITOR = Principal("token:ada", frozenset({Role.AUDITOR}))
OFFICER = Principal("token:pia", frozenset({Role.PRIVACY_OFFICER}))
COLLEAGUE = Principal("oidc:2b7f", frozenset({Role.PRIVACY_OFFICER}))
ADMIN = Principal("token:abe", frozenset({Role.ADMIN}))
SERVICE = Principal("token:nightly", frozenset({Role.SERVICE}))


class Clock:
    """Says what time it is, as the test has it."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at

    def passes(self, time: timedelta) -> None:
        self.at += time


class Recordings:
    """Files of calls, one each, in a folder; a file that may not be removed is one named ``stuck``."""

    kind = "recording"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, call_id: str) -> None:
        (self.folder / call_id).write_bytes(b"sound")

    def keeps(self, call_id: str) -> bool:
        return (self.folder / call_id).exists()

    def shred(self, call_id: str) -> int:
        if not self.keeps(call_id):
            return 0
        (self.folder / call_id).unlink()  # of a folder: an OSError, as a disk would raise
        return 1


def overseer(ledger: Ledger, principal: Principal, clock: Clock | None = None) -> Overseer:
    return Overseer(ledger, principal, now=clock or Clock(), redactor=Redactor())


def record_call(
    ledger: Ledger,
    call_id: str,
    *,
    age: timedelta = timedelta(days=3),
    tenant: str = "",
    ended: bool = True,
    recording: bool | None = None,
    sealed: tuple[tuple[str, str], ...] = (),
) -> None:
    """A call that began ``age`` before :data:`NOW` and took ten seconds."""
    began = NOW - age
    ledger.append_many(
        [
            CallStarted(
                call_id=call_id,
                at_ms=0,
                started_at=began.isoformat(),
                source="lab:test",
                policy="default",
                policy_hash="0" * 64,
                tenant=tenant,
            ),
            CallerSaid(
                call_id=call_id,
                at_ms=1500,
                start_ms=0,
                end_ms=1500,
                text="my name is <PERSON>",
                confidence=0.9,
            ),
        ]
    )
    if recording is not None:
        ledger.append(
            ConsentChanged(
                call_id=call_id, at_ms=1600, turn=1, what="recording", given=recording, how="stated"
            )
        )
    sealer = Sealer(call_id, sealing_key(ledger, call_id)) if sealed else None
    for entity, value in sealed:
        assert sealer
        ledger.append(sealer.seal(entity, value, at_ms=1700))
    if ended:
        ledger.append(CallEnded(call_id=call_id, at_ms=10_000, reason="hung up", turns=1, cost_usd=0))
