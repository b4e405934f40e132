"""Our own connection to the session that a browser has with the vendor: kept up while the call is on.

A call that is over is told from a connection that was lost by asking again: the vendor knows no call that is over.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import Enum
from typing import Any

from openai.resources.realtime.realtime import AsyncRealtimeConnection, AsyncRealtimeConnectionManager
from websockets.exceptions import InvalidStatus, WebSocketException

logger = logging.getLogger(__name__)
logging.getLogger("websockets.client").setLevel(
    logging.INFO
)  # below that it writes every frame down, words and all

PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Between attempts to connect; the last one is repeated."""
PATIENCE_S = 15.0
"""A call is not left alone with the vendor for longer."""
CONNECT_LIMIT_S = 5.0
_OVER = (404, 410)


class Ending(Enum):
    """Why a sideband has ended by itself."""

    OVER = "the caller hung up"
    REFUSED = "the vendor let nobody watch the call"
    LOST = "the connection that watches the call was lost"


class Sideband:
    """Sends to and hears from one call's session.

    Args:
        connect: makes a connection to the session.
        opened: told of each connection before anything comes from it; with how long there was none before, in ms, and
            the class of the error that ended the last one, or ``None`` for the first.
        heard: told of each event of the vendor, JSON.
        lost: told of a connection that is lost and cannot be had again at once, and why.
    """

    def __init__(
        self,
        connect: Callable[[], AsyncRealtimeConnectionManager],
        *,
        opened: Callable[[float, str | None], None],
        heard: Callable[[Mapping[str, Any]], None],
        lost: Callable[[str], None],
    ) -> None:
        self._connect = connect
        self._opened = opened
        self._heard = heard
        self._lost = lost
        self._connection: AsyncRealtimeConnection | None = None
        self._waiting: list[Mapping[str, Any]] = []
        self._outbox = asyncio.Event()

    def send(self, event: Mapping[str, Any]) -> None:
        """Sends a client event: now, or when there is a connection again."""
        self._waiting.append(event)
        self._outbox.set()

    async def run(self) -> Ending:
        """Stays connected until the call is over; cancel it to leave the call."""
        gone_s, error = time.monotonic(), None
        attempt = 0
        while True:
            try:
                async with asyncio.timeout(CONNECT_LIMIT_S):
                    connection = await self._connect().enter()
            except (TimeoutError, OSError, WebSocketException) as trouble:
                if isinstance(trouble, InvalidStatus) and trouble.response.status_code in _OVER and error:
                    return Ending.OVER
                if isinstance(trouble, InvalidStatus) and trouble.response.status_code in (401, 403):
                    return Ending.REFUSED
                if error is not None and attempt == 0:
                    self._lost(error)
                if time.monotonic() - gone_s > PATIENCE_S:
                    return Ending.LOST if error else Ending.REFUSED
                await asyncio.sleep(PAUSES_S[min(attempt, len(PAUSES_S) - 1)])
                attempt += 1
                continue
            self._opened((time.monotonic() - gone_s) * 1000, error)
            error, attempt = await self._serve(connection), 0
            gone_s = time.monotonic()

    async def _serve(self, connection: AsyncRealtimeConnection) -> str:
        """Hears and sends until the connection is lost; returns the class of the error."""
        sender = asyncio.create_task(self._send_out(connection), name="sideband sends")
        try:
            while True:
                data = await connection.recv_bytes()
                try:
                    event = json.loads(data)
                except (ValueError, RecursionError):
                    logger.warning("an event of the vendor is not JSON: %d bytes", len(data))
                    continue
                if isinstance(event, dict):
                    self._heard(event)
        except WebSocketException as error:
            return type(error).__name__
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
            with suppress(OSError, WebSocketException):
                await connection.close()

    async def _send_out(self, connection: AsyncRealtimeConnection) -> None:
        while True:
            await self._outbox.wait()
            while self._waiting:
                try:
                    await connection.send_raw(json.dumps(self._waiting[0]))
                except WebSocketException:
                    return  # who hears is told of it as well
                del self._waiting[0]
            self._outbox.clear()
