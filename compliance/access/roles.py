"""Roles and what each permits: one table. Pure; who asks is found out in :mod:`compliance.access.identity`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from compliance.access.errors import DeniedError


class Role(StrEnum):
    """What somebody is to the record."""

    AUDITOR = "auditor"
    PRIVACY_OFFICER = "privacy_officer"
    ADMIN = "admin"
    SERVICE = "service"


class Permission(StrEnum):
    """What can be done with the record."""

    READ = "read"
    """See redacted events, search them included."""
    EXPORT = "export"
    """Take a copy of redacted events away."""
    READ_ACCESS_LOG = "read_access_log"
    """See who saw what."""
    HOLD = "hold"
    """Place and release holds."""
    ERASE = "erase"
    """Destroy a call before its time."""
    RETAIN = "retain"
    """Carry the retention policy out."""
    REVEAL = "reveal"
    """Ask for sealed values, and see them once another person has agreed."""
    APPROVE = "approve"
    """Agree to somebody else's request to see sealed values."""
    TOKENS = "tokens"
    """Issue and revoke tokens."""


PERMITS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.AUDITOR: frozenset(
            {Permission.READ, Permission.EXPORT, Permission.READ_ACCESS_LOG, Permission.APPROVE}
        ),
        Role.PRIVACY_OFFICER: frozenset(Permission) - {Permission.TOKENS},
        # Who hands out roles sees nothing: reading takes a second person, or leaves a trace of both acts.
        Role.ADMIN: frozenset({Permission.TOKENS}),
        # Machines: nightly retention, and replaying, training and reporting from redacted calls.
        Role.SERVICE: frozenset({Permission.READ, Permission.RETAIN}),
    }
)
"""The whole of what roles permit. Verifying needs no role: it takes no key and shows nothing that was said."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody, and what they are to the record."""

    actor: str
    """As the record names them: ``local:NAME``, ``token:NAME`` or ``oidc:SUBJECT``."""
    roles: frozenset[Role]
    authenticated: bool = True
    """Whether they proved who they are to us; false for the user of this machine, whom we believe."""

    def role_for(self, permission: Permission) -> Role:
        """The role that permits it; of several, the one that permits least.

        Raises:
            DeniedError: none of their roles does.
        """
        fitting = [role for role in self.roles if permission in PERMITS[role]]
        if not fitting:
            having = ", ".join(sorted(self.roles)) or "no role"
            needed = " or ".join(role for role in Role if permission in PERMITS[role])
            raise DeniedError(
                f"{self.actor} has {having}, which does not permit '{permission}'. It takes {needed}: ask an admin "
                "for a token, and set PATCHBAY_AUDIT_TOKEN to it."
            )
        return min(fitting, key=lambda role: (len(PERMITS[role]), role))

    def same_person(self, actor: str) -> bool:
        """Whether ``actor`` of the record is this person, as far as names tell."""
        return self.actor.casefold() == actor.casefold()
