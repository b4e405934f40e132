"""``patchbay train`` as an operator meets it: exit codes, what is written, what is said."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from classifiers.tool_need import ToolNeedModel
from compliance.ledger import Ledger
from lab.shop import ShopProcess
from policies import shipped
from router import Policy
from service.cli import app
from service.learning.tools import ask, named
from tests.unit.service.learning.lines import BLIND, EXPLORING, Said, invented_calls, record

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("PATCHBAY_LEDGER", "PATCHBAY_MCP", "PATCHBAY_CATALOGUE", "PATCHBAY_TOOL_NEED_MODEL"):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


def a_ledger(folder: Path, policy: str, calls: list[list[Said]]) -> Path:
    path = folder / "ledger.sqlite"
    with closing(Ledger.open(path)) as ledger:
        record(ledger, Policy.parse(policy), calls)
    return path


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ledger of a line that explores."""
    return a_ledger(tmp_path_factory.mktemp("line"), EXPLORING, invented_calls(500, seed=1))


@pytest.fixture(scope="module")
def blind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ledger of a line that does not."""
    return a_ledger(tmp_path_factory.mktemp("blind"), BLIND, invented_calls(60, seed=2))


def words_of(result: Result) -> str:
    return " ".join(result.output.split())


# -- from the record ----------------------------------------------------------------------------------------------
def test_a_better_model_is_written_and_the_setting_that_uses_it_is_said(line: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    result = run("tool-need", "--ledger", line, "--out", out)
    assert result.exit_code == 0, result.output
    assert f"Set PATCHBAY_TOOL_NEED_MODEL={out} and restart the workers." in result.output
    for said in ("500 calls", "answered by an engine without tools", "left to chance", "AUROC", "A label is"):
        assert said in words_of(result)
    assert ToolNeedModel.load(out) != ToolNeedModel.load()


def test_by_default_the_model_is_written_beside_the_ledger_and_the_same_record_gives_the_same_one(
    line: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here = tmp_path / "record" / "ledger.sqlite"
    here.parent.mkdir()
    for file in (line, line.with_name(f"{line.name}.keys")):
        (here.parent / file.name).write_bytes(file.read_bytes())
    monkeypatch.setenv("PATCHBAY_LEDGER", str(here))
    assert run("tool-need").exit_code == 0
    assert run("tool-need").exit_code == 0
    now, before = here.parent / "tool-need", here.parent / "tool-need.before"
    for file in now.iterdir():
        assert file.read_bytes() == (before / file.name).read_bytes()


def test_a_dry_run_writes_nothing(line: Path, tmp_path: Path) -> None:
    result = run("tool-need", "--ledger", line, "--out", tmp_path / "model", "--dry-run")
    assert result.exit_code == 0
    assert "A dry run" in result.output
    assert not (tmp_path / "model").exists()


def test_the_json_holds_what_was_chosen_and_what_changed(line: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    result = run("tool-need", "--ledger", line, "--out", out, "--json")
    found = json.loads(result.output)
    assert found["schema"] == "patchbay.train/1"
    assert (found["better"], found["written"]) == (True, str(out))
    assert found["set"] == {"PATCHBAY_TOOL_NEED_MODEL": str(out)}
    assert found["tools"] == ["look_up_order"]
    chosen = found["selection"]
    assert chosen["turns"] == chosen["labelled"] + sum(chosen["left_out"].values())
    assert chosen["left_out"]["answered by an engine without tools"] == chosen["censored"]
    assert 0 < chosen["explored_labelled"] < chosen["explored"]
    gain = found["report"]["auroc"]["gain"]
    assert gain["low"] <= gain["value"] <= gain["high"]


def test_a_line_that_never_explores_is_warned_and_told_what_to_write_into_its_policy(blind: Path) -> None:
    result = run("tool-need", "--ledger", blind, "--dry-run")
    assert "No turn had its engine left to chance." in words_of(result)
    assert "had no chance of an engine with tools" in words_of(result)
    assert "    rule: quick\n" in result.output
    assert "arms: {as-ever: 90, with-tools: {weight: 10, route: tool}}" in result.output


def test_too_few_turns_keep_the_old_model_and_exit_1(tmp_path: Path) -> None:
    ledger = a_ledger(tmp_path, BLIND, [[Said("where is my kettle", True, 0.9)]])
    result = run("tool-need", "--ledger", ledger)
    assert result.exit_code == 1, result.output
    assert "more turns" in result.output
    assert "Nothing is written." in words_of(result)
    assert not (tmp_path / "tool-need").exists()


def test_only_calls_that_are_asked_for_are_learnt_from(line: Path) -> None:
    result = run("tool-need", "--ledger", line, "--since", "2026-11-17")
    assert result.exit_code == 2
    assert "500 calls, but nothing to learn from" in words_of(result)


def test_engines_with_tools_are_those_of_the_catalogue(
    blind: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = tmp_path / "engines.yaml"
    voices = "    voices: [house, spare]\n"  # the fast engine's come first
    text = (
        shipped("engines.yaml").read_text(encoding="utf-8").replace(voices, f"{voices}    tools: true\n", 1)
    )
    catalogue.write_text(text, encoding="utf-8")
    monkeypatch.setenv("PATCHBAY_CATALOGUE", str(catalogue))
    found = json.loads(run("tool-need", "--ledger", blind, "--dry-run", "--json").output)
    assert found["selection"]["censored"] == 0


async def test_the_tool_servers_say_what_their_tools_do(tmp_path: Path) -> None:
    async with ShopProcess(tmp_path / "shop.sqlite") as shop:
        tools = await ask([shop.url])
    assert "order_refund" in tools.names
    assert tools != named(tools.names), "descriptions count"


def test_a_tool_server_that_is_away_is_an_error(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHBAY_MCP", "http://127.0.0.1:9/mcp")
    result = run("tool-need", "--ledger", line, "--dry-run")
    assert result.exit_code == 2
    assert "cannot be reached" in words_of(result)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--ledger", "none.sqlite"), "there is no ledger at none.sqlite"),
        (("--since", "yesterday"), "is no time"),
        (("--base", "nowhere"), "nowhere"),
        (("--corpora", "nowhere", "--since", "2026-11-01"), "have no place"),
        (("--corpora", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_done_is_said_and_exits_2(
    blind: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    where = () if {"--ledger", "--corpora"} & set(arguments) else ("--ledger", str(blind))
    result = run("tool-need", *where, *arguments)
    assert result.exit_code == 2, result.output
    assert complaint in words_of(result)


def test_a_folder_that_holds_no_model_is_not_written_over(line: Path, tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "mine.txt").write_text("ours")
    result = run("tool-need", "--ledger", line, "--out", tmp_path / "letters")
    assert result.exit_code == 2
    assert "is no model folder" in words_of(result)
    assert (tmp_path / "letters" / "mine.txt").read_text() == "ours"


# -- from corpora -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("what", ["emotion", "caller-state"])
def test_a_missing_package_is_one_error_that_names_the_extra(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("onnx", "sklearn"):
        monkeypatch.setitem(sys.modules, name, None)
    trainers = ("classifiers.emotion.train", "classifiers.caller_state.train")
    for module in [name for name in sys.modules if name.startswith(trainers)]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delattr("classifiers.emotion.train", raising=False)  # a package keeps what it once imported
    result = run(what, "--data", tmp_path, "--out", tmp_path / "model")
    assert result.exit_code == 2, result.output
    assert "is in the extra `train`" in words_of(result)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_the_corpus_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    for what in ("emotion", "caller-state"):
        result = run(what, "--data", tmp_path, "--out", tmp_path / "model")
        assert result.exit_code == 2, result.output
        assert list(tmp_path.iterdir()) == []
