"""What was measured as tables: the same for the terminal and for the model card."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from classifiers.evaluation.floors import Verdict
from classifiers.measures import Interval

KEPT, BROKEN = "✓", "✗"


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as text; the first column names the row."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    @property
    def markdown(self) -> str:
        """With its title above and its note below; every column but the first is to the right."""
        lines: Iterable[Sequence[str]] = [self.head, ["---", *["---:"] * (len(self.head) - 1)], *self.rows]
        table = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
        return "\n\n".join(part for part in (f"**{self.title}**", table, self.note) if part)


def promises(verdicts: Sequence[Verdict]) -> Table:
    """Every promise and whether it holds."""
    return Table(
        "What must hold",
        ("promise", "bound", "measured", ""),
        tuple(
            (
                verdict.what,
                f"{verdict.bound} {figure_text(verdict.limit, 2 if round(verdict.limit, 2) == verdict.limit else 3)}",
                figure_text(verdict.value),
                KEPT if verdict.holds else BROKEN,
            )
            for verdict in verdicts
        ),
    )


def figure_text(value: float, decimals: int = 3) -> str:
    """``.941``, as papers write a share; "–" for what is not a number."""
    if value != value:
        return "–"
    text = f"{round(value, decimals) + 0.0:.{decimals}f}"  # no minus before a nought
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def interval_text(interval: Interval, decimals: int = 3) -> str:
    """``.941 (.912–.967)``; with "to" between the bounds where one is negative."""
    low, high = figure_text(interval.low, decimals), figure_text(interval.high, decimals)
    between = " to " if interval.low < 0 else "–"
    return f"{figure_text(interval.value, decimals)} ({low}{between}{high})"
