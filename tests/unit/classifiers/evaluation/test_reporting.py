"""What was measured is told the same everywhere: in tables, in cards, as JSON and in pictures."""

import json
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from classifiers import ClassifierError
from classifiers.evaluation import floors
from classifiers.evaluation.card import BEGIN, END, with_block
from classifiers.evaluation.figures import Figure
from classifiers.evaluation.floors import Floor
from classifiers.evaluation.plain import plain
from classifiers.evaluation.tables import Table, figure_text, interval_text, promises
from classifiers.measures import Interval, reliability, risk_coverage

pytestmark = pytest.mark.unit

SVG = "{http://www.w3.org/2000/svg}"


# -- promises -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("bound", "value", "holds"),
    [
        ("at least", 0.5, True),
        ("at least", 0.49, False),
        ("at most", 0.5, True),
        ("at most", 0.51, False),
        ("above", 0.5, False),
        ("above", 0.51, True),
    ],
)
def test_a_promise_holds_on_its_side_of_the_limit(bound, value: float, holds: bool) -> None:
    assert Floor("a figure", bound, 0.5).judge(value).holds is holds


@pytest.mark.parametrize("bound", ["at least", "at most", "above"])
def test_what_could_not_be_measured_is_no_promise_kept(bound) -> None:
    assert not Floor("a figure", bound, 0.5).judge(float("nan")).holds


def test_the_promises_are_those_that_were_made() -> None:
    made = {
        floors.VS_REST: ("at least", 0.94),
        floors.VS_CALM: ("at least", 0.98),
        floors.FOUR_EMOTIONS: ("at least", 0.70),
        floors.TELEPHONE_COSTS: ("at most", 0.02),
        floors.CALIBRATED: ("at most", 0.05),
        floors.ABSTAINING: ("above", 0.0),
        floors.BEATS_BASELINE: ("above", 0.0),
        floors.SIZE_MB: ("at most", 2.0),
        floors.WINDOW_CPU_MS: ("at most", 5.0),
        floors.IN_DOMAIN: ("at least", 0.90),
        floors.IN_DOMAIN_CALIBRATED: ("at most", 0.03),
        floors.BEATS_KEYWORDS: ("above", 0.0),
        floors.TURN_P99_US: ("at most", 50.0),
    }
    assert {floor: (floor.bound, floor.limit) for floor in made} == made


def test_a_table_of_promises_marks_the_broken_ones() -> None:
    table = promises([floors.VS_REST.judge(0.95), floors.VS_CALM.judge(0.9)])
    assert [row[-1] for row in table.rows] == ["✓", "✗"]


# -- text -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.94, ".940"),
        (-0.05, "-.050"),
        (-0.0001, ".000"),
        (1.0, "1.000"),
        (0.99999, "1.000"),
        (float("nan"), "–"),
        (12.5, "12.500"),
    ],
)
def test_figures_are_written_as_papers_write_them(value: float, text: str) -> None:
    assert figure_text(value) == text


def test_the_bounds_of_a_negative_interval_are_not_joined_by_a_dash() -> None:
    assert interval_text(Interval(0.9, 0.94, 0.97)) == ".940 (.900–.970)"
    assert interval_text(Interval(-0.02, 0.1, 0.2)) == ".100 (-.020 to .200)"


# -- cards ----------------------------------------------------------------------------------------------------
def card(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "MODEL_CARD.md"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_figures_of_a_card_are_replaced_and_nothing_else(tmp_path: Path) -> None:
    path = card(tmp_path, f"# Card\n\n{BEGIN}\nold\n{END}\n\nLimits.\n")
    written = with_block(path, "new\n")
    assert written == f"# Card\n\n{BEGIN}\nnew\n{END}\n\nLimits.\n"
    path.write_text(written, encoding="utf-8")
    assert with_block(path, "new") == written


@pytest.mark.parametrize(
    "text", ["no marks", BEGIN, END, f"{END}{BEGIN}", f"{BEGIN}{BEGIN}{END}", f"{BEGIN}{END}{END}"]
)
def test_a_card_without_one_place_for_figures_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ClassifierError, match="no one place for figures"):
        with_block(card(tmp_path, text), "new")


def test_a_card_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match=r"nowhere\.md: is not there"):
        with_block(tmp_path / "nowhere.md", "new")


def test_a_table_reads_well_in_a_card() -> None:
    table = Table("Title", ("what", "how much"), (("a", ".1"), ("b", ".2")), "A note.")
    assert (
        table.markdown
        == "**Title**\n\n| what | how much |\n| --- | ---: |\n| a | .1 |\n| b | .2 |\n\nA note."
    )


# -- JSON -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Nested:
    interval: Interval
    values: np.ndarray
    named: dict[str, float]


def test_anything_measured_becomes_json() -> None:
    nested = Nested(Interval(0.1, 0.2, float("nan")), np.array([1.0, np.inf]), {"a": 0.1234567})
    assert plain(nested) == {
        "interval": {"low": 0.1, "value": 0.2, "high": None},
        "values": [1.0, None],
        "named": {"a": 0.12346},
    }
    assert json.loads(json.dumps(plain(nested), allow_nan=False)) == plain(nested)


def test_a_curve_of_risk_is_told_in_twentieths() -> None:
    curve = risk_coverage(np.arange(100) / 100, np.arange(100) >= 10)
    told = plain(curve)
    assert told["coverage"][-1] == 1.0
    assert told["risk"][-1] == pytest.approx(0.1)
    assert told["risk"][13] == 0.0


# -- pictures -------------------------------------------------------------------------------------------------
def curves() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    stated = rng.random(300)
    return stated, rng.random(300) < stated


def drawn() -> list[str]:
    plots = pytest.importorskip("classifiers.evaluation.plots", reason="the extra `train` draws")
    stated, was_so = curves()
    reliable = reliability(stated, was_so)
    risky = risk_coverage(np.abs(stated - 0.5), (stated > 0.5) == was_so)
    figure = Figure(Interval(0.8, 0.9, 0.95), 0.7, 1.0)
    unknown = Figure(Interval(float("nan"), float("nan"), float("nan")), float("inf"), float("-inf"))
    return [
        plots.reliability_diagram({"one": {"a": reliable, "b": reliable}, "two": {"a": reliable}}, "upset"),
        plots.risk_coverage_curves({"one": {"a": risky, "b": risky}}),
        plots.intervals(
            {"one": {"16 kHz": (figure, unknown)}, "two": {"16 kHz": (figure, figure)}}, ("x", "y"), "AUROC"
        ),
    ]


def test_pictures_are_drawings_on_white_with_a_title_and_no_date() -> None:
    for svg in drawn():
        root = ElementTree.fromstring(svg)  # noqa: S314 - our own drawing
        assert root.tag == f"{SVG}svg"
        assert "<dc:date>" not in svg
        assert "<dc:title>" in svg
        assert "fill: #ffffff" in svg


def test_the_same_figures_are_drawn_the_same() -> None:
    assert drawn() == drawn()
