"""What a policy and the consents change in whole calls: who is given time to read out a number, who is judged.

All calls run at once, on one exchange, as calls of different tenants.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compliance.events import CallStarted, Decided, PartFailed, UsageIncurred
from compliance.tap import RATE_HZ
from compliance.voiced import Samples
from lab.callers import load_pcm, recorded_call
from service.call import Call
from service.emotion_ear import ClosedEar, EmotionEar
from service.line import Line
from service.promises import promises
from tests.patience import patient_engines, without_limits
from tests.together import understood
from tests.whole_call import WholeCall, answered, asks, exchange, greeted, silence, without_settings

pytestmark = [pytest.mark.scenario, pytest.mark.alone]

POLICY = """
policy: {name: patience, version: 5}
engines: {fast: {fallback: [standard]}, standard: {}, realtime: {fallback: [standard]}}
last_resort: standard
questions: {hours: {ask: The caller asks about opening hours on a Saturday.}}
rules:
  - {id: otherwise, when: 'true', route: fast, because: no other rule matched}
overlays:
  patient:
    insert:
      - {before: otherwise, id: digits, when: turn.ends_in_digits, route: fast, endpointing_ms: 4000, because: a number}
  curious:
    insert:
      - {before: otherwise, id: hours, when: question.hours > 0.5, route: standard, because: it knows the hours}
  spoken:
    insert:
      - {before: otherwise, id: digits, when: turn.ends_in_digits, route: realtime, endpointing_ms: 4000,
         because: a number}
      - {before: otherwise, id: all, when: 'true', route: realtime, because: heard by a realtime engine}
"""
FURIOUS = "why does nobody in this company answer the phone"
HURRIED_MS, BREATH_MS, PATIENT_MS = 1200, 2400, 4000
"""The silence that ends a turn, that in the middle of a number, and what the hint asks for: far apart, for on a busy
machine words and silence are heard late."""
DECISION_MS = 10_000
"""All the time that a decision model takes to answer on a busy machine."""
DIGITS = ["five", "five", "five", "zero", "one", "four", "two", "seven", "seven", "eight"]


def phone_number() -> Samples:
    """A caller who reads out a phone number, and breathes in the middle of it."""
    [turn] = [turn for turn in recorded_call("03").turns if turn.number == 3]
    assert turn.breath_ms is not None
    samples = load_pcm(turn.path, sample_rate_hz=RATE_HZ)
    begins, ends = (RATE_HZ * ms // 1000 for ms in turn.breath_ms)
    return np.concatenate([samples[:begins], silence(BREATH_MS), samples[ends:]])


async def reads_a_number(line: Line, _: Call) -> None:
    await greeted(line)
    said = await line.say(phone_number())
    await line.agent_started(said.end_ms)
    await line.agent_finished(900)


async def asks_and_reads_a_number(line: Line, call: Call) -> None:
    await greeted(line)
    await asks(line, "01_quick_question_t01")
    said = await line.say(phone_number())
    await line.agent_started(said.end_ms)
    await line.agent_finished(900)


async def asks_for_hours(line: Line, _: Call) -> None:
    await greeted(line)
    await asks(line, "01_quick_question_t01")


class Run:
    """The calls by name, and the furious callers' ears by whether there is consent."""

    def __init__(self) -> None:
        self.calls: dict[str, WholeCall] = {}
        self.ears: dict[bool, EmotionEar | ClosedEar] = {}

    async def make(self, folder: Path) -> None:
        policy = folder / "policy.yaml"
        policy.write_text(POLICY, encoding="utf-8")
        engines = folder / "engines.yaml"
        changed = patient_engines(HURRIED_MS).replace("# decisions: {", "decisions: {")
        assert "timeout_ms: 800" in changed
        changed = changed.replace("timeout_ms: 800", f"timeout_ms: {DECISION_MS}")
        engines.write_text(changed, encoding="utf-8")
        async with exchange(folder, policy=policy, catalogue=engines) as ready:

            async def call(
                name: str,
                speak: Callable[[Line, Call], Awaitable[None]],
                as_said: Callable[[WholeCall], bool],
                **settings: Any,
            ) -> None:
                mine = replace(ready, settings=ready.settings.model_copy(update=settings))
                self.calls[name] = await understood(
                    lambda: answered(mine, speak, source=f"lab:{name}"), as_said
                )

            async def furious(line: Line, call: Call) -> None:
                made = call.conversation
                self.ears[made.consents.given("emotion")] = made.judges.voice
                await greeted(line)
                await asks(line, "05_furious_from_first_word_t01")

            await asyncio.gather(
                call("hurried", reads_a_number, every_digit_was_heard),
                call("patient", reads_a_number, every_digit_was_heard, tenant="patient"),
                call("spoken", asks_and_reads_a_number, every_digit_was_heard, tenant="spoken"),
            )  # three at once are what two cores can answer in time
            await asyncio.gather(
                call("curious", asks_for_hours, the_question_was_answered, tenant="curious"),
                call("judged", furious, lambda call: call.heard(FURIOUS), tenant="unknown"),
                call("unjudged", furious, lambda call: call.heard(FURIOUS), consent_emotion=False),
            )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = Run()
    with pytest.MonkeyPatch.context() as patch:
        without_settings(patch)
        without_limits(patch)
        asyncio.run(made.make(tmp_path_factory.mktemp("calls")))
    return made


def every_digit_was_heard(call: WholeCall) -> bool:
    digits = [one.signals["turn.digits"] for one in call.of(Decided)]
    return sum(each for each in digits if isinstance(each, int)) == len(DIGITS)


def the_question_was_answered(call: WholeCall) -> bool:
    """Whether the decision model answered before the turn was decided: no turn waits for it."""
    [text] = (turn.text for turn in recorded_call("01").turns if turn.number == 1)
    return call.heard(text) and bool(call.of(Decided)[0].signals["question.hours"])


def turns_on_record(call: WholeCall) -> list[tuple[str, str, int | None, Any]]:
    """Engine, rule, hint and number of digits of each decision."""
    return [
        (one.engine, one.rule, one.endpointing_ms, one.signals["turn.digits"]) for one in call.of(Decided)
    ]


@pytest.mark.parametrize("name", ["hurried", "patient", "spoken", "curious", "judged", "unjudged"])
def test_every_promise_is_kept(run: Run, name: str) -> None:
    assert promises(run.calls[name].events) == ()
    assert run.calls[name].of(PartFailed) == []


# -- the hint ------------------------------------------------------------------------------------------------
def test_without_a_hint_a_breath_cuts_a_number_into_two_turns(run: Run) -> None:
    turns = turns_on_record(run.calls["hurried"])
    assert len(turns) >= 2
    assert {turn[:3] for turn in turns} == {("fast", "otherwise", None)}
    assert sum(turn[3] for turn in turns) == len(DIGITS)


def test_a_rules_hint_gives_the_caller_time_to_read_the_number_out(run: Run) -> None:
    assert turns_on_record(run.calls["patient"]) == [("fast", "digits", PATIENT_MS, len(DIGITS))]


def test_the_hint_holds_while_a_realtime_engine_is_in_charge(run: Run) -> None:
    call = run.calls["spoken"]
    assert turns_on_record(call) == [
        ("realtime", "all", None, 0),
        ("realtime", "digits", PATIENT_MS, len(DIGITS)),
    ]


def test_a_turn_is_over_after_the_silence_asked_for(run: Run) -> None:
    hurried, patient = (
        [turn.at_ms - turn.end_ms for turn in run.calls[name].turns] for name in ("hurried", "patient")
    )
    assert min(patient) >= PATIENT_MS
    assert HURRIED_MS <= min(hurried) < PATIENT_MS, (
        "a turn without a hint is over before one with a hint could be"
    )


# -- the tenant ----------------------------------------------------------------------------------------------
def test_a_call_is_routed_by_the_policy_of_its_tenant_and_says_so(run: Run) -> None:
    started = {name: call.of(CallStarted)[0] for name, call in run.calls.items()}
    assert {name: event.tenant for name, event in started.items()} == {
        "hurried": "",
        "patient": "patient",
        "spoken": "spoken",
        "curious": "curious",
        "judged": "unknown",
        "unjudged": "",
    }
    assert {event.policy_version for event in started.values()} == {5}
    for name, call in run.calls.items():
        for decided in call.of(Decided):
            assert (decided.policy_hash, decided.policy_version) == (started[name].policy_hash, 5)


# -- questions -----------------------------------------------------------------------------------------------
def test_a_decision_models_answer_routes_the_turn_that_it_is_about(run: Run) -> None:
    [decided] = run.calls["curious"].of(Decided)
    assert (decided.engine, decided.rule) == ("standard", "hours")
    assert float(decided.signals["question.hours"]) > 0.5


def test_what_the_answers_cost_is_on_record(run: Run) -> None:
    used = [event for event in run.calls["curious"].of(UsageIncurred) if event.engine == "questions"]
    assert used
    assert all(event.quantities["input_text_tokens"] > 0 for event in used)


# -- consent to be judged --------------------------------------------------------------------------------------
def test_who_has_not_consented_to_it_is_not_judged_by_the_voice(run: Run) -> None:
    assert isinstance(run.ears[False], ClosedEar)
    call = run.calls["unjudged"]
    [decided] = call.of(Decided)
    assert decided.signals["caller.consent_emotion"] is False
    assert decided.signals["emotion.voice"] == 0.0
    assert not any("voice" in each for each in decided.evidence)


def test_the_same_caller_is_judged_where_there_is_consent(run: Run) -> None:
    [decided] = run.calls["judged"].of(Decided)
    assert decided.signals["emotion.label"] == "upset"
    assert any("voice" in each for each in decided.evidence)
