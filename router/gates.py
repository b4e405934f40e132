"""Gates of a rule: the hours in which it exists, and the share of calls for which it does.

Both are pure: the time is a signal, and the share is a hash of what identifies the call.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""As schedules write them; Monday first, as in ISO 8601."""
BY_CALL = "call.id"
"""The key of a rollout that is not a signal: the call's id."""
_MINUTES = 24 * 60
_HASHES = 1 << 64
_BELOW_ONE = math.nextafter(1.0, 0.0)  # to which the largest hashes would be rounded, and 100 % takes all


@dataclass(frozen=True, slots=True)
class Schedule:
    """Hours of the week at a place. One that ends before it begins runs past midnight, into the next day."""

    zone: str
    """IANA name: ``Europe/Berlin``."""
    days: frozenset[int] = frozenset(range(7))
    """Days on which it begins; 0 is Monday."""
    begin_minute: int = 0
    end_minute: int = _MINUTES
    """Minutes after midnight; the end is not in it."""
    since: date | None = None
    until: date | None = None
    """First and last day, both in it."""

    def covers(self, unix_s: int) -> bool:
        """Whether that moment lies in it. ``unix_s`` is 0 when the time is not known: then it does not."""
        if unix_s <= 0:
            return False
        minute, day = _at(self.zone, unix_s // 60)
        if self.begin_minute < self.end_minute:
            return self.begin_minute <= minute < self.end_minute and self._begins(day)
        if minute >= self.begin_minute:
            return self._begins(day)
        return minute < self.end_minute and self._begins(day - timedelta(days=1))

    def _begins(self, day: date) -> bool:
        if day.weekday() not in self.days:
            return False
        return (self.since is None or day >= self.since) and (self.until is None or day <= self.until)


@lru_cache(maxsize=256)
def _at(zone: str, unix_minute: int) -> tuple[int, date]:
    local = datetime.fromtimestamp(unix_minute * 60, UTC).astimezone(ZoneInfo(zone))
    return local.hour * 60 + local.minute, local.date()


@dataclass(frozen=True, slots=True)
class Rollout:
    """The share of calls, in percent, for which a rule exists; a call is in it or out of it from start to end."""

    percent: float
    by: str = BY_CALL
    """What is hashed: the call's id, or a text signal. A key that is empty is in no rollout."""

    def includes(self, salt: str, rule: str, key: str) -> bool:
        return bool(key) and share(salt, rule, key) * 100.0 < self.percent


def share(salt: str, name: str, key: str) -> float:
    """Where ``key`` falls from 0 to below 1: the first 64 bits of SHA-256 over salt, name and key.

    Raising a percentage only adds calls, and two names sort the same calls independently.
    """
    digest = hashlib.sha256(f"{salt}\x1f{name}\x1f{key}".encode("utf-8", "surrogatepass")).digest()
    return min(int.from_bytes(digest[:8]) / _HASHES, _BELOW_ONE)


def pick(weights: Sequence[float], at: float) -> int:
    """The index of the weight that holds the point ``at`` (0 to 1) when the weights are laid end to end."""
    reached, total = 0.0, sum(weights)
    for index, weight in enumerate(weights):
        reached += weight
        if at * total < reached:
            return index
    return max(index for index, weight in enumerate(weights) if weight > 0)
