"""What ``patchbay policy simulate`` shows in the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from router import Policy
from router.whatif.simulate import Simulated
from router.whatif.statistics import Interval
from service.simulating import Wanted
from service.tables import engine_text
from service.words import count, dollars, milliseconds


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of each policy and, where there are two, the first less the second, call by call."""

    name: str
    values: Sequence[Interval]
    difference: Interval | None


@dataclass(frozen=True, slots=True)
class KindOfCaller:
    """How one kind of caller fared."""

    kind: str
    calls: int
    utility: Figure


@dataclass(frozen=True, slots=True)
class View:
    """All that is shown. Lists by policy are in the order of ``wanted.policies``."""

    wanted: Wanted
    found: Sequence[Simulated]
    figures: Sequence[Figure]
    """Utility, quality, usd and switches, each a mean by call."""
    switches: Sequence[Sequence[int]]
    """Calls by how often they were switched; the last entry holds all that were switched as often or more often."""
    idle_rules: Sequence[Sequence[str]]
    """Rules that never put an engine in charge."""
    callers: Sequence[KindOfCaller]


def simulation_view(view: View) -> RenderableType:
    """Figures, routes, rules and callers; then what is wrong, and what all of it rests on."""
    parts: list[RenderableType] = [
        _headline(view),
        _figures(view),
        _switches(view),
        _by_turns(view, "engine", [one.turns for one in view.found], styled=True),
        _by_turns(
            view,
            "rule",
            [_with_idle(one, idle) for one, idle in zip(view.found, view.idle_rules, strict=True)],
        ),
    ]
    if any(one.denials for one in view.found):
        parts.append(_by_turns(view, "denied by", [one.denials for one in view.found]))
    parts += [_callers(view), *_problems(view), _basis(view)]
    return Group(*parts)


def _headline(view: View) -> Text:
    names = " against ".join(_name(policy) for policy in view.wanted.policies)
    turns = int(view.found[0].outcomes.turns.sum())
    text = Text(names, style="bold")
    tenant = f", tenant {view.wanted.tenant}" if view.wanted.tenant else ""
    return text.append(
        f" on {view.wanted.calls:,} simulated calls, {turns:,} turns{tenant} (seed {view.wanted.seed})",
        style="not bold",
    )


def _name(policy: Policy) -> str:
    return f"{policy.name} {policy.version}"


def _figures(view: View) -> RenderableType:
    table = _table()
    table.add_column("mean by call (95 %)", overflow="fold")
    _add_policies(table, view)
    for figure, (name, shown) in zip(view.figures, _SHOWN, strict=True):
        _compared(table, name, figure, shown)
    for share in (0.50, 0.95, 0.99):
        values = [milliseconds(one.outcomes.heard_ms(share)) for one in view.found]
        table.add_row(f"wait, P{100 * share:.0f} of turns", *values, *_blank(view))
    medians = [f"{np.median(one.outcomes.switches):g}" for one in view.found]
    table.add_row("switches, median", *medians, *_blank(view))
    violations = [int(one.outcomes.violations.sum()) for one in view.found]
    table.add_row(
        "against its guards",
        *(Text(f"{number:,}", style="bold red" if number else "green") for number in violations),
        *_blank(view),
    )
    if len(view.found) > 1:
        first = _name(view.wanted.policies[0])
        table.add_row(f"… those of {first}", *(f"{one.against_first:,}" for one in view.found), "")
    return table


_SHOWN: Sequence[tuple[str, Callable[[float], str]]] = (
    ("utility", "{:.4f}".format),
    ("turns answered well", "{:.4f}".format),
    ("cost", lambda usd: dollars(usd) if usd >= 0 else f"-{dollars(-usd)}"),
    ("switches, mean", "{:.2f}".format),
)


def _switches(view: View) -> RenderableType:
    table = _table()
    table.add_column("switches a call", overflow="fold")
    for policy in view.wanted.policies:
        table.add_column(_name(policy), justify="right", overflow="fold")
    last = len(view.switches[0]) - 1
    for times in range(last + 1):
        name = f"{times} or more" if times == last else str(times)
        table.add_row(name, *(_share(calls[times], view.wanted.calls) for calls in view.switches))
    return table


def _by_turns(
    view: View, what: str, counts: Sequence[Mapping[str, int]], *, styled: bool = False
) -> RenderableType:
    """Turns by engine, rule or guard; the commonest of the first policy first."""
    table = _table()
    table.add_column(what, overflow="fold")
    for policy in view.wanted.policies:
        table.add_column(_name(policy), justify="right", overflow="fold")
    totals = [int(one.outcomes.turns.sum()) for one in view.found]
    names = sorted(
        {**counts[0], **counts[-1]}, key=lambda name: (-counts[0].get(name, 0), -counts[-1].get(name, 0))
    )
    for name in names:
        table.add_row(
            engine_text(name) if styled else Text(name),
            *(_share(each.get(name), total) for each, total in zip(counts, totals, strict=True)),
        )
    return table


def _with_idle(one: Simulated, idle: Sequence[str]) -> dict[str, int]:
    return {**one.rules, **dict.fromkeys(idle, 0)}


def _share(turns: int | None, of: int) -> Text:
    if turns is None:
        return Text("–", style="dim")
    return Text(f"{turns:,} ({100 * turns / max(1, of):.1f} %)", style="" if turns else "dim")


def _callers(view: View) -> RenderableType:
    table = _table()
    table.add_column("utility by caller", overflow="fold")
    table.add_column("calls", justify="right", no_wrap=True)
    _add_policies(table, view)
    for one in view.callers:
        shown = "{:.3f}".format
        table.add_row(
            one.kind, f"{one.calls:,}", *_values(one.utility, shown), *_difference(one.utility, shown)
        )
    return table


def _problems(view: View) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for policy, one, idle in zip(view.wanted.policies, view.found, view.idle_rules, strict=True):
        for each in one.violations:
            where = f"turn {each.turn} of {each.call_id}"
            text = f"✗ {_name(policy)}: {each.guard} is passed over in {where}: {each.engine} answers"
            lines.append(Text(text, style="bold red"))
        for failure, turns in one.failures.items():
            lines.append(Text(f"! {_name(policy)}: {failure} ({count(turns, 'turn')})", style="yellow"))
        if idle:
            lines.append(Text(f"! {_name(policy)}: never fired: {', '.join(idle)}", style="yellow"))
    if not any(one.violations for one in view.found):
        lines.append(
            Text.assemble(("✓ ", "bold green"), "every guard held in every turn, each checked by itself")
        )
    return lines


def _basis(view: View) -> Text:
    mix, table = view.wanted.mix, view.wanted.assumptions
    guesses = sum(stated.assumed for stated in table.stated)
    return Text(
        f"Simulated: the calls are made up by {mix.file}. Assumed: cost, wait, quality and their weights are those of"
        f" {table.file}, where {guesses} of {len(table.stated)} blocks are guesses and the others name their source."
        " Intervals are by call and hold for this mix and this table only.",
        style="dim",
    )


# -- columns --------------------------------------------------------------------------------------------------
def _add_policies(table: Table, view: View) -> None:
    for policy in view.wanted.policies:
        table.add_column(_name(policy), justify="right", overflow="fold")
    if len(view.found) > 1:
        table.add_column("difference", justify="right", no_wrap=True)


def _compared(table: Table, name: str, figure: Figure, shown: Callable[[float], str]) -> None:
    table.add_row(name, *_values(figure, shown), *_difference(figure, shown))


def _values(figure: Figure, shown: Callable[[float], str]) -> list[str]:
    """Beside a difference the intervals are left out: they overlap even where the difference is certain."""
    return [shown(value.value) if figure.difference else _in(value, shown) for value in figure.values]


def _difference(figure: Figure, shown: Callable[[float], str]) -> list[Text]:
    if figure.difference is None:
        return []
    style = "bold" if figure.difference.clear_of_zero else "dim"
    sign = "+" if figure.difference.value > 0 else ""
    return [Text(sign + _in(figure.difference, shown), style=style)]


def _blank(view: View) -> list[str]:
    return [""] if len(view.found) > 1 else []


def _in(interval: Interval, shown: Callable[[float], str]) -> str:
    if interval.low is None or interval.high is None:
        return shown(interval.value)
    return f"{shown(interval.value)} ({shown(interval.low)} to {shown(interval.high)})"


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
