"""What ``patchbay policy explain`` shows in the terminal: a line a turn, or one turn in full."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from router import Scalar
from router.conditions import Failed
from router.explanation import Clause, Explanation, Smoothed
from router.signals import spec_of
from service.cli.policy.shared import value_text
from service.explained import ExplainedCall, ExplainedTurn
from service.tables import engine_text, redacted_text
from service.words import asides, clock, count, dollars, milliseconds, notes, policy

_PASSED = ("no", "outside its hours", "not in its rollout")
"""How the outcomes of guards and rules begin that had no effect."""


def call_view(call: ExplainedCall, missing: str) -> RenderableType:
    """Every turn on a line or two. ``missing`` says why the policy is not at hand; empty if it is."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("engine", no_wrap=True)
    table.add_column("rule", overflow="fold")
    table.add_column("why", ratio=1, overflow="fold")
    for turn in call.turns:
        decision = turn.explanation.decision
        why = Text(decision.reason)
        for note in _notes(turn):
            why.append(f"\n{note}", style="dim")
        table.add_row(str(decision.turn), _engines(turn), Text(decision.rule), why)
    parts: list[RenderableType] = [_facts(call), table]
    if reproduced := [turn.reproduced for turn in call.turns if turn.reproduced is not None]:
        parts.append(_verdict(sum(reproduced), len(reproduced)))
    if missing:
        parts.append(_without(missing))
    return Group(*parts)


def turn_view(call: ExplainedCall, turn: ExplainedTurn, missing: str) -> RenderableType:
    """One turn in full."""
    explanation, decision = turn.explanation, turn.explanation.decision
    title = Text(f"Turn {decision.turn} of {call.summary.call_id}: ", style="bold")
    title.append_text(engine_text(decision.engine)).append(f" by {decision.rule}", style="bold")
    parts: list[RenderableType] = [title, Text(decision.reason)]
    if turn.summary.caller_text:
        parts.append(Text("caller: ", style="dim").append_text(redacted_text(turn.summary.caller_text)))
    if explanation.steps:
        parts += [Text(), steps_view(explanation)]
    if turn.summary.emotion and turn.summary.emotion.evidence:
        parts.append(Text(f"emotion: {'; '.join(turn.summary.emotion.evidence)}", style="dim"))
    if explanation.not_tried:
        parts.append(Text(f"Not asked: {', '.join(explanation.not_tried)}.", style="dim"))
    if explanation.smoothed:
        parts += [Text(), _smoothed(explanation.smoothed)]
    parts += [Text(), _outcome(turn)]
    if turn.routed and missing:
        parts += [Text(), Text("What was known", style="bold"), _signals(decision.signals)]
    if turn.reproduced is not None:
        parts += [Text(), _verdict(int(turn.reproduced), 1)]
    if missing:
        parts += [Text(), _without(missing)]
    return Group(*parts)


# -- a call ---------------------------------------------------------------------------------------------------
def _facts(call: ExplainedCall) -> Text:
    summary = call.summary
    text = Text(summary.call_id, style="bold")
    text.append(
        f" · {count(len(call.turns), 'turn')} · began {summary.started_at or 'at a time not on record'}"
    )
    return text.append(f" · policy {policy(summary)}").append(f" {summary.policy_hash[:8]}", style="dim")


def _engines(turn: ExplainedTurn) -> Text:
    text = engine_text(turn.explanation.decision.engine)
    for move in turn.summary.moves:
        text.append("\n→ ", style="dim").append_text(engine_text(move.to_engine))
    return text


def _notes(turn: ExplainedTurn) -> Iterator[str]:
    """What the reason does not say, short."""
    decision = turn.explanation.decision
    by: dict[str, list[str]] = {}
    for engine, guard in decision.denied.items():
        by.setdefault(guard, []).append(engine)
    yield from (f"{', '.join(engines)} denied by {guard}" for guard, engines in by.items())
    yield from asides(turn.summary)
    yield from notes(turn.summary)
    if turn.reproduced is False:
        yield "the archived policy decides otherwise today"


def _verdict(same: int, of: int) -> Text:
    if same == of:
        what = "this decision" if of == 1 else f"all {of} decisions"
        return Text.assemble(("✓ ", "bold green"), f"the archived policy reproduces {what}")
    return Text.assemble(
        ("✗ ", "bold red"), f"the archived policy does not reproduce {of - same} of {count(of, 'decision')}"
    )


def _without(why: str) -> Text:
    return Text(f"! From the record alone, without conditions and values: {why}", style="yellow")


# -- a turn ---------------------------------------------------------------------------------------------------
def steps_view(explanation: Explanation) -> RenderableType:
    """What was tried, in order, each with its conditions and the values that decided."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("tried", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("outcome", ratio=1, overflow="fold")
    for step in explanation.steps:
        idle = step.outcome.startswith(_PASSED)
        outcome = Text(step.outcome, style="dim" if idle else "bold")
        rows: list[RenderableType] = [outcome, *(_clause(clause) for clause in step.clauses)]
        rows += [Text(gate, style="dim") for gate in step.gates]
        if not idle and step.because and not explanation.decision.reason.startswith(step.because):
            rows.append(Text(f"because {step.because}", style="dim"))
        kind = "" if step.kind == "unknown" else step.kind
        table.add_row(Text(kind, style="dim"), Text(step.id, style="dim" if idle else ""), Group(*rows))
    return table


def _clause(clause: Clause) -> RenderableType:
    text = Text()
    if clause.label != "when":
        text.append(f"{clause.label} ", style="dim")
    text.append(" ".join(clause.source.split()), style="cyan")
    if isinstance(clause.outcome, Failed):
        text.append(f" cannot be evaluated: {clause.outcome.reason}", style="red")
    elif not isinstance(clause.outcome, bool) or clause.values:
        text.append(f" is {value_text(clause.outcome)}", style="dim")
    if clause.values:
        text.append(f"\n{_values(clause.values)}", style="dim")
    return Padding(text, (0, 0, 0, 2))


def _smoothed(smoothed: Iterable[Smoothed]) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("smoothed", overflow="fold")
    table.add_column("before", justify="right", no_wrap=True)
    table.add_column("after", justify="right", no_wrap=True)
    table.add_column("")
    for one in smoothed:
        before = "–" if one.before is None else f"{one.before:.3f}"
        counted = "" if one.counted is not False else "this turn's reading does not count"
        table.add_row(one.name, before, f"{one.after:.3f}", Text(counted, style="dim"))
    return table


def _outcome(turn: ExplainedTurn) -> RenderableType:
    """Everything else that is known of the turn, a line each."""
    decision, summary = turn.explanation.decision, turn.summary
    lines = [("denied", f"{engine} by {guard}") for engine, guard in decision.denied.items()]
    lines += [("kept by", kept) for kept in turn.explanation.kept_by]
    lines += [("experiment", f"{name}: arm {arm}") for name, arm in decision.arms.items()]
    lines += [
        ("shadow", f"{rule} would have sent it to {engine}") for rule, engine in decision.shadow.items()
    ]
    if decision.endpointing_ms is not None:
        lines.append(("endpointing", f"{decision.endpointing_ms} ms of silence end the turn, and the next"))
    lines += [
        ("failure", f"{one.provider} ({one.error}): {one.action}, at {clock(one.at_ms)}")
        for one in summary.failures
    ]
    lines += [
        ("moved", f"from {one.from_engine} to {one.to_engine}, at {clock(one.at_ms)}")
        for one in summary.moves
    ]
    for one in summary.hand_offs:
        how = f"{', warm' * one.warm}{', turn heard as audio' * one.turn_as_audio}"
        lines.append(
            ("hand-off", f"from {one.from_engine} to {one.to_engine} in {milliseconds(one.took_ms)}{how},"
             f" {count(one.items, 'item')} carried over")
        )  # fmt: skip
    if summary.heard_ms is not None:
        lines.append(("heard after", milliseconds(summary.heard_ms)))
    if summary.cost_usd:
        lines.append(("cost", dollars(summary.cost_usd)))
    if turn.routed:
        lines.append(("decided in", f"{summary.deciding_us:.0f} µs"))
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, value in lines:
        table.add_row(Text(name, style="dim"), Text(value))
    return table


def _signals(signals: Mapping[str, Scalar]) -> RenderableType:
    known = {
        name: value
        for name, value in signals.items()
        if (spec := spec_of(name)) is None or value != spec.unknown
    }
    return Text(_values(known), style="dim")


def _values(values: Mapping[str, Scalar]) -> str:
    return ", ".join(f"{name} {value_text(value)}" for name, value in values.items())
