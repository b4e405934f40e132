"""Who is at work, and on which ledger: what every ``patchbay audit`` command begins with."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from compliance.access import Tokens, identify
from compliance.access.overseer import Overseer
from compliance.errors import LedgerError
from compliance.ledger import Ledger
from compliance.ledger.anchors import FileAnchor
from compliance.redaction import Redactor
from compliance.redaction.policy import RedactionPolicy
from service.cli.issuer import verifier
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class At:
    """Which log of which ledger, and all else that is set."""

    settings: Settings
    """As they are for this ledger and this tenant."""
    anchored: bool

    @classmethod
    def of(cls, settings: Settings, ledger: str = "", tenant: str = "") -> At:
        """The ledger and tenant that are named, or else those that are configured."""
        there = {"ledger": ledger or settings.ledger, "tenant": tenant or settings.tenant}
        return cls(settings.model_copy(update=there), there["ledger"] == settings.ledger)

    @property
    def recordings(self) -> Path:
        """The folder of recordings that goes with the ledger."""
        return self.settings.recordings_folder()


@contextmanager
def overseer(at: At) -> Iterator[Overseer]:
    """Opens the ledger for whoever asks.

    Raises:
        compliance.errors.LedgerError: there is no ledger.
        compliance.access.AccessError: who asks cannot be told.
    """
    where, set_ = at.settings.ledger, at.settings
    if "://" not in where and not Path(where).is_file():
        raise LedgerError(f"there is no ledger at {where}: name one with --ledger, or set PATCHBAY_LEDGER")
    redactor = Redactor(policy=RedactionPolicy.load(set_.redaction))
    anchors = [FileAnchor(set_.ledger_anchor)] if at.anchored and set_.ledger_anchor else ()
    ledger = Ledger.open(where, tenant=set_.tenant, anchors=anchors, must_exist=True)
    try:
        principal = identify(
            set_.audit_token.get_secret_value() if set_.audit_token else "",
            tokens=Tokens.of(ledger.oversight(kinds=Tokens.KINDS)),
            oidc=verifier(set_),
            user=pwd.getpwuid(os.getuid()).pw_name,
            now=datetime.now(UTC),
        )
        yield Overseer(ledger, principal, redactor=redactor)
    finally:
        ledger.close()


def known_calls(ledger: Ledger, names: Sequence[str]) -> tuple[str, ...]:
    """The calls of these ids, each once. Raises :class:`compliance.errors.LedgerError` for one that is not there."""
    there = set(ledger.calls())
    if unknown := [name for name in names if name not in there]:
        raise LedgerError(f"the ledger holds no call {', '.join(unknown)}; it holds {len(there)} others")
    return tuple(dict.fromkeys(names))
