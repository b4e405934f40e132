"""How far away providers are: the round trip of each connection, as the kernel measures it.

Time to first token or byte holds one way to the provider and back. Of it Linux knows the smoothed round trip of every
TCP connection (``tcpi_rtt`` of ``TCP_INFO``, see tcp(7)), which costs nothing to ask. It ends where TCP does: at a
proxy, if there is one. Where a client does not show its connections, or the system is another, it is not known.
"""

from __future__ import annotations

import socket
import struct
from types import SimpleNamespace
from typing import Any

import aiohttp
import httpx2
import openai

_RTT_AT = 68
"""Bytes before ``tcpi_rtt`` in ``struct tcp_info``: eight of one byte, and fifteen of four (linux/tcp.h)."""
_US = struct.Struct("=I")


def round_trip_ms(connection: object) -> float | None:
    """The smoothed round trip of an open TCP connection; ``None`` where that is not known."""
    option = getattr(socket, "TCP_INFO", None)
    ask = getattr(connection, "getsockopt", None)
    if option is None or ask is None:
        return None
    try:
        info = ask(socket.IPPROTO_TCP, option, _RTT_AT + _US.size)
    except (OSError, ValueError):
        return None  # it is closed, or no TCP
    if len(info) < _RTT_AT + _US.size:
        return None
    [rtt_us] = _US.unpack_from(info, _RTT_AT)
    return rtt_us / 1000 if rtt_us else None


class RoundTrips:
    """The connections of one call, by the host that they go to; the newest of each host counts."""

    def __init__(self) -> None:
        self._connections: dict[str, object] = {}
        self._known_ms: dict[str, float] = {}

    def to(self, host: str) -> float | None:
        """Milliseconds to ``host`` and back; ``None`` before anything went there."""
        if (now_ms := round_trip_ms(self._connections.get(host))) is not None:
            self._known_ms[host] = now_ms
        return self._known_ms.get(host)

    def of_session(self) -> aiohttp.TraceConfig:
        """To be given to the :class:`aiohttp.ClientSession` whose connections are to be known."""
        trace = aiohttp.TraceConfig()

        async def answered(
            session: aiohttp.ClientSession, _: SimpleNamespace, done: aiohttp.TraceRequestEndParams
        ) -> None:
            connection = done.response.connection
            transport = None if connection is None else connection.transport
            if transport is not None:
                self._seen(done.url.host, transport.get_extra_info("socket"))

        trace.on_request_end.append(answered)
        return trace

    def of_client(self, client: Any) -> None:
        """Know the connections of an OpenAI client; any other is left alone."""
        if not isinstance(client, openai.AsyncClient):
            return

        async def answered(response: httpx2.Response) -> None:
            stream = response.extensions.get("network_stream")
            if stream is not None:
                self._seen(response.url.host, stream.get_extra_info("socket"))

        client._client.event_hooks["response"].append(answered)

    def _seen(self, host: str | None, connection: object) -> None:
        if host and connection is not None:
            self._connections[host] = connection
            self.to(host)
