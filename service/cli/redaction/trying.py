"""``patchbay redaction try``: a made-up conversation as the record would have it, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from compliance.events import Speaker
from compliance.redaction import Redacted, RedactionEngine, RedactionPolicy, Redactor
from service.cli.errors import CommandError
from service.cli.policy.shared import print_json


@dataclass(frozen=True, slots=True)
class Line:
    """One utterance, how it was redacted, and what led to it."""

    speaker: Speaker
    said: str
    redacted: Redacted
    expected: tuple[str, ...]
    """What was expected before it was said."""
    recording_suspended: bool
    """Whether no audio is kept from here on."""


def try_out(said: Sequence[str], policy: Path, *, as_json: bool) -> int:
    """Print each utterance redacted; returns 1 if one was withheld.

    Raises:
        policies.DocumentError: the policy has errors.
        compliance.errors.ComplianceError: the model that it names cannot be loaded.
        CommandError: there is nothing to redact.
    """
    loaded = RedactionPolicy.load(policy)
    redactor = Redactor(RedactionEngine.shared(loaded), policy=loaded)
    lines = [_line(redactor, *_spoken(each)) for each in said]
    if as_json:
        print_json({"schema": "patchbay.redaction-tried/1", "lines": [_facts(line) for line in lines]})
    else:
        console = Console()
        for line in lines:
            _show(console, line)
    return 1 if any(line.redacted.failed for line in lines) else 0


def _spoken(text: str) -> tuple[Speaker, str]:
    speaker, colon, words = text.partition(":")
    match speaker.strip().lower() if colon else "":
        case "agent":
            return "agent", words.strip()
        case "caller":
            return "caller", words.strip()
    if not text.strip():
        raise CommandError(
            "there is nothing to redact in an empty text: say something, such as 'my name is ada'"
        )
    return "caller", text.strip()


def _line(redactor: Redactor, speaker: Speaker, words: str) -> Line:
    expected = redactor.expected
    redacted = redactor.redact_spoken(words, speaker=speaker)
    return Line(speaker, words, redacted, expected, redactor.suspends_recording)


def _facts(line: Line) -> dict[str, Any]:
    return {
        "speaker": line.speaker,
        "text": line.redacted.text,
        "failed": line.redacted.failed,
        "spans": [{"start": s.start, "end": s.end, "entity": s.entity} for s in line.redacted.spans],
        "expected": list(line.expected),
        "recording_suspended": line.recording_suspended,
    }


def _show(console: Console, line: Line) -> None:
    console.print(
        Text.assemble((f"{line.speaker:>6}  ", "dim"), (line.redacted.text, "bold")), soft_wrap=True
    )
    for span in line.redacted.spans:
        words = line.said[span.start : span.end]
        why = "was asked for or announced" if span.entity in line.expected else "was recognised or known"
        console.print(Text(f"        {span.entity} {why}: {words}", "dim"), soft_wrap=True)
    if line.recording_suspended:
        console.print(Text("        the recording is suspended from here on", "dim"))
