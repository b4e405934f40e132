"""Ten recorded callers: fifty turns, 190 seconds. Provenance and licence: ``SOURCES.md`` beside this file.

They are synthetic (flite voices; upset turns with raised vocal effort), not acted English anger: say so wherever
they are shown.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from lab.errors import LabError
from service.audio import Samples, read_audio

HERE = Path(__file__).parent

State = Literal["calm", "annoyed", "furious", "silence", "noise"]


@dataclass(frozen=True, slots=True)
class RecordedTurn:
    """What a caller says at once."""

    number: int
    """From 1."""
    text: str
    """The words, lower case, without punctuation; empty for silence and noise."""
    state: State
    """How it was meant to sound."""
    path: Path
    """16 kHz FLAC."""
    telephony: Path | None
    """The same through a telephone, 8 kHz µ-law WAV, where it was rendered."""
    duration_ms: int
    barge_in_ms: int | None
    """For an interruption: how long the agent has been speaking when the caller starts."""
    breath_ms: tuple[int, int] | None
    """Where the caller falls silent in mid-sentence: from when to when in the recording."""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    name: str
    """Such as ``02_order_status``."""
    voice: str
    """The flite voice."""
    turns: tuple[RecordedTurn, ...]


class _Row(BaseModel):
    """A line of ``manifest.json``; what recognisers and prototype models made of it is left alone here."""

    call: str
    turn: Annotated[int, Field(ge=1)]
    voice: str
    state: State
    file: str
    text: str
    seconds: Annotated[float, Field(gt=0)]
    hint: str | None
    pause: tuple[float, float] | None = None
    telephony: str | None = None


_ROWS = TypeAdapter(list[_Row])
_BARGE_IN = re.compile(r"barge in\D*(?P<seconds>\d+(?:\.\d+)?) s\b")


@functools.cache
def recorded_calls(folder: Path = HERE) -> tuple[RecordedCall, ...]:
    """The recorded calls of a folder with a ``manifest.json``, in the manifest's order.

    Raises:
        LabError: the manifest is unreadable or names a recording that is not there.
    """
    manifest = folder / "manifest.json"
    try:
        rows = _ROWS.validate_python(json.loads(manifest.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        reason = error.errors()[0] if isinstance(error, ValidationError) else error
        raise LabError(f"{manifest} cannot be used: {reason}; restore it from the repository") from error
    return tuple(
        RecordedCall(name, turns[0].voice, tuple(_turn(row, folder) for row in turns))
        for name, turns in ((name, list(group)) for name, group in groupby(rows, key=lambda row: row.call))
    )


def recorded_call(name: str) -> RecordedCall:
    """The recorded call of that name, or whose name begins so: ``02`` is ``02_order_status``.

    Raises:
        LabError: there is none, or there are several.
    """
    found = [call for call in recorded_calls() if call.name == name or call.name.startswith(name)]
    if len(found) != 1:
        known = ", ".join(call.name for call in recorded_calls())
        raise LabError(f"'{name}' names {len(found)} recorded calls; there are {known}")
    return found[0]


def load_pcm(path: Path, *, sample_rate_hz: int = 24_000) -> Samples:
    """A recording as int16 mono. Raises :class:`service.audio.AudioFileError`."""
    return read_audio(path, sample_rate_hz=sample_rate_hz)


def _turn(row: _Row, folder: Path) -> RecordedTurn:
    barge_in_ms: int | None = None
    if row.hint is not None:
        hint = _BARGE_IN.match(row.hint)
        if hint is None:
            raise LabError(f"turn {row.turn} of '{row.call}' has a hint nobody understands: '{row.hint}'")
        barge_in_ms = round(1000 * float(hint["seconds"]))
    for name in filter(None, (row.file, row.telephony)):
        if not (folder / name).is_file():
            raise LabError(f"the manifest names {name}, which is not in {folder}; restore it")
    return RecordedTurn(
        number=row.turn,
        text=row.text,
        state=row.state,
        path=folder / row.file,
        telephony=folder / row.telephony if row.telephony else None,
        duration_ms=round(1000 * row.seconds),
        barge_in_ms=barge_in_ms,
        breath_ms=(round(1000 * row.pause[0]), round(1000 * row.pause[1])) if row.pause else None,
    )
