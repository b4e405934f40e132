"""Reliability diagrams, risk-coverage curves and figures with their intervals, as SVG. Needs the extra ``train``.

The same figures give the same bytes: ids are salted by hand and no date is written. Everything stands on white, so that
it can be read on a dark page too; colours are Okabe and Ito's, which colour-blind people tell apart.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from classifiers.evaluation.figures import ANSWERED, Figure
from classifiers.measures import Reliability, RiskCoverage, wilson

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d46")
MARKERS = ("o", "s", "^", "D", "v")
INK, FAINT, GRID = "#16202c", "#56616f", "#e2e5ea"
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "patchbay",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",  # comes with matplotlib, so it is the same everywhere
    "font.size": 10.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.facecolor": "white",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titlesize": 11.0,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": True,
    "legend.framealpha": 0.85,
    "legend.edgecolor": "white",
    "figure.facecolor": "white",
}


def reliability_diagram(panels: Mapping[str, Mapping[str, Reliability]], what: str) -> str:
    """How often ``what`` was so against how probable it was called: a panel for each group of curves.

    Whiskers are Wilson's 95 % intervals; the bars beneath say how many stood in each tenth.
    """
    with _drawing(4.4 * len(panels) + 0.4, 5.0) as drawing:
        grid = drawing.subplots(
            2, len(panels), squeeze=False, sharex="col", gridspec_kw={"height_ratios": (4, 1), "hspace": 0.12}
        )
        for column, (title, curves) in enumerate(panels.items()):
            above, below = grid[0, column], grid[1, column]
            above.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle="--", label="says what is so")
            for number, (name, curve) in enumerate(curves.items()):
                _reliability(above, curve, name, number)
                width = 0.08 / len(curves)
                offset = (number - (len(curves) - 1) / 2) * width
                tenth = np.minimum(np.floor(curve.stated * 10), 9) / 10 + 0.05
                below.bar(tenth + offset, curve.count, width, color=COLOURS[number])
            above.set(title=title, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
            above.legend(loc="upper left", fontsize=8.5)
            below.set(yscale="log", ylim=(0.7, None), xlabel=f"p({what}) as stated")
        grid[0, 0].set_ylabel("share that was so")
        grid[1, 0].set_ylabel("how many")
        return _svg(drawing, f"Reliability: p({what}) as stated against what was so")


def risk_coverage_curves(panels: Mapping[str, Mapping[str, RiskCoverage]]) -> str:
    """The error that remains as the least certain answers are withheld: a panel for each group of curves."""
    with _drawing(4.4 * len(panels) + 0.4, 3.9) as drawing:
        [row] = drawing.subplots(1, len(panels), squeeze=False, sharey=True)
        highest = 0.0
        for axes, (title, curves) in zip(row, panels.items(), strict=True):
            axes.axvline(ANSWERED, color=FAINT, linewidth=1, linestyle=":")
            for number, (name, curve) in enumerate(curves.items()):
                shown = curve.coverage >= 0.05  # of fewer, one error more is a jump
                highest = max(highest, float(curve.risk[shown].max(initial=0.0)))
                every, surest = curve.accuracy_at(1), curve.accuracy_at(ANSWERED)
                label = f"{name}: {every:.1%} right, surest 70 %: {surest:.1%}"
                axes.plot(
                    curve.coverage[shown],
                    curve.risk[shown],
                    color=COLOURS[number],
                    linewidth=1.8,
                    label=label,
                )
            axes.set(title=title, xlim=(0, 1), xlabel="share answered, surest first")
            axes.legend(loc="upper left", fontsize=8)
        row[0].set(ylim=(0, 1.4 * highest + 0.01), ylabel="share of wrong answers")
        return _svg(drawing, "Risk and coverage: what abstaining wins")


def intervals(panels: Mapping[str, Mapping[str, Sequence[Figure]]], names: Sequence[str], axis: str) -> str:
    """Figures with their intervals, a row each; thin lines run over the folds or speakers. ``names`` of the figures."""
    rows = max(len(panel) for panel in panels.values())
    with _drawing(3.6 * len(panels) + 2.6, 0.27 * rows + 1.5) as drawing:
        [row] = drawing.subplots(1, len(panels), squeeze=False, sharey=True)
        for axes, (title, panel) in zip(row, panels.items(), strict=True):
            for number, name in enumerate(names):
                shift = (number - (len(names) - 1) / 2) * 0.3
                at = np.arange(len(panel)) + shift
                told = [figures[number] for figures in panel.values()]
                values = np.array([one.value for one in told])
                low = np.array([one.interval.low for one in told])
                high = np.array([one.interval.high for one in told])
                colour = COLOURS[number]
                axes.hlines(
                    at, [one.least for one in told], [one.most for one in told], color=colour, linewidth=0.8
                )
                axes.hlines(at, low, high, color=colour, linewidth=3.2, alpha=0.45)
                axes.plot(values, at, MARKERS[number], color=colour, markersize=5, label=name)
            axes.set(title=title, xlabel=axis, yticks=range(len(panel)), yticklabels=list(panel))
            axes.grid(axis="y", visible=False)
        row[0].invert_yaxis()
        drawing.legend(*row[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(names))
        return _svg(drawing, f"{axis} under each condition")


def _reliability(axes: Axes, curve: Reliability, name: str, number: int) -> None:
    shares = [
        wilson(round(observed * count), int(count))
        for observed, count in zip(curve.observed, curve.count, strict=True)
    ]
    axes.errorbar(
        curve.stated,
        curve.observed,
        yerr=[
            [max(0.0, share.value - share.low) for share in shares],
            [max(0.0, share.high - share.value) for share in shares],
        ],
        color=COLOURS[number],
        marker=MARKERS[number],
        markersize=4.5,
        linewidth=1.4,
        elinewidth=0.8,
        label=name,
    )


@contextmanager
def _drawing(width_in: float, height_in: float) -> Iterator[Drawing]:
    with mpl.rc_context():
        mpl.rcdefaults()  # whatever somebody's matplotlibrc says
        mpl.rcParams.update(_STYLE)
        yield Drawing(figsize=(width_in, height_in), layout="constrained")


def _svg(drawing: Drawing, title: str) -> str:
    written = io.StringIO()
    drawing.savefig(written, format="svg", metadata={"Date": None, "Title": title})
    return written.getvalue()
