"""``patchbay evaluate redaction`` and ``patchbay train redaction`` as people meet them. The corpora are made up."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

pytest.importorskip("faker", reason="needs the extra `train`")

from classifiers.evaluation.card import BEGIN, END
from compliance.redaction.evaluation.floors import PROMISES
from compliance.redaction.evaluation.trial import Measure, Outcome
from service.cli import app
from service.cli.redaction_evaluation import interval_of
from tests.unit.compliance.redaction.corpora_for_tests import write_corpora

pytestmark = pytest.mark.unit


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpora(tmp_path_factory.mktemp("data"))


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
def ran(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("evaluation")
    card = folder / "MODEL_CARD.md"
    card.write_text(f"# Made up\n\n{BEGIN}\n{END}\n", encoding="utf-8")
    few = ("--part", "dev", "--invented", "150", "--misses", "2")
    out = folder / "out"
    result = run("evaluate", "redaction", "--data", data, *few, "--out", out, "--card", card, "--json")
    assert result.exit_code in (0, 1), result.output
    return Ran(result, out, card)


def test_the_status_says_whether_every_promise_holds(ran: Ran) -> None:
    assert ran.figures["holds"] is all(promise["holds"] for promise in ran.figures["promises"])
    assert ran.result.exit_code == (0 if ran.figures["holds"] else 1)


def test_every_promise_is_judged_and_speed_with_them(ran: Ran) -> None:
    promised = [promise["what"] for promise in ran.figures["promises"]]
    assert promised == [*(str(one.measure) for one in PROMISES), "CPU for an utterance at P99, ms"]


def test_every_share_has_its_count_and_interval(ran: Ran) -> None:
    assert ran.figures["judged"] == "dev"
    assert {share["measure"] for share in ran.figures["shares"]} == {str(one) for one in Measure}
    for share in ran.figures["shares"]:
        told = share["share"]
        assert share["count"] > 0
        assert 0 <= told["low"] <= told["value"] <= told["high"] <= 1


def test_figures_and_the_picture_are_written_and_the_card_too(ran: Ran) -> None:
    assert json.loads((ran.out / "figures.json").read_text(encoding="utf-8")) == ran.figures
    assert (ran.out / "redaction-recall.svg").read_text(encoding="utf-8").startswith("<?xml")
    assert "**Names nobody asked for**" in ran.card.read_text(encoding="utf-8")


def test_the_card_holds_nothing_that_was_missed(ran: Ran) -> None:
    assert ran.figures["misses"]
    assert "**Misses**" not in ran.card.read_text(encoding="utf-8")


def test_lines_of_one_caller_count_for_less_than_as_many_callers() -> None:
    def outcomes(groups: int) -> list[Outcome]:
        return [
            Outcome(Measure.ANSWERS, "", f"caller {n % groups}", n % groups != 0, "", "") for n in range(100)
        ]

    many, few = interval_of(outcomes(50)), interval_of(outcomes(5))
    assert few.high - few.low > many.high - many.low
    assert interval_of(outcomes(5)[1:5]).low < interval_of(outcomes(5)[1:5]).value == 1.0


def test_a_folder_without_corpora_is_an_error_that_says_what_to_name(tmp_path: Path) -> None:
    result = run("evaluate", "redaction", "--data", tmp_path)
    assert result.exit_code == 2
    assert "name the folder of the redaction corpora" in " ".join(result.output.split())


def test_a_folder_that_is_no_model_cannot_be_evaluated(data: Path, tmp_path: Path) -> None:
    result = run("evaluate", "redaction", "--data", data, "--model", tmp_path)
    assert result.exit_code == 2
    assert "not a model of `patchbay train redaction`" in " ".join(result.output.split())


def test_a_model_is_trained_whole_or_not_at_all(tmp_path: Path) -> None:
    result = run("train", "redaction", "--data", tmp_path / "nowhere", "--out", tmp_path / "model")
    assert result.exit_code == 2
    assert "no file restaurant8k*.jsonl" in " ".join(result.output.split())
    assert not (tmp_path / "model").exists()


def test_a_trained_model_is_written_where_it_is_wanted(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("symspellpy", reason="needs the extra `train`")
    from compliance.redaction.ner import name_finder
    from compliance.redaction.training import trainer

    # The shipped amounts take ten minutes; the command is the same with fewer.
    monkeypatch.setitem(trainer.train.__kwdefaults__, "epochs", 1)
    monkeypatch.setitem(trainer.train.__kwdefaults__, "invented", 400)
    result = run("train", "redaction", "--data", data, "--out", tmp_path / "model", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["report"]["epochs"] == 1
    assert name_finder({"ours": str(tmp_path / "model")}).find("") == []
