"""The secrets of a ledger: what signs its checkpoints and what wraps the keys of calls.

A keyring holds two secrets of 32 bytes, one to sign and one to encrypt, from which each log's keys are derived (HKDF,
RFC 5869), so that tenants share none. It is one line of text:

    patchbay-ledger-keys-1:<base64 of both secrets>

and is looked for in the environment, as ``PATCHBAY_LEDGER_KEYS`` (the line itself) or ``PATCHBAY_LEDGER_KEY_FILE`` (a
file with it), then in a file beside the ledger's, which is made with a new ledger. Whoever loses it cannot read the
record again; whoever holds it can read and continue it, so it belongs in no backup of the ledger.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from compliance.errors import LedgerKeysError

KEYS_VARIABLE: Final = "PATCHBAY_LEDGER_KEYS"
KEY_FILE_VARIABLE: Final = "PATCHBAY_LEDGER_KEY_FILE"
KEY_BYTES = 32
_PREFIX = "patchbay-ledger-keys-1:"
_NONCE_BYTES = 12


class LogKeys(Protocol):
    """The keys of one log. A key service is used by giving an object with these."""

    @property
    def public_key(self) -> bytes:
        """The Ed25519 public key, 32 bytes."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature of ``message``, 64 bytes."""
        ...

    def wrap(self, secret: bytes, purpose: str) -> bytes:
        """Encrypts ``secret``; only :meth:`unwrap` with the same ``purpose`` gives it back."""
        ...

    def unwrap(self, wrapped: bytes, purpose: str) -> bytes:
        """Undoes :meth:`wrap`.

        Raises:
            LedgerKeysError: these are not the keys it was wrapped with, or it was changed.
        """
        ...


class Keys(Protocol):
    """Where a ledger's keys come from."""

    def of_log(self, log: str) -> LogKeys:
        """The keys of the log of this name."""
        ...


@dataclass(frozen=True)
class DerivedKeys:
    """:class:`LogKeys` from a keyring."""

    _signing_seed: bytes = field(repr=False)
    _wrapping_key: bytes = field(repr=False)

    @cached_property
    def _signer(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._signing_seed)

    @cached_property
    def _cipher(self) -> AESGCM:
        return AESGCM(self._wrapping_key)

    @cached_property
    def public_key(self) -> bytes:
        return self._signer.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._signer.sign(message)

    def wrap(self, secret: bytes, purpose: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret, purpose.encode())

    def unwrap(self, wrapped: bytes, purpose: str) -> bytes:
        try:
            return self._cipher.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], purpose.encode())
        except (InvalidTag, ValueError):
            raise LedgerKeysError(
                "a wrapped key does not open with the ledger's keys: it was changed, or these are another ledger's."
            ) from None


@dataclass(frozen=True, slots=True)
class Keyring:
    """Two secrets of 32 bytes; see the module."""

    signing: bytes = field(repr=False)
    encryption: bytes = field(repr=False)

    @classmethod
    def new(cls) -> Keyring:
        """A keyring that nobody else has."""
        return cls(secrets.token_bytes(KEY_BYTES), secrets.token_bytes(KEY_BYTES))

    @classmethod
    def parse(cls, text: str, *, source: str) -> Keyring:
        """Reads :attr:`text` back; ``source`` says in errors where it is from.

        Raises:
            LedgerKeysError: it is not a keyring.
        """
        line = text.strip()
        try:
            both = base64.b64decode(line.removeprefix(_PREFIX), validate=True)
        except ValueError:
            both = b""
        if not line.startswith(_PREFIX) or len(both) != 2 * KEY_BYTES:
            raise LedgerKeysError(
                f"{source}: these are not ledger keys. A line that begins with '{_PREFIX}' is expected."
            )
        return cls(both[:KEY_BYTES], both[KEY_BYTES:])

    @property
    def text(self) -> str:
        """The keyring as a line of text. It is secret."""
        return _PREFIX + base64.b64encode(self.signing + self.encryption).decode()

    def of_log(self, log: str) -> DerivedKeys:
        """The keys of the log of this name."""
        return DerivedKeys(_derived(self.signing, "sign", log), _derived(self.encryption, "wrap", log))


def find_keys(beside: Path | None, *, make: bool, environment: Mapping[str, str] | None = None) -> Keyring:
    """The keyring that a deployment has; see the module.

    Args:
        beside: the ledger's file, or ``None`` when it is on a server.
        make: make one beside the ledger where there is none.
        environment: by default the process's.

    Raises:
        LedgerKeysError: there is none, or it cannot be read.
    """
    given = os.environ if environment is None else environment
    if line := given.get(KEYS_VARIABLE):
        return Keyring.parse(line, source=KEYS_VARIABLE)
    if place := given.get(KEY_FILE_VARIABLE):
        return _read(Path(place))
    if beside is None:
        raise LedgerKeysError(
            f"a ledger on a server needs its keys from {KEYS_VARIABLE} or {KEY_FILE_VARIABLE}."
            " Print new ones with `patchbay audit key --new`."
        )
    path = key_file(beside)
    if make and not path.exists():
        _write_new(path, Keyring.new())
    return _read(path)


def key_file(ledger: Path) -> Path:
    """Where the keys of a ledger in a file are by default: beside it."""
    return ledger.with_name(f"{ledger.name}.keys")


def _derived(secret: bytes, purpose: str, log: str) -> bytes:
    info = f"patchbay ledger {purpose} 1\x00{log}".encode()
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=info).derive(secret)


def _read(path: Path) -> Keyring:
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise LedgerKeysError(
            f"{path}: the ledger's keys cannot be read ({error.strerror}). Put them back, or say where they are with"
            f" {KEY_FILE_VARIABLE}; without them the record cannot be read or continued."
        ) from error
    return Keyring.parse(text, source=str(path))


def _write_new(path: Path, keyring: Keyring) -> None:
    """Writes a key file whole, for its owner only; of several processes at once the first one's stays."""
    written = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        handle = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(keyring.text + "\n")
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(written, path)
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        finally:
            written.unlink()
    except OSError as error:
        raise LedgerKeysError(
            f"{path}: the ledger's keys cannot be written ({error.strerror}). Check the folder's permissions."
        ) from error
