"""The bench of faulty providers: which calls are made, and what they are judged by."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lab.bench.faults
from compliance.events import Decided, Event, ProviderFailed, TurnAnswered, TurnEnded, UsageIncurred
from compliance.voiced import Samples
from engines.catalogue import Catalogue
from lab.bench.fault_rows import ELSEWHERE, ROWS, Row, catalogue, missing, plan, policy_text
from lab.bench.fault_tables import page
from lab.bench.fault_verdicts import EXTRA_MS, Case, TakeOver, Verdict, judged, not_made
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


CASE = Case("abc1234", "openai.chat", "hang", 0, False)


def verdict(heard: Samples, *events: Event, report: CallerReport = REPORT) -> Verdict:
    return judged(CASE, events=events, agent=heard, report=report, time_outs_ms={"fast": 2000.0})


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


def test_who_speaks_waits_for_nobody() -> None:
    heard = agent((0, 800), (3_700, 5_000))
    [over] = verdict(heard, decided(1_000.0), failed(3_000.0)).take_overs
    assert not over.in_time
    speaking = replace(
        REPORT, turns=(*REPORT.turns, replace(REPORT.turns[0], start_ms=3_100.0, end_ms=3_600.0))
    )
    assert verdict(heard, decided(1_000.0), failed(3_000.0), report=speaking).take_overs == ()


def test_the_next_voice_and_who_begins_again_in_mid_answer_are_measured_from_the_failure() -> None:
    heard = agent((1_200, 6_000), (7_000, 8_000))
    begun = TurnAnswered(call_id="c", at_ms=1_200.0, turn=1, engine="fast", heard_ms=300.0, waits={})
    [again] = verdict(heard, decided(1_000.0), begun, failed(6_100.0, "APIError")).take_overs
    assert (again.in_time, again.answer_after_ms) == (True, None)
    said = failed(6_100.0, "APIError", "the next voice says it again")
    [voice] = verdict(heard, decided(1_000.0), said).take_overs
    assert voice.in_time
    assert voice.since_decided_ms == pytest.approx(900, abs=1)


def test_what_the_caller_missed_is_a_broken_promise() -> None:
    report = CallerReport("01", (), False, 1, True, 9_000.0)
    found = verdict(agent(), report=report)
    assert sum("caller" in sentence for sentence in found.broken) >= 2


def test_a_turn_that_only_got_an_apology_is_unanswered_and_one_that_was_never_ended_is_too() -> None:
    assert verdict(agent((1_000, 3_000)), failed(1_000.0)).unanswered == 1
    ended = TurnEnded(call_id="c", at_ms=1_200.0, turn=1, start_ms=0.0, end_ms=900.0)
    answered = TurnAnswered(call_id="c", at_ms=1_550.0, turn=1, engine="fast", heard_ms=650.0, waits={})
    assert verdict(agent(), ended, answered).unanswered == 0
    assert verdict(agent(), ended).unanswered == 1
    noise = replace(REPORT, turns=(replace(REPORT.turns[0], state="noise"),))
    assert verdict(agent(), report=noise).unanswered == 0


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


def a_verdict(number: int = 0, **changes: Any) -> Verdict:
    over = TakeOver(1, "fast", "TimeoutError", 120.0, 2_100.0, 900.0, 2_300.0)
    one = Verdict(
        "abc1234", "openai.chat", "hang", number, True, (), (600.0,), 2, 0, (over,), 1, 1, 0.01, "hung up"
    )
    return replace(one, **changes)


def test_a_verdict_is_kept_as_json() -> None:
    one = a_verdict(3, broken=("no",))
    assert Verdict.of_json(json.loads(json.dumps(one.as_json()))) == one
    assert not one.good
    assert a_verdict().good


def test_a_call_that_could_not_be_made_is_no_good_one() -> None:
    assert not not_made(CASE, "it was not over.").good


def test_every_row_has_its_share_and_what_is_there_is_not_called_again() -> None:
    wanted = missing(200, frozenset())
    assert sum(len(numbers) for row, numbers in wanted if row.provider) == 200
    assert {len(numbers) for _, numbers in wanted} == {5, 6}
    assert missing(200, frozenset({("openai.chat", "refuse", 0)}))[1] == (ROWS[1], [1, 2, 3, 4, 5])
    assert sum(len(numbers) for row, numbers in missing(40, frozenset()) if row.provider) == 40


@pytest.mark.parametrize("row", ROWS[1:], ids=[row.name for row in ROWS[1:]])
def test_six_calls_of_a_row_are_every_caller_with_the_fault_from_the_start_and_in_mid_call(row: Row) -> None:
    plans = [plan(row, number) for number in range(6)]
    assert {(one.caller.name[:2], one.in_mid_call) for one in plans} == set(
        product(("01", "02", "06"), (False, True))
    )
    assert any(turn.barge_in_ms for one in plans for turn in one.caller.turns)
    for one in plans:
        met = one.route if not one.in_mid_call else one.route[1:]
        assert row.provider != "openai.realtime" or "realtime" in met
        assert row.provider not in ("openai.chat", "openai.speech", "elevenlabs") or "realtime" not in met


def test_the_policy_of_the_calls_has_the_shipped_budget_and_ends_at_another_provider(tmp_path: Path) -> None:
    written = Catalogue.load(catalogue(tmp_path / "engines.yaml", "http://127.0.0.1:9/v1"))
    policy = Policy.parse(policy_text(("fast", "realtime")), engines=written.names)
    assert policy.answer_within_ms == Policy.load(shipped("default.yaml")).answer_within_ms
    assert policy.fallback("fast", {"standard"}) == ELSEWHERE
    assert policy.fallback("realtime", {"standard", "fast"}) == ELSEWHERE
    engine = written.engines[ELSEWHERE]
    assert (engine.mind.base_url, engine.mind.provider) == ("http://127.0.0.1:9/v1", "groq")


def test_the_catalogue_of_the_calls_is_the_shipped_one_but_for_that_engine_and_swapped_voices(
    tmp_path: Path,
) -> None:
    ours = Catalogue.load(shipped("engines.yaml"))
    same = Catalogue.load(catalogue(tmp_path / "a.yaml", "http://127.0.0.1:9/v1"))
    swapped = Catalogue.load(catalogue(tmp_path / "b.yaml", "http://127.0.0.1:9/v1", spare_first=True))
    assert same.transcriber == swapped.transcriber == ours.transcriber
    for name, engine in ours.engines.items():
        assert same.engines[name] == engine
        assert swapped.engines[name].voices == tuple(reversed(engine.voices))


def test_the_page_says_how_it_was_measured_and_what_is_not_as_it_should_be() -> None:
    verdicts = [
        a_verdict(),
        a_verdict(1, unanswered=1),
        a_verdict(2, provider="", fault="", in_mid_call=False),
    ]
    text = page(verdicts, verified=True, commit="abc1234", at_once=3)
    assert "2 calls with a faulty provider and 1 without, 6 turns" in text
    assert "openai.chat hang #1, in mid-call: 1 of 2 turns of the caller were not answered." in text
    assert (
        "| openai.chat | hang | 2 | 4 | 0 | 1 | 2 | 600 / 600 | 2 | 2 | 120 / 120 | 900 / 900 | 0 | 0.0200 |"
        in text
    )
    for words in ("Simulated", "abc1234", "answer_within_ms: 8000", "time-out + 300 ms", "The log verifies"):
        assert words in text
    assert "**The log does not verify**" in page(verdicts, verified=False, commit="x", at_once=3)


def test_verdicts_of_another_commit_are_left_out_and_the_log_is_always_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = lab.bench.faults.commit()
    monkeypatch.setattr(lab.bench.faults, "commit", lambda: measured)
    (tmp_path / "verdicts.jsonl").write_text(
        "".join(
            json.dumps(one.as_json()) + "\n"
            for one in (a_verdict(0, commit=measured), a_verdict(1, commit="old"))
        )
    )
    verified: list[Path] = []
    called: list[object] = []

    def verify(folder: Path) -> bool:
        verified.append(folder)
        return True

    monkeypatch.setattr(lab.bench.faults, "verified", verify)

    async def run(wanted: object, *_: object, **__: object) -> None:
        called.append(wanted)

    monkeypatch.setattr(lab.bench.faults, "run", run)
    arguments = ["--calls", "36", "--only", "openai.chat hang", "--out", str(tmp_path), "--json"]
    assert lab.bench.faults.main(arguments) == 0
    out = capsys.readouterr()
    assert [one["number"] for one in json.loads(out.out)["calls"]] == [0]
    assert "1 verdicts" in out.err
    assert "another commit" in out.err
    assert (called, verified) == ([], [tmp_path])
    assert (tmp_path / "faults.md").exists()
