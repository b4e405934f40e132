"""Why nobody came. Each is told on record by its name, never by its text."""

from __future__ import annotations


class TransferError(Exception):
    """Base of all errors of this package."""


class NobodyThereError(TransferError):
    """Nobody is in the room."""


class BusyError(TransferError):
    """Whoever is in the room has another caller."""


class NotTakenError(TransferError):
    """Somebody was called and did not take the call in time."""


class NoLiveKitError(TransferError):
    """``LIVEKIT_URL``, ``LIVEKIT_API_KEY`` and ``LIVEKIT_API_SECRET`` are not all set."""


class NoTrunkError(TransferError):
    """``LIVEKIT_SIP_OUTBOUND_TRUNK`` is not set, so nobody can be dialled."""


class NotPassedOnError(TransferError):
    """This line cannot pass its caller on."""


class NumberNotKeptError(TransferError):
    """The redaction policy lets no telephone number be revealed, so nobody could call back."""


class NoNumberError(TransferError):
    """The caller gave no number."""
