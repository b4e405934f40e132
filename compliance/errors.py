"""The errors of this package."""

from __future__ import annotations


class ComplianceError(Exception):
    """Something of the record could not be kept; the message says what, where, and what to do."""


class LedgerError(ComplianceError):
    """The ledger cannot be opened, read or appended to."""


class UnstorableEventError(LedgerError):
    """An event has no canonical JSON form; trying again cannot help."""
