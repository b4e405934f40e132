from __future__ import annotations

from pathlib import Path

import pytest

from compliance.access import PERMITS, DeniedError, Permission, Principal, Role

pytestmark = pytest.mark.unit


def somebody(*roles: Role) -> Principal:
    return Principal("token:ada", frozenset(roles))


def test_every_role_is_in_the_table_and_every_permission_has_somebody() -> None:
    assert set(PERMITS) == set(Role)
    assert frozenset().union(*PERMITS.values()) == set(Permission)


DOCUMENTED = {
    "search and read redacted calls": {Permission.READ},
    "export": {Permission.EXPORT},
    "see who saw what": {Permission.READ_ACCESS_LOG},
    "hold, release, erase": {Permission.HOLD, Permission.ERASE},
    "carry out the retention policy": {Permission.RETAIN},
    "ask for sealed values, and see them": {Permission.REVEAL},
    "approve somebody else's request for them": {Permission.APPROVE},
    "issue and revoke tokens": {Permission.TOKENS},
}


def test_the_table_in_the_documentation_is_this_one() -> None:
    page = (Path(__file__).parents[4] / "docs" / "how-to" / "oversee.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("|")
    ]
    head = next(row for row in rows if "auditor" in row)
    told = {row[0]: row[1:] for row in rows if row[0] in DOCUMENTED}
    roles = [Role(name.replace(" ", "_")) for name in head[1:]]
    assert set(roles) == set(Role)
    assert set().union(*DOCUMENTED.values()) == set(Permission)
    for what, permissions in DOCUMENTED.items():
        assert told[what] == ["yes" if permissions <= PERMITS[role] else "no" for role in roles]


def test_an_admin_reads_nothing() -> None:
    assert PERMITS[Role.ADMIN] == {Permission.TOKENS}


def test_only_an_admin_hands_out_roles() -> None:
    assert [role for role in Role if Permission.TOKENS in PERMITS[role]] == [Role.ADMIN]


@pytest.mark.parametrize(
    "permission", [Permission.REVEAL, Permission.ERASE, Permission.HOLD], ids=lambda one: one.value
)
def test_only_a_privacy_officer_reveals_erases_and_holds(permission: Permission) -> None:
    assert [role for role in Role if permission in PERMITS[role]] == [Role.PRIVACY_OFFICER]


def test_an_auditor_changes_nothing() -> None:
    assert not PERMITS[Role.AUDITOR] & {
        Permission.HOLD,
        Permission.ERASE,
        Permission.RETAIN,
        Permission.REVEAL,
    }


def test_of_several_roles_the_one_that_permits_least_is_named() -> None:
    both = somebody(Role.PRIVACY_OFFICER, Role.AUDITOR)
    assert both.role_for(Permission.READ) is Role.AUDITOR
    assert both.role_for(Permission.HOLD) is Role.PRIVACY_OFFICER


def test_who_may_not_is_told_what_it_takes() -> None:
    with pytest.raises(DeniedError, match="token:ada has auditor, which does not permit 'reveal'") as error:
        somebody(Role.AUDITOR).role_for(Permission.REVEAL)
    assert "It takes privacy_officer" in str(error.value)


def test_without_a_role_nothing_is_permitted() -> None:
    for permission in Permission:
        with pytest.raises(DeniedError, match="has no role"):
            somebody().role_for(permission)


def test_a_person_is_the_same_in_capitals() -> None:
    assert somebody().same_person("Token:ADA")
    assert not somebody().same_person("oidc:ada")
