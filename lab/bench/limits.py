"""Waits in milliseconds and the limits that they have to keep, as the benches on whole calls print them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table

from service.percentiles import nearest_rank


@dataclass(frozen=True, slots=True)
class Row:
    """A figure: its values, and what half of them and 95 % of them may be at most."""

    what: str
    values_ms: tuple[float, ...]
    limit_p50_ms: float
    limit_p95_ms: float

    def at(self, share: float) -> float:
        return nearest_rank(sorted(self.values_ms), share) if self.values_ms else float("nan")

    @property
    def within(self) -> bool:
        return self.at(0.50) <= self.limit_p50_ms and self.at(0.95) <= self.limit_p95_ms


def report(title: str, rows: Sequence[Row]) -> int:
    """Print the table; returns 1 when a limit is passed."""
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    for name in ("", "n", "P50", "P95", "limit P50 / P95", ""):
        table.add_column(name, justify="left" if not name else "right")
    for row in rows:
        table.add_row(
            row.what,
            str(len(row.values_ms)),
            f"{row.at(0.50):+.1f}",
            f"{row.at(0.95):+.1f}",
            f"{row.limit_p50_ms:g} / {row.limit_p95_ms:g}",
            "within" if row.within else "OVER",
        )
    Console(width=120).print(table)
    return 0 if all(row.within for row in rows) else 1
