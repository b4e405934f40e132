from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.access import DeniedError, Principal, Role
from compliance.erasure import Due, erase
from compliance.errors import ErasedError, LedgerError
from compliance.events import ValueSealed
from compliance.ledger import Ledger
from compliance.oversight import Accessed, AccessRefused, RevealApproved, Revealed, RevealRequested
from compliance.reveal import (
    LONGEST,
    RevealError,
    SealedValues,
    Sealer,
    approve,
    request,
    requests,
    reveal,
    sealing_key,
)
from compliance.standing import SEALED
from tests.unit.compliance.overseen import (
    ADMIN,
    AUDITOR,
    COLLEAGUE,
    NOW,
    OFFICER,
    Clock,
    overseer,
    record_call,
)

pytestmark = pytest.mark.unit

DAY = timedelta(days=1)
NAMES = (("PERSON", "Jane Miller"), ("PHONE_NUMBER", "five five five oh one double nine"))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger.open(tmp_path / "ledger.sqlite")
    record_call(ledger, "first", sealed=NAMES)
    record_call(ledger, "second", sealed=(("PERSON", "Tom Reed"),))
    yield ledger
    ledger.close()


def asked(ledger: Ledger, *numbers: int, lasting: timedelta = DAY) -> str:
    """The name of the officer's request for values of the first call."""
    desk = overseer(ledger, OFFICER)
    return request(desk, "first", numbers or (1,), reason="a court order", lasting=lasting).request


# -- sealing ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("entity", ["CREDIT_CARD", "CVV", "PIN"])
def test_what_may_never_be_kept_is_not_sealed(entity: str) -> None:
    with pytest.raises(RevealError, match="may never be revealed") as error:
        Sealer("c", bytes(32)).seal(entity, "123", at_ms=0)
    assert "123" not in str(error.value)


@pytest.mark.parametrize(
    "value",
    [
        "4111 1111 1111 1111",
        "4111111111111111",
        "four " + "one " * 15,
        "4111-1111 double one double one 1111",
    ],
)
def test_what_looks_like_a_card_is_not_sealed_whatever_it_is_taken_for(value: str) -> None:
    for entity in ("NUMBER", "ACCOUNT_NUMBER", "PERSON", "SOMETHING_ELSE"):
        with pytest.raises(RevealError):
            Sealer("c", bytes(32)).seal(entity, value, at_ms=0)


def test_what_is_refused_takes_no_number() -> None:
    sealer = Sealer("c", bytes(32))
    with pytest.raises(RevealError):
        sealer.seal("CVV", "123", at_ms=0)
    assert [sealer.seal("PERSON", name, at_ms=0).number for name in ("Jane", "Tom")] == [1, 2]


@given(value=st.text(alphabet="abcdefgh XYZ@.", min_size=4, max_size=50))
def test_a_sealed_value_says_nothing_of_what_it_is(value: str) -> None:
    sealer = Sealer("c", bytes(32))
    one, again = (sealer.seal("PERSON", value, at_ms=5) for _ in range(2))
    assert value.encode() not in base64.b64decode(one.sealed)
    assert one.sealed != again.sealed


# -- revealing ----------------------------------------------------------------------------------------------
def test_two_people_can_bring_a_value_back(ledger: Ledger) -> None:
    name = asked(ledger, 2, 1)
    approve(overseer(ledger, COLLEAGUE), name)
    values = reveal(overseer(ledger, OFFICER), name)
    assert [(one.number, one.entity, one.value) for one in values] == [(n, *NAMES[n - 1]) for n in (1, 2)]


def test_only_what_was_asked_for_is_shown(ledger: Ledger) -> None:
    name = asked(ledger, 2)
    approve(overseer(ledger, AUDITOR), name)
    assert [one.number for one in reveal(overseer(ledger, OFFICER), name)] == [2]


def test_who_saw_what_is_on_record_before_it_is_seen(ledger: Ledger) -> None:
    name = asked(ledger, 1)
    approve(overseer(ledger, COLLEAGUE), name)

    class Refusing(Ledger):
        """The same ledger, on a disk that is full by now."""

        def append_many(self, events: object) -> tuple[()]:  # type: ignore[override]
            raise LedgerError("the disk is full")

    full = Refusing.open(ledger.path or "", must_exist=True)
    with pytest.raises(LedgerError, match="the disk is full"):
        reveal(overseer(full, OFFICER), name)
    full.close()
    reveal(overseer(ledger, OFFICER), name)
    story = [event for event in ledger.oversight() if not isinstance(event, Accessed)]
    assert [type(event) for event in story] == [RevealRequested, RevealApproved, Revealed]
    seen = story[-1]
    assert isinstance(seen, Revealed)
    assert (seen.actor, seen.call_id, seen.numbers, seen.request) == ("token:pia", "first", (1,), name)


def test_no_event_holds_a_value(ledger: Ledger) -> None:
    name = asked(ledger, 1, 2)
    approve(overseer(ledger, COLLEAGUE), name)
    reveal(overseer(ledger, OFFICER), name)
    kept = "".join(event.model_dump_json() for event in (*ledger.oversight(), *ledger.events("first")))
    assert not [value for _, value in NAMES if value in kept]


def test_a_request_alone_reveals_nothing(ledger: Ledger) -> None:
    name = asked(ledger)
    with pytest.raises(RevealError, match="waits for another person"):
        reveal(overseer(ledger, OFFICER), name)


@pytest.mark.parametrize(
    "somebody",
    [OFFICER, Principal("TOKEN:Pia", frozenset({Role.AUDITOR}))],
    ids=["with the same role", "with another role and in capitals"],
)
def test_nobody_approves_their_own_request(ledger: Ledger, somebody: Principal) -> None:
    name = asked(ledger)
    with pytest.raises(RevealError, match="takes the agreement of another person than token:pia"):
        approve(overseer(ledger, somebody), name)
    assert isinstance(ledger.oversight()[-1], AccessRefused)
    with pytest.raises(RevealError, match="waits for another person"):
        reveal(overseer(ledger, OFFICER), name)


def test_who_did_not_prove_who_they_are_approves_nothing(ledger: Ledger) -> None:
    local = Principal("local:root", frozenset({Role.PRIVACY_OFFICER}), authenticated=False)
    with pytest.raises(RevealError, match="who proves who they are"):
        approve(overseer(ledger, local), asked(ledger))


def test_an_approval_that_somebody_wrote_in_for_themselves_does_not_count(ledger: Ledger) -> None:
    name = asked(ledger)
    for actor, role in (("token:PIA", "privacy_officer"), ("token:abe", "admin"), ("token:eve", "owner")):
        ledger.append(
            RevealApproved(call_id="first", at=NOW.isoformat(), actor=actor, role=role, request=name)
        )
    assert requests(ledger.oversight())[name].approved is None


@pytest.mark.parametrize("somebody", [AUDITOR, ADMIN], ids=["auditor", "admin"])
def test_only_a_privacy_officer_asks(ledger: Ledger, somebody: Principal) -> None:
    with pytest.raises(DeniedError):
        request(overseer(ledger, somebody), "first", (1,), reason="curious", lasting=DAY)


def test_an_admin_approves_nothing(ledger: Ledger) -> None:
    with pytest.raises(DeniedError):
        approve(overseer(ledger, ADMIN), asked(ledger))


def test_an_approved_request_is_of_the_person_who_made_it(ledger: Ledger) -> None:
    name = asked(ledger)
    approve(overseer(ledger, COLLEAGUE), name)
    with pytest.raises(RevealError, match="is token:pia's: make one of your own"):
        reveal(overseer(ledger, COLLEAGUE), name)


def test_after_its_time_a_request_is_neither_approved_nor_used(ledger: Ledger) -> None:
    clock = Clock()
    late, used = asked(ledger, lasting=DAY), asked(ledger, lasting=2 * DAY)
    approve(overseer(ledger, COLLEAGUE, clock), used)
    clock.passes(DAY)
    with pytest.raises(RevealError, match="expired at 2026-11-21T12:00:00"):
        approve(overseer(ledger, COLLEAGUE, clock), late)
    assert reveal(overseer(ledger, OFFICER, clock), used)
    clock.passes(DAY)
    with pytest.raises(RevealError, match="expired"):
        reveal(overseer(ledger, OFFICER, clock), used)


@pytest.mark.parametrize("lasting", [timedelta(0), -DAY, LONGEST + timedelta(seconds=1)])
def test_a_request_stands_for_a_week_at_most(ledger: Ledger, lasting: timedelta) -> None:
    with pytest.raises(RevealError, match="stands for at most 7 days"):
        asked(ledger, lasting=lasting)


def test_a_request_takes_a_reason_and_values_that_are_there(ledger: Ledger) -> None:
    desk = overseer(ledger, OFFICER)
    with pytest.raises(RevealError, match="takes a reason"):
        request(desk, "first", (1,), reason="  ", lasting=DAY)
    with pytest.raises(RevealError, match="has no sealed value 3; it has 2"):
        request(desk, "first", (1, 3), reason="a court order", lasting=DAY)
    with pytest.raises(RevealError, match="no sealed value"):
        request(desk, "first", (), reason="a court order", lasting=DAY)


def test_an_unknown_request_is_said(ledger: Ledger) -> None:
    with pytest.raises(RevealError, match="there is no request nothing"):
        approve(overseer(ledger, COLLEAGUE), "nothing")
    with pytest.raises(RevealError, match="there is no request nothing"):
        reveal(overseer(ledger, OFFICER), "nothing")


def test_a_value_that_was_put_into_another_call_does_not_open(ledger: Ledger) -> None:
    (moved,) = ledger.events("second", kinds=("value_sealed",))
    assert isinstance(moved, ValueSealed)
    ledger.append(moved.model_copy(update={"call_id": "first", "number": 3}))
    name = asked(ledger, 3)
    approve(overseer(ledger, COLLEAGUE), name)
    with pytest.raises(RevealError, match="value 3 was not sealed by this ledger"):
        reveal(overseer(ledger, OFFICER), name)


# -- erasing ------------------------------------------------------------------------------------------------
def test_sealed_values_can_be_destroyed_and_the_call_kept(ledger: Ledger) -> None:
    name = asked(ledger)
    approve(overseer(ledger, COLLEAGUE), name)
    (gone,) = erase(overseer(ledger, OFFICER), [Due("first", SEALED, "not needed")], [SealedValues(ledger)])
    assert (gone.what, gone.items) == (SEALED, 1)
    with pytest.raises(RevealError, match="were destroyed: nobody can see them again"):
        reveal(overseer(ledger, OFFICER), name)
    with pytest.raises(ErasedError):
        sealing_key(ledger, "first")
    assert len(ledger.events("first")) == 5
    assert ledger.verify().ok


def test_an_erased_call_reveals_nothing(ledger: Ledger) -> None:
    name = asked(ledger)
    approve(overseer(ledger, COLLEAGUE), name)
    list(erase(overseer(ledger, OFFICER), [Due("first", reason="asked for")], [SealedValues(ledger)]))
    with pytest.raises(RevealError, match="were destroyed"):
        reveal(overseer(ledger, OFFICER), name)
    with pytest.raises(ErasedError):
        sealing_key(ledger, "first")
