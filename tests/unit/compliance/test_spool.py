"""What the ledger refuses is kept sealed, and what a crash leaves of it finds its way into the ledger."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from compliance.errors import LedgerKeysError
from compliance.events import CallerSaid
from compliance.ledger import Ledger
from compliance.spool import Spool, take_in

pytestmark = pytest.mark.unit


def said(text: str, call_id: str = "call") -> CallerSaid:
    return CallerSaid(call_id=call_id, at_ms=1, start_ms=0, end_ms=1, text=text, confidence=1)


@pytest.fixture
def ledger(tmp_path: Path):
    with closing(Ledger.open(tmp_path / "ledger.sqlite")) as ledger:
        yield ledger


def crashed(ledger: Ledger, *events: CallerSaid) -> Path:
    """The spool of a process that is gone: nothing holds its lock."""
    spool = Spool.beside(ledger.path, events[0].call_id, ledger.spool_keys)
    spool.write(events)
    path = spool.path
    del spool
    return path


def test_events_come_back_in_order_and_are_not_readable_in_the_file(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.write([said("my name is Ada"), said("é\u2028")])
    spool.write([said("third")])

    assert [event.text for event in spool.read()] == ["my name is Ada", "é\u2028", "third"]
    assert b"Ada" not in spool.path.read_bytes()
    spool.remove()
    assert spool.read() == ()
    assert not spool.path.exists()


def test_a_line_that_a_crash_cut_is_left_out_and_one_that_was_changed_is_refused(ledger: Ledger) -> None:
    path = crashed(ledger, said("one"), said("two"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    assert [event.text for event in Spool(path, ledger.spool_keys).read()] == ["one"]
    path.write_bytes(whole[:10] + b"AAAA" + whole[14:])
    with pytest.raises(LedgerKeysError, match="changed"):
        Spool(path, ledger.spool_keys).read()


def test_what_a_crash_left_is_taken_in_once_and_only_what_the_ledger_has_not(ledger: Ledger) -> None:
    ledger.append(said("one"))
    path = crashed(ledger, said("one"), said("two"), said("two"))

    assert take_in(ledger) == 2
    assert [event.text for event in ledger.events("call")] == ["one", "two", "two"]  # type: ignore[union-attr]
    assert not path.exists()
    assert take_in(ledger) == 0


def test_the_spool_of_a_recorder_that_lives_is_left_alone(ledger: Ledger) -> None:
    spool = Spool.beside(ledger.path, "call", ledger.spool_keys)
    spool.write([said("one")])

    assert take_in(ledger) == 0
    assert len(spool.read()) == 1
    spool.remove()


def test_a_spool_of_an_erased_call_is_removed_and_one_of_other_keys_is_left(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    ledger.append(said("one"))
    path = crashed(ledger, said("two"))
    strange = crashed(ledger, said("three", "other"))
    strange.write_bytes(strange.read_bytes()[:8] + b"AAAA" + strange.read_bytes()[12:])
    ledger.destroy_key("call")

    assert take_in(ledger) == 0
    assert not path.exists()
    assert strange.exists()
    assert "is left as it is" in caplog.text
