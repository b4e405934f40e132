from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from compliance.errors import LedgerError
from compliance.events import CallEnded
from compliance.ledger import Ledger
from service.cli.verifying import verify

pytestmark = pytest.mark.unit


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.sqlite"
    kept = Ledger.open(path)
    for name in ("first", "second"):
        for reason in ("the caller hung up", "and again"):
            kept.append(CallEnded(call_id=name, at_ms=1, reason=reason, turns=0, cost_usd=0))
    kept.close()
    return path


def test_a_record_that_holds_is_said_to_hold(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(str(ledger), call_id="", as_json=False) == 0
    printed = capsys.readouterr().out
    assert "first" in printed
    assert "second" in printed
    assert "4 entries" in printed


def test_a_changed_entry_is_named_and_the_exit_status_is_1(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with sqlite3.connect(ledger) as connection:
        connection.execute("DROP TRIGGER events_no_update")
        connection.execute(
            "UPDATE events SET body = replace(body, 'hung up', 'rang off') WHERE call_id = 'first'"
        )
    connection.close()
    assert verify(str(ledger), call_id="", as_json=True) == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["ok"]
    assert not found["calls"]["first"]["ok"]
    assert found["calls"]["first"]["problems"]
    assert found["calls"]["second"]["ok"]


def test_one_call_can_be_verified_alone(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(str(ledger), call_id="second", as_json=True) == 0
    assert list(json.loads(capsys.readouterr().out)["calls"]) == ["second"]


def test_a_missing_ledger_and_a_missing_call_are_said(ledger: Path, tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="there is no ledger at"):
        verify(str(tmp_path / "none.sqlite"), call_id="", as_json=False)
    with pytest.raises(LedgerError, match="holds no call third; it holds 2 others"):
        verify(str(ledger), call_id="third", as_json=False)
