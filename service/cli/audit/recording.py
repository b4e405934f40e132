"""``patchbay audit recording``: what was kept of a call's audio, whether it is still that, and a copy to listen to."""

from __future__ import annotations

import os
import tempfile
import wave
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from compliance.access import Permission
from compliance.access.overseer import Overseer
from compliance.events import RecordingDestroyed, RecordingKept
from compliance.oversight import Exported
from compliance.recording import (
    PURPOSE,
    RecordingError,
    Recordings,
    RecordingTornError,
    check_recording,
    peaks,
    read_recording,
)
from compliance.standing import Standing
from compliance.tap import RATE_HZ
from compliance.voiced import Samples
from service.cli.audit.desk import At, known_calls, overseer
from service.cli.errors import CommandError
from service.cli.policy.shared import print_json
from service.words import length

_KINDS = ("recording_kept", "recording_destroyed")


@dataclass(frozen=True, slots=True)
class _Found:
    """What is known of a call's recording; ``problem`` says in words what is wrong with it, if anything is."""

    path: Path
    kept: RecordingKept | None
    destroyed: RecordingDestroyed | None
    problem: str = ""


def recording(at: At, call: str, *, out: Path | None, drawn: bool, as_json: bool) -> int:
    """Print what is on record of a call's recording, and check the file; returns 1 when it is not as it was kept.

    Args:
        at: the ledger.
        call: the call.
        out: where a WAV file for listening goes.
        drawn: print peaks for drawing instead, as JSON.
        as_json: JSON instead of a table.

    Raises:
        compliance.errors.ComplianceError: it is not permitted, or the ledger or the recording cannot be read.
        CommandError: there is no recording, or the copy cannot be written.
    """
    with overseer(at) as desk:
        [name] = known_calls(desk.ledger, [call])
        found = _found(at, desk, name)
        if Standing.of(desk.ledger.oversight()).is_gone(name, Recordings(at.recordings).kind):
            raise CommandError(
                f"the recording of call {name} was erased; `patchbay audit access` says by whom"
            )
        if not found.path.exists() and found.kept is None:
            why = f": {found.destroyed.reason}" if found.destroyed else ""
            raise CommandError(f"there is no recording of call {name}{why}")
        if drawn or out is not None:
            if out is not None:
                desk.record(Permission.EXPORT, Exported, call_id=name, format="wav", calls=1, events=0)
            pieces = read_recording(found.path, desk.ledger.derived_key(name, PURPOSE))
            torn = _print_peaks(pieces) if out is None else _write_wav(out, pieces)
            found = _Found(found.path, found.kept, found.destroyed, found.problem or torn)
    if not drawn:
        _print(found, out, as_json=as_json)
    return 1 if found.problem else 0


def _found(at: At, desk: Overseer, name: str) -> _Found:
    """Reads what is on record, which is itself put on record before, and compares the file with it."""
    events = desk.events(name, what="recording", kinds=_KINDS)
    kept = next((event for event in reversed(events) if isinstance(event, RecordingKept)), None)
    destroyed = next((event for event in reversed(events) if isinstance(event, RecordingDestroyed)), None)
    path = Recordings(at.recordings).path(name)
    problem = ""
    if kept is None:
        problem = "its end is not on record: the process was killed, or the call is still on"
    else:
        try:
            check_recording(path, sha256=kept.sha256, size_bytes=kept.size_bytes)
        except RecordingError as error:
            problem = str(error)
    return _Found(path, kept, destroyed, problem)


def _print_peaks(pieces: Iterable[Samples]) -> str:
    until_torn = _UntilTorn(pieces)
    print_json(peaks(until_torn))
    return until_torn.problem


def _write_wav(out: Path, pieces: Iterable[Samples]) -> str:
    """Writes the file whole or not at all, readable by its owner only; returns what was missing, if anything was."""
    until_torn = _UntilTorn(pieces)
    try:
        handle, written = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.resolve().parent)
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {error.strerror}") from error
    try:
        with os.fdopen(handle, "wb") as file, wave.open(file, "wb") as wav:
            wav.setnchannels(2)
            wav.setsampwidth(2)
            wav.setframerate(RATE_HZ)
            for samples in until_torn:
                wav.writeframesraw(samples.T.astype("<i2").tobytes())
        Path(written).replace(out)
    except BaseException as error:
        with suppress(OSError):
            Path(written).unlink()
        if isinstance(error, OSError):
            raise CommandError(f"{out} cannot be written: {error.strerror}") from error
        raise
    return until_torn.problem


class _UntilTorn:
    """The pieces of a recording, up to where it is torn; what was changed still raises."""

    def __init__(self, pieces: Iterable[Samples]) -> None:
        self._pieces = iter(pieces)
        self.problem = ""

    def __iter__(self) -> _UntilTorn:
        return self

    def __next__(self) -> Samples:
        try:
            return next(self._pieces)
        except RecordingTornError as error:
            self.problem = str(error)
            raise StopIteration from None


def _print(found: _Found, out: Path | None, *, as_json: bool) -> None:
    if as_json:
        print_json(_json(found, out))
        return
    console = Console()
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in _rows(found):
        table.add_row(name, value)
    console.print(table)
    if found.problem:
        console.print(found.problem, style="red", markup=False, highlight=False, soft_wrap=True)
    elif found.kept is not None:
        console.print("The file is the one on record.", style="green")
    if out is not None:
        console.print(f"Written: {out}", markup=False, highlight=False, soft_wrap=True)


def _rows(found: _Found) -> Sequence[tuple[str, str]]:
    rows = [("file", str(found.path))]
    if (kept := found.kept) is not None:
        rows += [
            ("length", length(kept.duration_ms) + ("" if kept.complete else ", cut short: recording failed")),
            ("muted", length(kept.muted_ms)),
            ("suspended for a CVV or PIN", length(kept.suspended_ms)),
            ("withheld", length(kept.withheld_ms)),
            ("encrypted", f"{kept.size_bytes:,} bytes, SHA-256 {kept.sha256}"),
        ]
    return rows


def _json(found: _Found, out: Path | None) -> dict[str, Any]:
    return {
        "file": str(found.path),
        "kept": None if found.kept is None else found.kept.model_dump(mode="json"),
        "problem": found.problem,
        "written": None if out is None else str(out),
    }
