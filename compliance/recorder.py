"""The only way from a call to the ledger: events go in raw and are kept redacted.

``record`` puts an event on a queue and returns. One thread, owned by the recorder, redacts what is queued in order and
appends it in one transaction. Nothing that goes wrong there reaches the call:

* a text that cannot be redacted is kept as ``[REDACTION_FAILED]``;
* what the ledger refuses is tried again, then kept, redacted, in a file beside the ledger until the ledger takes it.

Both are themselves events of the record (:class:`compliance.events.PartFailed`). Interim transcripts are never
recorded.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Protocol

from compliance.errors import ComplianceError, LedgerError, UnstorableEventError
from compliance.events import Event, Part, PartFailed, redactable
from compliance.ledger import Ledger, canonical_body
from compliance.redaction import REDACTION_FAILED, Redactor
from compliance.spool import Spool

logger = logging.getLogger(__name__)

_MOST_AT_ONCE = 256
_RETRY_AFTER_S = (0.05, 0.2, 1.0)

Watcher = Callable[[Event], None]


class EventLedger(Protocol):
    """What a recorder needs of a :class:`compliance.ledger.Ledger`."""

    def append_many(self, events: Sequence[Event]) -> object: ...


class RecorderClosedError(ComplianceError):
    """An event was recorded after the recorder was closed."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """Put on the queue to learn when all before it was written."""

    reached: Callable[[], None]
    last: bool


class Recorder:
    """Records one call. Create it on the event loop of the call; ``record`` may be called from any thread.

    Args:
        ledger: where redacted events are appended.
        redactor: the redactor of this call, from here on used by this recorder only.
        call_id: the call; events of others are refused.
        spool: where events are kept while the ledger refuses them; by default beside the ledger's file.
        retry_after_s: pauses between attempts to append, after which events are spooled.
    """

    def __init__(
        self,
        ledger: Ledger | EventLedger,
        redactor: Redactor,
        call_id: str,
        *,
        spool: Spool | None = None,
        retry_after_s: Sequence[float] = _RETRY_AFTER_S,
    ) -> None:
        self.call_id = call_id
        self._ledger = ledger
        self._redactor = redactor
        self._retry_after_s = tuple(retry_after_s)
        self._spool = spool or Spool.beside(getattr(ledger, "path", None), call_id)
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[Event | _Mark] = SimpleQueue()
        self._watchers: list[Watcher] = []
        self._unwritten: list[Event] = []
        self._closing: asyncio.Future[None] | None = None
        self._thread = threading.Thread(target=self._work, name=f"recorder {call_id}", daemon=True)
        self._thread.start()

    def record(self, event: Event) -> None:
        """Queues an event; returns at once.

        Raises:
            RecorderClosedError: the recorder was closed, or the event is another call's.
        """
        if self._closing is not None:
            raise RecorderClosedError(
                f"call {self.call_id}: a {event.kind} event came after the record was closed. Record before closing."
            )
        if event.call_id != self.call_id:
            raise RecorderClosedError(
                f"call {self.call_id}: a {event.kind} event of call {event.call_id} is not recorded here."
            )
        self._queue.put(event)

    def subscribe(self, watcher: Watcher) -> Callable[[], None]:
        """Calls ``watcher`` on the loop with each event from now on, redacted. Returns what ends the subscription."""
        self._watchers.append(watcher)

        def unsubscribe() -> None:
            if watcher in self._watchers:
                self._watchers.remove(watcher)

        return unsubscribe

    async def flush(self) -> None:
        """Returns when all recorded so far is in the ledger, or spooled, and watchers have seen it."""
        if self._closing is not None:
            await asyncio.shield(self._closing)
        else:
            await self._mark(last=False)

    async def aclose(self) -> None:
        """Writes what is queued and ends the thread; waiting may be cancelled without losing anything."""
        if self._closing is None:
            self._closing = self._mark(last=True)
        await asyncio.shield(self._closing)

    def _mark(self, *, last: bool) -> asyncio.Future[None]:
        future: asyncio.Future[None] = self._loop.create_future()

        def reached() -> None:
            if not future.done():
                future.set_result(None)

        self._queue.put(_Mark(lambda: self._on_loop(reached), last))
        return future

    # What follows runs on the recorder's thread.

    def _work(self) -> None:
        while True:
            events: list[Event] = []
            item: Event | _Mark | None = self._queue.get()
            while item is not None and not isinstance(item, _Mark):
                events.append(item)
                item = self._next() if len(events) < _MOST_AT_ONCE else None
            try:
                self._keep([redacted for event in events for redacted in self._redacted(event)])
            except Exception as error:  # a thread that dies would lose all that follows
                self._shout("ledger", error, "events of this call may be missing")
            if isinstance(item, _Mark):
                if item.last:
                    self._redactor.forget()
                item.reached()
                if item.last:
                    return

    def _next(self) -> Event | _Mark | None:
        try:
            return self._queue.get_nowait()
        except Empty:
            return None

    def _redacted(self, event: Event) -> list[Event]:
        """The event as it is kept, and one more when that needed the text to be withheld."""
        failures = self._redactor.failures
        try:
            kept = self._redactor.redact_event(event)
            error = self._redactor.last_failure if self._redactor.failures > failures else None
        except Exception as unexpected:
            kept = event.model_copy(update=dict.fromkeys(redactable(event), REDACTION_FAILED))
            error = type(unexpected).__name__
        if error is None:
            return [kept]
        action = f"the text of a {event.kind} event was withheld"
        return [kept, self._failure("redactor", error, action, event.at_ms)]

    def _keep(self, events: list[Event]) -> None:
        storable = [e if _is_storable(e) else self._unstorable(e) for e in events]
        self._show(storable)
        # What the ledger refused before goes first: the order of a call is the order of its record.
        waiting = [*self._unwritten, *storable]
        if not waiting:
            return
        error = self._append(waiting, self._retry_after_s if not self._unwritten else ())
        if error is None:
            if self._unwritten:
                self._unwritten = []
                self._spool.remove()
            return
        if not self._unwritten:
            action = f"events are kept in {self._spool.name} until the ledger takes them"
            failed = self._failure("ledger", type(error).__name__, action, waiting[-1].at_ms)
            self._shout("ledger", error, action)
            self._show([failed])
            waiting.append(failed)
        new = waiting[len(self._unwritten) :]
        self._unwritten = waiting
        try:
            self._spool.write(new)
        except OSError as spool_error:
            self._shout("ledger", spool_error, "events are held in memory only")

    def _append(self, events: list[Event], pauses_s: Sequence[float]) -> Exception | None:
        for pause_s in (*pauses_s, None):
            try:
                self._ledger.append_many(events)
            except Exception as error:
                if pause_s is None:
                    return error
                time.sleep(pause_s)
            else:
                break
        return None

    def _unstorable(self, event: Event) -> Event:
        action = f"a {event.kind} event that is not JSON was left out"
        return self._failure("ledger", UnstorableEventError.__name__, action, event.at_ms)

    def _failure(self, part: Part, error: str, action: str, at_ms: float) -> PartFailed:
        return PartFailed(call_id=self.call_id, at_ms=at_ms, part=part, error=error, action=action)

    def _shout(self, part: Part, error: Exception, action: str) -> None:
        # A ledger's own message is written for people and quotes nobody; any other might.
        told = str(error) if isinstance(error, LedgerError) else type(error).__name__
        logger.error("call %s: %s failed: %s; %s", self.call_id, part, told, action)

    def _show(self, events: list[Event]) -> None:
        if events and self._watchers:
            self._on_loop(lambda: self._tell(events))

    def _on_loop(self, call: Callable[[], object]) -> None:
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:  # the loop is closed: nobody is left to tell, and the record is what counts
            logger.debug("call %s: the loop closed before its recorder", self.call_id)

    # On the loop again.

    def _tell(self, events: list[Event]) -> None:
        for event in events:
            for watcher in tuple(self._watchers):
                try:
                    watcher(event)
                except Exception as error:
                    logger.error("call %s: a live view failed: %s", self.call_id, type(error).__name__)


def _is_storable(event: Event) -> bool:
    try:
        canonical_body(event)
    except UnstorableEventError:
        return False
    return True
