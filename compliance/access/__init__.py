"""Who may look at the record, and the trace that looking leaves."""

from compliance.access.errors import AccessError, CredentialError, DeniedError, IssuerError
from compliance.access.identity import identify
from compliance.access.oidc import Issuer, Verifier
from compliance.access.roles import PERMITS, Permission, Principal, Role
from compliance.access.tokens import NewToken, Tokens

__all__ = [
    "PERMITS",
    "AccessError",
    "CredentialError",
    "DeniedError",
    "Issuer",
    "IssuerError",
    "NewToken",
    "Permission",
    "Principal",
    "Role",
    "Tokens",
    "Verifier",
    "identify",
]
