"""``patchbay web``: the web application, until it is told to stop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from aiohttp import web
from prometheus_client import start_http_server
from rich.console import Console

from service.cli.errors import CommandError
from service.cli.issuer import verifier
from service.cli.rig import rig
from service.exchange import Exchange
from service.settings import Settings
from service.web import LiveKit, make_app
from service.web.session import direct_engine

HURRY_S = 5.0
"""What requests in progress are given when the service stops."""


async def serve(settings: Settings, *, pages: Path | None, as_json: bool) -> int:
    """Serve until SIGTERM or Ctrl-C; calls that are on are ended then.

    Args:
        settings: of the deployment.
        pages: a folder to serve at ``/``.
        as_json: say where it listens as one line of JSON.

    Raises:
        CommandError: the address cannot be listened on, or something that is needed is missing.
    """
    oidc, livekit = verifier(settings), LiveKit.of(os.environ)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with closing(_listening(settings)) as listener:
        async with rig(settings, Path(".patchbay")) as ready:
            exchange = await asyncio.to_thread(Exchange.load, ready)
            app = make_app(exchange, oidc=oidc, livekit=livekit, pages=pages)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=HURRY_S)
            try:
                await runner.setup()
                await web.SockSite(runner, listener).start()
                with _metrics(settings):
                    _say(runner, exchange, livekit, as_json=as_json)
                    await stop.wait()
            finally:
                await runner.cleanup()
                await asyncio.to_thread(exchange.close)
    return 0


@contextmanager
def _metrics(settings: Settings) -> Iterator[None]:
    """Show Prometheus the metrics of direct calls, where a port is set for it. Raises :class:`CommandError`."""
    if not settings.metrics_port:
        yield
        return
    try:
        server, thread = start_http_server(settings.metrics_port, settings.health_host)
    except OSError as error:
        raise CommandError(
            f"metrics cannot be shown on {settings.health_host}:{settings.metrics_port} ({error.strerror}): set "
            "PATCHBAY_METRICS_PORT to another port, or to 0"
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _listening(settings: Settings) -> socket.socket:
    """The address, taken before anything is loaded. Raises :class:`CommandError`."""
    address = settings.web_host, settings.web_port
    family = socket.AF_INET6 if ":" in settings.web_host else socket.AF_INET
    try:
        return socket.create_server(address, family=family)
    except OSError as error:
        raise CommandError(
            f"{settings.web_host}:{settings.web_port} cannot be listened on ({error.strerror}): set PATCHBAY_WEB_HOST "
            "and PATCHBAY_WEB_PORT"
        ) from error


def _say(runner: web.AppRunner, exchange: Exchange, livekit: LiveKit | None, *, as_json: bool) -> None:
    host, port = runner.addresses[0][:2]
    engine = direct_engine(exchange.catalogue, exchange.settings.web_engine)
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    simulated = exchange.endpoints.simulated((engine.mind,)) if engine else ()
    if as_json:
        told = {
            "url": url,
            "rooms": livekit.url if livekit else None,
            "direct": engine.name if engine else None,
            "simulated": list(simulated),
        }
        print(json.dumps(told), flush=True)  # who started it waits for this line
        return
    console = Console(highlight=False)
    console.print(f"listening on {url}", markup=False)
    console.print(f"rooms: {livekit.url if livekit else 'none, for LIVEKIT_URL and its keys are not set'}")
    mark = " (simulated)" if simulated else ""
    console.print(f"direct calls: {f'{engine.name}{mark}' if engine else 'none, no engine can be called so'}")
    if exchange.settings.web_site_token is None:
        console.print("no PATCHBAY_WEB_SITE_TOKEN is set: only tokens of the role service are let in")
