"""A process beside the calls that is no process: it serves on the test's own event loop, so that a test sees inside."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from service.aside import Aside, Channel
from service.aside.serve import Work, serve
from service.aside.wire import PAYLOAD_LIMIT, Message, Unpacker, packed

PATIENCE_S = 60.0


class Told:
    """What callbacks told, and a way to wait until they have told enough."""

    def __init__(self) -> None:
        self.answered: list[tuple[Any, Mapping[str, Any]]] = []
        self.dropped: list[Any] = []
        self.failures: list[Exception] = []
        self._news = asyncio.Event()

    def news(self, *_: object) -> None:
        self._news.set()

    async def until(self, what: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not what():
                self._news.clear()
                await self._news.wait()

    def attach(self, address: Path, work: str = "toy") -> Channel[Any]:
        return Aside(address).attach(work, answered=self._answered, dropped=self._dropped, failed=self.failed)

    def _answered(self, about: Any, header: Mapping[str, Any]) -> None:
        self.answered.append((about, header))
        self.news()

    def _dropped(self, about: Any) -> None:
        self.dropped.append(about)
        self.news()

    def failed(self, error: Exception) -> None:
        self.failures.append(error)
        self.news()


@asynccontextmanager
async def serving(quick_bytes: int = PAYLOAD_LIMIT, **works: Callable[[], Work]) -> AsyncIterator[Path]:
    """The real server with other work; gives its address."""
    # A temporary folder of pytest's has a path too long for a socket.
    with tempfile.TemporaryDirectory(prefix="patchbay-") as folder:
        listener, (line, owner) = socket.socket(socket.AF_UNIX), socket.socketpair()
        with listener, line, owner:
            listener.bind(f"{folder}/aside")
            listener.listen()
            task = asyncio.create_task(serve(listener, owner, works, quick_bytes=quick_bytes), name="serve")
            try:
                yield Path(folder, "aside")
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


class Slow(asyncio.Protocol):
    """A process that answers when the test says so. ``messages`` are those of all connections, without greetings."""

    def __init__(self, told: Told) -> None:
        self.attached: list[asyncio.Transport] = []
        self.messages: list[Message] = []
        self._told = told
        self._next = 0

    def connection(self) -> asyncio.Protocol:
        return _SlowConnection(self)

    def answer(self, count: int = 1) -> None:
        """Answer the next messages, to the connection that is there now."""
        for message in self.messages[self._next : self._next + count]:
            self.attached[-1].write(packed(Message(message.number, {"to": message.number})))
        self._next += count

    def go(self) -> None:
        """End the connection, as a process that is killed does."""
        self._next = len(self.messages)
        self.attached[-1].abort()

    def took(self, message: Message) -> None:
        self.messages.append(message)
        self._told.news()


class _SlowConnection(asyncio.Protocol):
    def __init__(self, slow: Slow) -> None:
        self._slow = slow
        self._unpacker = Unpacker()

    def connection_made(self, transport: Any) -> None:
        self._slow.attached.append(transport)

    def data_received(self, data: bytes) -> None:
        for message in self._unpacker.feed(data):
            if "work" not in message.header:
                self._slow.took(message)

    def connection_lost(self, error: Exception | None) -> None:
        self._slow._told.news()


@asynccontextmanager
async def slow(told: Told) -> AsyncIterator[tuple[Path, Slow]]:
    """A process under the test's control, and its address."""
    made = Slow(told)
    with tempfile.TemporaryDirectory(prefix="patchbay-") as folder:
        address = Path(folder, "aside")
        server = await asyncio.get_running_loop().create_unix_server(made.connection, str(address))
        try:
            yield address, made
        finally:
            server.close()
            for transport in made.attached:
                transport.abort()
            await asyncio.sleep(0)


@asynccontextmanager
async def acting(act: Callable[[Message], Message | None]) -> AsyncIterator[Path]:
    """A process that does with each message what the test says: it answers, or ends. Gives its address."""

    class Acting(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self._transport = transport
            self._unpacker = Unpacker()

        def data_received(self, data: bytes) -> None:
            for message in self._unpacker.feed(data):
                if "work" in message.header or self._transport.is_closing():
                    continue
                if (answer := act(message)) is None:
                    self._transport.abort()
                else:
                    self._transport.write(packed(answer))

    with tempfile.TemporaryDirectory(prefix="patchbay-") as folder:
        address = Path(folder, "aside")
        server = await asyncio.get_running_loop().create_unix_server(Acting, str(address))
        try:
            yield address
        finally:
            server.close()
