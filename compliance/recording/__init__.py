"""Recordings of calls: off unless asked for, with consent, silent where anything was masked, encrypted before disk.

:class:`Recording` records one call; :func:`read_recording` gives its audio back.
"""

from compliance.recording.errors import RecordingChangedError, RecordingError, RecordingTornError
from compliance.recording.kept import (
    PURPOSE,
    Recordings,
    check_recording,
    read_recording,
)
from compliance.recording.peaks import peaks
from compliance.recording.recording import Recording

__all__ = [
    "PURPOSE",
    "Recording",
    "RecordingChangedError",
    "RecordingError",
    "RecordingTornError",
    "Recordings",
    "check_recording",
    "peaks",
    "read_recording",
]
