"""How often a client may ask: a token bucket for each. Pure; who a client is, is said from outside."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

MOST_CLIENTS = 10_000
"""Clients that are remembered; the one that asked longest ago is forgotten for a new one."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at_s: float


class Rates:
    """Counts requests by client.

    Args:
        per_minute: requests that a client may make in the long run.
        burst: how many of them at once.
    """

    def __init__(self, per_minute: float, burst: int) -> None:
        self._per_s = per_minute / 60
        self._burst = burst
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait_s(self, client: str, now_s: float) -> int:
        """0 when the client may ask now, which is counted; else the whole seconds until it may.

        Args:
            client: whoever asks.
            now_s: monotonic.
        """
        bucket = self._buckets.setdefault(client, _Bucket(float(self._burst), now_s))
        self._buckets.move_to_end(client)
        if len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)
        gained = (now_s - bucket.at_s) * self._per_s
        bucket.tokens, bucket.at_s = min(self._burst, bucket.tokens + gained), now_s
        if bucket.tokens < 1:
            return max(1, math.ceil((1 - bucket.tokens) / self._per_s))
        bucket.tokens -= 1
        return 0
