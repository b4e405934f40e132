"""The lab as a server on loopback: in this process (:class:`Lab`) or as its own (``python -m lab.server``).

As its own process it prints one line of JSON with its URLs when it is ready, and ends on SIGTERM or when its
standard input closes, so that it never outlives who started it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import random
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web
from aiohttp.typedefs import Handler

from lab import (
    control,
    deepgram,
    deepgram_flux,
    elevenlabs,
    gemini_live,
    openai_chat,
    openai_decisions,
    openai_live,
    openai_realtime_plain,
    openai_sideband,
    openai_speech,
    openai_transcription,
    wire,
)
from lab.addresses import Reachable
from lab.context import Hearing, LabContext, Voices
from lab.delays import Delays
from lab.errors import LabError
from lab.hearing import Hearing as RealHearing
from lab.script import SUPPORT, Script
from lab.tls import loopback_context
from lab.voices import Voices as RealVoices
from policies.document import DocumentError

_PROVIDERS = (
    openai_chat,
    openai_speech,
    openai_transcription,
    openai_sideband,
    openai_realtime_plain,
    openai_decisions,
    openai_live,
    deepgram,
    deepgram_flux,
    elevenlabs,
    gemini_live,
)


@dataclass(frozen=True, slots=True)
class LabSettings:
    """How a lab is set up. Port 0 takes a free one; equal seeds draw equal delays and identifiers."""

    delays: Delays = field(default_factory=Delays)
    scenario: Path = SUPPORT
    port: int = 0
    seed: int = 20261114
    ears: int = 2
    """Processes that recognise speech."""
    voices: int = 1
    """Processes that synthesise it."""
    session_limit_s: float = math.inf
    """Length at which realtime providers end a session; vendors' limits are ten to sixty minutes."""


class Lab(Reachable):
    """A lab in this event loop: ``async with Lab() as lab``.

    Ears and voices work in processes of their own; pass ``hearing`` or ``voices`` to use others (they are started
    and closed here all the same).
    """

    def __init__(
        self,
        settings: LabSettings | None = None,
        *,
        hearing: Hearing | None = None,
        voices: Voices | None = None,
    ) -> None:
        self.settings = settings or LabSettings()
        self.context = LabContext(
            hearing=hearing or RealHearing(processes=self.settings.ears),
            voices=voices or RealVoices(processes=self.settings.voices),
            script=Script.load(self.settings.scenario),
            delays=self.settings.delays,
            rng=random.Random(self.settings.seed),
            session_limit_s=self.settings.session_limit_s,
        )
        self._runner: web.AppRunner | None = None
        self._answering: dict[int, web.Request] = {}

    async def __aenter__(self) -> Self:
        try:
            await asyncio.gather(self.context.hearing.start(), self.context.voices.start())
            app = web.Application(client_max_size=64 * 2**20, middlewares=[self._followed])
            for provider in (*_PROVIDERS, control):
                app.add_routes(provider.routes(self.context))
            app.router.add_delete("/lab/connections", self._cut)
            # A client that goes away cancels its request: nothing is generated for nobody.
            self._runner = web.AppRunner(
                app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None
            )
            await self._runner.setup()
            await web.TCPSite(self._runner, "127.0.0.1", self.settings.port).start()
            await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=loopback_context()).start()
            plain, secure = (address[1] for address in self._runner.addresses)
            self._url, self._secure_url = f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{secure}"
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def cut(self, path: str = "/") -> int:
        """Drop what is being answered under ``path``, sockets too, as a broken network does; returns how many."""
        lost = [request for request in self._answering.values() if request.path.startswith(path)]
        for request in lost:
            wire.cut(request)
        return len(lost)

    async def _cut(self, request: web.Request) -> web.Response:
        return web.json_response({"cut": self.cut(request.query.get("path", "/"))})

    @web.middleware
    async def _followed(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._answering[id(request)] = request  # a request has no hash
        try:
            return await handler(request)
        finally:
            del self._answering[id(request)]

    async def aclose(self) -> None:
        """Stop serving and end the worker processes."""
        if self._runner is not None:
            await self._runner.cleanup()
        await asyncio.gather(self.context.hearing.aclose(), self.context.voices.aclose())


async def _serve(
    settings: LabSettings, *, with_parent: bool, hearing: Hearing | None, voices: Voices | None
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Lab(settings, hearing=hearing, voices=voices) as lab:
        print(json.dumps({"url": lab.url, "stand_ins": lab.stand_ins}), flush=True)
        orphaned = (
            asyncio.create_task(_stdin_closed(), name="lab watches its parent") if with_parent else None
        )
        stopped = asyncio.create_task(stop.wait(), name="lab waits for a signal")
        tasks = [task for task in (orphaned, stopped) if task is not None]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _stdin_closed() -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        while await reader.read(1024):
            pass
    finally:
        transport.close()


def main(
    arguments: Sequence[str] | None = None, *, hearing: Hearing | None = None, voices: Voices | None = None
) -> int:
    """``python -m lab.server``: see ``--help``. Returns the exit status.

    Args:
        hearing: ears to use instead of its own, for programs that serve a lab like this one.
        voices: likewise.
    """
    parser = argparse.ArgumentParser(prog="python -m lab.server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument(
        "--delays", default="", help="none, or stage=P50/P99 in ms: stt=100/250,network=10/30"
    )
    parser.add_argument("--scenario", type=Path, default=SUPPORT, help="YAML script of the language model")
    parser.add_argument("--seed", type=int, default=20261114, help="seed of the delays")
    parser.add_argument("--ears", type=int, default=2, help="processes that recognise speech")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input closes")
    options = parser.parse_args(arguments)
    try:
        settings = LabSettings(
            delays=Delays.parse(options.delays),
            scenario=options.scenario,
            port=options.port,
            seed=options.seed,
            ears=options.ears,
        )
        asyncio.run(_serve(settings, with_parent=options.with_parent, hearing=hearing, voices=voices))
    except (LabError, DocumentError, OSError) as error:
        print(f"the lab cannot start: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
