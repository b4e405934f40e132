"""Who is asking: the holder of a token, somebody the OIDC issuer vouches for, or the user of this machine."""

from __future__ import annotations

from datetime import datetime

from compliance.access.errors import CredentialError
from compliance.access.oidc import Verifier
from compliance.access.roles import Principal, Role
from compliance.access.tokens import Tokens

OWNER = frozenset({Role.AUDITOR, Role.PRIVACY_OFFICER, Role.ADMIN})
"""What the user of the machine is before anybody was given a role."""
KEEPER = frozenset({Role.ADMIN})
"""What they are afterwards: they may let people in, and read nothing."""


def identify(
    credential: str, *, tokens: Tokens, oidc: Verifier | None, user: str, now: datetime
) -> Principal:
    """Who asks.

    Without a credential it is the user of this machine, whom the operating system let at the ledger and its keys.
    As long as no token was ever issued and no issuer is set, that is the owner of an embedded ledger, who may do all
    that one person may. From the first token on they are an admin: they let others, or themselves by a token, in.

    Args:
        credential: a local token, a JWT of the issuer, or empty.
        tokens: those of the ledger.
        oidc: the issuer's verifier, where one is set.
        user: the name of the operating system's user.
        now: aware.

    Raises:
        CredentialError: a credential was given and is not good. It never falls back to the local user.
        compliance.access.errors.IssuerError: the issuer cannot be asked.
    """
    credential = credential.strip()
    if not credential:
        alone = oidc is None and not tokens.issued
        return Principal(f"local:{user}", OWNER if alone else KEEPER, authenticated=False)
    if credential.count(".") != 2:
        return tokens.principal(credential, now)
    if oidc is None:
        raise CredentialError(
            "PATCHBAY_AUDIT_TOKEN is a JWT, but no PATCHBAY_OIDC_ISSUER says who vouches for it."
        )
    return oidc.principal(credential)
