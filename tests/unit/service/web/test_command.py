"""``patchbay web`` as an operator runs it; what calls share was loaded before."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from dataclasses import fields
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from service.cli import web as command
from service.cli.errors import CommandError
from service.exchange import Exchange
from tests.unit.service.web.rig import SITE

pytestmark = pytest.mark.unit

LIMIT_S = 60.0


class Lent(Exchange):
    """An exchange that goes on when one who has it is done."""

    def close(self) -> None: ...


async def test_it_serves_until_it_is_told_to_stop(
    exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"):
        monkeypatch.delenv(name, raising=False)
    lent = Lent(**{field.name: getattr(exchange, field.name) for field in fields(Exchange)})
    monkeypatch.setattr(Exchange, "load", lambda ready: lent)
    listening = asyncio.Event()
    said = command._say

    def say(*told: Any, **how: Any) -> None:
        said(*told, **how)
        listening.set()

    monkeypatch.setattr(command, "_say", say)
    with socket.create_server(("127.0.0.1", 0)) as free:
        metrics_port = free.getsockname()[1]
    settings = exchange.settings.model_copy(update={"web_port": 0, "metrics_port": metrics_port})
    async with asyncio.timeout(LIMIT_S):
        serving = asyncio.create_task(command.serve(settings, pages=None, as_json=True))
        await listening.wait()
        told = json.loads(capsys.readouterr().out)
        assert (told["direct"], told["rooms"], told["simulated"]) == ("realtime", None, ["openai"])
        async with aiohttp.ClientSession() as http:
            assert (await http.get(f"{told['url']}/v1/health")).status == 200
            metrics = await http.get(f"http://127.0.0.1:{metrics_port}/metrics")
            assert "patchbay_calls_active" in await metrics.text()
            headers = {"Authorization": f"Bearer {SITE}"}
            assert (await http.post(f"{told['url']}/v1/rooms/join", json={}, headers=headers)).status == 503
        os.kill(os.getpid(), signal.SIGTERM)
        assert await serving == 0


async def test_an_address_that_is_taken_is_said_before_anything_is_loaded(exchange: Exchange) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = exchange.settings.model_copy(update={"web_port": port})
        with pytest.raises(CommandError, match=f"127.0.0.1:{port} cannot be listened on"):
            await command.serve(settings, pages=None, as_json=False)
