"""Training material out of real ledgers: whole ones, damaged ones, and ones whose policies are gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from compliance.events import Decided, Event
from compliance.ledger import Ledger
from router import Policy
from service.learning.reading import Material, ToolUse, material, tool_use
from service.learning.turns import Unlabelled
from tests.forged import rewrite, unguarded
from tests.unit.service.learning.lines import ABLE, EXPLORING, Said, invented_calls, record

pytestmark = pytest.mark.unit

POLICY = Policy.parse(EXPLORING)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger.open(tmp_path / "ledger.sqlite")) as opened:
        yield opened


def read(ledger: Ledger, since: datetime | None = None) -> Material:
    return material(ledger, ledger.calls(), ABLE, since=since)


def test_every_call_with_a_turn_is_read_with_the_chances_of_its_turns(ledger: Ledger) -> None:
    calls = invented_calls(20, seed=1)
    record(ledger, POLICY, [*calls, []])
    found = read(ledger)
    assert [len(call.turns) for call in found.calls] == [len(call) for call in calls]
    for call, said in zip(found.calls, calls, strict=True):
        for turn, one in zip(call.turns, said, strict=True):
            assert call.propensities[turn.number] == pytest.approx(1.0 if one.tool_p >= 0.5 else 0.1)
            assert (turn.unlabelled is Unlabelled.CENSORED) == (turn.engine == "fast")
            assert turn.unlabelled is not None or turn.needs_tool == one.needs_tool
    assert found.policy is not None
    assert found.policy.name == "line"
    assert not found.unreadable
    assert not found.without_chances


def test_who_called_what_is_read_from_the_calls(ledger: Ledger) -> None:
    record(ledger, POLICY, [[Said("where is it", True, 0.9)], [Said("hello", False, 0.1)]])
    assert tool_use(ledger, ledger.calls()) == ToolUse(frozenset({"tool"}), ("look_up_order",))


def test_a_call_whose_policy_is_not_archived_is_read_and_its_chances_are_not_known(ledger: Ledger) -> None:
    record(ledger, POLICY, [[Said("where is it", True, 0.9)]], prefix="old", archive=False)
    found = read(ledger)
    (call,) = found.calls
    assert call.propensities == {}
    assert call.weight(call.turns[0]) == 1.0
    assert list(found.without_chances.values()) == [1]
    assert "not in the ledger's archive" in next(iter(found.without_chances))
    assert found.policy is None


def test_a_policy_that_was_changed_in_the_archive_gives_no_chances(ledger: Ledger) -> None:
    ledger.keep_policy(POLICY.hash, POLICY.name, POLICY.version, EXPLORING.replace("10", "20"))
    record(ledger, POLICY, [[Said("where is it", True, 0.9)]], archive=False)
    (why,) = read(ledger).without_chances
    assert "it was changed" in why


def impossible(event: Event) -> Event:
    """Gives the third call a turn that no call can have."""
    if isinstance(event, Decided) and event.call_id == "call-00002":
        return event.model_copy(update={"signals": {**event.signals, "turn.count": -1}})
    return event


def test_a_damaged_call_is_left_out_and_counted_and_the_others_are_read(ledger: Ledger) -> None:
    record(ledger, POLICY, [[Said("where is it", True, 0.9)]] * 3)
    assert ledger.path is not None
    ledger.close()
    rewrite(ledger.path, impossible)
    with unguarded(ledger.path) as db:
        db.execute(
            "UPDATE entries SET leaf = zeroblob(80) WHERE call_id = 'call-00001' AND kind = 'tool_called'"
        )
    found = read(ledger)
    assert [call.call_id for call in found.calls] == ["call-00000"]
    assert sum(found.unreadable.values()) == 2
    assert tool_use(ledger, ledger.calls()).tools == ("look_up_order",)


def test_calls_that_began_before_are_left_out(ledger: Ledger) -> None:
    record(ledger, POLICY, [[Said("where is it", True, 0.9)]])
    assert len(read(ledger, datetime(2026, 11, 16, tzinfo=UTC)).calls) == 1
    assert len(read(ledger, datetime(2026, 11, 17, tzinfo=UTC)).calls) == 0


def test_an_empty_ledger_has_nothing_to_teach(ledger: Ledger) -> None:
    assert read(ledger) == Material((), {}, {}, None)
