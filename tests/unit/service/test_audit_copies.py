"""``patchbay audit``: verify and export, as they are typed."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from compliance.events import CallEnded, CallerSaid
from compliance.ledger import Ledger
from compliance.ledger.anchors import FileAnchor
from service.cli import app
from tests.forged import unguarded
from tests.unit.service.sample_call import furious_call, quick_call

pytestmark = pytest.mark.unit

ORPHAN = CallerSaid(
    call_id="orphan", at_ms=2, start_ms=0, end_ms=1, text="<PERSON> <b>bold</b>", confidence=1
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger with two whole calls and one of which a sentence is on record; anchored."""
    path = tmp_path / "ledger.sqlite"
    with closing(Ledger.open(path, anchors=[FileAnchor(tmp_path / "anchor.jsonl")])) as ledger:
        for events in (
            furious_call(),
            quick_call(),
            [ORPHAN],
            [CallEnded(call_id="orphan", at_ms=9, reason="x", turns=0, cost_usd=0)],
        ):
            ledger.append_many(list(events))
        (tmp_path / "key.txt").write_text(ledger.vkey)
    monkeypatch.setenv("PATCHBAY_LEDGER", str(path))
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.delenv("PATCHBAY_AUDIT_TOKEN", raising=False)
    return path


def patchbay(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["audit", *map(str, arguments)])


def said(result: Result) -> Any:
    assert result.exit_code in (0, 1), result.output
    return json.loads(result.stdout)


def oversight(place: Path) -> list[dict[str, Any]]:
    with closing(Ledger.open(place, must_exist=True)) as ledger:
        return [event.model_dump() for event in ledger.oversight()]


# -- verify ---------------------------------------------------------------------------------------------------
def test_a_record_in_order_holds_with_its_own_key_or_the_published_one(place: Path) -> None:
    own = patchbay("verify")
    assert own.exit_code == 0, own.output
    assert "holds" in own.output
    assert "Give --key" in own.output

    key = place.with_name("key.txt")
    for given in (key, key.read_text()):
        found = said(
            patchbay("verify", place, "--key", given, "--anchor", place.with_name("anchor.jsonl"), "--json")
        )
        assert (found["ok"], found["first"]) == (True, None)
        assert found["anchored"] == found["events"] > 0


def test_a_bad_event_is_named_and_the_exit_status_is_1(place: Path) -> None:
    with unguarded(place) as db:
        db.execute("UPDATE entries SET leaf = leaf || X'00' WHERE seq = 5")
    for arguments in ([], ["--key", place.with_name("key.txt")]):
        result = patchbay("verify", *arguments)
        assert result.exit_code == 1, result.output
        assert "does not hold" in result.output
        assert "event 5 (call " in result.output
    found = said(patchbay("verify", "--json"))
    assert (found["ok"], found["first"]["seq"]) == (False, 5)


def test_what_cannot_be_checked_says_so(place: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no ledger" * 100)
    (tmp_path / "folder").mkdir()
    key = place.with_name("key.txt")
    for arguments, told in (
        ([tmp_path / "absent"], "no ledger at"),
        ([tmp_path / "absent", "--key", key], "cannot be read|no ledger"),
        ([tmp_path / "text", "--key", key], "no ledger"),
        ([tmp_path / "folder"], "--key"),
        ([tmp_path / "folder", "--key", key], "no export"),
        ([place, "--key", "nonsense"], "no file, and no key"),
        ([place, "--key", tmp_path / "absent"], "no file, and no key"),
        ([place, "--key", "name+00+nonsense"], "not an Ed25519 key"),
        ([place, "--anchor", tmp_path / "absent"], "cannot be read"),
    ):
        result = patchbay("verify", *arguments)
        assert result.exit_code == 2, (arguments, result.output)
        assert any(words in result.output for words in told.split("|")), (arguments, result.output)


# -- export ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "vcon", "html"])
def test_an_export_of_every_format_verifies_and_is_on_record(place: Path, tmp_path: Path, form: str) -> None:
    out = tmp_path / "out"
    told = said(patchbay("export", "--format", form, "--out", out, "--json"))
    assert told["calls"] == 3

    found = said(patchbay("verify", out, "--key", told["key"], "--json"))
    assert found["ok"], found
    assert found["events"] == told["events"]
    recorded = [event for event in oversight(place) if event["kind"] == "exported"]
    assert [(event["call_id"], event["format"]) for event in recorded] == [
        (call, form) for call in calls_of(place)
    ]
    assert sum(event["events"] for event in recorded) == told["events"]


def calls_of(place: Path) -> tuple[str, ...]:
    with closing(Ledger.open(place, must_exist=True)) as ledger:
        return ledger.calls()


def test_only_the_calls_asked_for_leave(place: Path, tmp_path: Path) -> None:
    told = said(patchbay("export", "--call", "orphan", "--out", tmp_path / "one", "--json"))
    assert (told["calls"], told["events"]) == (1, 2)
    lines = (tmp_path / "one" / "events.jsonl").read_text().splitlines()
    assert {json.loads(line)["call_id"] for line in lines} == {"orphan"}

    for arguments in (["--since", "2999-01-01"], ["--until", "2001-01-01"], ["--call", "unknown"]):
        result = patchbay("export", *arguments, "--out", tmp_path / "none")
        assert result.exit_code == 2, result.output
        assert not (tmp_path / "none").exists()
    assert (
        said(patchbay("export", "--since", "2001-01-01", "--out", tmp_path / "all", "--json"))["calls"] == 3
    )


def test_a_transcript_is_a_page_that_runs_nothing_of_the_call(place: Path, tmp_path: Path) -> None:
    assert patchbay("export", "--format", "html", "--out", tmp_path / "out").exit_code == 0
    pages = {path.name: path.read_text() for path in (tmp_path / "out").glob("*.html")}

    assert len(pages) == 3
    assert "<b>bold</b>" not in pages["orphan.html"]
    assert all("Content-Security-Policy" in page for page in pages.values())


def test_who_may_not_export_gets_nothing(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = said(patchbay("token", "issue", "abe", "--role", "admin", "--json"))
    monkeypatch.setenv("PATCHBAY_AUDIT_TOKEN", issued["secret"])

    result = patchbay("export", "--out", tmp_path / "out")

    assert result.exit_code == 2, result.output
    assert not (tmp_path / "out").exists()
    assert oversight(place)[-1]["kind"] == "access_refused"
