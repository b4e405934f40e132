"""Heavy work beside the calls, in processes of its own: a call hands it over, never waits and never fails for it.

:class:`AsideProcess` starts one and keeps it up, for a :class:`Program`; :class:`Aside` is where it is reached, from
this process or from one that was told the address. One call's line to it is a :class:`Channel` for who listens for
answers on an event loop, and a :class:`Asking` for who asks in a thread and waits.
"""

from service.aside.address import Aside
from service.aside.asking import Asking
from service.aside.channel import Channel
from service.aside.errors import (
    AsideError,
    AsideGoneError,
    AsideHungError,
    AsideUnreachableError,
    RedactorNotStartedError,
    WireError,
    WorkFailedError,
)
from service.aside.process import AsideProcess
from service.aside.programs import Emotion, Program, Redaction

__all__ = [
    "Aside",
    "AsideError",
    "AsideGoneError",
    "AsideHungError",
    "AsideProcess",
    "AsideUnreachableError",
    "Asking",
    "Channel",
    "Emotion",
    "Program",
    "Redaction",
    "RedactorNotStartedError",
    "WireError",
    "WorkFailedError",
]
