"""Who asks over HTTP: a site by its token, or the holder of a token with the role ``service``.

A site's token is in its pages, where everybody can read it: it says which site asks, and permits to begin calls, which
the origins, the rates and the number of calls at once bound. It opens nothing of the record.
"""

from __future__ import annotations

import asyncio
import hmac
from datetime import UTC, datetime
from http import HTTPStatus

from aiohttp import web

from compliance.access import CredentialError, IssuerError, Principal, Role, Tokens, Verifier, identify
from compliance.errors import LedgerError
from compliance.ledger import Ledger
from service.web.problems import ProblemError

SITE = Principal("site", frozenset({Role.SERVICE}))
"""Whoever has the site's token."""


class Doorkeeper:
    """Knows who may use the service.

    Args:
        ledger: has the local tokens.
        oidc: verifies tokens of the configured issuer, where there is one.
        site_token: the site's; empty where there is none.
    """

    def __init__(self, ledger: Ledger, oidc: Verifier | None, site_token: str) -> None:
        self._ledger = ledger
        self._oidc = oidc
        self._site_token = _bytes(site_token)

    async def let_in(self, request: web.Request) -> Principal:
        """Who asks.

        Raises:
            ProblemError: nobody is known by what was sent (401), or they have another role (403).
        """
        scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
        credential = credential.strip()
        if scheme.casefold() != "bearer" or not credential:
            raise _unknown("a token is needed: Authorization: Bearer TOKEN")
        if self._site_token and hmac.compare_digest(_bytes(credential), self._site_token):
            return SITE
        try:
            principal = await asyncio.to_thread(self._holder, credential)
        except CredentialError:
            raise _unknown("the token is not good: it is unknown, was revoked or has expired") from None
        except (IssuerError, LedgerError):
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE, "identity", "who asks cannot be found out just now"
            ) from None
        if Role.SERVICE not in principal.roles:
            raise ProblemError(
                HTTPStatus.FORBIDDEN, "role", "the token is good, but not for the role 'service'"
            )
        return principal

    def _holder(self, credential: str) -> Principal:
        tokens = Tokens.of(self._ledger.oversight(kinds=Tokens.KINDS))
        return identify(credential, tokens=tokens, oidc=self._oidc, user="", now=datetime.now(UTC))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # a header may hold anything


def _unknown(detail: str) -> ProblemError:
    return ProblemError(
        HTTPStatus.UNAUTHORIZED, "unknown", detail, headers={"WWW-Authenticate": 'Bearer realm="patchbay"'}
    )
