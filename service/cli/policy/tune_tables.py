"""What ``patchbay policy tune`` shows in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from router import Policy
from router.whatif.assumptions import Assumptions
from router.whatif.rewriting import written as as_written
from router.whatif.statistics import Interval
from router.whatif.tune import Objective, Tuned


def tuned_view(
    policy: Policy,
    found: Tuned,
    objective: Objective,
    assumptions: Assumptions,
    notes: Sequence[str],
    written: Path | None,
    *,
    asked: Path | None,
) -> RenderableType:
    """Each param that was moved, what that is worth, and whether to take it."""
    parts: list[RenderableType] = []
    if found.changes:
        parts.append(_changes(found))
    parts += [
        _gain(found, objective),
        _limits(found),
        _advice(found, written, asked),
        *(Text(note, style="dim") for note in notes),
        Text(
            f"Assumed: cost, wait, quality and their weights are those of {assumptions.file}. Guards and their params"
            " are never tuned.",
            style="dim",
        ),
    ]
    title = Text.assemble((f"{policy.name} {policy.version}", "bold"), f", {found.trials} trials")
    return Group(title, *parts)


def _changes(found: Tuned) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("param", overflow="fold")
    table.add_column("old", justify="right", no_wrap=True)
    table.add_column("new", justify="right", no_wrap=True)
    table.add_column("worth, on calls held out (95 %)", justify="right", no_wrap=True)
    for one in found.changes:
        table.add_row(
            one.name.removeprefix("p."), as_written(one.old), as_written(one.new), _difference(one.worth)
        )
    return table


def _gain(found: Tuned, objective: Objective) -> Text:
    return Text.assemble(
        f"{_TITLES[objective]} {found.before.value:.4f} → {found.after.value:.4f} on calls held out: ",
        _difference(found.gain),
        f"; {found.gain_when_tuned:+.4f} on those tuned on",
    )


_TITLES = {
    Objective.UTILITY: "Utility of a turn",
    Objective.QUALITY: "Turns answered well",
    Objective.COST: "Dollars a call, below zero,",
}


def _limits(found: Tuned) -> Text:
    text = f"{found.switches_median:g} switches in the median call, {found.violations} turns against a guard"
    return Text.assemble(("✓ ", "bold green") if found.keeps_limits else ("✗ ", "bold red"), text)


def _advice(found: Tuned, written: Path | None, asked: Path | None) -> Text:
    if written is not None:
        return Text(f"✓ Written: {written}, with the version one up and all else as it was.", style="green")
    if found.recommended:
        return Text("✓ Take it: --out FILE writes the policy with these values.", style="green")
    why = (
        "No value that was tried is clearly better"
        if not found.changes
        else "On calls held out it breaks its limits"
        if not found.keeps_limits
        else "On calls held out the gain is not clear of zero"
    )
    kept = f"; {asked} is not written" if asked is not None else ""
    return Text(f"! {why}: leave the policy as it is{kept}.", style="yellow")


def _difference(interval: Interval) -> Text:
    if interval.low is None or interval.high is None:
        return Text(f"{interval.value:+.4f}")
    style = "" if not interval.clear_of_zero else "green" if interval.value > 0 else "red"
    return Text(f"{interval.value:+.4f} ({interval.low:+.4f} to {interval.high:+.4f})", style=style)
