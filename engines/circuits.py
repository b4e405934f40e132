"""Circuit breakers: a provider that fails is left alone for a while, then tried by one caller before all others.

Closed, a circuit lets everybody ask. It opens when too many of the last requests failed, or some in a row. Open, it
lets nobody; after a cool-down it is half open and lets one ask, the probe. Success closes it, failure opens it again
for longer. Source: M. Nygard, *Release It!*, 2nd ed. (2018), ch. 5; the failure rate over a sliding window as in
Resilience4j, *CircuitBreaker*.

There is no clock and no chance in here: times are given, on any monotonic clock, and jitter follows from names. Whoever
folds the same happenings into a :class:`Circuits` knows the same, which is how processes agree without a server.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

What = Literal["asked", "worked", "failed"]


class State(StrEnum):
    """What a circuit lets through: everybody, nobody, or one."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half open"


@dataclass(frozen=True, slots=True)
class Limits:
    """When a circuit opens, and for how long."""

    window_s: float = 60.0
    window_calls: int = 20
    """The window holds the outcomes of so many requests, none of them older than ``window_s``."""
    failure_rate: float = 0.5
    least_calls: int = 6
    """It opens when at least this share of at least so many requests in the window failed ..."""
    in_a_row: int = 3
    """... or so many in a row."""
    cool_down_s: float = 15.0
    longest_cool_down_s: float = 240.0
    """How long it is open: the first, then twice as long every time it opens again soon, up to the second."""
    jitter: float = 0.2
    """A cool-down is longer or shorter by up to this share, so that machines do not all probe at once."""
    successes: int = 1
    """Half open, it closes after so many probes that worked."""
    probe_s: float = 20.0
    """A probe of which nothing is heard for so long is lost, and another may be made."""


OF_A_CALL = Limits(in_a_row=1, cool_down_s=30.0)
"""What one call goes by: its caller does not wait twice for the same failing provider."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """The circuit of one provider; every method answers with what it is from then on.

    Args:
        name: of the provider.
        limits: of it.
        salt: what its jitter follows from besides: equal salts open and close as one.
    """

    name: str
    limits: Limits = Limits()
    salt: str = ""
    outcomes: tuple[tuple[float, bool], ...] = ()
    """When requests ended, in order, and whether they worked; those before it last opened or closed are forgotten."""
    openings: int = 0
    """How often it has opened without having stayed closed for a window since."""
    until_s: float | None = None
    """When it is half open; ``None`` while it is closed."""
    closed_s: float | None = None
    """When it last closed."""
    probe: tuple[str, float] | None = None
    """Half open: who is trying it, and since when."""
    worked_probes: int = 0

    def state(self, now_s: float) -> State:
        """What it lets through at this time."""
        if self.until_s is None:
            return State.CLOSED
        return State.OPEN if now_s < self.until_s else State.HALF_OPEN

    def may_ask(self, now_s: float, who: str) -> bool:
        """Whether ``who`` may ask the provider now."""
        match self.state(now_s):
            case State.CLOSED:
                return True
            case State.OPEN:
                return False
            case State.HALF_OPEN:
                return self.probe is None or self.probe[0] == who or self._is_lost(self.probe, now_s)

    def asked(self, now_s: float, who: str) -> Circuit:
        """``who`` asks the provider: half open, that is the probe, if there is none yet."""
        if self.state(now_s) is State.HALF_OPEN and self.may_ask(now_s, who):
            return replace(self, probe=(who, now_s))
        return self

    def worked(self, now_s: float) -> Circuit:
        """The provider answered as it should. While the circuit is open, only a probe can tell."""
        match self.state(now_s):
            case State.CLOSED:
                return replace(self, outcomes=self._with(now_s, True))
            case State.OPEN:
                return self
            case State.HALF_OPEN if self.worked_probes + 1 < self.limits.successes:
                return replace(self, probe=None, worked_probes=self.worked_probes + 1)
            case State.HALF_OPEN:
                closed = Circuit(self.name, self.limits, self.salt)
                return replace(closed, openings=self.openings, closed_s=now_s)

    def failed(self, now_s: float) -> Circuit:
        """The provider refused, broke off, lied, or was too slow."""
        match self.state(now_s):
            case State.OPEN:
                return self
            case State.HALF_OPEN:
                return self._opened(now_s, self.openings + 1)
            case State.CLOSED:
                outcomes = self._with(now_s, False)
                if not self._too_many(outcomes):
                    return replace(self, outcomes=outcomes)
                soon = self.closed_s is not None and now_s - self.closed_s <= self.limits.window_s
                return self._opened(now_s, self.openings + 1 if soon else 1)

    def _opened(self, now_s: float, openings: int) -> Circuit:
        limits = self.limits
        plain_s = limits.cool_down_s * 2.0 ** min(openings - 1, 32)
        draw = zlib.crc32(f"{self.salt} {self.name} {openings}".encode()) / 0xFFFFFFFF
        cool_down_s = min(plain_s, limits.longest_cool_down_s) * (1 + limits.jitter * (2 * draw - 1))
        return Circuit(self.name, limits, self.salt, openings=openings, until_s=now_s + cool_down_s)

    def _with(self, now_s: float, worked: bool) -> tuple[tuple[float, bool], ...]:
        recent = (outcome for outcome in self.outcomes if now_s - outcome[0] <= self.limits.window_s)
        return (*recent, (now_s, worked))[-self.limits.window_calls :]

    def _too_many(self, outcomes: tuple[tuple[float, bool], ...]) -> bool:
        limits, failures = self.limits, sum(not worked for _, worked in outcomes)
        last = outcomes[-limits.in_a_row :]
        if len(last) == limits.in_a_row and not any(worked for _, worked in last):
            return True
        return len(outcomes) >= limits.least_calls and failures >= limits.failure_rate * len(outcomes)

    def _is_lost(self, probe: tuple[str, float], now_s: float) -> bool:
        return now_s - probe[1] > self.limits.probe_s


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that happened to a provider: who asked it, or how that ended."""

    at_s: float
    name: str
    what: What
    who: str


class Circuits:
    """The circuits of all providers, by name; one that nothing has happened to is closed."""

    def __init__(self, limits: Limits | None = None, *, salt: str = "") -> None:
        self._limits = limits or Limits()
        self._salt = salt
        self._by_name: dict[str, Circuit] = {}

    def of(self, name: str) -> Circuit:
        """The circuit of one provider as it is now; it does not change."""
        return self._by_name.get(name) or Circuit(name, self._limits, self._salt)

    def take(self, happenings: Iterable[Happened]) -> None:
        """Fold in what has happened, in order."""
        for one in happenings:
            circuit = self.of(one.name)
            match one.what:
                case "asked":
                    circuit = circuit.asked(one.at_s, one.who)
                case "worked":
                    circuit = circuit.worked(one.at_s)
                case "failed":
                    circuit = circuit.failed(one.at_s)
            self._by_name[one.name] = circuit
