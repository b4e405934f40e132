"""What can become of work that was handed over."""

from __future__ import annotations


class AsideError(Exception):
    """Work beside the calls was not done. The call goes on without it."""


class AsideGoneError(AsideError):
    """The process ended, or nobody listens where it should."""


class AsideHungError(AsideError):
    """The process has not answered for too long."""


class WorkFailedError(AsideError):
    """The process is well, but this call's work raised an error in it."""


class WireError(AsideError):
    """What came over the line is no message."""
