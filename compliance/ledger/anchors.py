"""Publishing checkpoints where the ledger's operator cannot change them again.

Without that, who owns the database and the keys can rewrite everything and sign it anew. An anchor holds checkpoints
and the hashes of all entries, so that an outsider sees that something was changed, and which entry was the first. It
learns nothing of what was said.

An anchor is a plug-point: :class:`FileAnchor` is a file on other storage; an object store with object lock or a
timestamping service (RFC 3161) is another class with the same two members.
"""

from __future__ import annotations

import base64
import fcntl
import json
import logging
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from compliance.errors import ComplianceError
from compliance.ledger.checkpoint import Checkpoint
from compliance.ledger.merkle import HASH_BYTES
from compliance.ledger.note import signer as signer_of

logger = logging.getLogger(__name__)

LeafHashes = Callable[[int, int], Sequence[bytes]]
"""``leaf_hashes(start, stop)``: those of the entries ``start <= seq < stop``."""

_MOST_IN_A_LINE = 8_192


class AnchorError(ComplianceError):
    """A checkpoint could not be published; the next attempt takes up where this one failed."""


class Anchor(Protocol):
    """Where checkpoints are published."""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        ...

    def publish(self, log: str, note: str, leaf_hashes: LeafHashes) -> None:
        """Keeps a checkpoint, and what came before it since the last one. It may take as long as it needs.

        Raises:
            AnchorError: it could not.
        """
        ...


class FileAnchor:
    """A file that only grows, best on storage that lets nobody rewrite it; several processes may share it.

    One JSON object a line, of two kinds: ``{"log", "start", "hashes"}`` has the hashes of the entries from ``start``
    on, 32 bytes each, in base64; ``{"log", "note"}`` has a checkpoint, after the hashes of all its entries. A line
    that a crash cut short is no JSON and is passed over; what it held is written again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read_to = 0
        self._hashed: dict[str, int] = {}
        self._noted: dict[str, int] = {}
        self._signers: dict[str, tuple[str, bytes]] = {}

    @property
    def name(self) -> str:
        return str(self.path)

    def publish(self, log: str, note: str, leaf_hashes: LeafHashes) -> None:
        size, signer = Checkpoint.read(note).size, signer_of(note)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                self._catch_up(file)
                if self._signers.get(log, signer) != signer:
                    raise AnchorError(
                        f"{self.path}: it has checkpoints of another ledger's log '{log}'. Give each ledger its own."
                    )
                if size <= self._noted.get(log, -1):  # another process was here with a newer one
                    return
                for start in range(self._hashed.get(log, 0), size, _MOST_IN_A_LINE):
                    hashes = b"".join(leaf_hashes(start, min(start + _MOST_IN_A_LINE, size)))
                    encoded = base64.b64encode(hashes).decode()
                    _write(file, {"log": log, "start": start, "hashes": encoded})
                _write(file, {"log": log, "note": note})
                file.flush()
                os.fsync(file.fileno())
                self._catch_up(file)
        except OSError as error:
            raise AnchorError(
                f"{self.path}: it cannot be written ({error.strerror}). Check the path and the space there."
            ) from error

    def _catch_up(self, file: BinaryIO) -> None:
        """Reads what was added since, by whomever; ends a line that was cut short."""
        file.seek(self._read_to)
        while line := file.readline():
            if not line.endswith(b"\n"):
                file.write(b"\n")
                file.flush()
                break
            self._read_to += len(line)
            try:
                read = json.loads(line)
                if "note" in read:
                    self._noted[read["log"]] = Checkpoint.read(read["note"]).size
                    self._signers[read["log"]] = signer_of(read["note"])
                else:
                    length = len(base64.b64decode(read["hashes"])) // HASH_BYTES
                    self._hashed[read["log"]] = read["start"] + length
            except (ValueError, TypeError, LookupError):
                continue


def _write(file: BinaryIO, value: dict[str, object]) -> None:
    file.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")


class Anchoring:
    """Publishes checkpoints on a thread of its own, so that appending never waits for an anchor.

    While an anchor works, newer checkpoints replace each other: the newest is what it gets next.
    """

    def __init__(self, log: str, anchors: Sequence[Anchor], leaf_hashes: LeafHashes) -> None:
        self._log = log
        self._anchors = tuple(anchors)
        self._leaf_hashes = leaf_hashes
        self._newest: str | None = None
        self._changed = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None

    def publish(self, note: str) -> None:
        """Publishes a checkpoint soon; returns at once."""
        if not self._anchors:
            return
        with self._changed:
            self._newest = note
            if self._thread is None and not self._closing:
                self._thread = threading.Thread(
                    target=self._work, name=f"anchors of {self._log}", daemon=True
                )
                self._thread.start()
            self._changed.notify()

    def close(self, newest: Callable[[], str | None]) -> None:
        """Publishes the newest checkpoint, which is asked for, and ends the thread."""
        if self._anchors and not self._closing:
            try:
                self.publish(newest() or "")
            except ComplianceError as error:
                logger.error("the newest checkpoint is not anchored: %s", error)
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                while self._newest is None:
                    if self._closing:
                        return
                    self._changed.wait()
                note, self._newest = self._newest, None
            for anchor in self._anchors:
                try:
                    anchor.publish(self._log, note, self._leaf_hashes)
                except ComplianceError as error:
                    logger.error("a checkpoint is not anchored: %s", error)
                except Exception as error:  # somebody else's class; the next checkpoint is another attempt
                    logger.error("a checkpoint is not anchored at %s: %s", anchor.name, type(error).__name__)
