"""``patchbay latency``: what callers waited for, by the record."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from service.cli.app import Json, explained, settings
from service.waiting import By, Distribution
from service.words import SIMULATED_NOTE, milliseconds

SCHEMA = "patchbay.latency/1"


def latency(
    by: Annotated[By, typer.Option("--by", help="What turns are grouped by.")] = "engine",
    call: Annotated[list[str] | None, typer.Option("--call", help="Only this call; may be repeated.")] = None,
    waits: Annotated[bool, typer.Option("--waits", help="Also what the waits were spent on.")] = False,
    ledger: Annotated[
        str, typer.Option("--ledger", help="A path or URL; by default the one that is configured.")
    ] = "",
    json: Json = False,
) -> None:
    """What callers waited from their last sound to the reply's first, measured on the audio of the calls on record."""
    from service.cli.audit.desk import known_calls
    from service.cli.policy.shared import each, print_json, reading
    from service.waiting import NEEDS, waited

    with explained(), reading(ledger or settings().ledger, "latency") as record:
        chosen = known_calls(record, call) if call else record.calls()
        found = waited((record.events(one, kinds=NEEDS) for one in each(chosen, "reading")), by)
    if json:
        value = {
            "schema": SCHEMA,
            "by": by,
            "groups": [{**asdict(one), "waits": dict(_plain(one.waits))} for one in found],
        }
        print_json(value)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(by, overflow="fold")
    for name in ("turns", "P50", "P90", "P95", "P99", "max"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in found:
        table.add_row(one.name, *_row(one.heard), style="bold" if waits else "")
        for stage, took in one.waits if waits else ():
            table.add_row(f"  {stage.replace('_', ' ')}", *_row(took))
    console = Console()
    console.print(table)
    if waits:
        console.print("Waits sum to what was heard turn by turn; their percentiles do not.", style="dim")
    if any(one.simulated for one in found):
        console.print(f"[yellow]simulated[/]: {SIMULATED_NOTE}", highlight=False)


def _row(found: Distribution) -> tuple[str, ...]:
    figures = (found.p50_ms, found.p90_ms, found.p95_ms, found.p99_ms, found.max_ms)
    return f"{found.count:,}", *map(milliseconds, figures)


def _plain(waits: tuple[tuple[str, Distribution], ...]) -> list[tuple[str, dict[str, float]]]:
    return [(stage, asdict(took)) for stage, took in waits]
