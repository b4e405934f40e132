"""What happens to providers, told among the processes of one machine: an append-only log that all of them fold.

Short lines appended to one file with ``O_APPEND`` keep one order for everybody (POSIX ``write``: the offset is set to
the end *before each write*, with nothing in between), so processes that fold them agree on every circuit without a
lock, a server or a word to each other. A process that dies leaves nothing half done; a log that is gone leaves each
call with what it knows itself. Times are of the machine's monotonic clock, which all its processes share.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from engines.circuits import Happened

VARIABLE = "PATCHBAY_HAPPENINGS"
"""How a worker tells its job processes where the log is. Nobody else sets it."""
EPOCH_S = 600.0
"""Each stretch of time has a file of its own: the last two are read, and older ones removed."""
_AT_ONCE = 1 << 20


class HappeningsLog:
    """The log in a folder that only this user can enter.

    Args:
        folder: of the log.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[int, int] = {}
        """By epoch: how many bytes of its file have been read."""

    @classmethod
    def make(cls) -> HappeningsLog:
        """A new one. Raises :class:`OSError` where there is no temporary folder."""
        return cls(Path(tempfile.mkdtemp(prefix="patchbay-happenings-")))

    @classmethod
    def handed_down(cls, environment: Mapping[str, str]) -> HappeningsLog | None:
        """The one whose folder stands in the environment, if any."""
        folder = environment.get(VARIABLE, "")
        return cls(Path(folder)) if folder else None

    def close(self) -> None:
        """Remove it: whoever made it does, when nobody needs it any more."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def append(self, one: Happened) -> None:
        """Tell everybody. Raises :class:`OSError` when the log is gone or full."""
        line = json.dumps([one.at_s, one.name, one.what, one.who], separators=(",", ":")) + "\n"
        epoch = int(one.at_s // EPOCH_S)
        known = epoch in self._read
        file = os.open(self._of(epoch), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)
        if not known:
            self._read.setdefault(epoch, 0)
            with suppress(FileNotFoundError):
                self._of(epoch - 2).unlink()

    def news(self, now_s: float) -> Iterator[Happened]:
        """What was told since the last time, one's own included. Raises :class:`OSError` when it cannot be read."""
        this = int(now_s // EPOCH_S)
        self._read = {epoch: at for epoch, at in self._read.items() if epoch >= this - 1}
        for epoch in (this - 1, this):
            yield from self._news_of(epoch)

    def _of(self, epoch: int) -> Path:
        return self.folder / str(epoch)

    def _news_of(self, epoch: int) -> Iterator[Happened]:
        try:
            file = os.open(self._of(epoch), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            data = os.pread(file, _AT_ONCE, self._read.get(epoch, 0))
        finally:
            os.close(file)
        whole = data[: data.rfind(b"\n") + 1]
        self._read[epoch] = self._read.get(epoch, 0) + len(whole)
        for line in whole.splitlines():
            with suppress(ValueError, TypeError):  # no line of ours
                at_s, name, what, who = json.loads(line)
                if what in ("asked", "worked", "failed"):
                    yield Happened(float(at_s), str(name), what, str(who))
