"""A real livekit-server on loopback, for tests of the room path."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn, Self

import aiohttp
import pytest

MODULE = "github.com/livekit/livekit-server/cmd/server@v1.13.5"
BUILD_LIMIT_S = 600
START_LIMIT_S = 180.0
STOP_LIMIT_S = 10.0
# Two servers that start at once on one machine may pick the same free port.
ATTEMPTS = 3


def server_program() -> Path:
    """The livekit-server program: an installed one, or one built with Go, which caches it.

    Without the program and without Go the test that asks is skipped; under CI it fails instead, for there a
    skipped test would prove nothing.
    """
    if found := shutil.which("livekit-server") or _built():
        return Path(found)
    go = shutil.which("go")
    if go is None:
        return _missing("neither is Go, to build it")
    try:
        subprocess.run([go, "install", MODULE], check=True, timeout=BUILD_LIMIT_S)  # noqa: S603
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        return _missing(f"Go could not build it ({error})")
    return Path(_built() or _missing("Go built it, but where"))


def _missing(why: str) -> NoReturn:
    reason = f"livekit-server is not installed, and {why}: `go install {MODULE}`"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _built() -> str | None:
    """What ``go install`` left: the program is called after its folder, ``server``."""
    folders = [os.environ.get("GOBIN", "")]
    if go := shutil.which("go"):
        asked = subprocess.run(  # noqa: S603
            [go, "env", "GOBIN", "GOPATH"], check=True, capture_output=True, text=True, timeout=30
        ).stdout.splitlines()
        folders += [asked[0], *(f"{path}/bin" for path in asked[1].split(os.pathsep) if path)]
    folders.append(str(Path.home() / "go" / "bin"))
    return shutil.which("server", path=os.pathsep.join(filter(None, folders)))


class LiveKitServer:
    """``async with LiveKitServer(folder) as server``: one node, no Redis, loopback only, keys of its own."""

    def __init__(self, folder: Path) -> None:
        self.key = "patchbay"
        self.secret = secrets.token_hex(32)
        self.port = 0
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a worker or an API client is given."""
        return {
            "LIVEKIT_URL": self.url,
            "LIVEKIT_API_KEY": self.key,
            "LIVEKIT_API_SECRET": self.secret,
        }

    async def __aenter__(self) -> Self:
        with _one_at_a_time():
            program = await asyncio.to_thread(server_program)
        for attempt in range(1, ATTEMPTS + 1):
            if await self._started(program):
                return self
            await self._stop()
            if attempt == ATTEMPTS:
                raise RuntimeError(f"livekit-server did not start: {self._log.read_text()[-2000:]}")
        raise AssertionError("not reached")

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    @property
    def _log(self) -> Path:
        return self._folder / "livekit-server.log"

    async def _started(self, program: Path) -> bool:
        self.port = _free_port(socket.SOCK_STREAM)
        config = {
            "port": self.port,
            "bind_addresses": ["127.0.0.1"],
            "keys": {self.key: self.secret},
            "log_level": "warn",
            "rtc": {
                "node_ip": "127.0.0.1",
                "use_external_ip": False,
                "enable_loopback_candidate": True,
                "interfaces": {"includes": ["lo"]},
                "tcp_port": 0,
                "udp_port": _free_port(socket.SOCK_DGRAM),
            },
        }
        path = self._folder / "livekit-server.yaml"
        path.write_text(json.dumps(config))  # JSON is YAML
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                str(program), "--config", str(path), stdout=log, stderr=log, stdin=asyncio.subprocess.DEVNULL
            )
        return await self._ready(self._process)

    async def _ready(self, process: asyncio.subprocess.Process) -> bool:
        """Whether the server answers before it ends or the time is up. It offers nothing to wait on but its port."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_LIMIT_S), aiohttp.ClientSession() as client:
                while process.returncode is None:
                    with contextlib.suppress(aiohttp.ClientError):
                        async with client.get(f"http://127.0.0.1:{self.port}/") as answer:
                            if answer.ok:
                                return True
                    await asyncio.sleep(0.05)
        return False

    async def _stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Holds a lock of this user's, so that test processes do not build the server side by side."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "patchbay-tests"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "livekit-server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
