"""The process beside the calls: attached calls' messages in, answers out, one after the other."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

from service.aside.errors import WireError
from service.aside.wire import Message, Unpacker, packed

logger = logging.getLogger(__name__)

BEAT_S = 1.0
"""The event loop shows this often that it is alive."""


class Work(Protocol):
    """What is done for one call. It is made when the call attaches and forgotten when it detaches."""

    def answer(self, header: Mapping[str, Any], payload: bytes) -> Mapping[str, Any]:
        """The answer to one message. What it raises is told to the call and ends this call's work."""


async def serve(
    listener: socket.socket, owner: socket.socket, works: Mapping[str, Callable[[], Work]]
) -> None:
    """Serve until cancelled.

    Args:
        listener: a listening Unix-domain socket; who may enter its folder may attach.
        owner: where to say that the process is alive, a byte per :data:`BEAT_S`.
        works: name → makes the work for one call.
    """
    server = await asyncio.get_running_loop().create_unix_server(lambda: _Attached(works), sock=listener)
    async with server:
        while True:
            owner.send(b".")
            await asyncio.sleep(BEAT_S)


class _Attached(asyncio.Protocol):
    """One call. Its work is done here, on the event loop: there is nothing else that could want it meanwhile."""

    def __init__(self, works: Mapping[str, Callable[[], Work]]) -> None:
        self._works = works
        self._work: Work | None = None
        self._unpacker = Unpacker()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._unpacker.feed(data):
                if self._work is None:
                    self._work = self._works[message.header["work"]]()
                else:
                    self._transport.write(packed(Message(message.number, self._answer(self._work, message))))
        except (WireError, LookupError) as error:
            logger.warning("a call was detached: %s: %s", type(error).__name__, error)
            self._transport.abort()

    @staticmethod
    def _answer(work: Work, message: Message) -> Mapping[str, Any]:
        try:
            return work.answer(message.header, message.payload)
        except Exception as error:
            logger.warning("the work for a call failed", exc_info=True)
            return {"error": type(error).__name__}

    def connection_lost(self, error: Exception | None) -> None:
        self._work = None
