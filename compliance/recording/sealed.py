"""Encryption of a file that grows: chunks that can be read up to where a crash left them, and that nobody can change.

The construction is STREAM (Hoang, Reyhanitabar, Rogaway, Vizár, "Online Authenticated-Encryption and its Nonce-Reuse
Misuse-Resistance", CRYPTO 2015), laid out as the payload of the age format (C2SP, age-encryption.org/v1), with
AES-256-GCM in the place of ChaCha20-Poly1305:

* a line that names the format, and 16 random bytes of salt;
* the plaintext in chunks of 16 KiB, the last one shorter or as long, each followed by its tag of 16 bytes.

The key of the chunks is HKDF-SHA-256 of the caller's key, the salt, and the format's line. The nonce of a chunk is its
number, from 0, in 11 bytes, big endian, and one byte that is 1 for the last chunk and 0 for the others: a chunk that is
changed, dropped, repeated, moved or taken from another file does not open, nor does a file that ends before its end.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from compliance.recording.errors import RecordingChangedError, RecordingTornError

FORMAT = b"patchbay-recording/1\n"
CHUNK_BYTES = 16 * 1024
TAG_BYTES = 16
SALT_BYTES = 16
HEADER_BYTES = len(FORMAT) + SALT_BYTES

_COUNTER_BYTES = 11
_SEALED_BYTES = CHUNK_BYTES + TAG_BYTES


class SealedFile:
    """A new file, readable by its owner only, that is written to its end once. Every chunk is with the system at once.

    Args:
        path: the file; there must be none.
        key: 32 bytes, known for this call only.

    Raises:
        OSError: it cannot be made, here, or written, later; what is in it then ends with a whole chunk.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        salt = os.urandom(SALT_BYTES)
        self._cipher = _cipher(key, salt)
        self._pending = bytearray()
        self._chunks = 0
        self._sha256 = hashlib.sha256()
        self.path = path
        self.size_bytes = 0
        """What the file holds."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._open = True
        self._put(FORMAT + salt)

    @property
    def sha256(self) -> str:
        """Of what the file holds, in hex."""
        return self._sha256.hexdigest()

    def write(self, data: bytes) -> None:
        """Adds plaintext; what does not fill a chunk waits in memory."""
        self._pending += data
        while len(self._pending) > CHUNK_BYTES:  # a chunk that may be the last one waits for the end
            self._seal(bytes(self._pending[:CHUNK_BYTES]), last=False)
            del self._pending[:CHUNK_BYTES]

    def finish(self) -> None:
        """Writes the last chunk; the file is on disk when this returns."""
        self._seal(bytes(self._pending), last=True)
        os.fsync(self._descriptor)
        self.close()

    def close(self) -> None:
        """Leaves the file as it is. Safe to call twice."""
        self._pending.clear()
        if self._open:
            self._open = False
            os.close(self._descriptor)

    def discard(self) -> None:
        """Removes the file, and with its salt the way to its key."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _seal(self, chunk: bytes, *, last: bool) -> None:
        self._put(self._cipher.encrypt(_nonce(self._chunks, last=last), chunk, None))
        self._chunks += 1

    def _put(self, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError:
            os.ftruncate(self._descriptor, self.size_bytes)
            raise
        self.size_bytes += len(data)
        self._sha256.update(data)


def opened(file: BinaryIO, key: bytes, *, name: str) -> Iterator[bytes]:
    """The plaintext of a sealed file, chunk by chunk, each one authenticated before it is handed out.

    Args:
        file: at its beginning.
        name: what errors call it.

    Raises:
        RecordingTornError: the file ends before its end.
        RecordingChangedError: a chunk was changed, moved or replaced, or the key is another one's.
    """
    header = file.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES and FORMAT.startswith(header[: len(FORMAT)]):
        raise RecordingTornError(f"{name} ends in its first line: nothing of it was kept")
    if not header.startswith(FORMAT):
        raise RecordingChangedError(f"{name} is no recording of this format: its first line is another")
    cipher = _cipher(key, header[len(FORMAT) :])
    number = 0
    sealed = file.read(_SEALED_BYTES)
    while True:
        following = file.read(_SEALED_BYTES) if len(sealed) == _SEALED_BYTES else b""
        last = not following
        chunk = _chunk(cipher, number, sealed, last=last)
        if chunk is None and last:
            if (chunk := _chunk(cipher, number, sealed, last=False)) is not None:
                yield chunk
            raise RecordingTornError(
                f"{name} ends in chunk {number} without the mark of its end: it was cut there, or its end was changed. "
                "What comes before is as it was written"
            )
        if chunk is None:
            raise RecordingChangedError(
                f"{name} was changed in chunk {number}, or is another call's: fetch it again from where it is kept"
            )
        yield chunk
        if last:
            return
        number, sealed = number + 1, following


def _chunk(cipher: AESGCM, number: int, sealed: bytes, *, last: bool) -> bytes | None:
    """The plaintext of a chunk; None when it is not what was written in its place."""
    try:
        return cipher.decrypt(_nonce(number, last=last), sealed, None)
    except InvalidTag:
        return None


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(_COUNTER_BYTES, "big") + bytes([last])


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt, FORMAT).derive(key))
