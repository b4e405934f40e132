"""A call between a browser and a vendor's realtime model, which we watch, serve with tools, bound and put on record.

Its audio does not pass through here. So there is no transcript of ours beside the vendor's, no emotion in the voice, no
recording, no position up to which something was heard, and no other engine: :data:`WITHOUT` says so on record.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from enum import Enum

from openai.types.realtime import RealtimeSessionCreateRequestParam

from compliance.clock import CallClock
from compliance.events import Part
from engines.catalogue import EngineSpec
from service.call_record import CallRecord
from service.ending import CALLER_LEFT
from service.exchange import Exchange
from service.record_demand import REASON
from service.web.attending import Attendant, denied
from service.web.sideband import Ending, Sideband
from service.web.vendor import Vendor, VendorRefusedError

logger = logging.getLogger(__name__)

WITHOUT: tuple[Part, ...] = ("router", "emotion", "transcriber", "recording")
"""What this path cannot have."""
WRAP_UP_AT = 0.8
"""The share of the longest time after which the model is told to bring the call to a close."""
NEVER_ATTACHED = "the page had a client secret and named no call"


class Stage(Enum):
    """Where a call stands."""

    OPENING = "opening"
    OFFERED = "offered"
    """The browser may begin."""
    ON = "on"
    ENDED = "ended"


class DeniedError(Exception):
    """The engine is denied such a call; the message is the guard's name, or why it is closed to it."""


class DirectCall:
    """One such call. :meth:`open` it, give the browser what it needs, :meth:`attach` it.

    Args:
        exchange: what calls share, with the policy of this one.
        vendor: who has the audio.
        engine: what answers.
        call_id: ours.
        stated: whether the page asked the caller, who consents to a speech-to-speech vendor.
    """

    def __init__(
        self, exchange: Exchange, vendor: Vendor, engine: EngineSpec, *, call_id: str, stated: bool
    ) -> None:
        self.call_id = call_id
        self.stage = Stage.OPENING
        self._exchange = exchange
        self._vendor = vendor
        self._engine = engine
        self._policy = exchange.policy.for_tenant(exchange.settings.tenant)
        self._clock = CallClock()
        self._record = CallRecord(exchange, call_id, self._clock, end=self._end_without_record)
        self._sideband = Sideband(
            lambda: vendor.sideband(self._vendor_call),
            opened=self._connected,
            heard=lambda event: self._attendant.heard(event),
            lost=self._disconnected,
        )
        self._attendant = Attendant(
            exchange,
            self._policy,
            engine,
            clock=self._clock,
            call_id=call_id,
            stated=stated,
            emit=self._record.emit,
            send=self._sideband.send,
            end=self.end,
        )
        self._vendor_call = ""
        self._begun_ms: float | None = None
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._attached = asyncio.Event()
        self._ending = asyncio.Event()
        self._reason = CALLER_LEFT
        self._task: asyncio.Task[None] | None = None

    # -- from outside ---------------------------------------------------------------------------------------
    async def open(self, *, within_s: float, over: Callable[[], None]) -> None:
        """Begin the record, connect the tools, and ask the policy.

        Args:
            within_s: how long the call may take to be attached.
            over: told when the call is over.

        Raises:
            DeniedError: the call is denied, and over.
        """
        # Tools are connected and closed by one task, which lives as long as the call.
        self._task = asyncio.create_task(self._live(within_s), name=f"direct call {self.call_id}")
        self._task.add_done_callback(lambda _: over())
        await asyncio.shield(self._opened)

    def session(self) -> RealtimeSessionCreateRequestParam:
        """What the vendor is asked for; known once the call is open."""
        return self._attendant.session()

    def given_away(self) -> None:
        """The browser may begin the vendor's call from now on, and nobody watches before that call is named."""
        self._begun_ms = self._clock.now_ms()

    def attach(self, vendor_call: str) -> bool:
        """The browser has its answer: watch the vendor's call. ``False`` when the call is on or over."""
        if self.stage is not Stage.OFFERED:
            return False
        self.stage, self._vendor_call = Stage.ON, vendor_call
        self._attached.set()
        return True

    def end(self, reason: str) -> None:
        """Have the call end, for the record because of ``reason``; what came first is the reason."""
        if not self._ending.is_set():
            self._reason = reason
            self._ending.set()

    def vendor_refused(self, error: VendorRefusedError) -> None:
        """The vendor did not begin the call: it ends."""
        if self.stage is Stage.OFFERED:
            self._attendant.conversation.failed(
                str(error), "the call was not begun: the page was given nothing to begin it with"
            )
        self.end("the vendor did not begin the call")

    async def ended(self) -> None:
        """Wait until the call is over and its record complete."""
        if self._task is not None:
            await asyncio.shield(self._task)

    # -- its life -------------------------------------------------------------------------------------------
    async def _live(self, within_s: float) -> None:
        try:
            async with AsyncExitStack() as stack:
                self._record.started(
                    self._policy,
                    source=f"webrtc:{self._engine.mind.provider}",
                    simulated=self._exchange.endpoints.simulated((self._engine.mind,)),
                    without=WITHOUT,
                )
                guard = await self._attendant.prepare(stack)
                if guard is not None:
                    self.end(denied(self._engine.name, guard))
                    self._opened.set_exception(DeniedError(guard))
                    return
                self.stage = Stage.OFFERED
                self._opened.set_result(None)
                if await self._is_attached(within_s):
                    await self._converse()
        except Exception as error:
            logger.error("direct call %s failed: %s", self.call_id, type(error).__name__)
            self.end(f"an error ended the call: {type(error).__name__}")
            if not self._opened.done():
                self._opened.set_exception(error)
        finally:
            await self._close()

    async def _is_attached(self, within_s: float) -> bool:
        waiting = [
            asyncio.create_task(event.wait(), name=f"wait of {self.call_id}")
            for event in (self._attached, self._ending)
        ]
        await asyncio.wait(waiting, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        if self._attached.is_set():
            return True
        self.end(NEVER_ATTACHED)
        if self._begun_ms is not None:  # whoever hung up: the secret is still good
            self._failed(
                "LookupError", "if the page called the vendor nevertheless, what was said is on no record"
            )
        return False

    async def _converse(self) -> None:
        loop, longest_s = asyncio.get_running_loop(), self._exchange.settings.web_longest_call_s
        timers = [
            loop.call_later(longest_s * WRAP_UP_AT, self._attendant.wrap_up),
            loop.call_later(
                longest_s, self._attendant.leave, f"it had lasted {longest_s:g} s, the longest a call may"
            ),
        ]
        watching = asyncio.create_task(self._sideband.run(), name=f"sideband of {self.call_id}")
        ending = asyncio.create_task(self._ending.wait(), name=f"end of {self.call_id}")
        try:
            await asyncio.wait({watching, ending}, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                self.end(watching.result().value)
            if not (watching.done() and watching.result() is Ending.OVER):
                await self._hang_up()
        finally:
            for timer in timers:
                timer.cancel()
            for task in (watching, ending):
                task.cancel()
            await asyncio.gather(watching, ending, return_exceptions=True)
            await self._attendant.stop()

    async def _hang_up(self) -> None:
        try:
            await self._vendor.hang_up(self._vendor_call)
        except VendorRefusedError as error:
            self._attendant.conversation.failed(
                str(error), "the call may go on between the page and the vendor"
            )

    async def _close(self) -> None:
        self.stage = Stage.ENDED
        await self._record.closing()
        ended_ms = self._clock.now_ms()
        self._attendant.ended(ended_ms)
        await self._record.ended(
            ended_ms,
            reason=self._reason,
            turns=self._attendant.conversation.turns,
            cost_usd=self._attendant.bill.cost_usd,
        )

    async def _end_without_record(self) -> None:
        self.end(REASON)

    # -- the sideband -----------------------------------------------------------------------------------------
    def _connected(self, gone_ms: float, error: str | None) -> None:
        if error is None:
            if self._begun_ms is not None:
                unwatched_s = (self._clock.now_ms() - self._begun_ms) / 1000
                self._failed(
                    "LookupError",
                    f"the page had its client secret for {unwatched_s:.1f} s before its call was watched; what was "
                    "said and spent meanwhile is on no record",
                )
            self._attendant.connected()
            return
        self._attendant.lost()
        self._failed(
            error,
            f"the call is watched again after {gone_ms / 1000:.1f} s; what was said meanwhile is on no record",
        )

    def _disconnected(self, error: str) -> None:
        self._failed(error, "the connection that watches the call was lost; trying again")

    def _failed(self, error: str, action: str) -> None:
        self._record.part_failed("call", error, action)
