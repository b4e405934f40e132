"""``patchbay evaluate`` as people meet it: exit codes, tables, files, JSON. The corpora here are made up."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from classifiers.evaluation.card import BEGIN, END
from classifiers.evaluation.tables import Table
from service.cli import app
from service.cli.evaluate import as_rich
from tests.unit.classifiers.evaluation.voices import write_corpus

pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(importlib.util.find_spec("sklearn") is None, reason="needs the extra `train`"),
]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


@dataclass(frozen=True)
class Ran:
    """One whole evaluation."""

    result: Result
    out: Path
    card: Path

    @property
    def figures(self) -> dict[str, Any]:
        return json.loads(self.result.stdout)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("evaluation")
    card = folder / "MODEL_CARD.md"
    card.write_text(f"# Made up\n\n{BEGIN}\n{END}\n", encoding="utf-8")
    emodb = write_corpus(folder / "emodb", speakers=4, each=3)
    names = {"anger": "ang", "sadness": "awe"}
    foreign = write_corpus(folder / "foreign", speakers=3, each=2, names=names, gender=True)
    corpora = ("--data", emodb, "--other", f"foreign={foreign}")
    result = run("emotion", *corpora, "--draws", "20", "--out", folder / "out", "--card", card, "--json")
    assert isinstance(result.exception, SystemExit), result.exception
    return Ran(result, folder / "out", card)


def test_voices_that_the_model_was_not_made_for_break_a_promise(ran: Ran) -> None:
    assert ran.result.exit_code == 1, ran.result.output
    assert ran.figures["holds"] is False
    assert any(not promise["holds"] for promise in ran.figures["promises"])


def test_every_promise_is_judged(ran: Ran) -> None:
    promises = [promise["what"] for promise in ran.figures["promises"]]
    assert len(promises) == 9
    assert "foreign: lower end of the lead over level and pitch" in promises


def test_the_figures_have_intervals_and_spread_under_every_condition(ran: Ran) -> None:
    from classifiers.evaluation.conditions import CONDITIONS

    assert set(ran.figures["left_out"]["conditions"]) == set(CONDITIONS)
    figure = ran.figures["left_out"]["conditions"]["µ-law 8 kHz"]["auroc_vs_rest"]
    assert figure["interval"]["low"] <= figure["interval"]["value"] <= figure["interval"]["high"]
    assert figure["least"] <= figure["most"]


def test_a_foreign_corpus_is_judged_by_the_folder_and_says_what_it_left_out(ran: Ran) -> None:
    [foreign] = ran.figures["others"]
    assert foreign["corpus"] == "foreign"
    assert foreign["judged_by"] == "by the folder"
    assert foreign["recordings"] == 24
    assert foreign["unmapped"] == {"awe": 6}
    assert {"16 kHz, women", "16 kHz, men"} <= set(foreign["genders"])


def test_every_baseline_and_three_utterances_in_a_call_are_there(ran: Ran) -> None:
    left_out = ran.figures["left_out"]
    assert [lead["variant"]["own_habit"] for lead in left_out["leads"]] == [False, False, True, True]
    assert left_out["calls"]["turns"] == 20
    assert ran.figures["others"][0]["calls"] is None


def test_figures_and_pictures_are_written(ran: Ran) -> None:
    assert json.loads((ran.out / "figures.json").read_text(encoding="utf-8")) == ran.figures
    for name in ("emotion-reliability.svg", "emotion-risk-coverage.svg", "emotion-conditions.svg"):
        assert "</svg>" in (ran.out / name).read_text(encoding="utf-8")


def test_the_card_holds_the_tables(ran: Ran) -> None:
    card = ran.card.read_text(encoding="utf-8")
    assert card.startswith(f"# Made up\n\n{BEGIN}\n**What must hold**")
    assert "**foreign: 24 recordings, 3 speakers, 6 angry; by the folder**" in card
    assert "6 'awe'" in card


def test_no_figure_names_a_place_on_this_machine(ran: Ran) -> None:
    assert str(ran.out.parent) not in ran.result.stdout
    assert str(ran.out.parent) not in ran.card.read_text(encoding="utf-8")


# -- what cannot be done --------------------------------------------------------------------------------------
def test_a_folder_without_a_corpus_is_told_so(tmp_path: Path) -> None:
    result = run("emotion", "--data", tmp_path)
    assert result.exit_code == 2
    assert "has no manifest.csv" in result.stderr


@pytest.mark.parametrize("command", ["tool-need", "caller-state", "words"])
def test_the_other_classifiers_too_say_what_they_miss(command: str, tmp_path: Path) -> None:
    result = run(command, "--data", tmp_path)
    assert result.exit_code == 2
    assert str(tmp_path) in result.stderr


def test_another_corpus_wants_a_name(tmp_path: Path) -> None:
    result = run("emotion", "--data", tmp_path, "--other", str(tmp_path))
    assert result.exit_code == 2
    assert "--other nEMO=" in result.stderr


def test_a_model_folder_that_is_none_is_told_so(tmp_path: Path) -> None:
    result = run("emotion", "--data", tmp_path, "--model", tmp_path)
    assert result.exit_code == 2
    assert "config.json" in result.stderr


def test_a_card_without_a_place_for_figures_is_told_so_before_anything_is_measured(tmp_path: Path) -> None:
    card = tmp_path / "MODEL_CARD.md"
    card.write_text("# no marks\n", encoding="utf-8")
    result = run("emotion", "--data", tmp_path, "--card", card)
    assert result.exit_code == 2
    assert "no one place for figures" in result.stderr


def test_without_the_extra_the_command_names_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "matplotlib" else find(name, *rest)
    )
    result = run("emotion", "--data", tmp_path)
    assert result.exit_code == 2
    assert "matplotlib" in result.stderr
    assert "patchbay[train]" in result.stderr


# -- on a terminal ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("columns", [80, 150])
def test_a_table_fits_the_terminal_and_no_figure_is_broken_in_two(columns: int) -> None:
    head = ("", "AUROC (95 %)", "by call", "ECE", "Brier", "log loss", "found", "false alarms", "unclear")
    row = ("mu-law 8 kHz, 10 dB noise", ".872 (.830–.902)", *([".123"] * 7))
    written = StringIO()
    Console(width=columns, file=written).print(
        as_rich(Table("Made up", head, (row,)), narrow=columns < 100), crop=False
    )
    lines = written.getvalue().splitlines()
    assert max(map(len, lines)) <= columns
    assert sum(line.count(".123") for line in lines) == 7
    assert any("(.830–.902)" in line for line in lines)
