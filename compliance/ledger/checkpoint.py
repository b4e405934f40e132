"""The state of a log as a text that is signed: its size and root (C2SP tlog-checkpoint), and when.

    <origin>
    <size>
    <base64 of the root>
    time_ms <milliseconds since 1970, UTC>
    kept <SHA-256 in hex of the note that was kept before this one>

So a checkpoint also covers all those that were kept before it. Source: https://c2sp.org/tlog-checkpoint; the last two
are extension lines, which other tools pass over.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log's owner signs."""

    origin: str
    """The log's name in the world; also that of its key."""
    size: int
    """How many entries it has."""
    root: bytes
    """The root of their Merkle tree, 32 bytes."""
    time_ms: int
    """When it was signed, in Unix milliseconds; never less than in the log's checkpoint before."""
    kept: str
    """What :func:`digest` says of the note that was kept before; of nothing for the first."""

    @property
    def text(self) -> str:
        """What is signed."""
        root = base64.b64encode(self.root).decode()
        return f"{self.origin}\n{self.size}\n{root}\ntime_ms {self.time_ms}\nkept {self.kept}\n"

    @classmethod
    def read(cls, note: str) -> Checkpoint:
        """Reads the text of a note; whether it is signed is for who trusts it to check.

        Raises:
            ValueError: this is no checkpoint.
        """
        try:
            origin, size, encoded, time, kept = note.partition("\n\n")[0].split("\n")
            if not time.startswith("time_ms ") or not kept.startswith("kept "):
                raise ValueError
            root = base64.b64decode(encoded, validate=True)
            return cls(
                origin, int(size), root, int(time.removeprefix("time_ms ")), kept.removeprefix("kept ")
            )
        except ValueError:
            raise ValueError("this is not a checkpoint of a ledger") from None


def digest(note: str) -> str:
    """How a checkpoint names the note that was kept before it."""
    return hashlib.sha256(note.encode()).hexdigest()
