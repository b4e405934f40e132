"""The record of a deployment is where its settings say, and so are its keys and its anchor."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from compliance.events import CallEnded
from compliance.ledger import Ledger
from compliance.ledger.keys import KEYS_VARIABLE, Keyring, key_file
from compliance.spool import Spool
from service.cli import app
from service.exchange import open_ledger
from service.settings import Settings

pytestmark = pytest.mark.unit

ENDED = CallEnded(call_id="call", at_ms=1, reason="hang-up", turns=0, cost_usd=0)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        ledger=str(tmp_path / "ledger.sqlite"),
        ledger_origin="record.example.com",
        ledger_anchor=tmp_path / "anchor.jsonl",
        tenant="acme",
    )


def test_a_ledger_is_opened_at_the_tenants_log_and_anchored(settings: Settings) -> None:
    with closing(open_ledger(settings, anchored=True)) as ledger:
        ledger.append(ENDED)
        assert (ledger.log, ledger.origin) == ("acme", "record.example.com/acme")
    assert settings.ledger_anchor is not None
    with (
        closing(Ledger.open(settings.ledger, tenant="acme")) as ledger,
        settings.ledger_anchor.open("rb") as lines,
    ):
        assert ledger.verify(anchor=lines).anchored == 1


def test_calls_of_the_lab_are_not_anchored(settings: Settings) -> None:
    with closing(open_ledger(settings, anchored=False)) as ledger:
        ledger.append(ENDED)
    assert settings.ledger_anchor is not None
    assert not settings.ledger_anchor.exists()


def test_what_an_earlier_process_could_not_give_the_ledger_is_taken_in(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(open_ledger(settings, anchored=False)) as ledger:
        Spool.beside(ledger.path, "call", ledger.spool_keys).write([ENDED])
    with closing(open_ledger(settings, anchored=False)) as ledger:
        assert ledger.events("call") == (ENDED,)
    assert "now in it: 1" in caplog.text


def test_keys_come_from_the_environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    made = CliRunner().invoke(app, ["audit", "key", "--new"])
    monkeypatch.setenv(KEYS_VARIABLE, made.stdout.strip())
    with closing(open_ledger(settings, anchored=False)) as ledger:
        vkey = ledger.vkey
    assert not key_file(Path(settings.ledger)).exists()
    shown = CliRunner().invoke(app, ["audit", "key", "--ledger", settings.ledger, "--tenant", "acme"])
    assert shown.stdout.strip() == vkey
    monkeypatch.setenv(KEYS_VARIABLE, Keyring.new().text)
    refused = CliRunner().invoke(app, ["audit", "key", "--ledger", settings.ledger, "--tenant", "acme"])
    assert refused.exit_code == 2
    assert "signed with other keys" in refused.stderr
