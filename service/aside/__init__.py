"""Heavy work beside the calls, in one process of its own: a call hands it over, never waits and never fails for it.

:class:`AsideProcess` starts the process and keeps it up; :class:`Aside` is where it is reached, from this process or
from one that was told the address; :class:`Channel` is one call's line to it.
"""

from service.aside.address import ADDRESS_VARIABLE, Aside
from service.aside.channel import Channel
from service.aside.errors import AsideError, AsideGoneError, AsideHungError, WireError, WorkFailedError
from service.aside.process import AsideProcess

__all__ = [
    "ADDRESS_VARIABLE",
    "Aside",
    "AsideError",
    "AsideGoneError",
    "AsideHungError",
    "AsideProcess",
    "Channel",
    "WireError",
    "WorkFailedError",
]
