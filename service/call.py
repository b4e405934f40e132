"""A call from answer to hang-up: on record before anything else happens in it, and until after all else is over."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from compliance.clock import CallClock
from compliance.events import Event
from compliance.redaction.spans import Span
from compliance.tap import CallerTap
from service.call_record import CallRecord
from service.conversation import Conversation
from service.ending import Ending
from service.exchange import Exchange
from service.facts import CallFacts
from service.ports import Port
from service.recording import CallRecording


class Call:
    """One call from answer to hang-up. Use as an async context manager around the time the line is open.

    Args:
        exchange: what the line's calls share.
        port: where the audio comes from and goes to.
        clock: the call's clock; by default the call is answered now.
        source: where the caller is, for the record: ``room:NAME``, ``file:NAME`` or ``lab:CALLER``.
        transport: how the caller is connected, a value of the signal ``call.transport``.
        call_id: a new one by default.
        watch: told of every event as it is recorded, redacted.
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        port: Port,
        source: str,
        clock: CallClock | None = None,
        transport: str = "in_process",
        codec_hz: int = 24_000,
        call_id: str | None = None,
        watch: Callable[[Event], None] | None = None,
    ) -> None:
        self.call_id = call_id or uuid.uuid4().hex[:12]
        self.clock = clock or CallClock()
        settings = exchange.settings
        self._exchange = exchange
        self._port = port
        self._source = source
        self._open = AsyncExitStack()
        self._ending = Ending(port.hang_up)
        self._record = CallRecord(
            exchange,
            self.call_id,
            self.clock,
            end=lambda: self.conversation.end_without_record(),
            on_redacted=self._redacted,
        )
        if watch is not None:
            self._record.recorder.subscribe(watch)
        self._recording = CallRecording(
            settings, exchange.ledger, self.call_id, clock=self.clock, emit=self._record.emit
        )
        self.conversation = Conversation(
            exchange,
            port,
            CallFacts(
                transport=transport,
                codec_hz=codec_hz,
                queue=settings.queue,
                region=settings.region,
                budget_usd=settings.budget_usd,
            ),
            record=self._record,
            recording=self._recording,
            ending=self._ending,
            opened=self._open,
        )

    @property
    def tap(self) -> CallerTap:
        """The caller's audio, once the call is answered."""
        return self.conversation.tap

    async def __aenter__(self) -> Call:
        try:
            await self._answer()
        except BaseException:
            try:
                await self._port.aclose()
            finally:
                await self._hang_up("the call could not be answered")
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._hang_up(self._ending.reason)

    async def ended(self) -> None:
        """Wait until the session is over: the caller hung up or an error closed it."""
        await self._ending.begun()

    def hang_up(self, reason: str) -> None:
        """Have the call end, for the record because of ``reason``; what came first is the reason."""
        self._ending.begin(reason)

    async def _answer(self) -> None:
        exchange = self._exchange
        policy = exchange.policy.for_tenant(exchange.settings.tenant)
        self._record.started(policy, source=self._source, simulated=exchange.simulated)
        await self.conversation.open(policy)

    async def _hang_up(self, reason: str) -> None:
        ended_ms = self.clock.now_ms()  # closing takes seconds, in which nobody is on the line
        self._open.push_async_callback(self._record.closing)  # the first to be closed
        try:
            await self._open.aclose()
        finally:
            self.conversation.ended(ended_ms)
            try:
                await self._recording.aclose(self._record.recorder.flush)
            finally:
                tally = self.conversation.tally
                await self._record.ended(ended_ms, reason=reason, turns=tally.turns, cost_usd=tally.cost_usd)

    def _redacted(self, event: Event, spans: Sequence[Span]) -> None:
        """Told on the recorder's thread."""
        self._recording.redacted(event, spans, suspended=self._record.recorder.suspends_recording)
