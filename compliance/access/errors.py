"""The errors of this package: one family, each says what was wrong and what to do. None quotes a credential."""

from __future__ import annotations

from compliance.errors import ComplianceError


class AccessError(ComplianceError):
    """Somebody may not do what they ask for."""


class CredentialError(AccessError):
    """Who asks cannot be told: their token is not valid."""


class DeniedError(AccessError):
    """Who asks is known, and their roles do not permit it."""


class IssuerError(AccessError):
    """The OIDC issuer cannot be asked, or is not set up right: nobody is let in meanwhile."""
