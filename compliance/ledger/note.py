"""Signed notes (C2SP signed-note): a text with signature lines that ``golang.org/x/mod/sumdb/note`` and others verify.

    <text, ends in a newline>

    — <key name> <base64 of key id (4 bytes) and Ed25519 signature (64 bytes)>

A *vkey* is the public key as such tools take it: ``<key name>+<key id in hex>+<base64 of 01 and the public key>``.
Source: https://c2sp.org/signed-note.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

_ED25519 = b"\x01"


def key_id(name: str, public_key: bytes) -> bytes:
    """The 4 bytes that tell apart keys of one name."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:4]


def vkey(name: str, public_key: bytes) -> str:
    """The public key in the notation of signed notes."""
    encoded = base64.b64encode(_ED25519 + public_key).decode()
    return f"{name}+{key_id(name, public_key).hex()}+{encoded}"


def signer(note: str) -> tuple[str, bytes]:
    """The key name and key id of a note with one signature; what it signed is for who trusts it to check.

    Raises:
        ValueError: this is no such note.
    """
    dash, name, signature = note.rpartition("\n\n")[2].removesuffix("\n").split(" ")
    if dash != "—":
        raise ValueError("this is not a signed note")
    return name, base64.b64decode(signature, validate=True)[:4]


def signed(text: str, name: str, public_key: bytes, sign: Callable[[bytes], bytes]) -> str:
    """The note of ``text`` with one signature."""
    signature = base64.b64encode(key_id(name, public_key) + sign(text.encode())).decode()
    return f"{text}\n— {name} {signature}\n"
