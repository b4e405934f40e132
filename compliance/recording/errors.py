"""The errors of recordings."""

from __future__ import annotations

from compliance.errors import ComplianceError


class RecordingError(ComplianceError):
    """A recording cannot be read; the message says which, what is wrong and what to do."""


class RecordingChangedError(RecordingError):
    """Bytes of a recording are not those that were written, or not under this key."""


class RecordingTornError(RecordingError):
    """A recording has no end: the process was killed, the disk was full, or somebody cut it. What came before holds."""
