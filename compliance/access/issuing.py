"""Giving people tokens, and taking them back."""

from __future__ import annotations

from datetime import timedelta

from compliance.access.errors import AccessError
from compliance.access.overseer import Overseer
from compliance.access.roles import Permission, Role
from compliance.access.tokens import NewToken, Tokens, holder
from compliance.oversight import TokenIssued, TokenRevoked

LONGEST = timedelta(days=366)
"""The longest time that a token may be good for."""


def issue(overseer: Overseer, name: str, role: Role, *, lasting: timedelta) -> tuple[NewToken, TokenIssued]:
    """Makes a token for a person and one role. Hand it over and keep it nowhere: the record has only its hash.

    Raises:
        AccessError: not permitted, no name, or a time that is too long.
    """
    if not timedelta(0) < lasting <= LONGEST:
        raise AccessError(f"a token is good for at most {LONGEST.days} days")
    made = NewToken.make()
    issued = overseer.record(
        Permission.TOKENS,
        TokenIssued,
        token=made.id,
        name=holder(name),
        grants=role.value,
        digest=made.digest,
        expires_at=(overseer.now() + lasting).isoformat(timespec="seconds"),
    )
    return made, issued


def revoke(overseer: Overseer, token_id: str) -> TokenRevoked:
    """Makes a token void from now on.

    Raises:
        AccessError: not permitted, no such token, or it was revoked before.
    """
    overseer.require(Permission.TOKENS)
    tokens = Tokens.of(overseer.ledger.oversight(kinds=Tokens.KINDS))
    if token_id not in tokens.issued:
        raise AccessError(f"no token {token_id} was issued. `patchbay audit token list` names them.")
    if token_id in tokens.revoked:
        raise AccessError(f"token {token_id} was revoked before")
    return overseer.record(Permission.TOKENS, TokenRevoked, token=token_id)
