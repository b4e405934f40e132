from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.access import AccessError, CredentialError, NewToken, Role, Tokens
from compliance.access.tokens import holder
from compliance.oversight import TokenIssued, TokenRevoked

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def issued(made: NewToken, *, name: str = "ada", role: str = "auditor", lasting_h: int = 1) -> TokenIssued:
    expires = (NOW + timedelta(hours=lasting_h)).isoformat()
    return TokenIssued(
        at=NOW.isoformat(),
        actor="local:root",
        role="admin",
        token=made.id,
        name=name,
        grants=role,
        digest=made.digest,
        expires_at=expires,
    )


def revoked(token_id: str) -> TokenRevoked:
    return TokenRevoked(at=NOW.isoformat(), actor="local:root", role="admin", token=token_id)


def test_the_holder_of_a_token_is_known_by_name_and_role() -> None:
    made = NewToken.make()
    somebody = Tokens.of([issued(made)]).principal(made.secret, NOW)
    assert somebody.actor == "token:ada"
    assert somebody.roles == {Role.AUDITOR}
    assert somebody.authenticated


def test_the_record_holds_the_hash_and_not_the_token() -> None:
    made = NewToken.make()
    assert made.digest == hashlib.sha256(made.secret.encode()).hexdigest()
    assert made.secret not in issued(made).model_dump_json()


def test_no_two_tokens_are_alike() -> None:
    assert len({NewToken.make().secret for _ in range(100)}) == 100


def test_a_token_that_expired_is_void_from_that_moment() -> None:
    made = NewToken.make()
    tokens = Tokens.of([issued(made, lasting_h=1)])
    assert tokens.principal(made.secret, NOW + timedelta(minutes=59))
    with pytest.raises(CredentialError, match="expired at 2026-11-20T13:00:00"):
        tokens.principal(made.secret, NOW + timedelta(hours=1))


def test_a_revoked_token_is_void_and_others_are_not() -> None:
    one, other = NewToken.make(), NewToken.make()
    tokens = Tokens.of([issued(one), issued(other), revoked(one.id)])
    with pytest.raises(CredentialError, match=f"token {one.id} was revoked"):
        tokens.principal(one.secret, NOW)
    assert tokens.principal(other.secret, NOW)


def test_a_revocation_that_the_record_has_first_counts_as_well() -> None:
    made = NewToken.make()
    with pytest.raises(CredentialError, match="was revoked"):
        Tokens.of([revoked(made.id), issued(made)]).principal(made.secret, NOW)


def test_an_id_that_is_issued_again_gives_nobody_the_first_ones_place() -> None:
    first = NewToken.make()
    second = NewToken(first.id, NewToken.make().secret, "f" * 64)
    tokens = Tokens.of([issued(first), issued(second, name="eve", role="privacy_officer")])
    assert tokens.principal(first.secret, NOW).actor == "token:ada"


@given(wrong=st.text(max_size=80))
def test_what_is_no_token_lets_nobody_in_and_is_not_repeated(wrong: str) -> None:
    with pytest.raises(CredentialError) as error:
        Tokens.of([issued(NewToken.make())]).principal(wrong, NOW)
    assert len(wrong) < 12 or wrong not in str(error.value)


def test_the_right_id_with_another_secret_lets_nobody_in() -> None:
    made, other = NewToken.make(), NewToken.make()
    forged = made.secret[:17] + other.secret[17:]
    with pytest.raises(CredentialError, match="no token of this ledger") as error:
        Tokens.of([issued(made)]).principal(forged, NOW)
    assert forged not in str(error.value)


def test_a_name_is_one_however_it_is_written() -> None:
    assert holder(" Jane.Miller ") == holder("jane.miller") == "jane.miller"


@pytest.mark.parametrize("name", ["", "jane miller", "-", "ja\nne", "a" * 101, "jáne", "<script>"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(AccessError, match="is named by"):
        holder(name)
