"""``patchbay policy diff``: what changed from one policy to another in meaning, and whether a decision can differ."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from router import Policy
from router.difference import Change, Difference, difference
from router.equivalence import PROVER, Equivalence, Example, Verdict
from service.cli.policy.shared import print_json, value_text
from service.tables import engine_text

SCHEMA = "patchbay.policy-diff/1"
_SECTIONS = {
    "policy": "The policy",
    "param": "Params",
    "derived": "Derived signals",
    "emotion": "The caller's voice",
    "question": "Questions",
    "engine": "Engines",
    "guard": "Guards",
    "rule": "Rules",
    "shadow": "Shadow rules",
    "experiment": "Experiments",
    "never": "Properties",
    "overlay": "Tenants",
}
_SIGNS = {
    "added": ("+", "green"),
    "removed": ("-", "red"),
    "moved": ("↕", "yellow"),
    "changed": ("~", "yellow"),
}
_LONG = 30


def diff(first: Path, second: Path, *, as_json: bool) -> int:
    """Print what changed; returns 1 when the two do not mean the same.

    Raises:
        policies.DocumentError: one of them cannot be used.
    """
    before, after = Policy.load(first), Policy.load(second)
    console = Console(stderr=True)
    with console.status("Looking for a call that they answer differently …"):
        found = difference(before, after)
    if as_json:
        print_json(_json(before, after, found))
    else:
        Console().print(difference_view(before, after, found))
    return 0 if found.same else 1


def difference_view(before: Policy, after: Policy, found: Difference) -> RenderableType:
    """The changes by section, and the verdict."""
    parts: list[RenderableType] = [_title(before, after)]
    for section, entries in groupby(found.changes, key=lambda change: change.section):
        parts.append(Text(f"\n{_SECTIONS[section]}", style="bold"))
        parts += [Padding(_change(change), (0, 0, 0, 2)) for change in entries]
    if not found.changes:
        parts.append(Text("They say the same; layout, comments and the order of keys do not count."))
    elif found.same:
        parts.append(Text("\nThey mean the same: only wording changed.", style="green"))
    return Group(*parts, Text(), *_verdict(found.decisions))


def _title(before: Policy, after: Policy) -> Text:
    return Text.assemble(
        (f"{before.name} {before.version}", "bold"),
        (f" {before.hash[:8]}", "dim"),
        " → ",
        (f"{after.name} {after.version}", "bold"),
        (f" {after.hash[:8]}", "dim"),
    )


def _change(change: Change) -> Text:
    sign, style = _SIGNS[change.what]
    text = Text.assemble((f"{sign} ", style), (change.name, "bold"))
    if change.field:
        text.append(f"{' ' * bool(change.name)}{change.field}")
    if change.what == "added":
        text.append(f" {change.after}")
    elif change.what == "removed":
        text.append(f" {change.before}")
    elif len(change.before) + len(change.after) <= _LONG:
        text.append(f" {change.before or 'none'} → {change.after or 'none'}")
    else:
        text.append(f"\n    - {change.before or 'none'}", style="red")
        text.append(f"\n    + {change.after or 'none'}", style="green")
    if change.note:
        text.append(f" ({change.note})", style="yellow" if "outside" in change.note else "dim")
    if change.equivalent:
        text.append("\n    both come to the same for any turn", style="dim")
    elif change.wording:
        text.append(" (wording)", style="dim")
    return text


def _verdict(found: Equivalence) -> Iterator[RenderableType]:
    match found.verdict:
        case Verdict.SAME:
            proof = f": proved by {PROVER}" if found.proved else ": all that decides says the same"
            yield Text.assemble(("✓ ", "bold green"), f"No decision can differ{proof}.")
        case Verdict.UNKNOWN:
            hint = "" if PROVER else " The extra `proof` (z3) can prove more."
            yield Text.assemble(
                ("? ", "bold yellow"),
                f"Decisions may differ: none did in {found.turns_tried:,} turns that were tried, but that is no proof."
                f"{hint} Replay it over recorded calls.",
            )
        case Verdict.DIFFERS:
            yield Text.assemble(("✗ ", "bold red"), "Decisions differ. For example:")
            if found.example is not None:
                yield Padding(_example(found.example), (0, 0, 0, 2))


def _example(example: Example) -> RenderableType:
    lines = []
    where = f"call {example.call_id}" + (f" of tenant {example.tenant}" if example.tenant else "")
    lines.append(Text(where, style="dim"))
    for number, signals in enumerate(example.turns, 1):
        told = ", ".join(f"{name} {value_text(value)}" for name, value in signals.items()) or "nothing known"
        lines.append(Text(f"turn {number}: ", style="dim").append(told, style="default"))
    for name, decision in (("before", example.before), ("after", example.after)):
        line = Text(f"{name}: ", style="dim").append_text(engine_text(decision.engine))
        line.append(f" by {decision.rule}: {decision.reason}")
        if decision.endpointing_ms is not None:
            line.append(f" ({decision.endpointing_ms} ms of silence end the turn)")
        lines.append(line)
    return Group(*lines)


# -- for scripts ----------------------------------------------------------------------------------------------
def _json(before: Policy, after: Policy, found: Difference) -> dict[str, Any]:
    """The schema ``patchbay.policy-diff/1``."""

    def name(policy: Policy) -> dict[str, Any]:
        return {"name": policy.name, "version": policy.version, "hash": policy.hash}

    return {
        "schema": SCHEMA,
        "before": name(before),
        "after": name(after),
        "same": found.same,
        "changes": [
            {
                "section": change.section,
                "name": change.name,
                "what": change.what,
                "field": change.field,
                "before": change.before,
                "after": change.after,
                "note": change.note,
                "meant": change.meant,
            }
            for change in found.changes
        ],
        "decisions": {
            "verdict": found.decisions.verdict.value,
            "prover": PROVER if found.decisions.proved else None,
            "turns_tried": found.decisions.turns_tried,
            "example": _example_json(found.decisions.example),
        },
    }


def _example_json(example: Example | None) -> dict[str, Any] | None:
    if example is None:
        return None
    return {
        "tenant": example.tenant,
        "call": example.call_id,
        "turns": [dict(signals) for signals in example.turns],
        **{
            name: {
                "engine": decision.engine,
                "rule": decision.rule,
                "reason": decision.reason,
                "endpointing_ms": decision.endpointing_ms,
            }
            for name, decision in (("before", example.before), ("after", example.after))
        },
    }
