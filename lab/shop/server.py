"""The shop's tools as a Model Context Protocol server: streamable HTTP on loopback, or stdio."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from lab.shop.store import ContactChange, Order, Refund, Shop, ShopError

P = ParamSpec("P")
R = TypeVar("R")

_GOODBYE_S = 1
"""How long open requests may still take once the server is told to end."""


def tools(shop: Shop) -> MCPServer[None]:
    """A server whose tools read and change ``shop``. Their results are structured; refusals are tool errors."""
    server: MCPServer[None] = MCPServer("shop", version="1.0", log_level="WARNING")

    @server.tool()
    def order_lookup(order_number: str) -> Order:
        """Find an order by its number, given in digits or as spoken: item, status, delivery day, address."""
        return _granted(shop.order, order_number)

    @server.tool()
    def order_refund(order_number: str, reason: str) -> Refund:
        """Refund a delivered order in full. Asking twice pays once."""
        return _granted(shop.refund, order_number, reason)

    @server.tool()
    def address_change(order_number: str, address: str) -> Order:
        """Change where an order that is not delivered yet goes to."""
        return _granted(shop.change_address, order_number, address)

    @server.tool()
    def delivery_change(order_number: str, date: str) -> Order:
        """Move the delivery of an order to another day: an ISO date, or words such as 'next thursday'."""
        return _granted(shop.change_delivery, order_number, date)

    @server.tool()
    def contact_change(email: str) -> ContactChange:
        """Change the customer's e-mail address, written or spelled."""
        return _granted(shop.change_contact, email)

    return server


def serve_http(server: MCPServer[None], *, port: int) -> None:
    """Serve on 127.0.0.1 until SIGTERM, or until standard input closes where that is a pipe from a parent.

    Port 0 takes a free one. Once it answers, one line of JSON on standard output says where: ``{"url": …}``.
    """
    app = server.streamable_http_app(json_response=True, host="127.0.0.1")
    config = uvicorn.Config(
        app, log_level="warning", lifespan="on", timeout_graceful_shutdown=_GOODBYE_S, ws="none"
    )
    # The protocol is named because asyncio switches Nagle's algorithm off only then: 40 ms an answer otherwise.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        _Announcing(config).run(sockets=[listener])


class _Announcing(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        host, port = (sockets or [])[0].getsockname()
        print(json.dumps({"url": f"http://{host}:{port}/mcp"}), flush=True)
        if stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):
            asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._parent_spoke)

    def _parent_spoke(self) -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            self.should_exit = True


def _granted(do: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    try:
        return do(*args, **kwargs)
    except ShopError as error:
        raise ToolError(str(error)) from error
