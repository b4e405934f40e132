"""What callers waited for, over many calls."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from compliance.events import HandedOff, TurnAnswered
from compliance.ledger import Ledger
from service.cli import app
from service.waiting import STAYED, Distribution, waited
from tests.unit.service.sample_call import furious_call, quick_call

pytestmark = pytest.mark.unit

CALLS = (quick_call(), furious_call())
ANSWERED = [event for events in CALLS for event in events if isinstance(event, TurnAnswered)]


def test_every_answered_turn_is_in_one_group() -> None:
    for by in ("engine", "hand-off", "rule"):
        groups = waited(CALLS, by)  # type: ignore[arg-type]
        assert sum(group.heard.count for group in groups) == len(ANSWERED)


def test_an_engines_percentiles_are_of_its_turns() -> None:
    heard = sorted(event.heard_ms for event in ANSWERED if event.engine == "realtime")
    [group] = [group for group in waited(CALLS, "engine") if group.name == "realtime"]
    assert (group.heard.count, group.heard.max_ms) == (len(heard), heard[-1])
    assert heard[0] <= group.heard.p50_ms <= group.heard.p99_ms <= heard[-1]


def test_waits_stand_in_the_order_of_a_turn_and_their_means_sum_to_what_was_heard() -> None:
    [group] = waited(
        [[event for event in quick_call() if event.kind != "turn_answered"] + ANSWERED[:1]], "engine"
    )
    assert sum(took.p50_ms for _, took in group.waits) == pytest.approx(group.heard.p50_ms)
    assert [stage for stage, _ in group.waits][-1] == "playout"


def test_a_turn_is_counted_for_the_pair_that_it_was_handed_over_by() -> None:
    handed = {(event.turn, event.to_engine) for event in furious_call() if isinstance(event, HandedOff)}
    groups = {group.name: group.heard.count for group in waited([furious_call()], "hand-off")}
    assert sum(count for name, count in groups.items() if name != STAYED) == len({turn for turn, _ in handed})
    assert any("→ realtime, warm" in name for name in groups)


def test_percentiles_of_one_value_are_that_value() -> None:
    assert Distribution.of([250.0]) == Distribution(1, 250, 250, 250, 250, 250)


def test_the_command_tells_what_is_on_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    path = tmp_path / "ledger.sqlite"
    with closing(Ledger.open(path)) as ledger:
        for number, events in enumerate(CALLS):
            ledger.append_many([event.model_copy(update={"call_id": f"call-{number}"}) for event in events])
    where = ["--ledger", str(path)]
    told = json.loads(CliRunner().invoke(app, ["latency", "--json", *where]).stdout)
    assert told["schema"] == "patchbay.latency/1"
    assert sum(group["heard"]["count"] for group in told["groups"]) == len(ANSWERED)
    table = CliRunner().invoke(app, ["latency", "--by", "hand-off", "--waits", *where]).output
    assert "thinking" in table
    assert "their percentiles do not" in table
    monkeypatch.setenv("COLUMNS", "80")
    narrow = CliRunner().invoke(app, ["latency", "--by", "hand-off", "--waits", *where]).output
    assert "…" not in narrow
    assert narrow.count(" ms") == table.count(" ms")
    missing = CliRunner().invoke(app, ["latency", "--call", "nobody", *where])
    assert missing.exit_code == 2
    assert "no call nobody" in missing.output
