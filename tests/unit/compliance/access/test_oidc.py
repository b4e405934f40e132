from __future__ import annotations

import json
import time
from collections.abc import Iterator
from urllib.error import HTTPError

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from compliance.access import CredentialError, Issuer, IssuerError, Role, Verifier
from tests.unit.compliance.access.oidc_issuer import AUDIENCE, OidcIssuer, serving

pytestmark = pytest.mark.unit

RSA = rsa.generate_private_key(65537, 2048)
OTHER_RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


YEARS_S = 10 * 365 * 86_400


@pytest.fixture(scope="module")
def server() -> Iterator[OidcIssuer]:
    with serving() as issuer:
        yield issuer


@pytest.fixture
def issuer(server: OidcIssuer) -> OidcIssuer:
    server.keys = {"rsa-1": RSA, "ec-1": EC, "ed-1": ED}
    server.discovery, server.served, server.broken, server.jwks = {}, [], False, None
    return server


@pytest.fixture
def verifier(issuer: OidcIssuer) -> Verifier:
    return Verifier(issuer.trusted())


def refused(verifier: Verifier, token: str, why: str) -> None:
    with pytest.raises(CredentialError, match=why) as error:
        verifier.principal(token)
    assert token not in str(error.value)


# -- who is let in ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("kid", "algorithm"), [("rsa-1", "RS256"), ("ec-1", "ES256"), ("ed-1", "EdDSA")])
def test_a_person_the_issuer_vouches_for_is_known(
    issuer: OidcIssuer, verifier: Verifier, kid: str, algorithm: str
) -> None:
    somebody = verifier.principal(issuer.token(kid=kid, algorithm=algorithm))
    assert somebody.actor == "oidc:2b7f"
    assert somebody.roles == {Role.AUDITOR}
    assert somebody.authenticated


def test_keys_are_fetched_once_for_many_tokens(issuer: OidcIssuer, verifier: Verifier) -> None:
    for _ in range(3):
        verifier.principal(issuer.token(kid="rsa-1"))
    assert issuer.served == ["/realm/.well-known/openid-configuration", "/realm/keys"]


def test_one_of_several_audiences_is_enough(issuer: OidcIssuer, verifier: Verifier) -> None:
    assert verifier.principal(issuer.token(kid="rsa-1", aud=["account", AUDIENCE]))


# -- roles --------------------------------------------------------------------------------------------------
def test_roles_may_be_words_in_a_text(issuer: OidcIssuer, verifier: Verifier) -> None:
    roles = verifier.principal(issuer.token(kid="rsa-1", roles="openid auditor admin")).roles
    assert roles == {Role.AUDITOR, Role.ADMIN}


def test_roles_may_lie_in_an_object_and_have_names_of_their_own(issuer: OidcIssuer) -> None:
    named = issuer.trusted(role_claim="realm_access.roles", roles={"dpo": Role.PRIVACY_OFFICER})
    token = issuer.token(kid="rsa-1", realm_access={"roles": ["dpo", "auditor"]})
    assert Verifier(named).principal(token).roles == {Role.PRIVACY_OFFICER}


def test_a_claim_may_be_named_by_an_address(issuer: OidcIssuer) -> None:
    named = issuer.trusted(role_claim="https://example.com/roles")
    token = issuer.token(kid="rsa-1", **{"https://example.com/roles": ["admin"]})
    assert Verifier(named).principal(token).roles == {Role.ADMIN}


@pytest.mark.parametrize("roles", [None, [], "", ["owner"], {"auditor": True}, 7, [["auditor"]]])
def test_a_person_without_a_role_of_ours_is_refused(
    issuer: OidcIssuer, verifier: Verifier, roles: object
) -> None:
    refused(verifier, issuer.token(kid="rsa-1", roles=roles), "oidc:2b7f has no role here")


@pytest.mark.parametrize(
    ("tenants", "let_in"),
    [(["acme", "other"], True), ("acme", True), (["other"], False), (None, False), ([], False)],
)
def test_a_person_oversees_only_the_tenants_the_issuer_names(
    issuer: OidcIssuer, tenants: object, let_in: bool
) -> None:
    verifier = Verifier(issuer.trusted(tenant_claim="tenants", tenant="acme"))
    token = issuer.token(kid="rsa-1", tenants=tenants)
    if let_in:
        assert verifier.principal(token)
    else:
        refused(verifier, token, "does not oversee tenant 'acme'")


# -- tokens that lie ----------------------------------------------------------------------------------------
def test_a_token_that_nobody_signed_is_refused(issuer: OidcIssuer, verifier: Verifier) -> None:
    unsigned = jwt.encode(issuer.claims(), None, algorithm="none", headers={"kid": "rsa-1"})
    refused(verifier, unsigned, "not signed by an algorithm that is accepted")


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(
    issuer: OidcIssuer, verifier: Verifier
) -> None:
    refused(verifier, issuer.signed_by_public_key("rsa-1"), "not signed by an algorithm that is accepted")


def test_a_token_signed_by_another_key_of_that_name_is_refused(
    issuer: OidcIssuer, verifier: Verifier
) -> None:
    forged = jwt.encode(issuer.claims(), OTHER_RSA, algorithm="RS256", headers={"kid": "rsa-1"})
    refused(verifier, forged, "InvalidSignatureError")


def test_a_token_whose_words_were_changed_is_refused(issuer: OidcIssuer, verifier: Verifier) -> None:
    head, _, signature = issuer.token(kid="rsa-1").split(".")
    _, admin, _ = issuer.token(kid="rsa-1", roles=["admin"]).split(".")
    refused(verifier, f"{head}.{admin}.{signature}", "InvalidSignatureError")


def test_a_token_that_names_another_algorithm_than_its_key_is_refused(
    issuer: OidcIssuer, verifier: Verifier
) -> None:
    refused(verifier, issuer.token(kid="rsa-1", algorithm="PS256"), "not good")


@pytest.mark.parametrize("headers", [{"kid": "nobody"}, {}], ids=["unknown key", "no key named"])
def test_a_token_of_no_published_key_is_refused(
    issuer: OidcIssuer, verifier: Verifier, headers: dict[str, str]
) -> None:
    refused(verifier, issuer.token(kid="rsa-1", headers=headers), "not good")


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"iss": "https://elsewhere.example"}, "InvalidIssuerError"),
        ({"aud": "another-application"}, "InvalidAudienceError"),
        ({"aud": ["another", "application"]}, "InvalidAudienceError"),
        ({"exp": int(time.time()) - 3600}, "ExpiredSignatureError"),
        ({"nbf": int(time.time()) + YEARS_S}, "ImmatureSignatureError"),
        ({"iat": int(time.time()) + YEARS_S}, "ImmatureSignatureError"),
        ({"exp": None}, "MissingRequiredClaimError"),
        ({"iat": None}, "MissingRequiredClaimError"),
        ({"aud": None}, "MissingRequiredClaimError"),
        ({"iss": None}, "MissingRequiredClaimError"),
        ({"sub": None}, "MissingRequiredClaimError"),
        ({"exp": "soon"}, "DecodeError"),
        ({"sub": ""}, "subject is no name"),
        ({"sub": "a\nb"}, "subject is no name"),
        ({"sub": "a" * 256}, "subject is no name"),
    ],
)
def test_a_token_with_a_wrong_claim_is_refused(
    issuer: OidcIssuer, verifier: Verifier, claims: dict[str, object], why: str
) -> None:
    refused(verifier, issuer.token(kid="rsa-1", **claims), why)


@given(noise=st.text(max_size=200))
def test_noise_is_refused(noise: str) -> None:
    with pytest.raises((CredentialError, IssuerError)):
        Verifier(Issuer("https://issuer.invalid.", AUDIENCE, timeout_s=0.01)).principal(noise)


def test_a_token_of_any_length_is_refused_at_once(issuer: OidcIssuer, verifier: Verifier) -> None:
    refused(verifier, "a" * 1_000_000, "longer than any")
    assert issuer.served == []


# -- keys that change ---------------------------------------------------------------------------------------
def test_a_key_that_was_rotated_in_is_found(issuer: OidcIssuer) -> None:
    verifier = Verifier(issuer.trusted(), refresh_s=0)
    verifier.principal(issuer.token(kid="rsa-1"))
    issuer.keys = {"rsa-2": OTHER_RSA}
    assert verifier.principal(issuer.token(kid="rsa-2")).actor == "oidc:2b7f"


def test_a_key_that_was_rotated_out_is_worth_nothing_once_keys_were_fetched_again(issuer: OidcIssuer) -> None:
    verifier = Verifier(issuer.trusted(), refresh_s=0)
    old = issuer.token(kid="rsa-1")
    verifier.principal(old)
    issuer.keys = {"rsa-2": OTHER_RSA}
    verifier.principal(issuer.token(kid="rsa-2"))
    refused(verifier, old, "not good")


def test_made_up_keys_do_not_load_the_issuer(issuer: OidcIssuer, verifier: Verifier) -> None:
    for number in range(20):
        token = issuer.token(kid="rsa-1", headers={"kid": f"made-up-{number}"})
        refused(verifier, token, "not good")
    assert issuer.served.count("/realm/keys") == 1


# -- an issuer that cannot be trusted -----------------------------------------------------------------------
def test_an_issuer_without_tls_is_only_believed_on_this_machine() -> None:
    for url in (
        "http://issuer.example",
        "ftp://issuer.example",
        "issuer.example",
        "http://127.0.0.1.example",
        "//[",
    ):
        with pytest.raises(IssuerError, match=r"must be an https address|is no address"):
            Verifier(Issuer(url, AUDIENCE)).principal(jwt.encode({}, RSA, algorithm="RS256"))


def test_keys_are_fetched_from_no_address_without_tls(issuer: OidcIssuer, verifier: Verifier) -> None:
    issuer.discovery = {"jwks_uri": "http://issuer.example/keys"}
    with pytest.raises(IssuerError, match="the address of the issuer's keys must be an https address"):
        verifier.principal(issuer.token(kid="rsa-1"))


def test_the_document_of_another_issuer_is_not_believed(issuer: OidcIssuer, verifier: Verifier) -> None:
    issuer.discovery = {"issuer": "https://elsewhere.example"}
    with pytest.raises(IssuerError, match="is the document of another issuer"):
        verifier.principal(issuer.token(kid="rsa-1"))


def test_while_the_issuer_is_down_nobody_is_let_in(issuer: OidcIssuer, verifier: Verifier) -> None:
    issuer.broken = True
    with pytest.raises(IssuerError, match="cannot be read"):
        verifier.principal(issuer.token(kid="rsa-1"))
    issuer.broken = False
    assert verifier.principal(issuer.token(kid="rsa-1"))


def test_an_issuer_that_answers_with_an_error_keeps_no_connection(
    issuer: OidcIssuer, verifier: Verifier
) -> None:
    token = issuer.token(kid="rsa-1")
    issuer.broken = True
    with pytest.raises(IssuerError) as raised:
        verifier.principal(token)
    assert isinstance(raised.value.__cause__, HTTPError)
    assert raised.value.__cause__.closed


@pytest.mark.parametrize(
    "keys", [b"", b"[]", b'{"keys": []}', b'{"keys": [{"kty": "oct", "k": "x"}]}', b"\xff"]
)
def test_garbage_for_keys_lets_nobody_in(issuer: OidcIssuer, verifier: Verifier, keys: bytes) -> None:
    issuer.jwks = keys or b" "
    with pytest.raises((IssuerError, CredentialError)):
        verifier.principal(issuer.token(kid="rsa-1"))


def test_a_key_that_is_published_as_a_secret_signs_nothing(issuer: OidcIssuer, verifier: Verifier) -> None:
    secret = jwt.PyJWK({"kty": "oct", "kid": "oct-1", "alg": "HS256", "k": "c2VjcmV0" * 6})
    issuer.jwks = json.dumps({"keys": [secret._jwk_data]}).encode()
    token = jwt.encode(issuer.claims(), secret, algorithm="HS256", headers={"kid": "oct-1"})
    refused(verifier, token, "not signed by an algorithm that is accepted")
