"""People of an OpenID Connect issuer: their ID or access tokens, verified; their roles, from a claim.

PyJWT checks signatures and times and fetches keys; what is accepted at all is decided here (RFC 8725):

* only asymmetric algorithms, so that no token is signed with a key that everybody may read;
* only the issuer and the audience that are configured, each compared as text;
* only a token that says when it ends, when it was issued and about whom it is;
* keys only from the address that the issuer's own discovery document names (OpenID Connect Discovery 1.0, section 4).
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from ipaddress import ip_address
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

import jwt

from compliance.access.errors import CredentialError, IssuerError
from compliance.access.roles import Principal, Role

ALGORITHMS: tuple[str, ...] = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
)  # fmt: skip
"""Signature algorithms that are accepted."""

_MOST_TOKEN_CHARS = 16_384
_MOST_DISCOVERY_BYTES = 1_000_000
_LEEWAY_S = 30


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who vouches for people, and how their roles are read.

    Raises:
        IssuerError: at the first use, when its address is not one that can be trusted.
    """

    url: str
    """As tokens name it in ``iss``; ``https``, or ``http`` on this machine."""
    audience: str
    """This deployment, as tokens name it in ``aud``."""
    role_claim: str = "roles"
    """The claim with their roles: a list, or text with spaces. A dot leads into an object, as in
    ``realm_access.roles``, unless there is a claim of that whole name."""
    roles: Mapping[str, Role] = field(default_factory=lambda: {role.value: role for role in Role})
    """What the issuer calls each role."""
    tenant_claim: str = ""
    """The claim with the tenants that a person oversees, read like the roles; empty where they oversee all."""
    tenant: str = ""
    """The tenant that is asked for, as that claim names it."""
    timeout_s: float = 5.0
    """How long it may take to answer."""


class Verifier:
    """Verifies tokens of one issuer. Blocks while it fetches keys; keeps them for five minutes.

    Args:
        issuer: who vouches.
        refresh_s: an unknown key is asked for at most this often, so that made-up tokens do not load the issuer.
    """

    def __init__(self, issuer: Issuer, *, refresh_s: float = 30.0) -> None:
        self.issuer = issuer
        self._refresh_s = refresh_s
        self._keys: jwt.PyJWKClient | None = None

    def principal(self, token: str) -> Principal:
        """Who the token is about.

        Raises:
            CredentialError: the token is not good, or names no role of ours.
            IssuerError: the issuer's keys cannot be had.
        """
        claims = self._claims(token)
        subject = claims["sub"]
        if not isinstance(subject, str) or not subject or len(subject) > 255 or not subject.isprintable():
            raise CredentialError("the token's subject is no name of up to 255 printable characters")
        roles = frozenset(
            self.issuer.roles[name]
            for name in _names(_claim(claims, self.issuer.role_claim))
            if name in self.issuer.roles
        )
        if not roles:
            raise CredentialError(
                f"oidc:{subject} has no role here: the claim '{self.issuer.role_claim}' names none of "
                f"{', '.join(sorted(self.issuer.roles))}. Ask who manages the issuer."
            )
        if self.issuer.tenant_claim and self.issuer.tenant not in _names(
            _claim(claims, self.issuer.tenant_claim)
        ):
            raise CredentialError(
                f"oidc:{subject} does not oversee tenant '{self.issuer.tenant}': the claim "
                f"'{self.issuer.tenant_claim}' does not name it. Ask who manages the issuer."
            )
        return Principal(f"oidc:{subject}", roles)

    def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > _MOST_TOKEN_CHARS:
            raise CredentialError("the token is longer than any that an issuer makes")
        try:
            if jwt.get_unverified_header(token).get("alg") not in ALGORITHMS:
                raise CredentialError(
                    "the token is not signed by an algorithm that is accepted: " + ", ".join(ALGORITHMS)
                )
            return jwt.decode(
                token,
                self._key(token),
                algorithms=ALGORITHMS,
                issuer=self.issuer.url,
                audience=self.issuer.audience,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            # The class says enough; a message may quote the token.
            raise CredentialError(
                f"the token is not good ({type(error).__name__}). Sign in again for a new one; it must be from "
                f"{self.issuer.url}, for {self.issuer.audience}."
            ) from error

    def _key(self, token: str) -> jwt.PyJWK:
        """The issuer's key that the token names."""
        client = self._key_client()
        try:
            client.get_jwk_set()
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise IssuerError(
                f"the keys of {self.issuer.url} cannot be fetched ({type(error).__name__}). Check that it can be "
                "reached from here."
            ) from error
        return client.get_signing_key_from_jwt(token)

    def _key_client(self) -> jwt.PyJWKClient:
        if self._keys is None:
            address = _keys_address(self.issuer)
            self._keys = jwt.PyJWKClient(
                address, timeout=self.issuer.timeout_s, cooldown_duration=self._refresh_s
            )
        return self._keys


def _keys_address(issuer: Issuer) -> str:
    """Where the issuer's discovery document says that its keys are."""
    _trusted_address(issuer.url, "the issuer")
    address = issuer.url.rstrip("/") + "/.well-known/openid-configuration"
    try:
        opener = urllib.request.build_opener(_NoRedirects())
        with opener.open(address, timeout=issuer.timeout_s) as answer:
            document = json.loads(answer.read(_MOST_DISCOVERY_BYTES))
    except (OSError, HTTPException, ValueError, RecursionError) as error:
        if isinstance(error, HTTPError):
            error.close()  # it is the answer as well, and holds the connection
        raise IssuerError(
            f"{address} cannot be read ({type(error).__name__}). Check PATCHBAY_OIDC_ISSUER and the network."
        ) from error
    if not isinstance(document, dict) or document.get("issuer") != issuer.url:
        raise IssuerError(
            f"{address} is the document of another issuer. Set PATCHBAY_OIDC_ISSUER to the text of its `issuer`."
        )
    keys = document.get("jwks_uri")
    if not isinstance(keys, str):
        raise IssuerError(f"{address} does not say where the keys are (jwks_uri)")
    _trusted_address(keys, "the address of the issuer's keys")
    return keys


def _trusted_address(url: str, what: str) -> None:
    """Refuses what somebody on the way could answer in the issuer's place."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise IssuerError(f"{what} is no address") from None
    if not host or (parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host))):
        raise IssuerError(f"{what} must be an https address, for its keys decide who is let in")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    if name in claims:  # some issuers name claims by addresses, which have dots
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _names(value: Any) -> Sequence[str]:
    if isinstance(value, str):
        return value.split()
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else ()
