"""The issuer of tokens (OpenID Connect) that the settings name, for every command that somebody signs in to."""

from __future__ import annotations

from compliance.access import Issuer, Role, Verifier
from service.cli.errors import CommandError
from service.settings import Settings


def verifier(settings: Settings) -> Verifier | None:
    """Who verifies tokens of the configured issuer; ``None`` without one. Raises :class:`CommandError`."""
    if not settings.oidc_issuer:
        return None
    if not settings.oidc_audience:
        raise CommandError(
            "PATCHBAY_OIDC_ISSUER is set without PATCHBAY_OIDC_AUDIENCE: say for whom tokens must be"
        )
    roles = {theirs: Role(ours) for theirs, ours in settings.oidc_roles.items()}
    return Verifier(
        Issuer(
            settings.oidc_issuer,
            settings.oidc_audience,
            role_claim=settings.oidc_role_claim,
            roles=roles or {role.value: role for role in Role},
            tenant_claim=settings.oidc_tenant_claim,
            tenant=settings.tenant,
        )
    )
