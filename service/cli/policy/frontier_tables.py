"""What ``patchbay policy frontier`` shows in the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from router.whatif.assumptions import Assumptions, Wait
from router.whatif.frontier import Kind, Standing
from router.whatif.sensitivity import SHIFT
from router.whatif.statistics import Interval
from service.cli.policy.judging import Frontier
from service.tables import engine_text


def frontier_view(found: Frontier) -> RenderableType:
    """Who stands where, on which calls, under what assumptions, and how far those may move."""
    parts: list[RenderableType] = [
        _headline(found),
        _standings(found.standings),
        *_verdict(found),
        _corpora(found),
        _engines(found.wanted.assumptions),
        *_basis(found),
    ]
    if found.sensitivities:
        parts += [_sensitivities(found), _circumstances(found)]
    return Group(*parts)


def _headline(found: Frontier) -> Text:
    policy = found.wanted.subject
    return Text.assemble(
        (f"{policy.name} {policy.version}", "bold"), (f" {policy.hash[:8]}", "dim"), f" on {found.basis}"
    )


def _standings(standings: Sequence[Standing]) -> RenderableType:
    """Two tables, so that both fit 80 columns: what came of it, and what that is worth."""
    done, worth = _table(), _table()
    done.add_column("", overflow="fold")
    for name in ("quality", "$/call", "P50 s", "P95 s", "switches", "guards"):
        done.add_column(name, justify="right", no_wrap=True)
    worth.add_column("", overflow="fold")
    worth.add_column("utility (95 %)", justify="right", no_wrap=True)
    worth.add_column("policy better by (95 %)", justify="right", no_wrap=True)
    for number, one in enumerate(standings):
        title = Text(one.name, style="bold" if number == 0 else "dim" if one.kind is Kind.ORACLE else "")
        done.add_row(
            title,
            f"{one.quality.value:.3f}",
            f"{one.usd.value:.4f}",
            f"{one.heard_p50_ms / 1000:.2f}",
            f"{one.heard_p95_ms / 1000:.2f}",
            f"{one.switches_median:g}/{one.switches_mean:.2f}",
            Text(f"{one.violations_per_1k:.1f}", style="bold red" if one.violations_per_1k else ""),
        )
        worth.add_row(title, _in(one.utility, "{:.4f}".format), _lead(one.lead))
    legend = (
        "Waits as heard; switches: median/mean of a call; guards: turns of 1,000 in which one is passed over."
    )
    return Group(done, worth, Text(legend, style="dim"))


def _verdict(found: Frontier) -> list[Text]:
    subject = found.standings[0]
    close = [
        one.name for one in found.rivals if one.lead and not (one.lead.low is not None and one.lead.low > 0)
    ]
    lines = []
    if close:
        lines.append(Text(f"✗ not clearly better than {', '.join(close)}", style="bold red"))
    else:
        lines.append(_good("better than every fixed engine and every other policy, clear of zero"))
    if subject.switches_median > 1:
        lines.append(Text(f"✗ {subject.switches_median:g} switches in the median call", style="bold red"))
    if subject.violations_per_1k:
        lines.append(Text("✗ a guard is passed over", style="bold red"))
    return lines


def _corpora(found: Frontier) -> RenderableType:
    table = _table()
    table.add_column("corpus", overflow="fold")
    table.add_column("calls", justify="right", no_wrap=True)
    table.add_column("policy better by (95 %)", justify="right", no_wrap=True)
    table.add_column("than its best rival", overflow="fold")
    table.add_column("oracle", justify="right", no_wrap=True)
    for one in found.by_corpus:
        table.add_row(
            one.name,
            f"{one.calls:,}",
            _lead(one.lead),
            one.rival,
            f"{-one.to_oracle.value:+.4f}",
        )
    return table


def _engines(assumptions: Assumptions) -> RenderableType:
    """What is assumed of the engines: quality by what a turn needs, waits as P50/P99, dollars without tools."""
    table = _table()
    table.add_column("assumed", overflow="fold")
    for name in ("plain", "tools", "upset", "both", "wait ms", "with tools", "$/turn"):
        table.add_column(name, justify="right", no_wrap=True)
    for engine in assumptions.engines.values():
        usd = engine.usd.turn + engine.usd.agent_minute * assumptions.reply_s / 60
        table.add_row(
            engine_text(engine.name),
            *(f"{quality:.2f}" for quality in engine.quality),
            _wait(engine.wait),
            _wait(engine.wait_with_tools),
            f"{usd:.4f}",
        )
    return table


def _wait(wait: Wait) -> str:
    return f"{wait.p50_ms:.0f}/{wait.p99_ms:.0f}"


def _basis(found: Frontier) -> list[Text]:
    wanted = found.wanted
    table, mix, value = wanted.assumptions, wanted.mix, wanted.assumptions.value
    guesses = sum(stated.assumed for stated in table.stated)
    return [
        Text(text, style="dim")
        for text in (
            f"Utility of a turn: quality − {value.usd:g} × dollars − {value.late_s:g} × seconds beyond"
            f" {value.late_over_ms:g} ms − {value.switch:g} if switched − {value.violation:g} if a guard is"
            " passed over.",
            f"Assumed: {table.file}, where {guesses} of {len(table.stated)} blocks are guesses and the others name"
            " their source; --json has them all.",
            "The callers' words and what they needed are the corpora's, tool need is as the classifier judges it."
            f" Overlaid and simulated, by {mix.file}: how callers feel and how well that is heard, consents, outages.",
            "Neither the tool-need model was taught nor should the policy be tuned on these calls. Guards: those of"
            " the policy, for all.",
        )
    ]


def _sensitivities(found: Frontier) -> RenderableType:
    """The lead over the best rival, and the factors on the figure at which it is gone."""
    table = _table()
    table.add_column("policy better by, with", overflow="fold")
    table.add_column(f"{SHIFT:.0%} less", justify="right", no_wrap=True)
    table.add_column(f"{SHIFT:.0%} more", justify="right", no_wrap=True)
    table.add_column("gone at", no_wrap=True)
    for one in found.sensitivities:
        flips = _flips(one.flips_below, one.flips_above)
        table.add_row(one.figure, *(_point(lead.by) for lead in (one.lower, one.higher)), flips)
    return table


def _point(lead: Interval) -> Text:
    return Text(f"{lead.value:+.4f}", style=_style(lead))


def _flips(below: float | None, above: float | None) -> str:
    return (
        " and ".join(f"× {factor:.2f}" for factor in (below, above) if factor is not None)
        or "not from × 0.5 to 2"
    )


def _circumstances(found: Frontier) -> RenderableType:
    table = _table()
    table.add_column("when", ratio=1)
    table.add_column("policy better by (95 %)", justify="right", no_wrap=True)
    table.add_column("than", overflow="fold")
    table.add_column("sw.", justify="right", no_wrap=True)
    for one in found.circumstances:
        table.add_row(one.what, _lead(one.lead.by), one.lead.rival, f"{one.switches_median:g}")
    return table


# -- cells ----------------------------------------------------------------------------------------------------
def _good(text: str) -> Text:
    return Text.assemble(("✓ ", "bold green"), text)


def _lead(lead: Interval | None) -> Text:
    """A difference: green when clearly better, red when clearly worse."""
    if lead is None:
        return Text("–", style="dim")
    return Text(_in(lead, "{:+.4f}".format), style=_style(lead))


def _style(lead: Interval) -> str:
    return "" if not lead.clear_of_zero else "green" if lead.value > 0 else "red"


def _in(interval: Interval, shown: Callable[[float], str]) -> str:
    if interval.low is None or interval.high is None:
        return shown(interval.value)
    return f"{shown(interval.value)} ({shown(interval.low)} to {shown(interval.high)})"


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
