"""What the bench of faulty providers prints, and the page that it writes: one line per provider and fault."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
from rich import box
from rich.table import Table

from engines.catalogue import Catalogue
from lab.bench.fault_rows import ROWS
from lab.bench.fault_takeovers import ANSWER_MS, BEGIN_MS, EXTRA_MS, TakeOver, TimeOuts
from lab.bench.fault_verdicts import Verdict
from policies import shipped
from router import Policy
from service.patience import within

COLUMNS = (
    "provider",
    "fault",
    "calls",
    "struck",
    "turns",
    "broken",
    "unanswered",
    "tools",
    "heard P50 / max ms",
    "failures",
    "taken over",
    "failure → sound P50 / max ms",
    "failure → answer P50 / max ms",
    "late",
    "cut, USD",
)
PAGE = Path(__file__).parent / "faults_page.md"
"""What is written around the figures."""
_WORDS = 2
"""Columns that are no figures."""


def table(verdicts: Sequence[Verdict]) -> Table:
    """The figures for a terminal."""
    shown = Table(
        box=box.SIMPLE_HEAD,
        title="calls with a faulty provider (simulated)",
        title_justify="left",
        caption="struck: calls that met it. sound: the word about the delay, or the answer; late is judged on it",
        caption_justify="left",
    )
    for place, name in enumerate(COLUMNS):
        shown.add_column(name, justify="left" if place < _WORDS else "right")
    for line in _lines(verdicts):
        shown.add_row(*line)
    return shown


def page(verdicts: Sequence[Verdict], *, verified: bool, commit: str, at_once: int) -> str:
    """``docs/faults.md``."""
    budget_ms = Policy.load(shipped("default.yaml")).answer_within_ms
    time_outs = TimeOuts.of(within(Catalogue.load(shipped("engines.yaml")), budget_ms))
    rows = [f"| {' | '.join(line)} |" for line in (COLUMNS, *_lines(verdicts, total=True))]
    rows.insert(1, f"|{' --- |' * _WORDS}{' ---: |' * (len(COLUMNS) - _WORDS)}")
    faulty = [one for one in verdicts if one.provider]
    return PAGE.read_text(encoding="utf-8").format(
        calls=len(faulty),
        sound=len(verdicts) - len(faulty),
        turns=sum(one.said for one in verdicts),
        in_mid_call=sum(one.in_mid_call for one in faulty),
        verified="The log verifies" if verified else "**The log does not verify**",
        table="\n".join(rows),
        struck=sum(one.struck for one in faulty),
        broken=_as_list(problems(verdicts), "Nothing."),
        not_struck=_as_list(not_struck(verdicts), "None."),
        budget_ms=budget_ms,
        share_ms=f"{(budget_ms or 0) / 2:.0f}",
        extra_ms=f"{EXTRA_MS:.0f}",
        begin_ms=f"{BEGIN_MS:.0f}",
        usual_ms=f"{ANSWER_MS:.0f}",
        voice_ms=f"{time_outs.voice:.0f}",
        plugin_ms=f"{time_outs.voice_plugin:.0f}",
        recogniser_ms=f"{time_outs.recogniser:.0f}",
        commit=commit,
        at_once=at_once,
        day=date.today().isoformat(),  # noqa: DTZ011 -- the day where it was run
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
    )


def problems(verdicts: Sequence[Verdict]) -> list[str]:
    """What is not as it should be, a sentence each."""
    found = []
    for one in verdicts:
        call = _name(one)
        found += [f"{call}: {sentence}" for sentence in one.broken]
        if one.unanswered:
            found.append(f"{call}: {one.unanswered} of {one.said} turns of the caller were not answered.")
        found += [
            f"{call}: after {over.error} of {over.engine}, turn {over.turn}, {_silence(over)}"
            for over in one.take_overs
            if not over.in_time
        ]
    return found


def not_struck(verdicts: Sequence[Verdict]) -> list[str]:
    """The calls with a faulty provider whose fault was not met: their turns say nothing of it."""
    return [_name(one) for one in verdicts if one.provider and not one.struck]


def _name(one: Verdict) -> str:
    name = f"{one.provider or 'no fault'} {one.fault}".strip()
    return f"{name} #{one.number}{', in mid-call' if one.in_mid_call else ''}"


def _silence(over: TakeOver) -> str:
    if over.after_failure_ms is None or over.waited_ms is None:
        return "nothing was heard."
    return (
        f"{over.after_failure_ms:.0f} ms passed, and {over.waited_ms:.0f} ms since it was waited for, of "
        f"{over.limit_ms:.0f}."
    )


def _as_list(sentences: Sequence[str], none: str) -> str:
    return "\n".join(f"- {each}" for each in sentences) or none


def _lines(verdicts: Sequence[Verdict], *, total: bool = False) -> list[tuple[str, ...]]:
    found = []
    for row in ROWS:
        mine = [one for one in verdicts if (one.provider, one.fault) == (row.provider, row.fault or "")]
        if mine:
            found.append((row.provider or "none", row.fault or "", *_figures(mine)))
    faulty = [one for one in verdicts if one.provider]
    if total and faulty:
        found.append(("all with a fault", "", *_figures(faulty)))
    return found


def _figures(mine: Sequence[Verdict]) -> tuple[str, ...]:
    overs = [over for one in mine for over in one.take_overs]
    return (
        str(len(mine)),
        str(sum(one.struck for one in mine)),
        str(sum(one.said for one in mine)),
        str(sum(bool(one.broken) for one in mine)),
        str(sum(one.unanswered for one in mine)),
        str(sum(one.tools for one in mine)),
        _spread([ms for one in mine for ms in one.heard_ms]),
        str(sum(one.failures for one in mine)),
        str(len(overs)),
        _spread([over.after_failure_ms for over in overs if over.after_failure_ms is not None]),
        _spread([over.answer_after_ms for over in overs if over.answer_after_ms is not None]),
        str(sum(one.late for one in mine)),
        f"{sum(one.estimated_usd for one in mine):.4f}",
    )


def _spread(values: Sequence[float]) -> str:
    return f"{np.median(values):.0f} / {max(values):.0f}" if values else "–"
