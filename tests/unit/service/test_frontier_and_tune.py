"""``patchbay policy frontier`` and ``tune`` as an operator meets them: exit codes, tables, files, JSON."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from compliance.events import Decided, Event, ToolCalled
from compliance.ledger import Ledger
from policies import shipped
from router import Policy
from router.whatif.frontier import Kind, Standing
from router.whatif.statistics import Interval
from service.cli import app
from service.cli.policy.frontier_plot import plot
from tests.unit.service.recorded_calls import record_calls

pytestmark = pytest.mark.unit

EAGER = """\
policy: {name: eager, version: 4}
params:
  plain_p: {value: 0.95, min: 0.0, max: 1.0}  # below it no tool is needed
engines:
  fast: {fallback: [standard]}
  tool: {fallback: [standard]}
  standard: {fallback: [fast]}
  realtime: {fallback: [standard]}
last_resort: standard
guards:
  - {id: no-consent, when: '!caller.consent_voice_ai', deny: [realtime], because: no consent}
rules:
  - {id: quick, when: turn.tool_p < p.plain_p, route: fast, because: a small thing}
  - {id: otherwise, when: true, route: standard, because: nothing else applies}
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["policy", *map(str, arguments)])


@pytest.fixture
def eager(tmp_path: Path) -> Path:
    path = tmp_path / "eager.yaml"
    path.write_text(EAGER, encoding="utf-8")
    return path


# -- frontier -------------------------------------------------------------------------------------------------
def test_a_policy_that_an_engine_beats_is_told_so_and_exits_1(eager: Path) -> None:
    result = run("frontier", eager, "--calls", "20")
    assert result.exit_code == 1
    assert "✗ not clearly better than" in result.output
    assert "…" not in result.output
    for name in ("always fast", "always tool", "realtime + guards", "reference", "oracle"):
        assert name in result.output
    words = " ".join(result.output.split())
    assert "Overlaid and simulated" in words
    assert "blocks are guesses" in words


def test_the_json_holds_every_figure_and_all_that_is_assumed(eager: Path) -> None:
    result = run("frontier", eager, "--calls", "20", "--json", "--policy", shipped("default.yaml"))
    found = json.loads(result.output)
    assert found["schema"] == "patchbay.frontier/1"
    assert found["simulated"] is True
    assert found["holds"] is False
    first, *others = found["standings"]
    assert (first["name"], first["lead"]) == ("eager", None)
    assert {"default", "reference", "always standard"} <= {one["name"] for one in others}
    for one in others:
        assert one["lead"]["low"] <= one["lead"]["value"] <= one["lead"]["high"]
        assert one["heard_p50_ms"] <= one["heard_p95_ms"] <= one["heard_p99_ms"]
    assert next(one for one in others if one["name"] == "always realtime")["violations_per_1k"] > 0
    assert set(found["assumptions"]["engines"]) == {"fast", "standard", "tool", "realtime"}
    assert any("assumed" in one for one in found["assumptions"]["stated"])
    assert {one["corpus"] for one in found["by_corpus"]} == {"clinc", "tau", "tm4"}


def test_the_same_seed_gives_the_same_figures_and_another_one_others(eager: Path) -> None:
    first, same, other = (
        run("frontier", eager, "--calls", "10", "--seed", seed, "--json").output for seed in ("3", "3", "4")
    )
    assert first == same
    assert json.loads(first)["standings"] != json.loads(other)["standings"]


def test_a_drawing_and_the_figures_are_written_where_asked(eager: Path, tmp_path: Path) -> None:
    result = run("frontier", eager, "--calls", "10", "--out", tmp_path / "out")
    assert "frontier.svg" in "".join(result.output.split())
    drawing = ElementTree.parse(tmp_path / "out" / "frontier.svg")  # noqa: S314 — our own
    text = " ".join(drawing.getroot().itertext())
    assert "always standard" in text
    assert "Overlaid, simulated" in text
    assert json.loads((tmp_path / "out" / "frontier.json").read_text(encoding="utf-8"))["standings"]


def test_sensitivity_says_what_moves_the_verdict(eager: Path) -> None:
    result = run("frontier", eager, "--calls", "5", "--sensitivity", "--json")
    found = json.loads(result.output)
    assert {"fast: quality", "realtime: wait", "value: a dollar"} <= {
        one["figure"] for one in found["sensitivity"]
    }
    assert "no caller gets upset" in {one["what"] for one in found["circumstances"]}


def test_what_cannot_be_used_exits_2_and_says_why(eager: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for arguments, complaint in (
        ((eager, "--data", tmp_path / "empty"), "holds no labelled conversations"),
        ((tmp_path / "none.yaml",), "none.yaml:1:1: cannot be read"),
        ((eager, "--assume", eager), "eager.yaml:"),
        ((eager, "--calls", "5", "--out", eager / "below"), "cannot be written"),
    ):
        result = run("frontier", *arguments)
        assert result.exit_code == 2, result.output
        assert complaint in " ".join(result.output.split()), result.output


def test_names_in_the_drawing_are_text_and_never_markup() -> None:
    def standing(name: str, kind: Kind, lead: Interval | None) -> Standing:
        one = Interval(0.9, 0.89, 0.91)
        return Standing(name, kind, one, Interval(0.05, 0.04, 0.06), 700, 1500, 2500, 0, 0.2, 0, one, lead)

    drawing = plot(
        [
            standing("<script>alert(1)</script>", Kind.POLICY, None),
            standing("a & b", Kind.ENGINE, Interval(0.01, 0.005, 0.02)),
            standing("far", Kind.ENGINE, Interval(0.4, 0.3, 0.5)),
        ],
        "3 calls",
    )
    root = ElementTree.fromstring(drawing)  # noqa: S314 — our own
    assert not [node for node in root.iter() if node.tag.endswith("script")]
    assert "a & b" in " ".join(root.itertext())


# -- tune -----------------------------------------------------------------------------------------------------
def test_tuning_writes_a_policy_that_is_clearly_better_and_leaves_the_rest_as_it_was(
    eager: Path, tmp_path: Path
) -> None:
    out = tmp_path / "tuned.yaml"
    result = run("tune", eager, "--trials", "20", "--out", out)
    assert result.exit_code == 0, result.output
    assert "plain_p" in result.output
    assert "✓ Written" in result.output
    before, after = EAGER.splitlines(), out.read_text(encoding="utf-8").splitlines()
    changed = [number for number, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
    assert changed == [0, 2]
    assert after[0] == "policy: {name: eager, version: 5}"
    assert "# below it no tool is needed" in after[2]
    assert Policy.load(out).content.params["p.plain_p"].value != 0.95


def test_when_nothing_is_clearly_better_nothing_is_written(eager: Path, tmp_path: Path) -> None:
    tuned, again = tmp_path / "tuned.yaml", tmp_path / "again.yaml"
    run("tune", eager, "--trials", "20", "--out", tuned)
    result = run("tune", tuned, "--trials", "20", "--out", again, "--json")
    assert result.exit_code == 0
    found = json.loads(result.output)
    assert found["changes"] == []
    assert found["recommended"] is False
    assert found["written"] is None
    assert not again.exists()
    table = run("tune", tuned, "--trials", "20", "--out", again)
    assert "leave the policy as it is" in " ".join(table.output.split())


def test_a_param_that_no_search_may_move_exits_2() -> None:
    for name, complaint in (
        ("realtime_p95_ms", "a guard or a `never` reads it"),
        ("nobody", "no such param"),
    ):
        result = run("tune", shipped("default.yaml"), "--params", name)
        assert result.exit_code == 2
        assert complaint in " ".join(result.output.split())


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    """Recorded calls; the engine with tools used one whenever the turn sounded like it."""
    path = str(tmp_path / "ledger.sqlite")
    policy = Policy.load(shipped("default.yaml"))
    with closing(Ledger.open(path)) as record:
        record_calls(record, policy, 60, seed=1)
        for name in record.calls():
            decided = [event for event in record.events(name) if isinstance(event, Decided)]
            record.append_many([used for event in decided if (used := _tool_of(event))])
    return path


def _tool_of(event: Decided) -> Event | None:
    if event.engine != "tool" or float(event.signals.get("turn.tool_p", 0.0)) < 0.7:
        return None
    at = {"call_id": event.call_id, "at_ms": event.at_ms, "turn": event.turn, "engine": "tool"}
    return ToolCalled(**at, name="look_up", arguments={}, result={}, failed=False, took_ms=120.0)


def test_on_the_record_what_reads_emotion_is_left_alone(ledger: str) -> None:
    result = run("tune", shipped("default.yaml"), "--ledger", ledger, "--trials", "20", "--json")
    assert result.exit_code in (0, 1), result.output
    found = json.loads(result.output)
    assert found["calls"]["tuned_on"] + found["calls"]["held_out"] == 60
    assert not any(change["param"].startswith("p.upset") for change in found["changes"])
    assert any("does not say who was upset" in note for note in found["notes"])
    refused = run("tune", shipped("default.yaml"), "--ledger", ledger, "--params", "upset_enter")
    assert refused.exit_code == 2
    assert "nothing can tune this" in " ".join(refused.output.split())


def test_a_ledger_that_is_not_there_exits_2(tmp_path: Path) -> None:
    result = run("tune", shipped("default.yaml"), "--ledger", tmp_path / "none.sqlite")
    assert result.exit_code == 2
    assert "there is no ledger at" in " ".join(result.output.split())
