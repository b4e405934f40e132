"""Local tokens: random, named after a person, good for one role until they expire or are revoked.

Their only list is the record: an issue and a revocation are events, so that a role nobody should have is seen by
whoever reads the record, and a token cannot be slipped in by editing a table.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import ClassVar

from compliance.access.errors import AccessError, CredentialError
from compliance.access.roles import Principal, Role
from compliance.oversight import OversightEvent, TokenIssued, TokenRevoked

_SECRET_BYTES = 32  # 256 random bits: a plain hash of them cannot be searched, so none that is slow is needed
_FORM = re.compile(r"pba_([0-9a-f]{12})_[A-Za-z0-9_-]{43}", re.ASCII)
_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}", re.ASCII)


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made: the only moment at which it is known."""

    id: str
    secret: str
    """What its holder keeps: the whole token."""
    digest: str
    """What the record keeps: SHA-256 of it, in hex."""

    @classmethod
    def make(cls) -> NewToken:
        token_id = secrets.token_hex(6)
        secret = f"pba_{token_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        return cls(token_id, secret, _digest(secret))


def holder(name: str) -> str:
    """A name as tokens have it: in small letters, so that nobody is two persons.

    Raises:
        AccessError: it is no name, such as ``jane.miller`` or ``jane@example.com``.
    """
    small = name.strip().casefold()
    if not _NAME.fullmatch(small):
        raise AccessError(
            "the holder of a token is named by 1 to 100 letters a-z, digits and . _ @ + -, such as jane.miller"
        )
    return small


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens that were ever issued, by id, and which of them were revoked."""

    KINDS: ClassVar = ("token_issued", "token_revoked")
    """The kinds of events that make a difference."""

    issued: Mapping[str, TokenIssued]
    revoked: frozenset[str]

    @classmethod
    def of(cls, events: Iterable[OversightEvent]) -> Tokens:
        """As the record has them."""
        issued: dict[str, TokenIssued] = {}
        revoked: set[str] = set()
        for event in events:
            if isinstance(event, TokenIssued):
                issued.setdefault(event.token, event)  # an id that comes again cannot take a token over
            elif isinstance(event, TokenRevoked):
                revoked.add(event.token)
        return cls(MappingProxyType(issued), frozenset(revoked))

    def is_good(self, token_id: str, now: datetime) -> bool:
        """Whether a token that was issued is neither revoked nor expired."""
        return token_id not in self.revoked and now < datetime.fromisoformat(self.issued[token_id].expires_at)

    def principal(self, secret: str, now: datetime) -> Principal:
        """Who holds the token.

        Raises:
            CredentialError: it is not one, is unknown, was revoked, or has expired.
        """
        form = _FORM.fullmatch(secret)
        known = self.issued.get(form[1]) if form else None
        if known is None or not hmac.compare_digest(known.digest, _digest(secret)):
            raise CredentialError(
                "PATCHBAY_AUDIT_TOKEN is no token of this ledger. Ask an admin for one: `patchbay audit token issue`."
            )
        if not self.is_good(known.token, now):
            why = "was revoked" if known.token in self.revoked else f"expired at {known.expires_at}"
            raise CredentialError(f"token {known.token} {why}. Ask an admin for another.")
        return Principal(f"token:{known.name}", frozenset({Role(known.grants)}))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
