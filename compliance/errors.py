"""The errors of this package."""

from __future__ import annotations


class ComplianceError(Exception):
    """Something of the record could not be kept; the message says what, where, and what to do."""


class LedgerError(ComplianceError):
    """The ledger cannot be opened, read or appended to."""


class UnstorableEventError(LedgerError):
    """An event has no canonical JSON form; trying again cannot help."""


class LedgerKeysError(LedgerError):
    """The keys of a ledger are missing, unreadable or another ledger's."""


class ErasedError(LedgerError):
    """The key of a call was destroyed: nobody can read what was recorded of it, nor add to it."""
