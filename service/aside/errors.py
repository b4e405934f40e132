"""What can become of work that was handed over."""

from __future__ import annotations

from compliance.errors import ComplianceError


class AsideError(Exception):
    """Work beside the calls was not done. The call goes on without it."""


class AsideGoneError(AsideError):
    """The process ended, or nobody listens where it should."""


class AsideUnreachableError(AsideGoneError):
    """Nobody listens where the process should."""


class AsideHungError(AsideError):
    """The process has not answered for too long."""


class WorkFailedError(AsideError):
    """The process is well, but this call's work raised an error in it."""


class RedactorNotStartedError(ComplianceError, AsideError):
    """The process that is to redact cannot do it: nothing that is said could be kept."""


class WireError(AsideError):
    """What came over the line is no message."""
