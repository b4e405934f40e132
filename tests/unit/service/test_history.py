"""Recorded calls read back for what-if, and replayed under the policies that routed them."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.errors import LedgerError
from compliance.events import Decided, TurnMoved
from compliance.ledger import Ledger
from compliance.ledger.keys import key_file
from policies import shipped
from router import Policy
from router.whatif.calls import PastCall
from router.whatif.replay import mismatches
from service.history import Archive, NotArchivedError, find_call, moment, past_call, recorded
from service.reproduction import reproduce
from tests.unit.service.recorded_calls import EVERYTHING, record_calls, recorded_call
from tests.unit.service.sample_call import quick_call

pytestmark = pytest.mark.unit

POLICY = Policy.parse(EVERYTHING)
SHIPPED = Policy.load(shipped("default.yaml"))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger.open(tmp_path / "ledger.sqlite")) as ledger:
        yield ledger


@pytest.fixture(scope="module")
def recorded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recorded") / "ledger.sqlite"
    with closing(Ledger.open(path)) as ledger:
        record_calls(ledger, POLICY, 60)
    return path


@pytest.fixture
def sixty(recorded_once: Path, tmp_path: Path) -> Iterator[Ledger]:
    path = tmp_path / "sixty.sqlite"
    shutil.copy(recorded_once, path)
    shutil.copy(key_file(recorded_once), key_file(path))
    with closing(Ledger.open(path)) as ledger:
        yield ledger


def all_calls(ledger: Ledger) -> tuple[PastCall, ...]:
    return recorded(ledger, ledger.calls()).calls


# -- reproduction ----------------------------------------------------------------------------------------------
def test_the_record_reproduces_every_decision_with_all_that_sticks_fails_and_sorts(sixty: Ledger) -> None:
    calls = all_calls(sixty)
    found = reproduce(Archive(sixty), calls)
    assert found.ok
    assert (found.mismatches, dict(found.not_archived)) == ((), {})
    # The sixty calls are worth replaying: each of these things happened in them.
    turns = [turn for call in calls for turn in call.turns]
    assert found.turns == sum(turn.routed for turn in turns)
    assert not all(turn.routed for turn in turns)
    assert any(len(turn.moved) > 1 for turn in turns)
    assert {turn.rule for turn in turns} >= {
        "de-escalate",
        "evening",
        "digits",
        "tools",
        "acme-first",
        "wants-a-person",
    }
    assert {call.tenant for call in calls} == {"", "acme"}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 200))
def test_whatever_happens_in_a_call_it_is_reproduced(seed: int, number: int) -> None:
    for policy in (POLICY, SHIPPED):
        call = past_call(recorded_call(policy, f"call-{seed}", random.Random(seed), number))  # noqa: S311
        assert call is not None
        assert list(mismatches(policy, call)) == []


def test_calls_under_several_policies_are_each_replayed_under_their_own(sixty: Ledger) -> None:
    record_calls(sixty, SHIPPED, 20, prefix="later")
    calls = all_calls(sixty)
    assert {call.policy_hash for call in calls} == {POLICY.hash, SHIPPED.hash}
    assert reproduce(Archive(sixty), calls).ok


def test_a_decision_that_was_not_the_policys_is_found(ledger: Ledger) -> None:
    other = Policy.parse(EVERYTHING.replace("tool_p: {value: 0.6", "tool_p: {value: 0.4"))
    ledger.keep_policy(POLICY.hash, POLICY.name, POLICY.version, EVERYTHING)
    for number in range(0, 40, 2):
        events = recorded_call(other, f"call-{number}", random.Random(number), number)  # noqa: S311
        ledger.append_many(
            [
                event.model_copy(update={"policy_hash": POLICY.hash}) if isinstance(event, Decided) else event
                for event in events
            ]
        )
    found = reproduce(Archive(ledger), all_calls(ledger))
    assert not found.ok
    assert found.mismatches
    assert all(one.logged != one.replayed for one in found.mismatches)


# -- reading ---------------------------------------------------------------------------------------------------
def test_a_call_has_what_replay_needs_of_it() -> None:
    events = recorded_call(POLICY, "call", random.Random(4), 1)  # noqa: S311
    call = past_call(events)
    assert call is not None
    assert (call.call_id, call.tenant, call.policy_hash) == ("call", "acme", POLICY.hash)
    decided = [event for event in events if isinstance(event, Decided)]
    assert [(turn.engine, turn.rule) for turn in call.turns] == [
        (event.engine, event.rule) for event in decided
    ]
    assert all(turn.heard_ms and turn.cost_usd for turn in call.turns)
    moves = [event for event in events if isinstance(event, TurnMoved)]
    assert [engine for turn in call.turns for engine in turn.moved] == [event.to_engine for event in moves]
    assert all("upset" not in turn.signals for turn in call.turns)  # derived, so computed anew


def test_the_costs_of_a_turn_add_up() -> None:
    call = past_call(quick_call())
    assert call is not None
    assert call.turns[0].cost_usd == pytest.approx(3.0 / 60 * 0.0077 + 300 * 0.4e-6 + 41 * 50e-6)


def test_signals_come_back_from_the_ledger_with_their_types(ledger: Ledger) -> None:
    events = recorded_call(POLICY, "call", random.Random(4), 1)  # noqa: S311
    whole = [
        event.model_copy(update={"signals": {**event.signals, "emotion.upset": 1.0, "cost.usd": 0.0}})
        if isinstance(event, Decided) and event.signals
        else event
        for event in events
    ]
    ledger.append_many(whole)
    [call] = all_calls(ledger)
    values = [turn.signals["emotion.upset"] for turn in call.turns if turn.routed]
    assert values
    assert {type(value) for value in values} == {float}


def test_a_signal_that_is_no_more_in_the_catalogue_is_left_out() -> None:
    call = past_call(quick_call())
    assert call is not None
    assert "text.length" not in call.turns[0].signals
    assert call.turns[0].signals["emotion.label"] == "calm"


def test_a_call_without_a_decision_is_none(ledger: Ledger) -> None:
    started = quick_call()[:1]
    assert past_call(started) is None
    ledger.append_many(started)
    assert recorded(ledger, ledger.calls()).calls == ()


def test_a_record_that_cannot_be_read_is_counted_with_the_reason(ledger: Ledger) -> None:
    events = recorded_call(POLICY, "call", random.Random(4), 1)  # noqa: S311
    ledger.append_many(
        [
            event.model_copy(update={"signals": {**event.signals, "turn.words": -3}})
            if isinstance(event, Decided)
            else event
            for event in events
        ]
    )
    record_calls(ledger, POLICY, 2, prefix="good")
    found = recorded(ledger, ledger.calls())
    assert len(found.calls) == 2
    [(reason, number)] = found.unreadable.items()
    assert number == 1
    assert "turn.words" in reason
    assert not reproduce(Archive(ledger), found.calls, unreadable=found.unreadable).ok


# -- choosing calls --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("since", "until", "calls"),
    [
        ("2026-11-02T07:00", "2026-11-02T10:00", 3),
        ("2026-11-03", "", 43),
        ("", "2026-11-02", 17),
        ("2026-11-02T09:00+01:00", "2026-11-02T11:00+01:00", 2),
    ],
)
def test_calls_are_chosen_by_when_they_began(sixty: Ledger, since: str, until: str, calls: int) -> None:
    found = recorded(
        sixty,
        sixty.calls(),
        since=moment(since) if since else None,
        until=moment(until, last=True) if until else None,
    )
    assert len(found.calls) == calls


def test_calls_are_chosen_by_tenant(sixty: Ledger) -> None:
    assert {call.tenant for call in recorded(sixty, sixty.calls(), tenant="acme").calls} == {"acme"}
    assert recorded(sixty, sixty.calls(), tenant="nobody").calls == ()


def test_a_time_is_utc_unless_it_says_otherwise_and_the_last_day_is_whole() -> None:
    assert moment("2026-11-02") == datetime(2026, 11, 2, tzinfo=UTC)
    assert moment("2026-11-02", last=True) == datetime(2026, 11, 3, tzinfo=UTC)
    assert moment("2026-11-02T09:00+01:00") == datetime(2026, 11, 2, 8, tzinfo=UTC)
    with pytest.raises(ValueError, match="yesterday"):
        moment("yesterday")


def test_a_call_is_named_by_its_id_the_beginning_of_it_or_as_the_last(sixty: Ledger) -> None:
    assert find_call(sixty, "call-00007") == "call-00007"
    assert find_call(sixty, "last") == "call-00059"
    record_calls(sixty, POLICY, 1, prefix="other")
    assert find_call(sixty, "oth") == "other-00000"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("call-0000", r"10 calls begin with 'call-0000', such as call-00000, .*: give more of the id"),
        (
            "nobody",
            r"no call 'nobody': the newest of 60 are call-00059, call-00058, .*; 'last' is the newest",
        ),
    ],
)
def test_a_name_that_means_no_call_or_several_says_which_there_are(
    sixty: Ledger, name: str, told: str
) -> None:
    with pytest.raises(LedgerError, match=told):
        find_call(sixty, name)


def test_a_ledger_without_calls_says_so(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="no calls yet"):
        find_call(ledger, "last")


# -- the archive -----------------------------------------------------------------------------------------------
def test_the_archive_gives_the_policy_back(sixty: Ledger) -> None:
    archive = Archive(sixty)
    assert archive.policy(POLICY.hash).hash == POLICY.hash
    assert archive.policy(POLICY.hash) is archive.policy(POLICY.hash)


def test_a_policy_that_was_never_archived_is_no_mismatch_but_is_counted(sixty: Ledger) -> None:
    for number in range(3):
        sixty.append_many(recorded_call(SHIPPED, f"old-{number}", random.Random(number)))  # noqa: S311
    with pytest.raises(NotArchivedError, match="not in the ledger's archive"):
        Archive(sixty).policy(SHIPPED.hash)
    found = reproduce(Archive(sixty), all_calls(sixty))
    assert found.ok
    assert list(found.not_archived.values()) == [3]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (EVERYTHING.replace("value: 0.6", "value: 0.7"), "it was changed"),
        ("policy: {name: x", "this version cannot read it: "),
    ],
)
def test_an_archived_text_that_is_not_what_was_filed_is_refused(sixty: Ledger, text: str, told: str) -> None:
    assert sixty.path is not None
    with closing(sqlite3.connect(sixty.path, isolation_level=None)) as db:
        db.execute("DROP TRIGGER policies_no_update")
        db.execute("UPDATE policies SET text = ?", (text,))
    with pytest.raises(LedgerError, match=told):
        Archive(sixty).policy(POLICY.hash)
    found = reproduce(Archive(sixty), all_calls(sixty))
    assert not found.ok
    assert list(found.unusable.values()) == [60]
