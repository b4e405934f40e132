"""What is shown of a call while it is on: each event once, in order, redacted; withheld when that takes too long."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

from compliance.events import Event

logger = logging.getLogger(__name__)

LATE_S = 1.0
"""A text that is not redacted by then is shown as withheld; the record has it when it comes."""

Watcher = Callable[[Event], None]


class LiveView:
    """Tells watchers. Everything of it runs on the event loop of the call.

    Args:
        call_id: for the log.
        late_s: how long an event may keep those after it waiting.
    """

    def __init__(self, call_id: str, *, late_s: float = LATE_S) -> None:
        self._call_id = call_id
        self._late_s = late_s
        self._loop = asyncio.get_running_loop()
        self._watchers: list[Watcher] = []
        self._expected: deque[tuple[int, float, Event]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def subscribe(self, watcher: Watcher) -> Callable[[], None]:
        """Calls ``watcher`` with each event from now on. Returns what ends the subscription."""
        self._watchers.append(watcher)

        def unsubscribe() -> None:
            if watcher in self._watchers:
                self._watchers.remove(watcher)

        return unsubscribe

    def expect(self, number: int, stand_in: Event) -> None:
        """Event ``number`` is being redacted; ``stand_in`` is what to show of it when that takes too long."""
        self._expected.append((number, self._loop.time() + self._late_s, stand_in))
        self._watch()

    def show(self, number: int, events: Sequence[Event]) -> None:
        """Event ``number`` is redacted: the first of ``events``; the others came of it and are shown in any case."""
        if self._expected and self._expected[0][0] == number:
            self._expected.popleft()
        else:  # it was shown as withheld
            events = events[1:]
        self.tell(events)

    def tell(self, events: Sequence[Event]) -> None:
        """Shows events that nobody had to wait for."""
        for event in events:
            for watcher in tuple(self._watchers):
                try:
                    watcher(event)
                except Exception as error:
                    logger.error("call %s: a live view failed: %s", self._call_id, type(error).__name__)

    def close(self) -> None:
        """Nothing more will be shown."""
        if self._timer is not None:
            self._timer.cancel()

    def _watch(self) -> None:
        if self._timer is None and self._expected:
            self._timer = self._loop.call_at(self._expected[0][1], self._overdue)

    def _overdue(self) -> None:
        self._timer = None
        now_s = self._loop.time()
        late = []
        while self._expected and self._expected[0][1] <= now_s:
            late.append(self._expected.popleft()[2])
        self.tell(late)
        self._watch()
