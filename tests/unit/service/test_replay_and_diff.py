"""``patchbay policy replay`` and ``diff``: what they print, write and return."""

from __future__ import annotations

import csv
import json
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from compliance.events import Decided, Event
from compliance.ledger import Ledger
from policies import shipped
from router import Policy
from service.cli import app
from tests.forged import rewrite
from tests.unit.service.recorded_calls import EVERYTHING, record_calls, recorded_call

pytestmark = pytest.mark.unit

POLICY = Policy.parse(EVERYTHING)
EAGER = EVERYTHING.replace("tool_p: {value: 0.6", "tool_p: {value: 0.3").replace("version: 3", "version: 4")
WIDE = {"COLUMNS": "200", "NO_COLOR": "1"}
Run = Callable[..., Result]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.sqlite"
    with closing(Ledger.open(path)) as opened:
        record_calls(opened, POLICY, 40)
    return path


@pytest.fixture
def replay(tmp_path: Path, ledger: Path) -> Run:
    (tmp_path / "same.yaml").write_text(EVERYTHING)
    (tmp_path / "eager.yaml").write_text(EAGER)

    def replay(policy: str, *arguments: str) -> Result:
        command = ["policy", "replay", str(tmp_path / policy), "--ledger", str(ledger), *arguments]
        return CliRunner().invoke(app, command, env=WIDE)

    return replay


# -- replay ------------------------------------------------------------------------------------------------------
def test_the_policy_that_routed_the_calls_changes_nothing(replay: Run) -> None:
    found = replay("same.yaml")
    assert found.exit_code == 0, found.output
    assert "logged routes reproduced (100 %) by the policies that took them" in found.output
    assert "in 40 calls changes" in found.output


def test_another_policy_is_told_by_turns_routes_cost_and_latency(replay: Run) -> None:
    found = replay("eager.yaml", "--limit", "1")
    assert found.exit_code == 0, found.output
    for told in (
        "support 4",
        "against what was logged",
        "to tool",
        "switches a call",
        "cost a call",
        "wait a turn",
        "by tools",
        "p.tool_p 0.3",
        "more changed turns; --limit 0 shows all",
    ):
        assert told in found.output


def test_json_and_csv_hold_every_changed_turn(replay: Run, tmp_path: Path) -> None:
    found = replay("eager.yaml", "--json", "--csv", str(tmp_path / "changed.csv"))
    value = json.loads(found.stdout)
    assert value["schema"] == "patchbay.replay/1"
    assert value["check"]["ok"] is True
    assert value["check"]["mismatches"] == []
    assert (value["calls"], value["against"], value["policy"]["version"]) == (40, "logged", 4)
    assert value["turns_changed"] == len(value["changed"]) > 10
    assert value["cost_usd_per_call"]["difference"]["low"] < value["cost_usd_per_call"]["difference"]["high"]
    with (tmp_path / "changed.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["call"], int(row["turn"])) for row in rows] == [
        (one["call"], one["turn"]) for one in value["changed"]
    ]
    assert "p.tool_p=0.3" in rows[0]["values"]


def test_two_policies_are_compared_over_the_same_calls(replay: Run, tmp_path: Path) -> None:
    logged = json.loads(replay("eager.yaml", "--json").stdout)
    file = json.loads(replay("eager.yaml", "--against", str(tmp_path / "same.yaml"), "--json").stdout)
    assert file["against"]["version"] == 3
    assert file["turns_changed"] == logged["turns_changed"]


def test_only_some_calls_are_replayed(replay: Run) -> None:
    one = json.loads(replay("eager.yaml", "--call", "call-00003", "--json").stdout)
    assert one["calls"] == 1
    two = replay("eager.yaml", "--call", "call-00003", "--call", "last", "--json")
    assert json.loads(two.stdout)["calls"] == 2
    acme = replay("eager.yaml", "--tenant", "acme", "--until", "2026-11-02", "--json")
    assert json.loads(acme.stdout)["calls"] == 8


def test_engines_that_the_record_does_not_know_can_be_assumed(replay: Run, tmp_path: Path) -> None:
    text = EVERYTHING.replace(
        "  fast: {fallback: [standard]}", "  fast: {fallback: [standard]}\n  half_cascade: {}"
    )
    (tmp_path / "half.yaml").write_text(
        text.replace("when: true, route: standard", "when: true, route: half_cascade")
    )
    found = replay("half.yaml")
    assert "No cost or wait is known of turns that go to half_cascade" in found.output
    assert "--assume fills them in" in found.output
    table = shipped("assumptions.yaml").read_text()
    (tmp_path / "assumed.yaml").write_text(table.replace("  realtime:", "  half_cascade:", 1))
    assumed = json.loads(replay("half.yaml", "--assume", str(tmp_path / "assumed.yaml"), "--json").stdout)
    assert assumed["turns_without_estimate"] == {}
    assert assumed["cost_usd_per_call"]["turns"] == assumed["turns"]


def test_a_record_that_its_policy_does_not_give_is_a_failure(replay: Run, ledger: Path) -> None:
    def other_engine(event: Event) -> Event:
        if isinstance(event, Decided) and event.call_id == "call-00001" and event.engine == "standard":
            return event.model_copy(update={"engine": "realtime"})
        return event

    rewrite(ledger, other_engine)
    found = replay("same.yaml")
    assert found.exit_code == 1
    assert "✗" in found.output
    assert "because, says the replay" in found.output
    value = json.loads(replay("same.yaml", "--json").stdout)
    assert {one["call"] for one in value["check"]["mismatches"]} == {"call-00001"}
    assert {one["logged"]["engine"] for one in value["check"]["mismatches"]} == {"realtime"}


def test_an_archive_that_was_changed_is_a_failure(replay: Run, ledger: Path) -> None:
    with closing(sqlite3.connect(ledger, isolation_level=None)) as db:
        db.execute("DROP TRIGGER policies_no_update")
        db.execute("UPDATE policies SET text = ?", (EAGER,))
    found = replay("same.yaml")
    assert found.exit_code == 1
    assert "40 of 40 calls not checked" in found.output
    assert "it was changed" in found.output


def test_calls_from_before_the_archive_are_told_but_do_no_harm(replay: Run, ledger: Path) -> None:
    old = Policy.load(shipped("default.yaml"))
    with closing(Ledger.open(ledger)) as opened:
        opened.append_many(recorded_call(old, "old-1", random.Random(0)))  # noqa: S311
    found = replay("same.yaml")
    assert found.exit_code == 0, found.output
    assert "1 of 41 calls not checked" in found.output
    assert "not in the ledger's archive" in found.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--call", "nobody"), "no call 'nobody'"),
        (("--tenant", "nobody"), "nothing to replay"),
        (("--since", "yesterday"), "--since 'yesterday' is no time: write 2026-11-01"),
        (("--against", "no-such.yaml"), "no-such.yaml:1:1: cannot be read"),
        (("--assume", "no-such.yaml"), "no-such.yaml:1:1: cannot be read"),
        (("--csv", "/no/such/folder/changed.csv"), "/no/such/folder/changed.csv: cannot be written"),
    ],
)
def test_what_cannot_be_used_is_said_and_nothing_else_happens(
    replay: Run, arguments: tuple[str, ...], told: str
) -> None:
    found = replay("same.yaml", *arguments)
    assert found.exit_code == 2
    assert told in found.stderr


def test_a_policy_that_cannot_be_used_is_said_with_every_reason(replay: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(EVERYTHING.replace("route: tool", "route: tol"))
    found = replay("bad.yaml")
    assert found.exit_code == 2
    assert found.stderr.count("tol") >= 2


# -- diff --------------------------------------------------------------------------------------------------------
@pytest.fixture
def diff(tmp_path: Path) -> Run:
    def diff(before: str, after: str, *arguments: str) -> Result:
        for name, text in (("a.yaml", before), ("b.yaml", after)):
            (tmp_path / name).write_text(text)
        command = ["policy", "diff", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"), *arguments]
        return CliRunner().invoke(app, command, env=WIDE)

    return diff


def test_policies_that_say_the_same_are_the_same(diff: Run) -> None:
    found = diff(EVERYTHING, "# another layout\n" + EVERYTHING)
    assert found.exit_code == 0, found.output
    assert "They say the same" in found.output
    assert "No decision can differ" in found.output


def test_wording_is_shown_and_makes_no_difference(diff: Run) -> None:
    found = diff(EVERYTHING, EVERYTHING.replace("the caller sounds upset", "the caller is upset"))
    assert found.exit_code == 0, found.output
    assert (
        "the caller sounds upset → the caller is upset" in found.output
        or "+ the caller is upset" in found.output
    )
    assert "only wording changed" in found.output


def test_what_differs_is_shown_with_an_example(diff: Run) -> None:
    found = diff(EVERYTHING, EAGER)
    assert found.exit_code == 1, found.output
    for told in (
        "p.tool_p value 0.6 → 0.3 (within its range of 0.3 to 0.9)",
        "Decisions differ",
        "turn 1:",
        "after: ",
    ):
        assert told in found.output
    value = json.loads(diff(EVERYTHING, EAGER, "--json").stdout)
    assert value["schema"] == "patchbay.policy-diff/1"
    assert value["same"] is False
    assert value["decisions"]["verdict"] == "differs"
    example = value["decisions"]["example"]
    assert (example["before"]["engine"], example["before"]["endpointing_ms"]) != (
        example["after"]["engine"],
        example["after"]["endpointing_ms"],
    )
    assert [one["field"] for one in value["changes"] if one["meant"]] == ["value"]


def test_a_policy_that_cannot_be_compared_is_said(diff: Run) -> None:
    found = diff(EVERYTHING, "policy: 1")
    assert found.exit_code == 2
    assert "b.yaml:1:9" in found.stderr
