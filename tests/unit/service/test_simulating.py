"""``patchbay policy simulate``: the same on any number of processes, and readable by people and programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from policies import shipped
from router import Policy
from router.whatif.assumptions import Assumptions
from router.whatif.mix import Mix
from router.whatif.simulate import Violation
from service.cli import app
from service.cli.policy.simulate import view_of
from service.cli.policy.simulate_tables import simulation_view
from service.simulating import Lots, Wanted, simulated

pytestmark = pytest.mark.unit

DEFAULT, REFERENCE = shipped("default.yaml"), shipped("reference.yaml")
MIX, TABLE = Mix.load(shipped("mix.yaml")), Assumptions.load(shipped("assumptions.yaml"))


def wanted(*files: Path, calls: int = 300) -> Wanted:
    return Wanted([Policy.load(file) for file in files], MIX, TABLE, calls)


def printed(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["policy", "simulate", *arguments], env={"COLUMNS": "120"})
    return result.exit_code, result.output


def shown(want: Wanted, lots: Lots, width: int = 100) -> str:
    console = Console(width=width, record=True, file=None, quiet=False)
    with console.capture() as capture:
        console.print(simulation_view(view_of(want, lots)))
    return capture.get()


def test_two_processes_find_what_one_does() -> None:
    want = wanted(DEFAULT, REFERENCE, calls=500)
    alone, together = simulated(want, processes=1), simulated(want, processes=2)
    for one, other in zip(alone, together, strict=True):
        assert list(one.outcomes.utility) == list(other.outcomes.utility)
        assert one.outcomes.call_ids == other.outcomes.call_ids
        assert (one.turns, one.rules, one.denials) == (other.turns, other.rules, other.denials)


def test_whoever_watches_is_given_every_piece_of_work() -> None:
    seen = 0

    def watch(jobs: Sequence[Callable[[], Lots]]) -> Sequence[Callable[[], Lots]]:
        nonlocal seen
        seen = len(jobs)
        return jobs

    simulated(wanted(DEFAULT, calls=600), watch=watch)
    assert seen == 3


def test_it_says_what_is_simulated_and_what_is_assumed() -> None:
    code, text = printed(str(DEFAULT), "--calls", "200")
    words = " ".join(text.split())
    assert code == 0
    assert "200 simulated calls" in words
    assert "Simulated: the calls are made up by" in words
    assert "Assumed: cost, wait, quality and their weights are those of" in words
    assert "every guard held in every turn" in words
    assert all(rule in words for rule in ("de-escalate", "tools", "opening", "otherwise"))


def test_two_policies_are_compared_call_by_call() -> None:
    code, text = printed(str(DEFAULT), "--against", str(REFERENCE), "--calls", "300", "--json")
    found = json.loads(text)
    assert code == 0
    assert found["simulated"] is True
    first, second = found["policies"]
    difference = found["differences"]["utility"]
    assert difference["value"] == pytest.approx(first["utility"]["value"] - second["utility"]["value"])
    assert difference["low"] <= difference["value"] <= difference["high"]
    assert sum(first["switches_calls"]) == 300
    assert second["turns_against_guards_of_first"] > 0
    assert {block["block"] for block in found["assumptions"]["stated"] if "assumed" in block} >= {
        "value",
        "speech",
    }


def test_policies_with_long_names_leave_every_figure_readable_in_80_columns(tmp_path: Path) -> None:
    day, night = tmp_path / "day.yaml", tmp_path / "night.yaml"
    for file, shipped_one, name in ((day, DEFAULT, "default"), (night, REFERENCE, "reference")):
        long = f"name: customer-service-of-all-shops-by-{file.stem}"
        file.write_text(shipped_one.read_text().replace(f"name: {name}", long, 1))
    want = wanted(day, night, calls=50)
    lines = shown(want, simulated(want), width=80).splitlines()
    assert [line for line in lines if "…" in line and not line.startswith(" … those of")] == []


def test_the_same_seed_prints_the_same_and_another_does_not() -> None:
    text = [printed("--calls", "50", "--json", "--seed", seed)[1] for seed in ("1", "1", "2")]
    assert text[0] == text[1] != text[2]


def test_a_rule_that_never_fires_is_named(tmp_path: Path) -> None:
    file = tmp_path / "idle.yaml"
    file.write_text(
        "policy: {name: idle, version: 1}\nengines: {fast: {}, standard: {}}\nrules:\n"
        "  - {id: never-so, when: turn.count > 9999, route: fast, because: it cannot be}\n"
        "  - {id: rest, when: true, route: standard, because: nothing else}\n"
    )
    code, text = printed(str(file), "--calls", "50")
    assert code == 0
    assert "idle 1: never fired: never-so" in text


def test_a_violation_is_told_with_its_call_and_turn() -> None:
    want = wanted(DEFAULT, calls=50)
    (found,) = simulated(want)
    violation = Violation("furious-0-3", 2, "realtime", "no-consent")
    text = shown(want, (replace(found, violations=(violation,)),))
    assert "no-consent is passed over in turn 2 of furious-0-3: realtime answers" in " ".join(text.split())
    assert "every guard held" not in text


@pytest.mark.parametrize("option", ["--mix", "--assume"])
def test_a_document_that_cannot_be_used_ends_it_with_every_place(option: str, tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("version: 1\nengines: 3\n")
    code, text = printed(option, str(file))
    assert code == 2
    assert f"{file}:2:" in text.replace("\n", "")


def test_an_engine_of_which_nothing_is_assumed_ends_it(tmp_path: Path) -> None:
    file = tmp_path / "robot.yaml"
    file.write_text(
        "policy: {name: robot, version: 1}\nengines: {robot: {}}\n"
        "rules: [{id: rest, when: true, route: robot, because: nothing else}]\n"
    )
    code, text = printed(str(file), "--calls", "5")
    assert code == 2
    assert "says nothing of robot" in " ".join(text.split())
