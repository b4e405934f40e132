"""What ``patchbay policy replay`` shows in the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from router import Policy
from router.whatif.replay import ChangedTurn, Compared, Comparison, Mismatch, Route
from router.whatif.statistics import Interval
from service.cli.policy.shared import value_text
from service.reproduction import Reproduction
from service.tables import engine_text
from service.words import count, dollars

_MOVES_SHOWN = 12


def reproduction_view(found: Reproduction, limit: int) -> RenderableType:
    """One line when all is well; else mismatches, up to ``limit`` (0: all), and what could not be checked."""
    lines: list[RenderableType] = []
    if found.turns:
        same = found.turns - len(found.mismatches)
        mark = Text("✗ ", "bold red") if found.mismatches else Text("✓ ", "bold green")
        lines.append(
            mark.append(
                f"{same:,} of {found.turns:,} logged routes reproduced ({100 * same / found.turns:.6g} %)"
                " by the policies that took them",
                style="default",
            )
        )
    if found.mismatches:
        lines += _mismatches(found.mismatches, limit)
    for reasons, sign, style in ((found.unusable, "✗", "red"), (found.not_archived, "!", "yellow")):
        lines += [
            Text(f"{sign} {number:,} of {found.calls:,} calls not checked: {reason}", style)
            for reason, number in reasons.items()
        ]
    return Group(*lines)


def comparison_view(
    found: Comparison, policy: Policy, before: Policy | None, *, limit: int, may_assume: bool
) -> RenderableType:
    """What changes: a sentence, figures before and after, moves by rule, and changed turns up to ``limit``."""
    lines: list[RenderableType] = [_headline(found, policy, before), _figures(found)]
    lines += _notes(found, may_assume)
    if found.changed:
        lines += [Text(), _moves(found.changed), Text(), *_changed(found.changed, limit)]
    return Group(*lines)


# -- in short -------------------------------------------------------------------------------------------------
def _headline(found: Comparison, policy: Policy, before: Policy | None) -> Text:
    text = Text.assemble(
        (f"{policy.name} {policy.version}", "bold"),
        (f" {policy.hash[:8]}", "dim"),
        " against ",
        (f"{before.name} {before.version}", "bold") if before else "what was logged",
        (f" {before.hash[:8]}" if before else "", "dim"),
        ": ",
    )
    turns, calls = f"{found.turns:,} turns", f"{found.calls:,} calls"
    if not found.changed or found.share_changed is None:
        return text.append(f"none of {turns} in {calls} changes")
    share, interval = found.share_changed.value, _interval(found.share_changed, "{:.1%}".format)
    text.append(f"{len(found.changed):,} of {turns} change, {share:.1%}")
    text.append(f" ({interval})" if interval else "")
    return text.append(f", in {found.calls_affected:,} of {calls}")


def _figures(found: Comparison) -> RenderableType:
    table = _table()
    for name in ("", "before", "after", "difference", "95 % by call"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for engine in {**found.routes_before, **found.routes_after}:
        old, new = found.routes_before.get(engine, 0), found.routes_after.get(engine, 0)
        turns = Text("to ").append_text(engine_text(engine))
        table.add_row(turns, _share(old, found.turns), _share(new, found.turns), f"{new - old:+,}", "")
    for name, compared, shown in (
        ("switches a call", found.switches, "{:.2f}".format),
        ("cost a call", found.cost_usd, _usd),
        ("wait a turn", found.heard_ms, _ms),
    ):
        table.add_row(name, *_compared(compared, shown))
    if found.violations_before or found.violations_after:
        table.add_row(
            Text("against a guard", style="bold red"),
            f"{found.violations_before:,}",
            f"{found.violations_after:,}",
            f"{found.violations_after - found.violations_before:+,}",
            "",
        )
    return table


def _compared(figure: Compared, shown: Callable[[float], str]) -> tuple[str, str, str, str]:
    if figure.before is None or figure.after is None or figure.difference is None:
        return "–", "–", "–", ""
    sign = "+" if figure.difference.value > 0 else ""
    difference = f"{sign}{shown(figure.difference.value)}"
    return (
        shown(figure.before.value),
        shown(figure.after.value),
        difference,
        _interval(figure.difference, shown),
    )


def _interval(interval: Interval, shown: Callable[[float], str]) -> str:
    if interval.low is None or interval.high is None:
        return ""
    return f"{shown(interval.low)} to {shown(interval.high)}"


def _usd(usd: float) -> str:
    return dollars(usd) if usd >= 0 else f"-{dollars(-usd)}"


def _ms(ms: float) -> str:
    return f"{ms:,.0f} ms"


def _share(turns: int, of: int) -> str:
    return f"{turns:,} ({100 * turns / of:.0f} %)" if of else "0"


def _notes(found: Comparison, may_assume: bool) -> list[Text]:
    notes = []
    for what, figure in (("cost", found.cost_usd), ("wait", found.heard_ms)):
        if figure.turns < found.turns:
            notes.append(f"The {what} is over the {figure.turns:,} turns of which both figures are known.")
    if found.cost_usd.estimated or found.heard_ms.estimated:
        notes.append(
            "A turn that another engine would have answered is estimated, by the mean of that engine's turns;"
            " the others keep what was measured. Signals are taken as they were."
        )
    if found.without_estimate:
        engines = ", ".join(f"{name} ({turns:,})" for name, turns in found.without_estimate.items())
        hint = "; --assume fills them in" if may_assume else ""
        notes.append(f"No cost or wait is known of turns that go to {engines}{hint}.")
    if found.refused:
        notes.append(f"{found.refused:,} turns went to an engine that the guards of this policy deny.")
    return [Text(note, style="yellow" if "No cost" in note else "dim") for note in notes]


# -- in detail ------------------------------------------------------------------------------------------------
def _moves(changed: Sequence[ChangedTurn]) -> RenderableType:
    """From which rule to which, the commonest first."""
    table = _table()
    table.add_column("turns", justify="right", no_wrap=True)
    table.add_column("from", overflow="fold")
    table.add_column("to", overflow="fold")
    moves = Counter((one.before, one.after) for one in changed)
    for (before, after), turns in moves.most_common(_MOVES_SHOWN):
        table.add_row(f"{turns:,}", _route(before), _route(after))
    if (rest := len(moves) - _MOVES_SHOWN) > 0:
        table.add_row("", Text(f"… and {count(rest, 'other way', 'other ways')}", style="dim"), "")
    return table


def _changed(changed: Sequence[ChangedTurn], limit: int) -> list[RenderableType]:
    table = _table()
    table.add_column("call", overflow="fold")
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("from", overflow="fold")
    table.add_column("to", overflow="fold")
    table.add_column("values that decided", ratio=1, overflow="fold")
    for one in changed[: limit or None]:
        values = ", ".join(f"{name} {value_text(value)}" for name, value in one.values.items())
        table.add_row(
            Text(one.call_id), str(one.turn), _route(one.before), _route(one.after), Text(values, style="dim")
        )
    return [table, *_rest(len(changed) - len(table.rows), "changed turn", "changed turns")]


def _mismatches(found: Sequence[Mismatch], limit: int) -> list[RenderableType]:
    table = _table()
    table.add_column("call", overflow="fold")
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("logged", overflow="fold")
    table.add_column("replayed", overflow="fold")
    table.add_column("because, says the replay", ratio=1, overflow="fold")
    for one in found[: limit or None]:
        table.add_row(
            Text(one.call_id),
            str(one.turn),
            _route(one.logged),
            _route(one.replayed),
            Text(one.reason, style="dim"),
        )
    return [table, *_rest(len(found) - len(table.rows), "mismatch", "mismatches")]


def _rest(number: int, one: str, many: str) -> list[Text]:
    hint = "; --limit 0 shows all, --csv or --json gives them to a program"
    return (
        [Text(f"… and {number:,} more {one if number == 1 else many}{hint}", style="dim")] if number else []
    )


def _route(route: Route) -> Text:
    return engine_text(route.engine).append(f" by {route.rule}" if route.rule else "", style="dim")


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
