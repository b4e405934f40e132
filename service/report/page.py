"""The report as a page: views of each call, put into the templates.

The page holds no audio (see :mod:`service.report.envelope`) and loads nothing: style, script and drawings
are inline, and a content security policy that names the script's hash makes a browser refuse anything else,
even if text of a call should ever reach the page unescaped.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from compliance.events import Event
from service import words
from service.promises import CHECKS, Broken, promises
from service.redacted import masked, pieces
from service.report import envelope
from service.report.colours import engine_classes, wait_classes
from service.report.timeline import Timeline, timeline
from service.summary import CallSummary, LedgerCheck, summarise
from service.transcript import Line, transcript

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class ReportCall:
    """One call of a report.

    Audio is int16, shape (samples,), beginning when the call was answered; ``None`` where it was not kept.
    ``ledger`` is the result of verifying the record, ``None`` when it was not verified. ``also`` are promises
    found broken by other means than the record, such as at the caller's ear.
    """

    events: Sequence[Event]
    caller_audio: NDArray[np.int16] | None = None
    agent_audio: NDArray[np.int16] | None = None
    sample_rate_hz: int = 16_000
    ledger: LedgerCheck | None = None
    also: Sequence[Broken] = ()


@dataclass(frozen=True)
class _View:
    """All that the templates show of one call."""

    anchor: str
    summary: CallSummary
    broken: tuple[Broken, ...]
    ledger: LedgerCheck | None
    timeline: Timeline
    caller_path: str
    agent_path: str
    lines: tuple[Line, ...]
    masked: dict[str, int]
    waits: dict[str, str]
    """The colour class of every wait of the call."""

    @property
    def longest_ms(self) -> float:
        """The longest heard latency, which fills the waterfall's width."""
        return max((turn.heard_ms or 0.0 for turn in self.summary.turns), default=0.0) or 1.0

    @property
    def good(self) -> bool:
        return not self.broken and (self.ledger is None or self.ledger.ok)


def render_report(calls: Sequence[ReportCall], *, title: str) -> str:
    """The report as one HTML document.

    Raises:
        RecordError: a call has no events, or events of several calls.
        ValueError: a call's audio is not one channel of int16.
    """
    views = [_view(call, f"call-{number}") for number, call in enumerate(calls, 1)]
    environment = _environment()
    script = environment.get_template("script.js.j2").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    engines = [engine for view in views for engine in _engines(view.summary)]
    return environment.get_template("report.html.j2").render(
        title=title,
        calls=views,
        engine_class=engine_classes(engines),
        promises=list(CHECKS),
        script=Markup(script),  # noqa: S704 - our own template, rendered without a variable
        script_hash=digest,
    )


def _view(call: ReportCall, anchor: str) -> _View:
    summary = summarise(call.events)
    sides = [side for side in (call.caller_audio, call.agent_audio) if side is not None]
    audio_ms = max((len(side) * 1000 / call.sample_rate_hz for side in sides), default=0.0)
    line = timeline(call.events, summary, audio_ms=audio_ms)
    peak = envelope.peak(*sides)

    def path(side: NDArray[np.int16] | None) -> str:
        if side is None:
            return ""
        return envelope.path(side, call.sample_rate_hz, until_ms=line.until_ms, peak=peak)

    return _View(
        anchor=anchor,
        summary=summary,
        broken=(*promises(call.events), *call.also),
        ledger=call.ledger,
        timeline=line,
        caller_path=path(call.caller_audio),
        agent_path=path(call.agent_audio),
        lines=transcript(call.events, summary),
        masked=masked(call.events),
        waits=wait_classes(wait.name for turn in summary.turns for wait in turn.waits),
    )


def _engines(summary: CallSummary) -> list[str]:
    """Every engine a call's drawing may name."""
    named = [said.engine for said in summary.greeting]
    for turn in summary.turns:
        named += [name for name in (turn.route, turn.engine) if name]
        named += [said.engine for said in turn.said]
    return named


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        clock=words.clock,
        lasting=words.length,
        ms=words.milliseconds,
        usd=words.dollars,
        pieces=pieces,
        json=_json,
        policy=words.policy,
        asides=words.asides,
        entity=lambda name: name.replace("_", " ").lower(),
    )
    environment.globals.update(
        count=words.count, quantity=words.quantity, simulated_note=words.SIMULATED_NOTE
    )
    return environment


def _json(value: Any) -> str:
    """A tool's arguments or result on one line."""
    return json.dumps(value, ensure_ascii=False)
