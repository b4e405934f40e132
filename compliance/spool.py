"""Redacted events that the ledger refused, sealed, one a line, in a file until the ledger takes them.

Its recorder gives them to the ledger when that takes events again. What a crash left is taken in by :func:`take_in`
when the next process starts: whose spool is still in use is seen by the lock on it.
"""

from __future__ import annotations

import base64
import errno
import fcntl
import hashlib
import logging
import os
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

from compliance.errors import ErasedError, LedgerError, LedgerKeysError
from compliance.events import EVENT, Event
from compliance.ledger import Ledger
from compliance.ledger.keys import Keyring, LogKeys

logger = logging.getLogger(__name__)


class Spool:
    """The spool of one call. Errors are ``OSError``.

    Args:
        path: the file; it is made with the first event.
        keys: what seals it, those of the ledger's log; by default keys that are gone with the process.
    """

    def __init__(self, path: Path, keys: LogKeys | None = None) -> None:
        self.path = path
        self._keys: LogKeys = keys or Keyring.new().of_log("")
        self._handle = -1
        self._close: Callable[[], object] | None = None

    @classmethod
    def beside(cls, ledger: Path | None, call_id: str, keys: LogKeys | None = None) -> Spool:
        """The spool of ``call_id`` in the folder of the ledger's file, or the current one for a ledger on a server."""
        folder, name = _place(ledger)
        return cls(folder / f"{name}.{hashlib.sha256(call_id.encode()).hexdigest()[:16]}.spool", keys)

    @property
    def name(self) -> str:
        return self.path.name

    def write(self, events: Sequence[Event]) -> None:
        """Appends events, all or none; they are on disk when this returns."""
        lines = b"".join(self._sealed(event) + b"\n" for event in events)
        if self._close is None:
            self._handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._close = weakref.finalize(self, os.close, self._handle)
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        before = os.fstat(self._handle).st_size
        try:
            if os.write(self._handle, lines) != len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._handle)
        except OSError:
            os.ftruncate(self._handle, before)
            raise

    def read(self) -> tuple[Event, ...]:
        """What is in it, in order; empty when there is no spool. A last line cut by a crash is left out.

        Raises:
            LedgerKeysError: it is sealed with other keys, or was changed.
        """
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return ()
        return tuple(self._opened(line) for line in lines[:-1])

    def remove(self) -> None:
        """Removes the file, if there is one."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Lets go of the file: what is in it is for :func:`take_in` from now on."""
        if self._close is not None:
            self._close()
            self._close = None

    def _sealed(self, event: Event) -> bytes:
        return base64.b64encode(self._keys.wrap(event.model_dump_json().encode(), self._purpose))

    def _opened(self, line: bytes) -> Event:
        try:
            return EVENT.validate_json(self._keys.unwrap(base64.b64decode(line), self._purpose))
        except ValueError:
            raise LedgerKeysError(f"{self.name}: a line of it was changed.") from None

    @property
    def _purpose(self) -> str:
        return f"spool\x00{self.name}"


def take_in(ledger: Ledger) -> int:
    """Appends what processes that crashed left in spools, and removes these; returns how many events that were.

    What the ledger already has of them is not added a second time. Of a call that was erased nothing is kept.
    """
    folder, name = _place(ledger.path)
    taken = 0
    for path in sorted(folder.glob(f"{name}.*.spool")):
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                taken += _taken(ledger, Spool(path, ledger.spool_keys))
        except BlockingIOError:
            continue  # its recorder lives
        except (LedgerError, OSError) as error:
            told = str(error) if isinstance(error, LedgerError) else type(error).__name__
            logger.error("%s is left as it is: %s", path.name, told)
    return taken


def _taken(ledger: Ledger, spool: Spool) -> int:
    left: list[Event] = []
    events = spool.read()
    try:
        known = {call_id: list(ledger.events(call_id)) for call_id in {event.call_id for event in events}}
        for event in events:
            if event in known[event.call_id]:
                known[event.call_id].remove(event)
            else:
                left.append(event)
        ledger.append_many(left)
    except ErasedError:
        left = []
    spool.remove()
    return len(left)


def _place(ledger: Path | None) -> tuple[Path, str]:
    return (ledger.parent, ledger.name) if ledger else (Path(), "ledger")
