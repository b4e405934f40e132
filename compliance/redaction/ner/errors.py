"""The error of this package."""

from __future__ import annotations

from compliance.errors import ComplianceError


class NameFinderError(ComplianceError):
    """A finder of names cannot be loaded; the message says which, and what to do."""
