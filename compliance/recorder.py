"""The only way from a call to the ledger: events go in raw and are kept redacted.

``record`` puts an event on a queue and returns. One thread, owned by the recorder, redacts what is queued in order and
appends it in one transaction. Nothing that goes wrong there reaches the call:

* a text that cannot be redacted is kept as ``[REDACTION_FAILED]``, one for which there was no room as ``[WITHHELD]``;
* one that takes long is shown as withheld, and the record has it when it comes;
* what the ledger refuses is tried again, then kept, redacted, in a file beside the ledger until the ledger takes it.

All of it is told by events of the record (:class:`compliance.events.PartFailed`), except what is only shown late.
Interim transcripts are never recorded.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Protocol

from compliance.backlog import Spooling
from compliance.errors import ComplianceError, LedgerError, UnstorableEventError
from compliance.events import Event, Part, PartFailed, Redactable, redactable
from compliance.intake import WITHHELD, Admitted, Intake, RedactionBacklogError, withheld
from compliance.keeping import RETRY_AFTER_S, EventLedger, Keeper, Keeping
from compliance.ledger import Ledger, canonical_body
from compliance.live_view import LATE_S, LiveView, Watcher
from compliance.redaction import REDACTION_FAILED
from compliance.redaction.spans import Span
from compliance.spool import Spool

logger = logging.getLogger(__name__)

_MOST_AT_ONCE = 256
GATHER_S = 0.025
"""What comes so soon after an event is appended with it: the loop waits for part of what an append takes, and the
events of a hand-off come while its caller waits for the first sound."""


class CallRedactor(Protocol):
    """What a recorder needs of a :class:`compliance.redaction.Redactor`, wherever that runs. Used by one thread.

    Attributes:
        failures: how many redactions failed so far.
        last_failure: the class of the last one's error.
    """

    failures: int
    last_failure: str | None

    @property
    def suspends_recording(self) -> bool:
        """Whether a card's security code or a PIN may be said next."""
        ...

    def redact(self, event: Event) -> tuple[Event, dict[str, tuple[Span, ...]]]:
        """``event`` redacted, and by the name of each spoken field what of the original was masked."""
        ...

    def know(self, entity: str, value: str) -> None: ...
    def expect(self, entity: str) -> None: ...
    def forget(self) -> None: ...


OnRedacted = Callable[[Event, tuple[Span, ...]], None]
"""Told on the recorder's thread, in order, before the event is appended: the event as it is kept, and where its
``text`` was masked, in offsets of the original. A text that was withheld has one span, of the entity ``[WITHHELD]``."""
Seal = Callable[[str, str, float], Event | None]
"""Entity, value as it was said, call time in ms → the event that keeps it sealed; ``None`` when it may not be."""


class RecorderClosedError(ComplianceError):
    """An event was recorded after the recorder was closed."""


class _Mark:
    """Put on the queue to learn when all before it was written."""

    def __init__(self, reached: Callable[[], None], *, last: bool) -> None:
        self.reached = reached
        self.last = last


_Tell = Callable[[CallRedactor], None]


class Recorder:
    """Records one call. Create it on the event loop of the call; ``record`` may be called from any thread.

    Args:
        ledger: where redacted events are appended.
        redactor: the redactor of this call, from here on used by this recorder only.
        call_id: the call; events of others are refused.
        spool: where events are kept while the ledger refuses them; by default beside the ledger's file.
        retry_after_s: pauses between attempts to append, after which events are spooled.
        intake: bounds what waits to be redacted.
        late_s: how long a text may take before it is shown as withheld.
        gather_s: how long after an event others are waited for, to be appended with it; nobody who flushes waits.
        on_redacted: told of every event as it is kept.
        seal: seals values that were masked and may one day be revealed.
        on_keeping: told on the loop when the record is kept elsewhere than before; it begins in the ledger.
    """

    def __init__(
        self,
        ledger: Ledger | EventLedger,
        redactor: CallRedactor,
        call_id: str,
        *,
        spool: Spooling | None = None,
        retry_after_s: Sequence[float] = RETRY_AFTER_S,
        intake: Intake | None = None,
        late_s: float = LATE_S,
        gather_s: float = GATHER_S,
        on_redacted: OnRedacted | None = None,
        seal: Seal | None = None,
        on_keeping: Callable[[Keeping], None] | None = None,
    ) -> None:
        self.call_id = call_id
        self._redactor = redactor
        keys = getattr(ledger, "spool_keys", None)
        self._keeper = Keeper(
            ledger,
            spool or Spool.beside(getattr(ledger, "path", None), call_id, keys),
            retry_after_s=retry_after_s,
            failed=self._ledger_failed,
            moved=self._moved,
        )
        self._intake = intake or Intake()
        self._on_redacted = on_redacted
        self._seal = seal
        self._on_keeping = on_keeping
        self._remarks: list[tuple[str, str]] = []
        self._loop, self._loop_thread = asyncio.get_running_loop(), threading.get_ident()
        self._live = LiveView(call_id, late_s=late_s)
        self._gather_s = gather_s
        self._order = threading.Lock()
        self._queue: SimpleQueue[Admitted | _Tell | _Mark] = SimpleQueue()
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
        with self._order:  # numbers go up in the queue and in the live view alike
            admitted = self._intake.admit(event)
            stand_in = withheld(event)
            self._on_loop(lambda: self._live.expect(admitted.number, stand_in))
            self._queue.put(admitted)

    def expect(self, entity: str) -> None:
        """The caller is about to be asked for an ``entity``; returns at once."""
        self._queue.put(lambda redactor: redactor.expect(entity))

    def know(self, entity: str, value: str) -> None:
        """``value`` is an ``entity`` of this caller, to be masked wherever it is said; returns at once."""
        self._queue.put(lambda redactor: redactor.know(entity, value))

    @property
    def suspends_recording(self) -> bool:
        """Whether a card's security code or a PIN may be said next, as of what was redacted so far."""
        return self._redactor.suspends_recording

    def subscribe(self, watcher: Watcher) -> Callable[[], None]:
        """Calls ``watcher`` on the loop with each event from now on: once, in order, redacted or withheld.

        Returns what ends the subscription.
        """
        return self._live.subscribe(watcher)

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
        self._live.close()

    def _mark(self, *, last: bool) -> asyncio.Future[None]:
        future: asyncio.Future[None] = self._loop.create_future()

        def reached() -> None:
            if not future.done():
                future.set_result(None)

        self._queue.put(_Mark(lambda: self._on_loop(reached), last=last))
        return future

    def _on_loop(self, call: Callable[[], object]) -> None:
        # Waking the loop is a system call, in which this thread would lose its turn to the recorder's.
        on_it = threading.get_ident() == self._loop_thread
        try:
            (self._loop.call_soon if on_it else self._loop.call_soon_threadsafe)(call)
        except RuntimeError:  # the loop is closed: nobody is left to tell, and the record is what counts
            logger.debug("call %s: the loop closed before its recorder", self.call_id)

    # What follows runs on the recorder's thread.

    def remark(self, error: str, action: str) -> None:
        """Told by the redactor while it redacts: what happened to it, for the record, right after the event in hand."""
        self._remarks.append((error, action))

    def _work(self) -> None:
        item: Admitted | _Tell | _Mark | None = None
        while not (isinstance(item, _Mark) and item.last):
            item = self._queue.get()
            events: list[Event] = []
            without_room = 0
            until_s = time.monotonic() + self._gather_s
            while item is not None and not isinstance(item, _Mark):
                # It may take long over this one, which nothing that is ready waits for.
                if events and _asks_redactor(item):
                    self._keep(events, without_room)
                    events, without_room = [], 0
                try:
                    if isinstance(item, Admitted):
                        without_room += item.withheld
                        events += self._redacted(item)
                    else:
                        item(self._redactor)
                except Exception as error:  # a thread that dies would lose all that follows
                    self._shout(error, "an event of this call may be missing")
                item = None if len(events) >= _MOST_AT_ONCE else self._next(until_s)
            self._keep(events, without_room, now=isinstance(item, _Mark))
            if isinstance(item, _Mark):
                if item.last:
                    self._redactor.forget()
                    self._keeper.close()
                item.reached()

    def _keep(self, events: list[Event], without_room: int, *, now: bool = False) -> None:
        try:
            if without_room:
                events.append(self._tell_of_withheld(without_room, events[-1].at_ms))
            self._keeper.keep(events, now=now)
        except Exception as error:
            self._shout(error, "events of this call may be missing")

    def _next(self, until_s: float) -> Admitted | _Tell | _Mark | None:
        left_s = until_s - time.monotonic()
        try:
            return self._queue.get(timeout=left_s) if left_s > 0 else None
        except Empty:
            return None

    # -- redacting ------------------------------------------------------------------------------------------
    def _redacted(self, admitted: Admitted) -> list[Event]:
        """The event as it is kept; then those that came of it: that its text was withheld, what was sealed of it."""
        event = admitted.event
        failures = self._redactor.failures
        spans: dict[str, tuple[Span, ...]] = {}
        try:
            kept, spans = (event, {}) if admitted.withheld else self._redactor.redact(event)
            error = self._redactor.last_failure if self._redactor.failures > failures else None
        except Exception as unexpected:
            kept, error = withheld(event, REDACTION_FAILED), type(unexpected).__name__
        finally:
            self._intake.done(admitted)
        events = [kept]
        if error is not None:
            action = f"the text of a {event.kind} event was withheld"
            events.append(self._failure("redactor", error, action, event.at_ms))
        events += [self._failure("redactor", what, action, event.at_ms) for what, action in self._remarks]
        self._remarks.clear()
        events += self._sealed(event, kept, spans)
        storable = [e if _is_storable(e) else self._unstorable(e) for e in events]
        self._on_loop(lambda: self._live.show(admitted.number, storable))
        self._tell_of_redacted(storable[0], event, spans.get("text", ()))
        return storable

    def _tell_of_redacted(self, kept: Event, raw: Event, spans: tuple[Span, ...]) -> None:
        if self._on_redacted is None:
            return
        text = getattr(kept, "text", None)
        if text in (REDACTION_FAILED, WITHHELD):
            spans = (Span(0, len(getattr(raw, "text", "")), WITHHELD),)
        try:
            self._on_redacted(kept, spans)
        except Exception as error:
            logger.error(
                "call %s: a part that follows the record failed: %s", self.call_id, type(error).__name__
            )

    def _sealed(self, raw: Event, kept: Event, spans: dict[str, tuple[Span, ...]]) -> list[Event]:
        if self._seal is None:
            return []
        sealed: list[Event] = []
        try:
            for name in spans:
                if redactable(raw)[name] is not Redactable.SPOKEN:
                    continue  # heard before, and sealed then
                text = getattr(raw, name)
                for span in spans[name]:
                    event = self._seal(span.entity, text[span.start : span.end], raw.at_ms)
                    sealed += [] if event is None else [event]
        except Exception as error:
            action = f"values of a {kept.kind} event are masked for good: they could not be sealed"
            sealed.append(self._failure("ledger", type(error).__name__, action, raw.at_ms))
        return sealed

    def _tell_of_withheld(self, count: int, at_ms: float) -> Event:
        action = f"the texts of {count} event(s) were withheld: more was waiting to be redacted than is held in memory"
        failed = self._failure("redactor", RedactionBacklogError.__name__, action, at_ms)
        self._show([failed])
        return failed

    # -- telling --------------------------------------------------------------------------------------------
    def _ledger_failed(self, error: Exception, action: str, at_ms: float) -> Event:
        self._shout(error, action)
        failed = self._failure("ledger", type(error).__name__, action, at_ms)
        self._show([failed])
        return failed

    def _moved(self, keeping: Keeping) -> None:
        if self._on_keeping is not None:
            tell = self._on_keeping
            self._on_loop(lambda: tell(keeping))

    def _unstorable(self, event: Event) -> Event:
        action = f"a {event.kind} event that is not JSON was left out"
        return self._failure("ledger", UnstorableEventError.__name__, action, event.at_ms)

    def _failure(self, part: Part, error: str, action: str, at_ms: float) -> PartFailed:
        return PartFailed(call_id=self.call_id, at_ms=at_ms, part=part, error=error, action=action)

    def _shout(self, error: Exception, action: str) -> None:
        # A ledger's own message is written for people and quotes nobody; any other might.
        told = str(error) if isinstance(error, LedgerError) else type(error).__name__
        logger.error("call %s: keeping the record failed: %s; %s", self.call_id, told, action)

    def _show(self, events: list[Event]) -> None:
        self._on_loop(lambda: self._live.tell(events))


def _asks_redactor(item: Admitted | _Tell) -> bool:
    return not isinstance(item, Admitted) or item.chars > 0


def _is_storable(event: Event) -> bool:
    try:
        canonical_body(event)
    except UnstorableEventError:
        return False
    return True
