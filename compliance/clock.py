"""The call's own clock: milliseconds since the call was answered."""

from __future__ import annotations

import time
from collections.abc import Callable


class CallClock:
    """Counts milliseconds from the moment it is made, which is the moment the call is answered.

    Args:
        monotonic: a source of seconds that never runs backwards.
        wall: a source of seconds since the epoch; vendors and LiveKit stamp their events with it.
    """

    def __init__(
        self, *, monotonic: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._answered_s = monotonic()
        self.answered_wall_s = wall()
        """When the call was answered, in seconds since the epoch."""

    def now_ms(self) -> float:
        """Milliseconds since the call was answered."""
        return (self._monotonic() - self._answered_s) * 1000

    # Both conversions go by the distance from now, so that a step of the wall clock during the call
    # moves no stamp that was taken after it.

    def from_wall(self, stamp_s: float) -> float:
        """The call time in milliseconds of a ``time.time()`` stamp in seconds."""
        return self.now_ms() - (self._wall() - stamp_s) * 1000

    def to_wall(self, at_ms: float) -> float:
        """The ``time.time()`` stamp in seconds of a call time in milliseconds."""
        return self._wall() - (self.now_ms() - at_ms) / 1000
