"""Starts the process beside the calls, keeps it up, and ends it."""

from __future__ import annotations

import atexit
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from service.aside.address import Aside
from service.aside.programs import Program

logger = logging.getLogger(__name__)

READY_S = 60.0
"""The models are loaded by then, or never."""
HUNG_S = 10.0
"""A process whose event loop is silent for so long is killed, and started again."""
FIRST_DELAY_S, LONGEST_DELAY_S = 0.25, 30.0
"""Before the process is started again; doubled every time, until one lived :data:`STEADY_S`."""
STEADY_S = 60.0
_KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONPATH")
"""What the process is given of the environment: no key is."""
_QUIET = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
"""Nothing is fetched, and nobody is told at every start that there is no torch."""
_ROOT = Path(__file__).parent.parent.parent


class AsideProcess(Aside):
    """A process of its own that does one kind of work for all calls of this machine. Make it with :meth:`start`.

    It listens in a folder that only this user can enter, at an address that stays the same when the process is started
    again, and it ends with this process even if that is killed.

    Args:
        program: what it does, with an absolute path.

    Attributes:
        restarts: how many times it had to be started again.
    """

    def __init__(self, program: Program) -> None:
        self._listener, address = _listen()
        super().__init__(address)
        self.restarts = 0
        self._program = program
        self._users = 1
        self._ready: Future[None] = Future()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._keeper = threading.Thread(
            target=self._keep_up, name=f"patchbay.aside {program.name}", daemon=True
        )
        self._keeper.start()

    @classmethod
    def start(cls, program: Program) -> AsideProcess:
        """Begin to start it, or share the one that this process already has for the same program and path.

        Raises:
            Exception: there is no temporary folder for its socket; of the type that the program says.
        """
        program = replace(program, path=program.path.absolute())
        with _lock:
            if program in _running:
                _running[program]._users += 1
                return _running[program]
            try:
                return _running.setdefault(program, cls(program))
            except OSError as error:
                raise program.not_started(
                    f"the process that is to load it has nowhere to listen ({error})",
                    "set TMPDIR to a folder with a short path that can be written to",
                ) from error

    def wait_until_ready(self) -> None:
        """Wait until its models are loaded.

        Raises:
            Exception: they cannot be used, or the process did not start; of the type that the program says.
        """
        try:
            self._ready.result(READY_S)
        except TimeoutError:
            raise self._not_started(f"it was not ready within {READY_S:.0f} s") from None

    @property
    def pid(self) -> int | None:
        """The process's number while it runs."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def close(self) -> None:
        """Let go of it; it is ended when nobody of this process uses it any more."""
        with _lock:
            self._users -= 1
            if self._users or _running.pop(self._program, None) is None:
                return
        self._end()

    def _end(self) -> None:
        self._closed.set()
        with self._lock:
            if self._process is not None:
                self._process.kill()  # it has nothing to save
        self._keeper.join()
        self._listener.close()
        shutil.rmtree(self.address.parent, ignore_errors=True)

    # -- in a thread of its own -----------------------------------------------------------------------------
    def _keep_up(self) -> None:
        delay_s = FIRST_DELAY_S
        while not self._closed.is_set():
            began_s = time.monotonic()
            ended = self._run()
            if not self._ready.done():
                self._ready.set_exception(self._not_started(f"{ended} before it was ready"))
            if self._closed.is_set() or self._ready.exception() is not None:
                return
            logger.error("the %s process beside the calls %s and is started again", self._program.name, ended)
            self.restarts += 1
            if time.monotonic() - began_s > STEADY_S:
                delay_s = FIRST_DELAY_S
            self._closed.wait(delay_s)
            delay_s = min(2 * delay_s, LONGEST_DELAY_S)

    def _run(self) -> str:
        """From its start to its end; returns what became of it."""
        line, theirs = socket.socketpair()
        with line:
            try:
                with theirs, self._lock:
                    if self._closed.is_set():
                        return "is not wanted any more"
                    self._process = process = self._spawn(theirs)
            except OSError as error:
                return f"cannot be started ({error})"
            ended = self._follow(line)
        process.kill()
        return f"{ended} with status {process.wait()}"

    def _spawn(self, owner: socket.socket) -> subprocess.Popen[bytes]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        paths = filter(None, (str(_ROOT), kept.get("PYTHONPATH")))
        sockets = (self._listener.fileno(), owner.fileno())
        arguments = [
            *map(str, sockets),
            str(self.address.parent),
            self._program.name,
            str(self._program.path),
        ]
        return subprocess.Popen(  # noqa: S603 -- our own module, our own arguments
            [sys.executable, "-m", "service.aside", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=sockets,
            env={**kept, "PYTHONPATH": os.pathsep.join(paths), **_QUIET},
            # Ctrl-C is for who started the calls. No session of its own: niceness counts within a session.
            process_group=0,
        )

    def _follow(self, line: socket.socket) -> str:
        """Hear its signs of life until there are none; returns what became of it."""
        said = b""
        line.settimeout(READY_S)
        try:
            while heard := line.recv(4096):
                if b"\n" in said:
                    continue
                said += heard
                if b"\n" in said:
                    self._greeted(json.loads(said.partition(b"\n")[0]))
                    line.settimeout(HUNG_S)
        except TimeoutError:
            return "hung"
        except OSError:  # it died before it read what we had sent
            pass
        return "ended"

    def _greeted(self, said: dict[str, dict[str, str]]) -> None:
        """It is ready or says why not; it may be the second time that it is ready."""
        if self._ready.done():
            return
        match said.get("error"):
            case None:
                self._ready.set_result(None)
            case {"what": what, "remedy": remedy}:
                self._ready.set_exception(self._program.not_started(what, remedy))
            case error:
                self._ready.set_exception(self._not_started(error["what"]))

    def _not_started(self, what: str) -> Exception:
        return self._program.not_started(
            f"the process that was to load it failed ({what})", "look at what it printed, and start again"
        )


def _listen() -> tuple[socket.socket, Path]:
    """A listening socket, and its address in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="patchbay-"))  # nobody else may enter it
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(folder / "aside"))
        listener.listen(128)
    except OSError:
        listener.close()
        folder.rmdir()
        raise
    return listener, folder / "aside"


_running: dict[Program, AsideProcess] = {}
_lock = threading.Lock()


@atexit.register
def _end_all() -> None:
    with _lock:
        left = list(_running.values())
        _running.clear()
    for process in left:
        process._end()
