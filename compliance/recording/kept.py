"""A recording on disk: where it is, how it is written, how it is read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from compliance.recording.errors import RecordingChangedError, RecordingError
from compliance.recording.flac import CHANNELS, FlacEncoder, decoded
from compliance.recording.sealed import SealedFile, opened
from compliance.tap import RATE_HZ
from compliance.voiced import Samples

PURPOSE = "recording"
"""What the key of a recording is derived for: ``Ledger.derived_key(call_id, PURPOSE)``."""

_SILENCE = np.zeros((CHANNELS, RATE_HZ), np.int16)


@dataclass(frozen=True, slots=True)
class Recordings:
    """The recordings of a line's calls, in one folder; also a :class:`compliance.erasure.Shreddable`."""

    folder: Path
    kind: str = "recording"
    """What this is called by retention rules."""

    def path(self, call_id: str) -> Path:
        """Where the recording of a call is, or would be."""
        return self.folder / f"{quote(call_id, safe='')}.flac.sealed"

    def keeps(self, call_id: str) -> bool:
        """Whether there is one of the call."""
        return self.path(call_id).exists()

    def shred(self, call_id: str) -> int:
        """Destroys the recording of a call; returns how many there were. Raises ``OSError`` when it cannot."""
        there = self.keeps(call_id)
        self.path(call_id).unlink(missing_ok=True)
        return int(there)


class KeptRecording:
    """A recording that is being written: FLAC inside encryption.

    Args:
        path: the file; there must be none.
        key: 32 bytes.

    Raises:
        OSError: it cannot be made, here, or written, later; what was written by then can be read.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        self._file = SealedFile(path, key)
        self._encoder = FlacEncoder()
        self.samples = 0
        """How long it is."""

    @property
    def name(self) -> str:
        return self._file.path.name

    @property
    def sha256(self) -> str:
        """Of the encrypted file as far as it is written, in hex."""
        return self._file.sha256

    @property
    def size_bytes(self) -> int:
        return self._file.size_bytes

    def write(self, samples: Samples) -> None:
        """Adds audio that may be kept, int16 of shape ``(2, n)``."""
        self._file.write(self._encoder.encode(samples))
        self.samples += samples.shape[1]

    def write_silence(self, samples: int) -> None:
        for start in range(0, samples, RATE_HZ):
            self.write(_SILENCE[:, : min(RATE_HZ, samples - start)])

    def finish(self) -> None:
        """Marks the end; the file is on disk when this returns."""
        self._file.write(self._encoder.finish())
        self._file.finish()

    def close(self) -> None:
        """Leaves the file as it is, without an end."""
        self._file.close()

    def discard(self) -> None:
        """Removes the file."""
        self._file.discard()


def read_recording(path: Path, key: bytes) -> Iterator[Samples]:
    """The audio of a recording, piece by piece: int16 of shape ``(2, n)`` at 24 kHz, caller and agent.

    Raises:
        RecordingTornError: it has no end; all that was handed out before is as it was kept.
        RecordingChangedError: it was changed, or the key is another one's.
        RecordingError: there is none, or it cannot be read.
    """
    try:
        with path.open("rb") as file:
            yield from decoded(opened(file, key, name=path.name))
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from error


def check_recording(path: Path, *, sha256: str, size_bytes: int) -> None:
    """Compares a file with what is on record of it; needs no key.

    Raises:
        RecordingChangedError: it is another file.
        RecordingError: there is none, or it cannot be read.
    """
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        found_bytes = path.stat().st_size
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from error
    if (found, found_bytes) != (sha256, size_bytes):
        raise RecordingChangedError(
            f"{path.name} is not the file that was recorded: it has {found_bytes} bytes and SHA-256 {found[:16]}..., "
            f"on record are {size_bytes} bytes and {sha256[:16]}... Restore it from a copy"
        )
