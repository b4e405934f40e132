"""``python -m service.aside LISTENER OWNER FOLDER PROGRAM PATH``: started by :class:`service.aside.AsideProcess` only.

LISTENER and OWNER are numbers of inherited sockets: the one to serve, and the one whose end means that the owner is
gone. FOLDER holds the listener's address and is removed when the owner cannot do it. PROGRAM and PATH say what is done
here, see :mod:`service.aside.programs`. The first line to the owner is JSON: ``{}`` when the models are loaded, or
``{"error": ...}``; bytes after it say that the process is alive.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any


def main(arguments: Sequence[str]) -> int:
    """Serve until the owner is gone; returns 1 when there is nothing to serve."""
    listener, owner = (socket.socket(fileno=int(number)) for number in arguments[:2])
    Thread(target=_end_with, args=(owner, Path(arguments[2])), name="owner", daemon=True).start()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold what callers said
    # An orchestrator signals all of a worker's processes, and calls that are on are finished first.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Seconds of imports, so not before the owner is watched.
    from service.aside.programs import PROGRAMS
    from service.aside.serve import serve
    from service.settled import settle

    program = PROGRAMS[arguments[3]](Path(arguments[4]))
    try:
        works = program.works()
    except Exception as error:
        _say(owner, {"error": _told(error)})
        return 1
    settle()  # a long text that is worked on in a thread keeps nobody waiting
    os.nice(program.niceness)  # from here on: to load late would keep calls waiting
    _say(owner, {})
    asyncio.run(serve(listener, owner, works, quick_bytes=program.quick_bytes))
    return 0


def _end_with(owner: socket.socket, folder: Path) -> None:
    """End the process when the owner's end of the line is closed, whatever else goes on: the owner may be killed."""
    with suppress(OSError):
        while owner.recv(64):
            pass
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def _say(owner: socket.socket, what: dict[str, Any]) -> None:
    owner.sendall(json.dumps(what).encode() + b"\n")


def _told(error: Exception) -> dict[str, str]:
    from classifiers.errors import ClassifierError

    if isinstance(error, ClassifierError):
        return {"what": error.what, "remedy": error.remedy}
    return {"what": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
