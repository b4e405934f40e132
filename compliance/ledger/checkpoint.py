"""The state of a log as a text that is signed: its size and root (C2SP tlog-checkpoint), and when.

    <origin>
    <size>
    <base64 of the root>
    time_ms <milliseconds since 1970, UTC>

Source: https://c2sp.org/tlog-checkpoint; ``time_ms`` is an extension line, which other tools pass over.
"""

from __future__ import annotations

import base64
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

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\ntime_ms {self.time_ms}\n"

    @classmethod
    def read(cls, note: str) -> Checkpoint:
        """Reads the text of a note; whether it is signed is for who trusts it to check.

        Raises:
            ValueError: this is no checkpoint.
        """
        try:
            origin, size, root, time = note.partition("\n\n")[0].split("\n")[:4]
            if not time.startswith("time_ms "):
                raise ValueError
            read = cls(origin, int(size), base64.b64decode(root, validate=True), int(time[len("time_ms ") :]))
        except ValueError:
            raise ValueError("this is not a checkpoint of a ledger") from None
        return read
