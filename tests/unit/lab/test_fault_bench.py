"""The bench of faulty providers: which calls are made, and what they are judged by."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lab.bench.faults
from compliance.events import (
    Decided,
    Event,
    PartFailed,
    ProviderFailed,
    ToolCalled,
    TurnAnswered,
    TurnEnded,
    TurnMoved,
    UsageIncurred,
)
from compliance.voiced import Samples
from engines.catalogue import Catalogue
from lab.bench.fault_calls import Notes
from lab.bench.fault_rows import ELSEWHERE, ROWS, Row, catalogue, missing, plan, policy_text
from lab.bench.fault_tables import page
from lab.bench.fault_takeovers import ANSWER_MS, BEGIN_MS, EXTRA_MS, RECOGNISER, TakeOver, TimeOuts
from lab.bench.fault_verdicts import Case, Verdict, judged, not_made
from lab.bench.faults import commit
from lab.caller import CallerReport, CallerTurn
from lab.journal import Entry
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
TIME_OUTS = TimeOuts({"fast": 2000.0, "standard": 2000.0})


def verdict(
    heard: Samples, *events: Event, report: CallerReport = REPORT, time_outs: TimeOuts = TIME_OUTS
) -> Verdict:
    return judged(CASE, events=events, agent=heard, report=report, time_outs=time_outs)


def decided(at_ms: float) -> Decided:
    return Decided(
        call_id="c", at_ms=at_ms, turn=1, engine="fast", rule="r", reason="so", policy_hash="", signals={}
    )


def failed(
    at_ms: float,
    error: str = "TimeoutError",
    action: str = "moved to standard",
    *,
    engine: str = "fast",
    turn: int = 1,
) -> ProviderFailed:
    return ProviderFailed(
        call_id="c", at_ms=at_ms, turn=turn, engine=engine, provider="openai", error=error, action=action
    )


def answered(at_ms: float, **waits: float) -> TurnAnswered:
    return TurnAnswered(call_id="c", at_ms=at_ms, turn=1, engine="fast", heard_ms=at_ms - 900, waits=waits)


def deaf(at_ms: float) -> PartFailed:
    return PartFailed(
        call_id="c",
        at_ms=at_ms,
        part="transcriber",
        error="RecogniserStalledError",
        action="the next recogniser hears the caller",
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
    heard = agent((0, 800), (3_200, 4_000), (4_500, 6_000))
    [over] = verdict(heard, decided(1_000.0), failed(3_000.0), answered(4_500.0)).take_overs
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


def test_a_time_out_that_is_noticed_late_is_late_however_soon_the_next_sound_comes() -> None:
    heard = agent((0, 800), (13_200, 15_000), length_ms=20_000)
    [over] = verdict(heard, decided(1_000.0), failed(13_000.0)).take_overs
    assert over.after_failure_ms == pytest.approx(200, abs=1)
    assert over.waited_ms == pytest.approx(12_200, abs=1)
    assert not over.in_time


@pytest.mark.parametrize("error", ["TimeoutError", "APITimeoutError", "RealtimeError silent"])
def test_after_a_time_out_the_next_sound_is_due_at_once_even_where_it_was_short(error: str) -> None:
    [over] = verdict(agent((2_500, 5_000)), decided(1_000.0), failed(2_000.0, error)).take_overs
    assert not over.in_time
    [over] = verdict(agent((2_290, 5_000)), decided(1_000.0), failed(2_000.0, error)).take_overs
    assert over.in_time


def test_the_wait_for_each_provider_begins_when_it_is_asked() -> None:
    """Else two time-outs, one after the other, would be late."""
    heard = agent((3_200, 3_900), (5_150, 6_000))
    moved = TurnMoved(call_id="c", at_ms=3_000.0, turn=1, from_engine="fast", to_engine="standard")
    again = failed(5_000.0, action="moved to elsewhere", engine="standard")
    first, second = verdict(heard, decided(1_000.0), failed(3_000.0), moved, again).take_overs
    assert (first.in_time, second.in_time) == (True, True)
    assert second.waited_ms == pytest.approx(2_150, abs=1)
    tool = ToolCalled(
        call_id="c",
        at_ms=3_000.0,
        turn=1,
        engine="fast",
        name="t",
        arguments="",
        result="",
        failed=False,
        took_ms=1,
    )
    [after_tool] = verdict(heard, decided(1_000.0), tool, failed(5_000.0)).take_overs
    assert after_tool.waited_ms == pytest.approx(2_150, abs=1)


def test_an_answer_that_stalls_in_mid_speech_is_waited_for_from_its_last_sound() -> None:
    heard = agent((1_500, 4_000), (6_200, 8_000))
    [over] = verdict(heard, decided(1_000.0), answered(1_500.0), failed(6_050.0)).take_overs
    assert over.in_time
    assert over.waited_ms == pytest.approx(2_200, abs=1)
    [late] = verdict(
        agent((1_500, 3_000), (6_200, 8_000)), decided(1_000.0), answered(1_500.0), failed(6_050.0)
    ).take_overs
    assert not late.in_time


def test_who_was_interrupted_by_the_caller_is_waited_for_from_then_on() -> None:
    speaking = replace(REPORT, turns=(replace(REPORT.turns[0], start_ms=2_000.0, end_ms=3_000.0),))
    [over] = verdict(agent((5_150, 6_000)), decided(1_000.0), failed(5_000.0), report=speaking).take_overs
    assert over.waited_ms == pytest.approx(2_150, abs=1)


def test_the_time_out_of_an_answer_that_begins_unheard_runs_from_there() -> None:
    heard = agent((3_600, 5_000))
    events = decided(1_000.0), failed(3_450.0)
    [over] = verdict(heard, *events).take_overs
    assert not over.in_time
    [over] = verdict(heard, *events, time_outs=replace(TIME_OUTS, begun=BEGIN_MS)).take_overs
    assert over.in_time


@pytest.mark.parametrize(("error", "limit_ms"), [("TimeoutError", 5_000), ("APIStatusError", 2_500)])
def test_a_voice_has_its_time_out_from_its_first_sentence(error: str, limit_ms: float) -> None:
    heard = agent((4_800, 6_000))
    [over] = verdict(
        heard, decided(1_000.0), failed(4_700.0, error, "the next voice speaks", engine="voice")
    ).take_overs
    assert over.limit_ms == limit_ms + BEGIN_MS + EXTRA_MS
    assert over.in_time is (error == "TimeoutError")


def test_the_greeting_is_waited_for_since_the_call_began() -> None:
    gone = failed(2_700.0, "APITimeoutError", "the next voice speaks", engine="voice", turn=0)
    [over] = verdict(agent((2_900, 6_000)), gone, report=replace(REPORT, turns=())).take_overs
    assert over.in_time
    assert over.waited_ms == pytest.approx(2_900, abs=1)
    assert over.limit_ms == 2_500 + ANSWER_MS + EXTRA_MS


@pytest.mark.parametrize(("sound_ms", "in_time"), [(6_690, True), (6_710, False)])
def test_a_recogniser_that_fails_is_judged_by_the_wait_for_the_answer(sound_ms: int, in_time: bool) -> None:
    heard = agent((0, 800), (sound_ms, 8_000))
    [over] = verdict(heard, deaf(5_000.0), answered(sound_ms)).take_overs
    assert (over.engine, over.limit_ms) == (RECOGNISER, 4_000 + ANSWER_MS + EXTRA_MS)
    assert over.waited_ms == pytest.approx(sound_ms - 900, abs=1)
    assert over.answer_after_ms == over.after_failure_ms == sound_ms - 5_000
    assert over.in_time is in_time


def test_who_cut_in_unheard_waits_for_the_answer_and_not_for_the_rest_of_the_last_one() -> None:
    [over] = verdict(agent((1_200, 3_000), (7_000, 8_000)), deaf(5_000.0), answered(7_000.0)).take_overs
    assert not over.in_time
    assert over.waited_ms == 6_100.0
    [never] = verdict(agent((1_200, 3_000)), deaf(5_000.0)).take_overs
    assert not never.in_time


def test_a_recogniser_that_fails_while_nothing_is_said_keeps_nobody_waiting() -> None:
    assert verdict(agent((1_500, 3_000)), answered(1_500.0), deaf(2_000.0)).take_overs == ()


def test_a_fault_was_met_where_something_failed_was_slow_or_its_simulator_says_so() -> None:
    assert not verdict(agent()).struck
    assert verdict(agent(), failed(1.0)).struck
    assert verdict(agent(), deaf(1.0)).struck
    judge = partial(judged, events=(answered(3_000.0, thinking=1_800.0),), agent=agent(), report=REPORT)
    assert not judge(CASE, time_outs=TIME_OUTS).struck
    assert judge(CASE, time_outs=TIME_OUTS, noted=True).struck
    assert judge(replace(CASE, fault="slow"), time_outs=TIME_OUTS).struck


def test_what_the_caller_missed_is_a_broken_promise() -> None:
    report = CallerReport("01", (), False, 1, True, 9_000.0)
    found = verdict(agent(), report=report)
    assert sum("caller" in sentence for sentence in found.broken) >= 2


def test_a_turn_that_only_got_an_apology_is_unanswered_and_one_that_was_never_ended_is_too() -> None:
    assert verdict(agent((1_000, 3_000)), failed(1_000.0)).unanswered == 1
    ended = TurnEnded(call_id="c", at_ms=1_200.0, turn=1, start_ms=0.0, end_ms=900.0)
    assert verdict(agent(), ended, answered(1_550.0)).unanswered == 0
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


class Journal:
    """A lab that has written down what it was told, and nothing else."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def has(self, *names: str) -> None:
        self.entries += [Entry(0.0, "deepgram", "1", name, None) for name in names]

    async def journal(self, *, after: int = 0) -> list[Entry]:
        return self.entries[after:]


async def test_a_fault_that_a_simulator_has_noted_is_of_the_call_in_which_it_struck() -> None:
    told = Journal()
    notes = Notes(told)
    told.has("connect", "audio", "lab.fault", "audio")
    assert await notes.struck()
    told.has("connect", "audio")
    assert not await notes.struck()
    told.has("lab.fault")
    assert await notes.struck()


def a_verdict(number: int = 0, **changes: Any) -> Verdict:
    over = TakeOver(1, "fast", "TimeoutError", 120.0, 2_100.0, 900.0, 2_300.0)
    one = Verdict(
        "abc1234",
        "openai.chat",
        "hang",
        number,
        True,
        (),
        (600.0,),
        2,
        0,
        (over,),
        1,
        True,
        1,
        0.01,
        "hung up",
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
    assert {(one.after > 0, one.in_mid_call) for one in plans} == set(product((False, True), (False, True)))
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
        a_verdict(3, fault="stall", struck=False, take_overs=()),
        a_verdict(4, fault="stall", take_overs=(TakeOver(1, "fast", "E", 200.0, 9_200.0, None, 2_300.0),)),
    ]
    text = page(verdicts, verified=True, commit="abc1234", at_once=3)
    assert "4 calls with a faulty provider, of which 3 met its fault, and 1 without; 10 turns" in text
    assert "- openai.chat stall #3, in mid-call\n" in text
    assert "after E of fast, turn 1, 200 ms passed, and 9200 ms since it was waited for, of 2300." in text
    assert "openai.chat hang #1, in mid-call: 1 of 2 turns of the caller were not answered." in text
    assert (
        "| openai.chat | hang | 2 | 2 | 4 | 0 | 1 | 2 | 600 / 600 | 2 | 2 | 120 / 120 | 900 / 900 | 0 | 0.0200 |"
        in text
    )
    for words in (
        "Simulated",
        "abc1234",
        "answer_within_ms: 8000",
        "and 300 ms have passed",
        "The log verifies",
    ):
        assert words in text
    assert "**The log does not verify**" in page(verdicts, verified=False, commit="x", at_once=3)


def git(folder: Path, *arguments: str) -> None:
    nobody = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false")
    command = ("git", *nobody, *arguments)
    subprocess.run(command, cwd=folder, check=True, capture_output=True)  # noqa: S603 -- as written here


def test_what_is_measured_changes_with_code_and_policies_and_not_with_pages_or_tests(tmp_path: Path) -> None:
    code, policy, page, test = (
        tmp_path / name for name in ("call.py", "policy.yaml", "faults.md", "tests/test_call.py")
    )
    test.parent.mkdir()
    for file in (code, policy, page, test):
        file.write_text("1")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "all")
    measured = [commit(tmp_path)]
    page.write_text("2")
    test.write_text("2")
    assert commit(tmp_path) == measured[0]
    git(tmp_path, "commit", "-am", "a page")
    assert commit(tmp_path) == measured[0]
    for file in (code, policy):
        file.write_text("2")
        measured.append(commit(tmp_path))
    git(tmp_path, "commit", "-am", "code")
    measured.append(commit(tmp_path))
    assert len(set(measured)) == 4


def test_what_is_measured_outside_of_git_is_unknown(tmp_path: Path) -> None:
    assert commit(tmp_path) == "unknown"


def test_verdicts_of_another_commit_are_left_out_and_the_log_is_always_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = lab.bench.faults.commit()
    monkeypatch.setattr(lab.bench.faults, "commit", lambda: measured)
    (tmp_path / "verdicts.jsonl").write_text(
        "".join(
            json.dumps(one.as_json()) + "\n"
            for one in (a_verdict(0, commit=measured), a_verdict(1, commit=measured, struck=False))
        )
        + '{"commit": "old", "of": "another shape"}\n'
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
    assert [one["number"] for one in json.loads(out.out)["calls"]] == [0, 1]
    assert "1 verdicts" in out.err
    assert "another commit" in out.err
    assert (called, verified) == ([], [tmp_path])
    assert (tmp_path / "faults.md").exists()
    assert lab.bench.faults.main(arguments[:-1]) == 0
    out = capsys.readouterr()
    assert "1 of 2 calls with a faulty provider met its fault" in out.out
    assert "not struck: openai.chat hang #1, in mid-call" in out.out
