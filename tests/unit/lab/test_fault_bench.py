"""The bench of faulty providers: which calls are made, and what they are judged by."""

from __future__ import annotations

import json

import numpy as np
import pytest

from compliance.events import Decided, Event, ProviderFailed, TurnAnswered, UsageIncurred
from compliance.voiced import Samples
from engines.catalogue import Catalogue
from lab.bench.fault_verdicts import EXTRA_MS, TakeOver, Verdict, judged
from lab.bench.faults import ROWS, brief, missing, policy_text
from lab.caller import CallerReport, CallerTurn
from policies import shipped
from router import Policy

pytestmark = pytest.mark.unit

REPORT = CallerReport(
    "01", (CallerTurn(1, "hi", "calm", False, 0.0, 900.0, 650.0, 2000.0),), True, None, False, 9_000.0
)


def agent(*sounds_ms: tuple[int, int], length_ms: int = 9_000) -> Samples:
    """What was heard: sound from and to, in ms."""
    heard = np.zeros(24 * length_ms, np.int16)
    for start_ms, end_ms in sounds_ms:
        heard[24 * start_ms : 24 * end_ms] = 4000
    return heard


def verdict(heard: Samples, *events: Event, report: CallerReport = REPORT) -> Verdict:
    return judged(
        "openai.chat", "hang", 0, events=events, agent=heard, report=report, time_outs_ms={"fast": 2000.0}
    )


def decided(at_ms: float) -> Decided:
    return Decided(
        call_id="c", at_ms=at_ms, turn=1, engine="fast", rule="r", reason="so", policy_hash="", signals={}
    )


def failed(at_ms: float, error: str = "TimeoutError", action: str = "moved to standard") -> ProviderFailed:
    return ProviderFailed(
        call_id="c", at_ms=at_ms, turn=1, engine="fast", provider="openai", error=error, action=action
    )


@pytest.mark.parametrize(
    ("sound_ms", "error", "in_time"),
    [
        (3_299, "TimeoutError", True),
        (3_310, "TimeoutError", False),
        (3_290, "APIConnectionError", True),
        (3_310, "APIConnectionError", False),
    ],
)
def test_who_takes_over_is_heard_in_time_or_late(sound_ms: int, error: str, in_time: bool) -> None:
    failed_ms = 3_000.0 if error == "TimeoutError" else 1_500.0
    [over] = verdict(
        agent((0, 800), (sound_ms, 5_000)), decided(1_000.0), failed(failed_ms, error)
    ).take_overs
    assert over.after_failure_ms == pytest.approx(sound_ms - failed_ms, abs=1)
    assert over.limit_ms == 2000.0 + EXTRA_MS
    assert over.in_time is in_time


def test_the_word_about_the_delay_is_in_time_and_the_answer_is_told_apart() -> None:
    answered = TurnAnswered(call_id="c", at_ms=4_500.0, turn=1, engine="standard", heard_ms=4_400.0, waits={})
    heard = agent((0, 800), (3_200, 4_000), (4_500, 6_000))
    [over] = verdict(heard, decided(1_000.0), failed(3_000.0), answered).take_overs
    assert over.in_time
    assert over.after_failure_ms == pytest.approx(200, abs=1)
    assert over.answer_after_ms == 1_500.0
    [none] = verdict(heard, decided(1_000.0), failed(3_000.0)).take_overs
    assert none.answer_after_ms is None


def test_a_preview_that_failed_before_the_turn_was_over_is_waited_for_from_its_end() -> None:
    [over] = verdict(agent((1_200, 2_000)), decided(1_000.0), failed(700.0)).take_overs
    assert over.after_failure_ms == pytest.approx(200, abs=1)


def test_nobody_takes_over_where_none_is_left_or_the_caller_has_gone() -> None:
    assert verdict(agent(), decided(1_000.0), failed(3_000.0, action="apologised")).take_overs == ()
    assert verdict(agent(), decided(1_000.0), failed(8_900.0)).take_overs == ()
    [silence] = verdict(agent(), decided(1_000.0), failed(3_000.0)).take_overs
    assert not silence.in_time


def test_what_the_caller_missed_is_a_broken_promise() -> None:
    report = CallerReport("01", (), False, 1, True, 9_000.0)
    found = verdict(agent(), report=report)
    assert sum("caller" in sentence for sentence in found.broken) >= 3
    assert found.unanswered == 1


def test_what_failed_and_what_it_cost_is_counted() -> None:
    cut = UsageIncurred(
        call_id="c",
        at_ms=1.0,
        turn=1,
        engine="fast",
        provider="openai",
        model="m",
        quantities={},
        cost_usd=0.01,
        estimated=True,
    )
    found = verdict(agent(), failed(1.0, action="x"), cut, cut.model_copy(update={"estimated": False}))
    assert (found.failures, found.estimated_usd) == (1, 0.01)


def test_a_verdict_is_kept_as_json() -> None:
    over = TakeOver(1, "fast", "TimeoutError", 120.0, 2_100.0, 900.0, 2_300.0)
    one = Verdict("openai.chat", "hang", 3, ("no",), (600.0,), 0, (over,), 1, 0.01, "hung up")
    assert Verdict.of_json(json.loads(json.dumps(one.as_json()))) == one


def test_every_row_has_its_share_and_what_is_there_is_not_called_again() -> None:
    wanted = missing(200, [])
    assert sum(len(numbers) for row, numbers in wanted if row.provider) == 200
    assert {len(numbers) for _, numbers in wanted} == {6, 7}
    one = Verdict("openai.chat", "refuse", 0, (), (), 0, (), 0, 0.0, "hung up")
    assert missing(200, [one])[1] == (ROWS[1], [1, 2, 3, 4, 5, 6])
    assert sum(len(numbers) for row, numbers in missing(26, []) if row.provider) == 26


def test_the_policy_of_the_calls_has_a_latency_budget_and_lets_any_engine_take_over() -> None:
    names = Catalogue.load(shipped("engines.yaml")).names
    policy = Policy.parse(policy_text(("fast", "realtime")), engines=names)
    assert policy.answer_within_ms == 4000
    assert policy.fallback("fast", {"standard", "tool"}) == "realtime"
    assert len(brief(2).turns) == 2
