"""What ``patchbay train`` shows people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from classifiers.tool_need import Report
from service.learning.learnt import Learnt
from service.learning.reading import Material
from service.learning.weighing import MOST_WEIGHT, Selection
from service.words import count

_TELLING = 6  # words of each sign
NOTE = Text(
    "A label is what an engine did, not what was right: a model learns an agent's habits, its mistakes among them.",
    style="dim",
)


def learnt_view(read: Material, learnt: Learnt, written: Path | None, out: Path) -> RenderableType:
    """All that is said of one training; ``out`` is where the model would be in a dry run."""
    chosen = learnt.selection
    head = f"{count(len(read.calls), 'call')}, {_turns(chosen.turns)}"
    parts: list[RenderableType] = [Text(head, style="bold"), _labels(chosen), *_chance(chosen)]
    told = [f"! {count(number, 'call')} left out: {why}" for why, number in read.unreadable.items()]
    told += [
        f"! {count(number, 'call')} of unknown chances: {why}" for why, number in read.without_chances.items()
    ]
    parts += [Text(line, style="yellow") for line in told]
    if chosen.out_of_reach:
        parts += _warning(chosen, learnt.advice)
    if learnt.report is not None:
        parts += _report(learnt.report)
    return Group(*parts, _verdict(learnt, written, out), NOTE)


def _labels(found: Selection) -> RenderableType:
    """How many turns have labels, and why the others have none."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for justify in ("left", "right", "right", "left"):
        table.add_column(justify=justify, no_wrap=True)
    table.add_row("labelled", f"{found.labelled:,}", _share(found.labelled, found.turns), "")
    for reason, number in found.left_out.items():
        table.add_row("no label", f"{number:,}", _share(number, found.turns), str(reason))
    return _indented(table)


def _chance(found: Selection) -> list[RenderableType]:
    told = []
    if not found.censored:
        told.append("No turn was answered by an engine without tools, so none had to be left to chance.")
    elif found.explored:
        told.append(
            f"{_turns(found.explored)} ({_share(found.explored, found.turns)}) had their engine left to chance, "
            f"{found.explored_labelled:,} of them are labelled. The labels tell as much as {found.effective:,.0f} of "
            "equal weight."
        )
    else:
        told.append("No turn had its engine left to chance.")
    if found.clipped:
        told.append(f"Weights above {MOST_WEIGHT:g} were cut to it: {found.clipped:,}.")
    if found.unknown:
        told.append(
            f"The chances of {_turns(found.unknown)} are not known: their policy is not in the archive, or they were "
            "not routed as it says. Labelled ones count once."
        )
    if found.shadow:
        named = ", ".join(f"{rule} {number:,}" for rule, number in found.shadow.items())
        told.append(
            f"Turns without tools that shadow rules would have sent to an engine with tools: {named}."
        )
    return [_indented(Text(" ".join(told)))]


def _warning(found: Selection, advice: str) -> list[RenderableType]:
    blind = Text(
        f"! {_turns(found.out_of_reach)} ({_share(found.out_of_reach, found.turns)}) had no chance of an engine with "
        "tools: whether turns like these need one is not learnt, only guessed from others.",
        style="yellow",
    )
    if not advice:
        what = "To hear of them, give the experiment on the rule that sends them there an arm with tools."
        return [blind, _indented(Text(what, style="yellow"))]
    return [
        blind,
        _indented(Text("To hear of them, add to the policy, and raise its version:", style="yellow")),
        *(Text(f"    {line}", no_wrap=True, overflow="ignore") for line in advice.splitlines()),
    ]


def _report(report: Report) -> list[RenderableType]:
    """What training changed, on calls held out."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("held out, 95 %", no_wrap=True)
    for title in ("before", "after", "gain"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, figure, better in (
        ("AUROC", report.auroc, 1),
        ("average precision", report.average_precision, 1),
        ("calibration error", report.calibration_error, -1),
        ("log loss", report.log_loss, -1),
    ):
        low, high = sorted((figure.gain.low * better, figure.gain.high * better))
        style = "green" if low > 0 else "red" if high < 0 else ""
        table.add_row(
            name, _interval(figure.before), _interval(figure.after), Text(_interval(figure.gain, "+"), style)
        )
    head = (
        f"{count(report.turns, 'labelled turn')} of {count(report.calls, 'call')}, {report.positive:,} with a tool; "
        f"by weight {report.base_rate:.0%}"
    )
    return [Text(head, style="bold"), table, _indented(_telling(report))]


def _telling(report: Report) -> Text:
    """The caller's words and pairs of words that moved most; other features are for the JSON."""
    ranked = sorted(report.telling, key=lambda one: -one[1])

    def words(chosen: Iterable[str]) -> str:
        said = [
            key for block, _, key in (name.partition(": ") for name in chosen) if block in ("word", "pair")
        ]
        return ", ".join(f"“{one}”" for one in said[:_TELLING]) or "–"

    return Text(
        f"Learnt to speak for a tool: {words(name for name, weight in ranked if weight > 0)}\n"
        f"Learnt to speak against one: {words(name for name, weight in reversed(ranked) if weight < 0)}",
        style="dim",
    )


def _verdict(learnt: Learnt, written: Path | None, out: Path) -> Text:
    """Whether there is a new model, and how workers get it."""
    why = learnt.why[:1].upper() + learnt.why[1:]
    if not learnt.better:
        return Text(f"! {why}. Nothing is written.", style="yellow")
    if written is None:
        return Text(f"✓ {why}. A dry run: not written to {out}.", style="green")
    text = Text(f"✓ {why}.\n  Written: {written}\n", style="green", no_wrap=True, overflow="ignore")
    text.append(f"  Set PATCHBAY_TOOL_NEED_MODEL={written} and restart the workers.", style="default")
    return text


# -- models from corpora ------------------------------------------------------------------------------------------
def made_view(report: Any, written: Path | None) -> RenderableType:
    """What a trainer reports, whatever its model: a line for each figure, a table for each list of rows."""
    parts: list[RenderableType] = []
    for name, value in _figures(report):
        if isinstance(value, tuple) and value and all(is_dataclass(row) for row in value):
            parts += [Text(name, style="bold"), _rows(value)]
        else:
            parts.append(Text(f"{name}: {_value(value)}"))
    if written is not None:
        parts.append(Text(f"✓ Written: {written}", style="green", no_wrap=True, overflow="ignore"))
    return Group(*parts)


def made_json(report: Any) -> dict[str, Any]:
    """The same as JSON values."""
    return {name.replace(" ", "_"): _plain(value) for name, value in _figures(report)}


def _figures(report: Any) -> Iterator[tuple[str, Any]]:
    """All but the folder that the trainer was given, which is not the one where the model is in the end."""
    for field in fields(report):
        value = getattr(report, field.name)
        if not isinstance(value, Path):
            yield field.name.replace("_", " "), value


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value


def _rows(rows: tuple[Any, ...]) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for field in fields(rows[0]):
        text = isinstance(getattr(rows[0], field.name), str)
        table.add_column(field.name.replace("_", " "), justify="left" if text else "right")
    for row in rows:
        table.add_row(*(_value(getattr(row, field.name)) for field in fields(row)))
    return table


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_value(one)}" for name, one in value.items())
    return _interval(value) if is_dataclass(value) else str(value)


def _interval(interval: Any, sign: str = "") -> str:
    value, low, high = (
        f"{figure:{sign}.{places}f}".replace("0.", ".", 1)
        for figure, places in ((interval.value, 3), (interval.low, 2), (interval.high, 2))
    )
    return f"{value} ({low} to {high})"


def _turns(number: int) -> str:
    return f"{number:,} caller turn{'' if number == 1 else 's'}"


def _indented(what: RenderableType) -> RenderableType:
    return Padding(what, (0, 0, 0, 2))


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "–"
