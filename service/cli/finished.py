"""What a command shows when its calls are over: tables or JSON, the report, and whether all promises were kept."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from compliance.events import Event
from compliance.ledger import Ledger
from compliance.tap import RATE_HZ
from service.audio import write_wav
from service.line import Line
from service.promises import Broken, promises
from service.report import ReportCall, render_report
from service.summary import CallSummary, LedgerCheck, summarise
from service.summary_json import summary_json
from service.tables import call_table, calls_table, ledger_line, promises_line, transcript_view
from service.words import SIMULATED_NOTE


@dataclass(frozen=True, slots=True)
class Finished:
    """A call that is over, read back from the ledger and checked."""

    events: tuple[Event, ...]
    summary: CallSummary
    broken: tuple[Broken, ...]
    at_the_ear: tuple[Broken, ...]
    """Those of ``broken`` that the record alone does not show."""
    ledger: LedgerCheck
    caller_audio: np.ndarray[Any, np.dtype[np.int16]]
    agent_audio: np.ndarray[Any, np.dtype[np.int16]]
    measured: dict[str, Any] = field(default_factory=dict)
    """What was measured at the caller's ear, for the JSON output."""

    @property
    def good(self) -> bool:
        return not self.broken and self.ledger.ok


def finish(
    ledger: Ledger,
    call_id: str,
    line: Line,
    also: Sequence[Broken] = (),
    measured: dict[str, Any] | None = None,
) -> Finished:
    """Read a call back from the ledger, verify it, and check what was promised.

    Args:
        ledger: where the call was recorded.
        call_id: the call.
        line: the line it was on, for the audio.
        also: promises found broken by other means, such as at the caller's ear.
        measured: see :class:`Finished`.
    """
    events = ledger.events(call_id)
    check = ledger.verify()
    caller, agent = line.recording()
    return Finished(
        events=events,
        summary=summarise(events),
        broken=(*promises(events), *also),
        at_the_ear=tuple(also),
        ledger=LedgerCheck(check.ok, check.events, check.root, check.sentence),
        caller_audio=caller,
        agent_audio=agent,
        measured=measured or {},
    )


def show(calls: Sequence[Finished], *, title: str, out: Path, as_json: bool) -> int:
    """Write the recordings and the report, print what each kind of reader wants; returns the exit status."""
    out.mkdir(parents=True, exist_ok=True)
    for call in calls:
        write_wav(
            out / f"{Path(call.summary.name).stem}.wav",
            [call.caller_audio, call.agent_audio],
            sample_rate_hz=RATE_HZ,
        )
    report = out / "report.html"
    pages = [
        ReportCall(
            call.events, call.caller_audio, call.agent_audio, RATE_HZ, call.ledger, also=call.at_the_ear
        )
        for call in calls
    ]
    report.write_text(render_report(pages, title=title), encoding="utf-8")
    if as_json:
        value = [
            {**summary_json(call.summary, broken=call.broken, ledger=call.ledger), "measured": call.measured}
            for call in calls
        ]
        json.dump({"calls": value, "report": str(report)}, sys.stdout, indent=2)
        print()
    else:
        _print(calls, report)
    return 0 if all(call.good for call in calls) else 1


def _print(calls: Sequence[Finished], report: Path) -> None:
    console = Console()
    for call in calls:
        console.rule(call.summary.name, align="left")
        console.print(call_table(call.summary))
        console.print(transcript_view(call.events, call.summary))
        console.print(ledger_line(call.ledger))
        console.print(promises_line(call.broken))
        console.print()
    if len(calls) > 1:
        console.rule("all calls", align="left")
        console.print(
            calls_table(
                [call.summary for call in calls],
                broken=[call.broken for call in calls],
                ledger=[call.ledger for call in calls],
            )
        )
    if providers := sorted({name for call in calls for name in call.summary.simulated}):
        console.print(f"Simulated ({', '.join(providers)}): {SIMULATED_NOTE}.", style="yellow")
    console.print(f"Report: {report}", markup=False, highlight=False, soft_wrap=True)
