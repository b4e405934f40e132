"""An entry's bytes, which the log's Merkle tree commits to: a header for all to read, and the event encrypted.

    <header: RFC 8785 JSON> 0A <nonce: 12 bytes> <AES-256-GCM ciphertext and tag of the event's RFC 8785 JSON>

The header is the cipher's associated data. Nothing is hashed that is plain text of the event, or without a key that
goes with the call's: once that is destroyed, a leaf says nothing about a caller, not even to who guesses. Who is shown
an event with its opening can see that it is the one in the leaf, and learns nothing of others. The header's members:

==========  =========================================================================================================
``v``       2, the version of this format
``log``     the log's name: the tenant's, or ``default``
``seq``     the entry's place in the log, from 0
``call``    the call's id; empty for an event about the record itself
``call_seq``  its place among the log's entries of this call, from 0
``commit``  commits to the event: HMAC-SHA256 of its JSON in hex, with a key that :func:`opening` derives
``kind``    the event's kind
``time_ms``  when it was appended, in Unix milliseconds; never less than in the entry before
``key``     names the key, in hex, without telling anything of it; see :func:`key_name`
==========  =========================================================================================================
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

VERSION = 2
NONCE_BYTES = 12
_TAG_BYTES = 16


class UnreadableLeafError(Exception):
    """These bytes are not a leaf, or were not made with this key. The message quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Header:
    """What everybody may know of an entry; see the module."""

    log: str
    seq: int
    call: str
    call_seq: int
    commit: str
    kind: str
    time_ms: int
    key: str
    v: int = VERSION

    def to_bytes(self) -> bytes:
        """RFC 8785 JSON: of sorted names in ASCII, texts and whole numbers, ``json`` writes just that."""
        members = {
            "call": self.call,
            "call_seq": self.call_seq,
            "commit": self.commit,
            "key": self.key,
            "kind": self.kind,
            "log": self.log,
            "seq": self.seq,
            "time_ms": self.time_ms,
            "v": self.v,
        }
        return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()


def key_name(key: bytes) -> str:
    """Names a data key in a header: 16 bytes derived from it, in hex.

    It also commits to the key, which GCM alone does not: nobody can make an entry that two keys read differently.
    """
    return derived(key, "key name")[:16].hex()


def derived(key: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for another purpose (HKDF-Expand of RFC 5869 with SHA-256)."""
    return HKDFExpand(SHA256(), 32, b"patchbay ledger 2\x00" + purpose.encode()).derive(key)


def opening(key: bytes, seq: int) -> bytes:
    """The key of the commitment in the header of entry ``seq``, from the key of its call."""
    return derived(key, f"call opening {seq}")


def commitment(key: bytes, seq: int, event: bytes) -> str:
    """What the header of entry ``seq`` says of its event, in hex."""
    return hmac.digest(opening(key, seq), event, "sha256").hex()


def sealed(header: Header, key: AESGCM, nonce: bytes, event: bytes) -> bytes:
    """The leaf of an event; a nonce serves once with a key."""
    head = header.to_bytes()
    return head + b"\n" + nonce + key.encrypt(nonce, event, head)


def header_of(leaf: bytes) -> Header:
    """The header of a leaf.

    Raises:
        UnreadableLeafError: the bytes do not begin with one.
    """
    head, separator, _ = leaf.partition(b"\n")
    try:
        header = Header(**json.loads(head))
        if separator and header.v == VERSION and header.to_bytes() == head:
            return header
    except (ValueError, TypeError, RecursionError):
        pass
    raise UnreadableLeafError("it has no header of this format")


def opened(leaf: bytes, key: AESGCM) -> bytes:
    """The event of a leaf, decrypted.

    Raises:
        UnreadableLeafError: the leaf was changed, or this is not its key.
    """
    head, _, rest = leaf.partition(b"\n")
    if len(rest) < NONCE_BYTES + _TAG_BYTES:
        raise UnreadableLeafError("it is cut short")
    try:
        return key.decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], head)
    except InvalidTag:
        raise UnreadableLeafError("it does not decrypt with the key of its call") from None
