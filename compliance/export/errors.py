"""The error of this package."""

from __future__ import annotations

from compliance.errors import ComplianceError


class ExportError(ComplianceError):
    """An export could not be made; the message says why, and what to do."""
