"""Ed25519 keys (RFC 8032) that sign policies, in the files that ``openssl`` reads and writes.

A private key is a PKCS #8 PEM file (RFC 8410). A public key travels as one line: the Base64 of its
SubjectPublicKeyInfo, which is what stands between the first and the last line of its PEM file.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
)

from service.policies.errors import KeyFileError

_SHOWN = 12


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that may sign policies."""

    line: str
    """As ``PATCHBAY_POLICY_KEYS`` has it."""
    key: Ed25519PublicKey

    @classmethod
    def parse(cls, line: str) -> Self:
        """Raises :class:`KeyFileError` when ``line`` is not the Base64 of an Ed25519 SubjectPublicKeyInfo."""
        try:
            key = load_der_public_key(base64.b64decode(line, validate=True))
        except (binascii.Error, ValueError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PublicKey):
            raise KeyFileError(
                f"PATCHBAY_POLICY_KEYS: '{line[:_SHOWN]}…' is not an Ed25519 public key. "
                "Give the line that `patchbay policy keygen` printed."
            )
        return cls(line, key)

    @property
    def id(self) -> str:
        """SHA-256, in hexadecimal, of its SubjectPublicKeyInfo: the ``keyid`` of signatures."""
        return hashlib.sha256(base64.b64decode(self.line)).hexdigest()

    def verifies(self, signature: bytes, message: bytes) -> bool:
        try:
            self.key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys that are trusted; several while one takes over from another."""

    keys: tuple[PublicKey, ...]

    @classmethod
    def parse(cls, lines: str) -> Self | None:
        """The keys in ``lines``, separated by commas; ``None`` when there are none. Raises :class:`KeyFileError`."""
        keys = tuple(PublicKey.parse(line.strip()) for line in lines.split(",") if line.strip())
        return cls(keys) if keys else None

    def signer(self, signatures: tuple[bytes, ...], message: bytes) -> PublicKey | None:
        """The key that made one of ``signatures``; ``None`` when none of them did."""
        for key in self.keys:
            if any(key.verifies(signature, message) for signature in signatures):
                return key
        return None


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key that signs."""

    key: Ed25519PrivateKey

    @classmethod
    def generate(cls) -> Self:
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path, passphrase: str | None = None) -> Self:
        """Read a PEM file. Raises :class:`KeyFileError`."""
        try:
            key = load_pem_private_key(path.read_bytes(), passphrase.encode() if passphrase else None)
        except OSError as error:
            raise KeyFileError(f"{path}: cannot be read: {error.strerror}") from error
        except TypeError as error:  # encrypted without a passphrase, or the other way round
            raise KeyFileError(
                f"{path}: {'is not' if passphrase else 'is'} protected by a passphrase"
            ) from error
        except (ValueError, UnsupportedAlgorithm) as error:
            reason = (
                "cannot be opened with this passphrase" if passphrase else "is not a private key in PEM form"
            )
            raise KeyFileError(f"{path}: {reason}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyFileError(f"{path}: policies are signed with Ed25519, and this is another kind of key")
        return cls(key)

    @staticmethod
    def protected(path: Path) -> bool:
        """Whether the file says that it is encrypted."""
        try:
            return b"ENCRYPTED PRIVATE KEY" in path.read_bytes()
        except OSError:
            return False

    def save(self, path: Path, passphrase: str | None = None) -> None:
        """Write a PEM file that only its owner may read; one that exists is never overwritten.

        Raises:
            KeyFileError: it is there already, or cannot be written.
        """
        encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(pem)
        except FileExistsError as error:
            raise KeyFileError(f"{path}: is there already, and a key is never overwritten") from error
        except OSError as error:
            raise KeyFileError(f"{path}: cannot be written: {error.strerror}") from error

    @property
    def public(self) -> PublicKey:
        key = self.key.public_key()
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return PublicKey(base64.b64encode(der).decode(), key)

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message)
