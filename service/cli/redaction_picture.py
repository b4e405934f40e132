"""The picture of ``patchbay evaluate redaction``: recall and over-masking by corpus and entity. Needs ``train``."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from service.cli.redaction_evaluation import Share

_STYLE: Any = {
    "svg.hashsalt": "patchbay",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
}
_BLUE, _GREY = "#0072b2", "#e2e5ea"


def recall_by_part(shares: Sequence[Share]) -> str:
    """Every share with its interval, one below the other, as SVG; the same shares give the same bytes."""
    rows = [one for one in shares if one.part != "all"]
    with mpl.rc_context(_STYLE):
        drawing = Figure(figsize=(7.5, 0.24 * len(rows) + 0.8), layout="constrained")
        axes = drawing.subplots()
        for at, one in enumerate(reversed(rows)):
            axes.plot([one.share.low, one.share.high], [at, at], color=_BLUE, linewidth=1.5)
            axes.plot([one.share.value], [at], "o", color=_BLUE, markersize=4)
        axes.set_yticks(range(len(rows)), [f"{one.measure}: {one.part}" for one in reversed(rows)])
        axes.set_xlim(-0.01, 1.01)
        axes.set_xlabel("share masked to the last character, with its 95 % interval")
        axes.grid(axis="x", color=_GREY)
        axes.spines[["top", "right", "left"]].set_visible(False)
        text = io.StringIO()
        drawing.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
