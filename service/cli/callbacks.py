"""``patchbay callbacks``: who is to be called back, without a number of theirs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from service.cli.app import Json, explained, settings

SCHEMA = "patchbay.callbacks/1"


def callbacks(
    every: Annotated[
        bool, typer.Option("--all", help="Also those whose number somebody has had revealed.")
    ] = False,
    ledger: Annotated[
        str, typer.Option("--ledger", help="A path or URL; by default the one that is configured.")
    ] = "",
    json: Json = False,
) -> None:
    """List the callbacks that are owed. Numbers stay sealed: `patchbay audit reveal` shows one when two people agree.

    A callback counts as taken on once its number was revealed.
    """
    from service.cli.policy.shared import each, print_json, reading
    from service.transfer.owed import NEEDS, OVERSIGHT
    from service.transfer.owed import callbacks as of_calls

    with explained(), reading(ledger or settings().ledger, "callbacks") as record:
        events = (record.events(one, kinds=NEEDS) for one in each(record.calls(), "reading"))
        found = of_calls(events, record.oversight(kinds=OVERSIGHT))
    shown = [one for one in found if every or not one.taken_by]
    if json:
        print_json({"schema": SCHEMA, "callbacks": [asdict(one) for one in shown]})
        return
    console = Console()
    if not shown:
        console.print("no callback is owed")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("call", "asked at", "engine", "best time", "sealed values", "taken on by"):
        table.add_column(name)
    for one in shown:
        values = ", ".join(map(str, one.values)) or "none"
        table.add_row(one.call_id, one.asked_at, one.engine, one.best_time, values, one.taken_by)
    console.print(table)
    console.print("A number is shown by `patchbay audit reveal CALL --value N --reason ...`.", style="dim")
