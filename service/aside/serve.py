"""The process beside the calls: attached calls' messages in, answers out, in order for each call."""

from __future__ import annotations

import asyncio
import logging
import socket
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, cast

from service.aside.errors import WireError
from service.aside.wire import Message, Unpacker, packed

logger = logging.getLogger(__name__)

BEAT_S = 1.0
"""The event loop shows this often that it is alive."""


class Work(Protocol):
    """What is done for one call. It is made when the call attaches and forgotten when it detaches."""

    def answer(self, header: Mapping[str, Any], payload: bytes) -> tuple[Mapping[str, Any], bytes]:
        """Header and payload of the answer to one message. What it raises is told to the call, by its class."""


Makers = Mapping[str, Callable[[], Work]]
"""Name → makes the work for one call."""


async def serve(listener: socket.socket, owner: socket.socket, works: Makers, *, quick_bytes: int) -> None:
    """Serve until cancelled.

    Args:
        listener: a listening Unix-domain socket; who may enter its folder may attach.
        owner: where to say that the process is alive, a byte per :data:`BEAT_S`.
        works: what is done for calls.
        quick_bytes: a message with a longer payload is answered in a thread, one such message at a time.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="long") as long:
        server = await asyncio.get_running_loop().create_unix_server(
            lambda: _Attached(works, quick_bytes, long), sock=listener
        )
        async with server:
            while True:
                owner.send(b".")
                await asyncio.sleep(BEAT_S)


class _Attached(asyncio.Protocol):
    """One call. Quick work is done here, on the event loop: there is nothing else that could want it meanwhile."""

    def __init__(self, works: Makers, quick_bytes: int, long: ThreadPoolExecutor) -> None:
        self._works = works
        self._quick_bytes = quick_bytes
        self._long = long
        self._work: Work | None = None
        self._unpacker = Unpacker()
        self._waiting: deque[Message] = deque()
        self._busy = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._waiting.extend(self._unpacker.feed(data))
            self._go_on()
        except (WireError, LookupError) as error:
            logger.warning("a call was detached: %s: %s", type(error).__name__, error)
            self._transport.abort()

    def _go_on(self) -> None:
        while self._waiting and not self._busy:
            message = self._waiting.popleft()
            if self._work is None:
                self._work = self._works[message.header["work"]]()
            elif len(message.payload) <= self._quick_bytes:
                self._transport.write(_answer(self._work, message))
            else:
                self._busy = True
                self._transport.pause_reading()  # what waits here is bounded by what was read already
                answer = asyncio.get_running_loop().run_in_executor(self._long, _answer, self._work, message)
                answer.add_done_callback(self._answered)

    def _answered(self, answer: asyncio.Future[bytes]) -> None:
        if answer.cancelled() or self._transport.is_closing():
            return
        self._transport.write(answer.result())
        self._busy = False
        self._transport.resume_reading()
        self._go_on()

    def connection_lost(self, error: Exception | None) -> None:
        self._work = None
        self._waiting.clear()


def _answer(work: Work, message: Message) -> bytes:
    try:
        header, payload = work.answer(message.header, message.payload)
        return packed(Message(message.number, header, payload))
    except Exception as error:
        # Where, and not what: the text of an error may quote a caller.
        at = traceback.extract_tb(error.__traceback__)[-1]
        logger.warning(
            "the work for a call failed: %s at %s:%s", type(error).__name__, at.filename, at.lineno
        )
        return packed(Message(message.number, {"error": type(error).__name__}))
