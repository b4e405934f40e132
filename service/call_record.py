"""The record of one call, from the event that it was answered to the event that it ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from compliance.clock import CallClock
from compliance.events import CallEnded, CallStarted, Event, Part, PartFailed
from compliance.recorder import OnRedacted, Recorder
from router import Policy
from service.exchange import Exchange
from service.record_demand import RecordDemand
from service.redaction_line import RedactionLine
from service.sealing import Sealing


class CallRecord:
    """Puts one call on record, as its line wants that. Make it on the call's event loop.

    Args:
        exchange: what the line's calls share.
        call_id: the call.
        clock: the call's clock.
        end: tells the caller that there is no record, and ends the call; only where it may not go on without one.
        on_redacted: see :class:`compliance.recorder.Recorder`.

    Attributes:
        call_id: the call.
        clock: the call's clock.
        recorder: takes the events, from any thread.
    """

    def __init__(
        self,
        exchange: Exchange,
        call_id: str,
        clock: CallClock,
        *,
        end: Callable[[], Awaitable[None]],
        on_redacted: OnRedacted | None = None,
    ) -> None:
        settings = exchange.settings
        self._tenant = settings.tenant
        self._prices = exchange.prices
        self.call_id = call_id
        self.clock = clock
        self._redaction = RedactionLine(
            exchange.redaction.address,
            came_back=lambda *what: self.recorder.remark(*what),
            closing_s=settings.redaction_closing_s,
        )
        self.recorder = Recorder(
            exchange.ledger,
            self._redaction,
            call_id,
            on_redacted=on_redacted,
            seal=Sealing(exchange.ledger, call_id, exchange.redaction_policy),
            on_keeping=lambda keeping: self._demand.kept_in(keeping),
        )
        for watcher in exchange.watchers:
            self.recorder.subscribe(watcher)
        self._demand = RecordDemand(
            fail_open=settings.fail_open_audio,
            grace_s=settings.record_grace_s,
            retry=self.recorder.flush,
            end=end,
        )

    def emit(self, event: Event) -> None:
        """Put an event on record; returns at once."""
        self.recorder.record(event)

    def started(
        self, policy: Policy, *, source: str, simulated: Sequence[str], without: Sequence[Part] = ()
    ) -> None:
        """The call is answered, now.

        Args:
            policy: the one that it is answered under.
            source: where the caller is.
            simulated: the providers that are the lab's.
            without: the parts that such a call cannot have.
        """
        self.emit(
            CallStarted(
                call_id=self.call_id,
                at_ms=0,
                started_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
                source=source,
                policy=policy.name,
                policy_hash=policy.hash,
                policy_version=policy.version,
                prices_hash=self._prices.hash,
                prices_as_of=self._prices.as_of,
                tenant=self._tenant,
                simulated=tuple(simulated),
                without=tuple(without),
            )
        )

    def part_failed(self, part: Part, error: str, action: str) -> None:
        """A part failed, with an error of this class; ``action`` is what was done about it."""
        self.emit(
            PartFailed(call_id=self.call_id, at_ms=self.clock.now_ms(), part=part, error=error, action=action)
        )

    async def closing(self) -> None:
        """Nobody is on the line any more: what is still to be redacted gets less time, and nobody is told goodbye."""
        self._redaction.closing()
        await self._demand.aclose()

    async def ended(self, at_ms: float, *, reason: str, turns: int, cost_usd: float) -> None:
        """The call ended then; returns when all of it is in the ledger, or spooled. Nothing is recorded after this."""
        self.emit(CallEnded(call_id=self.call_id, at_ms=at_ms, reason=reason, turns=turns, cost_usd=cost_usd))
        await self.recorder.aclose()
