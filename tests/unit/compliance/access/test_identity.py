from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from compliance.access import CredentialError, Issuer, NewToken, Permission, Role, Tokens, Verifier, identify
from compliance.access.identity import KEEPER, OWNER
from compliance.access.roles import PERMITS
from compliance.oversight import TokenIssued, TokenRevoked

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOBODY = Tokens.of([])
ISSUER = Verifier(Issuer("https://issuer.example", "patchbay"))
MADE = NewToken.make()
ISSUED = TokenIssued(
    at=NOW.isoformat(),
    actor="local:root",
    role="admin",
    token=MADE.id,
    name="ada",
    grants="auditor",
    digest=MADE.digest,
    expires_at=(NOW + timedelta(days=1)).isoformat(),
)


def test_whoever_has_an_embedded_ledger_to_themselves_owns_it() -> None:
    owner = identify("", tokens=NOBODY, oidc=None, user="root", now=NOW)
    assert owner.actor == "local:root"
    assert owner.roles == OWNER
    assert owner.role_for(Permission.READ) is Role.AUDITOR


def test_nobody_proved_who_the_owner_is() -> None:
    assert not identify("", tokens=NOBODY, oidc=None, user="root", now=NOW).authenticated


def test_from_the_first_token_on_the_local_user_lets_people_in_and_reads_nothing() -> None:
    keeper = identify("", tokens=Tokens.of([ISSUED]), oidc=None, user="root", now=NOW)
    assert keeper.roles == KEEPER
    assert not any(Permission.READ in PERMITS[role] for role in keeper.roles)


def test_revoking_every_token_gives_the_local_user_nothing_back() -> None:
    revoked = TokenRevoked(at=NOW.isoformat(), actor="local:root", role="admin", token=MADE.id)
    keeper = identify("", tokens=Tokens.of([ISSUED, revoked]), oidc=None, user="root", now=NOW)
    assert keeper.roles == KEEPER


def test_where_an_issuer_is_set_the_local_user_reads_nothing() -> None:
    assert identify("", tokens=NOBODY, oidc=ISSUER, user="root", now=NOW).roles == KEEPER


def test_a_token_says_who_it_is() -> None:
    somebody = identify(f" {MADE.secret}\n", tokens=Tokens.of([ISSUED]), oidc=ISSUER, user="root", now=NOW)
    assert somebody.actor == "token:ada"


def test_a_bad_token_never_falls_back_to_the_local_user() -> None:
    with pytest.raises(CredentialError):
        identify("pba_wrong", tokens=NOBODY, oidc=None, user="root", now=NOW)


def test_a_jwt_needs_an_issuer_to_believe() -> None:
    with pytest.raises(CredentialError, match="no PATCHBAY_OIDC_ISSUER says who vouches for it"):
        identify("a.b.c", tokens=NOBODY, oidc=None, user="root", now=NOW)
