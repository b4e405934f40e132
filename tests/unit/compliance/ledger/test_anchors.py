"""Checkpoints are published where an operator cannot change them, and show what was rewritten."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

import pytest

from compliance.errors import LedgerError
from compliance.events import CallEnded, Event, SpeechHeard
from compliance.ledger import Ledger
from compliance.ledger.anchors import AnchorError, FileAnchor, LeafHashes
from compliance.ledger.keys import Keyring
from tests.forged import rewrite, unguarded
from tests.unit.compliance.ledger.conftest import Place, heard

pytestmark = pytest.mark.unit


def ended(call_id: str) -> CallEnded:
    return CallEnded(call_id=call_id, at_ms=9, reason="hang-up", turns=1, cost_usd=0)


@pytest.fixture
def anchor(tmp_path: Path) -> Path:
    return tmp_path / "elsewhere" / "anchor.jsonl"


def anchored(ledger: Ledger, path: Path) -> int:
    """How many events verify against the anchor."""
    with path.open("rb") as lines:
        found = ledger.verify(anchor=lines)
    assert found.ok, found.problems
    return found.anchored


def test_what_is_appended_is_anchored_at_the_end_of_a_call_and_when_the_ledger_is_closed(
    place: Place, anchor: Path
) -> None:
    with closing(place.open(anchors=[FileAnchor(anchor)])) as ledger:
        ledger.append_many([heard("a", 1), ended("a")])
        ledger.append(heard("b", 1))
    with closing(place.open(anchors=[FileAnchor(anchor)])) as ledger:
        assert anchored(ledger, anchor) == 3
        ledger.append(heard("b", 2))
    with closing(place.open()) as ledger:
        assert anchored(ledger, anchor) == 4


def test_an_anchor_that_came_late_or_was_away_catches_up(place: Place, anchor: Path) -> None:
    with closing(place.open()) as ledger:
        ledger.append_many([heard("a", n) for n in range(9_000)])
    with closing(place.open(anchors=[FileAnchor(anchor)])) as ledger:
        ledger.append(ended("a"))
    with closing(place.open()) as ledger:
        assert anchored(ledger, anchor) == 9_001


def test_a_line_that_a_crash_cut_is_written_again(place: Place, anchor: Path) -> None:
    for number in range(3):
        with closing(place.open(anchors=[FileAnchor(anchor)])) as ledger:
            ledger.append(heard("a", number))
        anchor.write_bytes(anchor.read_bytes()[:-30])
    with closing(place.open(anchors=[FileAnchor(anchor)])) as ledger:
        ledger.append(heard("a", 3))
    with closing(place.open()) as ledger:
        assert anchored(ledger, anchor) == 4


def test_processes_and_tenants_share_an_anchor(place: Place, anchor: Path) -> None:
    with (
        closing(place.open(anchors=[FileAnchor(anchor)])) as one,
        closing(place.open(anchors=[FileAnchor(anchor)])) as other,
        closing(place.open(tenant="acme", anchors=[FileAnchor(anchor)])) as tenant,
    ):
        for number in range(6):
            for ledger in (one, other, tenant):
                ledger.append_many([heard(f"call {number}", 1), ended(f"call {number}")])
    for name, events in (("", 24), ("acme", 12)):
        with closing(place.open(tenant=name)) as ledger:
            assert anchored(ledger, anchor) == events


def test_a_rewriting_with_the_keys_verifies_but_not_against_the_anchor(tmp_path: Path, anchor: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with closing(Ledger.open(path, anchors=[FileAnchor(anchor)])) as ledger:
        ledger.append_many([heard("a", n) for n in range(9)])

    def later(event: Event) -> Event:
        rewritten = isinstance(event, SpeechHeard) and event.at_ms == 4
        return event.model_copy(update={"end_ms": 60_000.0}) if rewritten else event

    rewrite(path, later)
    with closing(Ledger.open(path)) as ledger:
        assert ledger.verify().ok
        with anchor.open("rb") as lines:
            found = ledger.verify(anchor=lines)
    assert not found.ok


def test_a_change_is_named_exactly_with_an_anchor_though_all_its_hashes_were_made_to_fit(
    tmp_path: Path, anchor: Path
) -> None:
    path = tmp_path / "ledger.sqlite"
    with closing(Ledger.open(path, anchors=[FileAnchor(anchor)])) as ledger:
        ledger.append_many([heard("a", n) for n in range(9)])
    with unguarded(path) as db:
        db.execute(
            "UPDATE entries SET (leaf, leaf_hash) = (SELECT leaf, leaf_hash FROM entries WHERE seq = 3) WHERE seq = 5"
        )
    with closing(Ledger.open(path)) as ledger, anchor.open("rb") as lines:
        first = ledger.verify(anchor=lines).first
    assert first is not None
    assert first.seq == 5


def test_a_file_of_another_ledger_is_not_added_to(tmp_path: Path, anchor: Path) -> None:
    def publish(name: str) -> None:
        with closing(Ledger.open(tmp_path / name, keys=Keyring.new())) as ledger:
            ledger.append(heard("a", 1))
            hashes = [entry.leaf_hash for entry in ledger.entries()]
            FileAnchor(anchor).publish("default", ledger.checkpoint(), lambda start, stop: hashes[start:stop])

    publish("one")
    with pytest.raises(AnchorError, match="another ledger's log 'default'"):
        publish("two")


class Stuck:
    """An anchor that takes a while, and at first fails."""

    name = "the stuck anchor"

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.published: list[str] = []

    def publish(self, log: str, note: str, leaf_hashes: LeafHashes) -> None:
        self.go_on.wait(30)
        self.published.append(note)
        if len(self.published) == 1:
            raise LedgerError("it is full")
        if len(self.published) == 2:
            raise KeyError("somebody else's mistake, which quotes Ada")


def test_an_anchor_that_hangs_or_fails_holds_up_nobody_and_gets_the_newest_next(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    stuck = Stuck()
    ledger = place.open(anchors=[stuck])
    for number in range(20):
        ledger.append(ended(f"call {number}"))
    newest = ledger.checkpoint()
    stuck.go_on.set()
    ledger.close()

    assert stuck.published[-1] == newest
    assert len(stuck.published) <= 3
    assert "it is full" in caplog.text
    assert "Ada" not in caplog.text
    ledger.close()
