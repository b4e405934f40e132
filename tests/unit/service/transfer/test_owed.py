"""``patchbay callbacks`` as an operator meets it."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from compliance.events import CallbackAsked, CallEnded, CallStarted, Event, TransferAsked, ValueSealed
from compliance.ledger import Ledger
from compliance.oversight import Revealed
from service.cli import app
from service.transfer.owed import callbacks

pytestmark = pytest.mark.unit


def call(call_id: str, *, sealed: bool = True) -> list[Event]:
    began = "2026-10-01T10:00:00.000+00:00"
    events: list[Event] = [
        CallStarted(call_id=call_id, at_ms=0, started_at=began, source="lab:x", policy="p", policy_hash="h"),
        TransferAsked(call_id=call_id, at_ms=20_000, turn=2, engine="human", cause="policy", reason=""),
        CallbackAsked(
            call_id=call_id,
            at_ms=61_000,
            turn=2,
            engine="human",
            number="<PHONE_NUMBER>",
            best_time="tomorrow",
        ),
    ]
    if sealed:
        for number, at_ms in ((1, 9_000), (2, 30_000), (3, 35_000)):
            events.append(
                ValueSealed(call_id=call_id, at_ms=at_ms, entity="PHONE_NUMBER", number=number, sealed="AA==")
            )
    return [*events, CallEnded(call_id=call_id, at_ms=90_000, reason="over", turns=2, cost_usd=0)]


def revealed(call_id: str, number: int) -> Revealed:
    return Revealed(
        call_id=call_id,
        at="2026-10-01T11:00:00+00:00",
        actor="token:eve",
        role="privacy_officer",
        request="r",
        numbers=(number,),
    )


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "ledger.sqlite"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setenv("PATCHBAY_LEDGER", str(path))
    with closing(Ledger.open(path)) as opened:
        opened.append_many(call("owed"))
        opened.append_many(call("taken"))
        opened.append(revealed("taken", 2))
        opened.append(revealed("owed", 1))  # another number of the same caller
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["callbacks", *arguments])


def test_a_callback_is_owed_until_its_number_was_revealed(ledger: Path) -> None:
    listed = json.loads(run("--json").stdout)["callbacks"]
    assert [one["call_id"] for one in listed] == ["owed"]
    assert listed[0] == {
        "call_id": "owed", "asked_at": "2026-10-01T10:01:01+00:00", "engine": "human", "best_time": "tomorrow",
        "values": [2, 3], "taken_by": "",
    }  # fmt: skip


def test_those_that_were_taken_on_are_listed_with_who_did(ledger: Path) -> None:
    listed = {
        one["call_id"]: one["taken_by"] for one in json.loads(run("--all", "--json").stdout)["callbacks"]
    }
    assert listed == {"owed": "", "taken": "token:eve"}


def test_people_get_a_table_without_a_number(ledger: Path) -> None:
    result = run()
    assert result.exit_code == 0
    assert "owed" in result.stdout
    assert "tomorrow" in result.stdout
    assert "AA==" not in result.stdout


def test_that_somebody_looked_is_on_record(ledger: Path) -> None:
    run()
    with closing(Ledger.open(ledger)) as opened:
        assert "callbacks" in {getattr(one, "what", "") for one in opened.oversight(kinds=("processed",))}


def test_a_number_that_nobody_can_see_again_is_said_to_have_no_value() -> None:
    [one] = callbacks([call("lost", sealed=False)], ())
    assert one.values == ()


def test_without_a_ledger_it_says_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATCHBAY_LEDGER", str(tmp_path / "none.sqlite"))
    result = run()
    assert result.exit_code == 2
    assert "there is no ledger at" in result.output
