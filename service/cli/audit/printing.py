"""Prints what people typed and callers said as it is: nothing in it is markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text


def say(text: str) -> None:
    """A line for people."""
    Console().print(text, markup=False, highlight=False, soft_wrap=True)


def say_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table for people; its first column is never broken."""
    table = Table(box=None, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, no_wrap=place == 0)
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)
