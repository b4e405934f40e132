"""Fault switches: what goes wrong at which simulated provider, and how often."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, NoReturn, cast, get_args

from lab.errors import LabError

Provider = Literal[
    "openai.chat",
    "openai.speech",
    "openai.transcription",
    "openai.realtime",
    "openai.live",
    "openai.decisions",
    "deepgram",
    "deepgram.flux",
    "elevenlabs",
    "google.live",
]
Kind = Literal["refuse", "rate_limited", "server_error", "hang", "drop", "stall", "malformed", "slow"]

PROVIDERS: tuple[Provider, ...] = get_args(Provider)
KINDS: tuple[Kind, ...] = get_args(Kind)

AT_CONNECT: tuple[Kind, ...] = ("refuse", "rate_limited", "server_error", "hang")
"""What a provider can do when it is first called."""
IN_STREAM: tuple[Kind, ...] = ("drop", "stall", "malformed", "slow")
"""What it can do while it answers."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    ``refuse`` closes the connection at once; ``rate_limited`` answers 429; ``server_error`` 500; ``hang``
    accepts and never answers; ``drop`` closes in mid-stream; ``stall`` sends nothing more from there on, on an open
    connection; ``malformed`` sends a broken frame in
    mid-stream; ``slow`` multiplies every delay by ``factor``. ``times`` limits it: it clears itself after
    that many occurrences (``None``: until cleared). ``after`` is how many frames of an answer pass before
    ``drop``, ``stall`` or ``malformed``.
    """

    kind: Kind
    times: int | None = None
    factor: float = 4.0
    after: int = 2

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise LabError(f"unknown fault '{self.kind}'; there are {', '.join(KINDS)}")
        if self.times is not None and self.times < 1:
            raise LabError(f"a fault happens at least once, got times={self.times}")
        if self.factor <= 0 or self.after < 0:
            raise LabError(f"a fault needs factor > 0 and after >= 0, got {self.factor} and {self.after}")

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> Fault:
        """Read ``{"kind": "drop", "times": 1}``. Raises :class:`LabError`."""
        try:
            return cls(**cast("dict[str, object]", dict(value)))  # type: ignore[arg-type]
        except TypeError as error:
            raise LabError(f"{dict(value)!r} is not a fault: it has kind, times, factor and after") from error


async def stall() -> NoReturn:
    """Send nothing more; whoever waits for it leaves."""
    await asyncio.Event().wait()
    raise AssertionError


class Faults:
    """The faults switched on now: at most one per provider."""

    def __init__(self) -> None:
        self._active: dict[Provider, Fault] = {}

    def set(self, provider: Provider, fault: Fault) -> None:
        """Switch a fault on. Raises :class:`LabError` for a provider the lab does not have."""
        if provider not in PROVIDERS:
            raise LabError(f"unknown provider '{provider}'; there are {', '.join(PROVIDERS)}")
        self._active[provider] = fault

    def clear(self, provider: Provider | None = None) -> None:
        """Switch one provider's fault off, or all."""
        if provider is None:
            self._active.clear()
        else:
            self._active.pop(provider, None)

    def peek(self, provider: Provider) -> Fault | None:
        """The fault that is on, without using it up."""
        return self._active.get(provider)

    def take(self, provider: Provider, *kinds: Kind) -> Fault | None:
        """The provider's fault if it is of one of ``kinds`` (any, when none are given); this one counts.

        A socket that lives long asks twice: for :data:`AT_CONNECT` when it opens and for what can go wrong in
        an answer each time it answers.
        """
        fault = self._active.get(provider)
        if fault is None or (kinds and fault.kind not in kinds):
            return None
        if fault.times is not None:
            if fault.times == 1:
                del self._active[provider]
            else:
                self._active[provider] = replace(fault, times=fault.times - 1)
        return fault
