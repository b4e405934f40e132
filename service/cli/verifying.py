"""``patchbay verify``: recompute the hash chains of a ledger, and say what they show."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console

from compliance.chain import Verification
from compliance.errors import LedgerError
from compliance.ledger import Ledger
from service.summary import LedgerCheck
from service.tables import ledger_line


def verify(where: str, *, call_id: str, as_json: bool) -> int:
    """Print what was found; returns 1 when the record does not hold.

    Args:
        where: the ledger: a path or a URL.
        call_id: one call, or all of them when empty.

    Raises:
        compliance.errors.LedgerError: there is no ledger, or no such call in it.
    """
    if "://" not in where and not Path(where).is_file():
        raise LedgerError(f"there is no ledger at {where}: name one, or set PATCHBAY_LEDGER")
    ledger = Ledger.open(where, must_exist=True)
    try:
        calls = ledger.calls()
        if call_id and call_id not in calls:
            raise LedgerError(f"{where} holds no call {call_id}; it holds {len(calls)} others")
        found = {name: ledger.verify(name) for name in ([call_id] if call_id else calls)}
        whole = found[call_id] if call_id else ledger.verify()
    finally:
        ledger.close()
    if as_json:
        value = {
            "ok": whole.ok,
            "head": whole.head,
            "calls": {name: _json(one) for name, one in found.items()},
        }
        json.dump(value, sys.stdout, indent=2)
        print()
        return 0 if whole.ok else 1
    console = Console()
    for name, one in found.items():
        console.print(
            name, ledger_line(LedgerCheck(one.ok, one.events, one.head, one.sentence)), soft_wrap=True
        )
    if not call_id:
        console.print(
            "all calls", ledger_line(LedgerCheck(whole.ok, whole.events, whole.head, whole.sentence))
        )
    return 0 if whole.ok else 1


def _json(found: Verification) -> dict[str, object]:
    return {"ok": found.ok, "events": found.events, "head": found.head, "problems": list(found.problems)}
