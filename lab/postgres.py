"""A PostgreSQL server in a box: Debian's, really started, in a folder of its own, on a Unix socket."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import quote

_SETTINGS = "-c listen_addresses='' -c max_connections=40 -c shared_buffers=32MB"
_NO_FSYNC = "-c fsync=off"  # the lab crashes the server, never the machine under it


def binaries() -> Path | None:
    """The folder with ``initdb`` and ``pg_ctl``; ``None`` where PostgreSQL is not installed."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    on_path = shutil.which("pg_ctl")
    found = [*folders, *([Path(on_path).resolve().parent] if on_path else [])]
    return next((folder for folder in reversed(found) if (folder / "initdb").is_file()), None)


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server that is this process's to stop and start."""

    binaries: Path
    folder: Path
    user: str | None
    """Whom it runs as: it refuses to run as root."""
    durable: bool
    """Whether it waits for the disk, as in production, or leaves that to the operating system."""
    _numbers: Iterator[int]

    def start(self) -> None:
        options = f"{_SETTINGS} {'' if self.durable else _NO_FSYNC} -c unix_socket_directories={self.folder}"
        self._run("pg_ctl", "start", "-w", "-t", "60", "-l", str(self.folder / "log"), "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """``mode`` is ``fast``, which ends sessions, or ``immediate``, which is a crash."""
        self._run("pg_ctl", "stop", "-w", "-t", "60", "-m", mode)

    def url(self) -> str:
        """The URL of a new schema, which is to its user an empty database of its own."""
        import psycopg  # only with the postgres extra
        from psycopg import sql

        schema = f"test_{next(self._numbers)}"
        with psycopg.connect(host=str(self.folder), user="patchbay", dbname="postgres") as connection:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        options = quote(f"-c search_path={schema}")
        return f"postgresql://patchbay@/postgres?host={quote(str(self.folder), safe='')}&options={options}"

    def _run(self, program: str, *arguments: str) -> None:
        environment = {"PGDATA": str(self.folder / "data"), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        done = subprocess.run(  # noqa: S603 # Debian's programs
            [str(self.binaries / program), *arguments],
            user=self.user,
            env=environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr}")


@contextmanager
def running(binaries: Path, *, durable: bool = False) -> Iterator[Postgres]:
    """A server that is stopped and removed at the end; see :attr:`Postgres.durable`."""
    user = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="patchbay-pg-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        server = Postgres(binaries, folder, user, durable, count(1))
        server._run("initdb", "-U", "patchbay", "-A", "trust", "-E", "UTF8", "--no-sync")
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
