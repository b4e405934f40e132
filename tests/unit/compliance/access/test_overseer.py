from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from compliance.access import DeniedError, Permission, Principal
from compliance.errors import LedgerError
from compliance.ledger import Ledger
from compliance.oversight import Accessed, AccessRefused, Searched
from tests.unit.compliance.overseen import ADMIN, AUDITOR, NOW, OFFICER, SERVICE, overseer, record_call

pytestmark = pytest.mark.unit


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger.open(tmp_path / "ledger.sqlite")
    record_call(ledger, "first")
    yield ledger
    ledger.close()


def test_reading_a_call_is_on_record_with_who_as_what_and_how_much(ledger: Ledger) -> None:
    events = overseer(ledger, AUDITOR).events("first", what="search")
    (read,) = ledger.oversight()
    assert isinstance(read, Accessed)
    assert (read.actor, read.role, read.call_id, read.what) == ("token:ada", "auditor", "first", "search")
    assert read.events == len(events) == 3
    assert read.at == NOW.isoformat(timespec="milliseconds")


@pytest.mark.parametrize("somebody", [ADMIN, Principal("token:eve", frozenset())], ids=["admin", "no role"])
def test_who_may_not_read_sees_nothing_and_that_they_asked_is_on_record(
    ledger: Ledger, somebody: Principal
) -> None:
    with pytest.raises(DeniedError):
        overseer(ledger, somebody).events("first", what="search")
    (refused,) = ledger.oversight()
    assert isinstance(refused, AccessRefused)
    assert (refused.actor, refused.permission) == (somebody.actor, "read")


def test_nothing_is_seen_when_that_it_was_seen_cannot_be_recorded(tmp_path: Path) -> None:
    class Full(Ledger):
        def append_many(self, events: object) -> tuple[()]:  # type: ignore[override] # as of a disk that is full
            raise LedgerError("the disk is full")

    Ledger.open(tmp_path / "ledger.sqlite").close()
    ledger = Full.open(tmp_path / "ledger.sqlite")
    with pytest.raises(LedgerError, match="the disk is full"):
        overseer(ledger, AUDITOR).events("first", what="search")
    ledger.close()


def test_what_was_typed_is_masked_before_it_is_kept(ledger: Ledger) -> None:
    card = "4111 1111 1111 1111"
    overseer(ledger, OFFICER).record(
        Permission.READ, Searched, words=f"card {card}", facts={"tool": f"pay {card}"}, calls=1
    )
    (searched,) = ledger.oversight()
    assert isinstance(searched, Searched)
    assert "1111" not in searched.model_dump_json()
    assert "<CREDIT_CARD>" in searched.words


def test_a_text_that_cannot_be_masked_is_not_kept(ledger: Ledger) -> None:
    desk = overseer(ledger, OFFICER)
    assert desk._redactor is not None
    desk._redactor._engine = object()  # type: ignore[assignment] # whatever is asked of it fails
    desk.record(Permission.READ, Searched, words="card 4111", facts={}, calls=1)
    assert "4111" not in ledger.oversight()[0].model_dump_json()


def test_a_machine_may_read_redacted_calls_and_is_on_record_like_people(ledger: Ledger) -> None:
    overseer(ledger, SERVICE).events("first", what="policy replay")
    assert [event.role for event in ledger.oversight()] == ["service"]


def test_events_about_the_record_are_not_of_the_call_that_they_are_about(ledger: Ledger) -> None:
    before = ledger.events("first")
    overseer(ledger, AUDITOR).events("first", what="search")
    assert ledger.events("first") == before
    assert ledger.calls() == ("first",)
    assert ledger.verify().ok
