"""Where the last policy that was accepted from a source is kept: for a start while the source is away or wrong."""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.policies.errors import ShelfError
from service.policies.offers import Offer, read
from service.whole_file import write_whole

POLICY = "policy.yaml"
BUNDLE = "bundle.json"
STATUS = "status.json"


@dataclass(frozen=True, slots=True)
class Shelf:
    """One source's folder in the cache. Processes share it: what is written appears whole or not at all.

    It holds ``policy.yaml``, ``bundle.json`` when it was signed, and ``status.json``: what the worker found last.
    """

    folder: Path
    signed: bool

    @classmethod
    def of(cls, cache: Path, source: str, *, signed: bool) -> Shelf:
        """The shelf of ``source``; a path is given absolute, so that every process finds the same."""
        word = re.sub(r"[^a-z0-9]+", "-", source.rsplit("/", 1)[-1].lower()).strip("-")[:40] or "policy"
        return cls(cache / f"{word}-{hashlib.sha256(source.encode()).hexdigest()[:12]}", signed)

    @property
    def policy(self) -> Path:
        """The text of the policy that was accepted last."""
        return self.folder / POLICY

    def last(self) -> Offer | None:
        """What was accepted last, as it was offered; ``None`` when nothing was, or it cannot be read."""
        try:
            return read(self._last)
        except OSError:
            return None

    def last_at(self) -> float | None:
        """When that was, in seconds since 1970."""
        try:
            return self._last.stat().st_mtime
        except OSError:
            return None

    @property
    def _last(self) -> Path:
        return self.folder / (BUNDLE if self.signed else POLICY)

    def keep(self, offer: Offer, text: str) -> None:
        """Keep what was accepted, and its text for people and tools. Raises :class:`ShelfError`."""
        if self.signed:
            self._write(POLICY, text.encode())
            self._write(BUNDLE, offer.data)  # last, for it is what counts
        else:
            self._write(POLICY, offer.data)

    def note(self, status: dict[str, Any]) -> None:
        """Keep what was found out about the source. Raises :class:`ShelfError`."""
        self._write(STATUS, json.dumps(status, indent=2).encode())

    def noted(self) -> dict[str, Any] | None:
        """What was found out last; ``None`` when nobody looked."""
        try:
            value = json.loads((self.folder / STATUS).read_bytes())
        except (OSError, ValueError):
            return None
        return value if isinstance(value, dict) else None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from accepting anything meanwhile; where nothing can be kept, nothing is locked."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = (self.folder / "lock").open("w")
        except OSError:
            yield
            return
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _write(self, name: str, data: bytes) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(self.folder / name, data)
        except OSError as error:
            raise ShelfError(
                f"{self.folder}: the policy that was accepted cannot be kept there ({error.strerror}): "
                "set PATCHBAY_POLICY_CACHE to a folder that can be written to"
            ) from error
