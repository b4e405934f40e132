from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.events import CallerSaid, CallStarted
from compliance.ledger import Ledger
from compliance.retention import FACTS, CallFacts, RetentionPolicy, call_facts
from policies import DocumentError, shipped
from tests.unit.compliance.overseen import NOW, record_call

pytestmark = pytest.mark.unit

POLICY = """\
retention: {name: mine, version: 3}
rules:
  - {id: no-consent, keep: recording, consent: {recording: false}, days: 0, because: taken back}
  - {id: acme, keep: call, tenant: acme, days: forever, because: their contract}
  - {id: audio, keep: recording, days: 30, because: disputes}
  - {id: calls, keep: call, days: 365, because: claims}
"""
BESIDE = ("recording", "sealed")


def policy(text: str = POLICY) -> RetentionPolicy:
    return RetentionPolicy.parse(text, file="mine.yaml")


def call(age_days: float, *, tenant: str = "", ended: bool = True, **consents: bool) -> CallFacts:
    return CallFacts("c", tenant, NOW - timedelta(days=age_days), ended, consents)


def due(policy: RetentionPolicy, call: CallFacts) -> list[tuple[str, str]]:
    return [(one.what, one.rule) for one in policy.due(call, BESIDE, NOW)]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger.open(tmp_path / "ledger.sqlite")
    yield ledger
    ledger.close()


# -- what is due --------------------------------------------------------------------------------------------
def test_a_thing_is_due_when_its_days_are_over_and_not_before() -> None:
    assert due(policy(), call(29.9)) == []
    assert due(policy(), call(30)) == [("recording", "audio")]
    assert due(policy(), call(364.9)) == [("recording", "audio")]


def test_of_a_call_that_is_due_nothing_is_destroyed_apart() -> None:
    assert due(policy(), call(365)) == [("call", "calls")]


def test_the_first_rule_that_fits_decides() -> None:
    assert due(policy(), call(9_000, tenant="acme")) == [("recording", "audio")]
    assert due(policy(), call(0, recording=False)) == [("recording", "no-consent")]
    assert due(policy(), call(0, recording=True)) == []


def test_a_consent_that_nobody_spoke_of_is_neither_given_nor_refused() -> None:
    assert due(policy(), call(1)) == []


def test_what_no_rule_names_is_kept() -> None:
    only = policy("retention: {name: a, version: 1}\nrules: [{id: r, keep: recording, days: 0, because: b}]")
    assert due(only, call(30_000)) == [("recording", "r")]


def test_a_call_that_is_still_on_keeps_everything() -> None:
    assert due(policy(), call(0, ended=False, recording=False)) == []
    assert due(policy(), call(1, ended=False, recording=False)) == [("recording", "no-consent")]


@given(st.floats(0, 4_000), st.floats(0, 4_000), st.booleans(), st.sampled_from(["", "acme"]))
def test_what_is_due_stays_due(age: float, more: float, recording: bool, tenant: str) -> None:
    now = due(policy(), call(age, tenant=tenant, recording=recording))
    later = due(policy(), call(age + more, tenant=tenant, recording=recording))
    assert ("call", "calls") in later or set(now) <= set(later)


# -- what rules ask of a call -------------------------------------------------------------------------------
def test_the_facts_of_a_call_are_read_from_its_record(ledger: Ledger) -> None:
    record_call(ledger, "c", age=timedelta(days=2), tenant="acme", recording=False)
    facts = call_facts(ledger.events("c", kinds=FACTS))
    assert facts
    assert (facts.call_id, facts.tenant, facts.ended) == ("c", "acme", True)
    assert facts.ended_at == NOW - timedelta(days=2) + timedelta(seconds=10)
    assert facts.consents == {"recording": False}


def test_a_call_without_an_end_is_over_after_a_day(ledger: Ledger) -> None:
    record_call(ledger, "c", age=timedelta(hours=23), ended=False)
    facts = call_facts(ledger.events("c", kinds=FACTS))
    assert facts
    assert not facts.is_over(NOW)
    assert facts.is_over(NOW + timedelta(hours=1))


def test_a_call_without_a_start_or_with_a_wrong_one_has_no_facts() -> None:
    said = CallerSaid(call_id="c", at_ms=1, start_ms=0, end_ms=1, text="hi", confidence=1)
    started = CallStarted(
        call_id="c", at_ms=0, started_at="soon", source="lab:a", policy="p", policy_hash="h"
    )
    assert call_facts([said]) is None
    assert call_facts([started, said]) is None
    assert call_facts([]) is None


# -- the document -------------------------------------------------------------------------------------------
def test_the_policy_that_ships_is_read_and_cited_by_what_it_says() -> None:
    ours = RetentionPolicy.load(shipped("retention.yaml"))
    assert {rule.keep for rule in ours.rules} == {"call", "recording", "sealed"}
    assert ours.cited.startswith(f"default {ours.version} sha256:")


def test_words_that_change_nothing_do_not_change_the_citation() -> None:
    other = policy(POLICY.replace("because: claims", "because: claims again") + "# a comment\n")
    assert other.cited == policy().cited
    assert policy(POLICY.replace("365", "366")).cited != policy().cited


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{id: a, keep: tape, days: 1, because: b}", "mine.yaml:3:19: unknown thing to keep 'tape'"),
        ("{id: a, keep: call, days: -1, because: b}", "mine.yaml:3:31: must be from 0 to 36500, is -1"),
        ("{id: a, keep: call, days: soon, because: b}", "must be a number of days, or `forever`"),
        ("{id: a, keep: call, days: 1.5, because: b}", "must be a whole number"),
        ("{id: a, keep: call, because: b}", "mine.yaml:3:5: `days` is missing"),
        ("{id: a, keep: call, days: 1}", "`because` is missing"),
        (
            "{id: a, keep: call, days: 1, because: b, tenants: x}",
            "unknown key 'tenants', did you mean 'tenant'?",
        ),
        (
            "{id: a, keep: call, days: 1, because: b, consent: {recordings: true}}",
            "unknown consent 'recordings', did you mean 'recording'?",
        ),
        ("{id: a, keep: call, days: 1, because: b, consent: {recording: maybe}}", "must be true or false"),
        (
            "{id: a, keep: call, days: 1, because: b}\n  - {id: b, keep: call, days: 2, because: b}",
            "mine.yaml:4:5: is never reached: rule 'a' above keeps every call",
        ),
        (
            "{id: a, keep: call, tenant: t, days: 1, because: b}\n  - {id: a, keep: call, days: 2, because: b}",
            "mine.yaml:4:10: there is another rule 'a' above",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(line: str, problem: str) -> None:
    with pytest.raises(DocumentError) as error:
        policy(f"retention: {{name: mine, version: 1}}\nrules:\n  - {line}\n")
    assert problem in str(error.value)


@pytest.mark.parametrize(
    "text", ["rules: []", "retention: {name: a, version: 1}", "retention: []\nrules: {}"]
)
def test_a_policy_has_a_head_and_rules(text: str) -> None:
    with pytest.raises(DocumentError):
        policy(text)
