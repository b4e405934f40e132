"""What was masked is sealed where the redaction policy lets it be revealed, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from compliance.errors import LedgerError
from compliance.ledger import Ledger
from compliance.redaction.policy import RedactionPolicy
from service.sealing import Sealing

pytestmark = pytest.mark.unit

POLICY = RedactionPolicy.parse(
    "redaction: {name: test, version: 1}\n"
    "entities: {PERSON: {action: mask, reveal: true}, US_SSN: {action: mask}, CVV: {action: mask}}\n"
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger.open(tmp_path / "ledger.sqlite")) as opened:
        yield opened


def test_values_that_may_be_revealed_are_sealed_and_counted(ledger: Ledger) -> None:
    seal = Sealing(ledger, "c", POLICY)
    first, second = seal("PERSON", "ada", 1), seal("PERSON", "lovelace", 2)
    assert first is not None
    assert second is not None
    assert (first.number, second.number, second.entity, second.at_ms) == (1, 2, "PERSON", 2)
    assert "lovelace" not in second.model_dump_json()


@pytest.mark.parametrize(
    ("entity", "value"),
    [
        ("US_SSN", "078051120"),
        ("CVV", "739"),
        ("CREDIT_CARD", "4111 1111 1111 1111"),
        ("PERSON", "four one one one one one one one one one one one one one one one"),
    ],
    ids=["the policy says no", "a security code", "a card", "a card taken for a name"],
)
def test_what_may_never_be_revealed_is_not_sealed(ledger: Ledger, entity: str, value: str) -> None:
    assert Sealing(ledger, "c", POLICY)(entity, value, 1) is None


def test_without_the_calls_key_nothing_is_sealed(ledger: Ledger) -> None:
    class Away:
        def derived_key(self, call_id: str, purpose: str) -> bytes:
            raise LedgerError("the database is gone")

    away: Ledger = Away()  # type: ignore[assignment]
    with pytest.raises(LedgerError):
        Sealing(away, "c", POLICY)("PERSON", "ada", 1)
