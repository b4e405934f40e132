"""What a source offers: bytes that were read once, whole, and have a name for errors."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from service.policies.bundles import LIMIT_BYTES, SUFFIX

SETTLED_S = 1.0
"""A file that was written to less than this ago may be half written; half a policy can be a policy."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A policy or a bundle, as it was read or fetched."""

    name: str
    data: bytes = field(repr=False)
    settled: bool = True
    """Whether nobody seems to be writing it."""
    digest: str = field(init=False, default="")
    """SHA-256 of the bytes, in hexadecimal."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", hashlib.sha256(self.data).hexdigest())


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something offered that is not accepted. Every reason is a line, ``name: why`` or ``name:line:column: why``."""

    name: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LocalSource:
    """A policy file, a bundle, or a folder of bundles. ``time_s`` is the clock that stamps files."""

    path: Path
    time_s: Callable[[], float] = time.time

    def offers(self) -> tuple[Offer | Refusal, ...]:
        """What is there now. Looks at the disk: not for an event loop."""
        if not self.path.is_dir():
            return (self._read(self.path),)
        try:
            found = sorted(path for path in self.path.iterdir() if path.name.endswith(SUFFIX))
        except OSError as error:
            return (_unreadable(self.path, error),)
        if not found:
            why = f"{self.path}: holds no bundle: no file in it ends in {SUFFIX}"
            return (Refusal(str(self.path), (why,)),)
        return tuple(self._read(path) for path in found)

    def _read(self, path: Path) -> Offer | Refusal:
        try:
            return read(path, time_s=self.time_s)
        except OSError as error:
            return _unreadable(path, error)


def read(path: Path, *, time_s: Callable[[], float] = time.time) -> Offer:
    """Read a file once. Raises :class:`OSError` when it cannot be read, is no file, or is too large for a policy."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe that nobody writes to must not block
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(0, "is not a file")
        data = file.read(LIMIT_BYTES + 1)
        written_s = os.fstat(file.fileno()).st_mtime
    if len(data) > LIMIT_BYTES:
        raise OSError(0, f"is larger than {LIMIT_BYTES} bytes")
    return Offer(str(path), data, settled=abs(time_s() - written_s) >= SETTLED_S)


def _unreadable(path: Path, error: OSError) -> Refusal:
    return Refusal(str(path), (f"{path}:1:1: cannot be read: {error.strerror}",))
