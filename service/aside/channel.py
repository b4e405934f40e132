"""One call's line to the process beside it: hands work over without ever waiting, and tells of answers as they come."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from service.aside.errors import AsideGoneError, AsideHungError, WireError, WorkFailedError
from service.aside.wire import Message, Unpacker, packed

T = TypeVar("T")

WINDOW = 5
"""Messages that may be unanswered at a time. With it the transport's buffer is bounded: nothing has to be drained."""
PENDING = 20
"""Messages that wait for the window to open; when there are more, the oldest is dropped."""
HUNG_S = 5.0
"""A process that leaves a message unanswered for so long is not merely busy."""
FIRST_DELAY_S, LONGEST_DELAY_S = 0.1, 5.0
"""Between attempts to reach the process again; doubled every time, until it answers."""


@dataclass(frozen=True, slots=True)
class _Sent(Generic[T]):
    number: int
    about: T
    at_s: float


class Channel(Generic[T]):
    """Keeps attached: when the process is lost, and started again, the work begins anew with what is sent then.

    Every message that is sent ends in ``answered`` or ``dropped``, both with what it was about, unless the channel is
    closed first. All callbacks come on the event loop; what they raise counts as a failure.

    Args:
        address: the process's socket.
        work: the name of what it is to do for this call.
        answered: told the header of each answer.
        dropped: told of messages that were not answered, because the process was too slow or gone.
        failed: told of every failure: the process is gone, or hangs, or the work broke. Only the last is for good.

    Attributes:
        lost: how many times the process was gone that had been there.
        closed: whether nothing more is handed over: it was closed, or the work failed for good.
    """

    def __init__(
        self,
        address: Path,
        work: str,
        *,
        answered: Callable[[T, Mapping[str, Any]], None],
        dropped: Callable[[T], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self.lost = 0
        self.closed = False
        self._address = address
        self._work = work
        self._answered = answered
        self._dropped = dropped
        self._failed = failed
        self._pending: deque[tuple[Mapping[str, Any], bytes, T]] = deque()
        self._in_flight: deque[_Sent[T]] = deque()
        self._number = 0
        self._delay_s = FIRST_DELAY_S
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._stay_attached(), name=f"patchbay.aside {work}")

    def send(self, header: Mapping[str, Any], payload: bytes, about: T) -> None:
        """Hand over; returns at once. ``about`` comes back with the answer."""
        if self.closed:
            return
        self._pending.append((header, payload, about))
        if len(self._pending) > PENDING:
            self._dropped(self._pending.popleft()[2])
        if self._in_flight and self._loop.time() - self._in_flight[0].at_s > HUNG_S:
            self._failed(AsideHungError(f"no answer for {HUNG_S:g} s"))
        self._pump()

    def drop_pending(self) -> None:
        """Drop what has not been handed over yet: it is of no use any more."""
        while self._pending:
            self._dropped(self._pending.popleft()[2])

    def hang_up(self) -> None:
        """Hand nothing over from now on, and have the process forget this call. Tells of nothing more."""
        self.closed = True
        self._pending.clear()
        self._in_flight.clear()
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        self._task.cancel()

    async def aclose(self) -> None:
        """Hang up, and wait until that is done."""
        self.hang_up()
        await asyncio.gather(self._task, return_exceptions=True)

    def _pump(self) -> None:
        while self._transport is not None and self._pending and len(self._in_flight) < WINDOW:
            header, payload, about = self._pending.popleft()
            self._number += 1
            self._in_flight.append(_Sent(self._number, about, self._loop.time()))
            self._transport.write(packed(Message(self._number, header, payload)))

    # -- what the connection tells --------------------------------------------------------------------------
    async def _stay_attached(self) -> None:
        while True:
            try:
                _, connection = await self._loop.create_unix_connection(
                    lambda: _Connection(self), str(self._address)
                )
                await connection.lost
            except OSError as error:
                self._failed(AsideGoneError(f"nobody listens at {self._address}: {error}"))
            else:
                self._lost()
            await asyncio.sleep(self._delay_s)
            self._delay_s = min(2 * self._delay_s, LONGEST_DELAY_S)

    def _attached(self, transport: asyncio.Transport) -> None:
        if self.closed:
            transport.abort()
            return
        self._transport = transport
        transport.write(packed(Message(0, {"work": self._work})))
        self._pump()

    def _received(self, message: Message) -> None:
        if self.closed:
            return
        if not self._in_flight or message.number != self._in_flight[0].number:
            raise WireError(f"message {message.number} was answered out of order")
        sent = self._in_flight.popleft()
        self._delay_s = FIRST_DELAY_S
        try:
            if "error" in message.header:
                raise WorkFailedError(str(message.header["error"]))
            self._answered(sent.about, message.header)
        except Exception as error:
            self.hang_up()
            self._failed(error)
        else:
            self._pump()

    def _lost(self) -> None:
        self._transport = None
        self.lost += 1
        while self._in_flight:
            self._dropped(self._in_flight.popleft().about)
        self._failed(AsideGoneError("the process beside the calls ended"))


class _Connection(asyncio.Protocol):
    """The event loop's side of a channel, from one connecting to the next."""

    def __init__(self, channel: Channel[Any]) -> None:
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._channel = channel
        self._unpacker = Unpacker()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._channel._attached(self._transport)

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._unpacker.feed(data):
                self._channel._received(message)
        except WireError:
            if self._transport is not None:
                self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(None)
