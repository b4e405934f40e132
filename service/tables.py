"""A finished call in the terminal: rich renderables that read well from 80 columns up.

Text that came out of a call is never parsed as markup: it goes into ``Text`` as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from compliance.events import Event
from service.promises import Broken
from service.redacted import pieces
from service.summary import CallSummary, Emotion, LedgerCheck, TurnSummary
from service.transcript import AgentLine, CallerLine, FailureLine, Line, RouteLine, ToolLine, transcript
from service.words import SIMULATED_NOTE, asides, clock, count, dollars, length, milliseconds, notes, policy

_STYLES = {
    "fast": "cyan",
    "tool": "yellow",
    "standard": "green",
    "realtime": "magenta",
    "half_cascade": "blue",
}
_SEEN_AS_UPSET = 0.7
_SEEN_AS_UNEASY = 0.4


def engine_text(engine: str | None, shown: str | None = None) -> Text:
    """An engine's name, or what is ``shown`` for it, in its colour; a dash when nothing answered."""
    return Text(shown or engine or "–", style=_STYLES.get(engine or "", "bold"))


def redacted_text(text: str, style: str = "") -> Text:
    """Stored text with its masks set off."""
    shown = Text(style=style)
    for piece in pieces(text):
        shown.append(piece.text, style="black on yellow" if piece.entity else "")
    return shown


def call_table(summary: CallSummary) -> RenderableType:
    """One call: a line of facts, a row per turn (route, rule, emotion, heard latency, cost), its totals."""
    table = _table()
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("engine", no_wrap=True, footer=count(len(summary.engines), "engine"))
    table.add_column("emotion", no_wrap=True)
    table.add_column("heard", justify="right", no_wrap=True)
    table.add_column("cost", justify="right", no_wrap=True, footer=dollars(summary.cost_usd))
    table.add_column("rule: what happened", ratio=1, overflow="fold")
    for turn in summary.turns:
        table.add_row(
            str(turn.turn),
            _route(turn),
            _emotion(turn.emotion),
            milliseconds(turn.heard_ms),
            dollars(turn.cost_usd),
            _what_happened(turn),
        )
    return Group(_facts(summary), table, _totals(summary))


def transcript_view(events: Sequence[Event], summary: CallSummary) -> RenderableType:
    """What both sides said, redacted, with the route of every turn between them.

    What the parallel transcript has outside of every turn, such as words spoken over the greeting, is shown too.
    """
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    for line in transcript(events, summary):
        table.add_row(clock(line.at_ms), *_line(line))
    return table


def ledger_line(check: LedgerCheck) -> Text:
    """The result of verifying the record, with the head of its chain."""
    line = Text()
    line.append("✓ ledger " if check.ok else "✗ ledger ", style="bold green" if check.ok else "bold red")
    line.append(check.sentence)
    line.append(f" · {count(check.events, 'event')}, head {check.head[:16] or 'none'}", style="dim")
    return line


def promises_line(broken: Sequence[Broken]) -> Text:
    """All promises kept, or each one that is not."""
    if not broken:
        return Text.assemble(("✓ promises ", "bold green"), "all kept")
    line = Text()
    line.append("✗ promises ", style="bold red")
    line.append(count(len(broken), "is broken", "are broken"))
    for one in broken:
        line.append(f"\n  {one.sentence}")
    return line


def calls_table(
    summaries: Sequence[CallSummary],
    *,
    broken: Sequence[Sequence[Broken]] = (),
    ledger: Sequence[LedgerCheck | None] = (),
) -> RenderableType:
    """Several calls, a row each; ``broken`` and ``ledger`` are parallel to ``summaries`` when given."""
    table = _table()
    total_usd = sum(summary.cost_usd for summary in summaries)
    table.add_column("call", overflow="fold", footer=count(len(summaries), "call"))
    table.add_column("turns", justify="right", footer=str(sum(len(summary.turns) for summary in summaries)))
    table.add_column("most upset", no_wrap=True)
    table.add_column("P50", justify="right", no_wrap=True)
    table.add_column("P95", justify="right", no_wrap=True)
    table.add_column("cost", justify="right", no_wrap=True, footer=dollars(total_usd))
    table.add_column("ok", justify="center", no_wrap=True)
    for index, summary in enumerate(summaries):
        unkept = bool(index < len(broken) and broken[index])
        check = ledger[index] if index < len(ledger) else None
        good = not unkept and (check is None or check.ok)
        table.add_row(
            Text(f"{summary.name}\n").append_text(Text(" ").join(map(engine_text, summary.engines))),
            str(len(summary.turns)),
            _emotion(summary.most_upset),
            milliseconds(summary.heard.p50_ms if summary.heard else None),
            milliseconds(summary.heard.p95_ms if summary.heard else None),
            dollars(summary.cost_usd),
            Text("✓", style="green") if good else Text("✗", style="bold red"),
        )
    return table


def _facts(summary: CallSummary) -> Text:
    facts = Text()
    facts.append(summary.name, style="bold")
    turns = count(len(summary.turns), "turn")
    facts.append(f" · {turns} · {length(summary.duration_ms)} · policy {policy(summary) or '–'}")
    facts.append(f" {summary.policy_hash[:8]}", style="dim")
    facts.append(f" · {summary.ended}" if summary.ended else " · the record has no end")
    if summary.simulated:
        facts.append("\nsimulated: ", style="yellow")
        facts.append(", ".join(summary.simulated), style="yellow")
        facts.append(f" ({SIMULATED_NOTE})", style="dim")
    return facts


def _totals(summary: CallSummary) -> RenderableType:
    parts = [
        f"heard P50 {milliseconds(summary.heard.p50_ms)}, P95 {milliseconds(summary.heard.p95_ms)}"
        if summary.heard
        else "no latency measured",
        count(summary.hand_offs, "hand-off"),
        f"previews {summary.previews_used} used, {summary.previews_discarded} discarded"
        + (f" for {dollars(summary.unwanted_usd)}" if summary.unwanted_usd else ""),
        count(summary.late_dropped, "late event") + " dropped",
    ]
    if summary.cost_by_provider:
        costs = ", ".join(f"{name} {dollars(usd)}" for name, usd in summary.cost_by_provider)
        parts.append(f"cost {costs}, of which conversation sent again {dollars(summary.again_usd)}")
    if summary.hedges:
        parts.append(count(summary.hedges, "hedged reply", "hedged replies"))
    if summary.unpriced:
        parts.append(f"{count(summary.unpriced, 'use')} without a price")
    if summary.cut_usd:
        parts.append(f"requests that failed or were cut {dollars(summary.cut_usd)}")
    lines = [Text(" · ".join(parts), style="dim")]
    lines += [
        Text(
            f"! {failure.part} failed at {clock(failure.at_ms)} ({failure.error}): {failure.action}",
            style="yellow",
        )
        for failure in summary.part_failures
    ]
    lines += [Text(f"! {remark}", style="yellow") for remark in summary.remarks]
    return Group(*lines)


def _table() -> Table:
    return Table(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_footer=True, footer_style="bold"
    )


def _route(turn: TurnSummary) -> Text:
    """The engine decided and, below it, the one that answered if it is another."""
    if turn.route and turn.engine and turn.route != turn.engine:
        return engine_text(turn.route).append("\n→", style="dim").append_text(engine_text(turn.engine))
    return engine_text(turn.engine)


def _what_happened(turn: TurnSummary) -> Text:
    happened = (*notes(turn), *asides(turn))
    return Text(turn.rule or "–").append(f": {'; '.join(happened)}" if happened else "", style="dim")


def _emotion(emotion: Emotion | None) -> Text:
    if emotion is None:
        return Text("–", style="dim")
    shade = "red" if emotion.upset >= _SEEN_AS_UPSET else "yellow" if emotion.upset >= _SEEN_AS_UNEASY else ""
    return Text.assemble((emotion.label, shade), (f" {emotion.confidence:.2f}", "dim"))


def _line(line: Line) -> tuple[Text, RenderableType]:
    """Who or what a transcript's line is of, and what it says."""
    match line:
        case CallerLine():
            words = redacted_text(line.text)
            return Text("caller", style="bold"), words.append(
                " (in no turn)", style="dim"
            ) if line.turn is None else words
        case RouteLine(turn=turn):
            aside = "".join(f" · {one}" for one in asides(turn))
            why = Text.assemble(
                "→ ", engine_text(turn.route), f" by “{turn.rule}”: {turn.reason}{aside}", style="dim"
            )
            return Text(), Padding(why, (0, 0, 0, 2))
        case ToolLine(tool=tool):
            failed = ", failed" if tool.failed else ""
            return Text("tool", style="yellow"), Text(f"{tool.name} ({milliseconds(tool.took_ms)}{failed})")
        case FailureLine(failure=failure):
            what = f"{failure.provider} failed ({failure.error}): {failure.action}"
            return Text("failure", style="red"), Text(what, style="red")
        case AgentLine(said=said):
            words = redacted_text(said.text)
            return engine_text(said.engine, said.who), words.append(
                " — cut by the caller", style="dim"
            ) if said.interrupted else words
