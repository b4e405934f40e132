"""The wait for an answer goes on record when its first sound is heard, and for each turn once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from compliance.clock import CallClock
from compliance.events import (
    Decided,
    Event,
    HandedOff,
    ProviderFailed,
    TransferAsked,
    TurnAnswered,
    TurnEnded,
    TurnMoved,
)
from engines.generations import Generation
from service.answer_times import AnswerTimes
from service.latency import UNKNOWN, Trips

pytestmark = pytest.mark.unit


class Call:
    """A call whose clock is in a test's hands."""

    def __init__(self, *, voiced_ms: float | None = 1000, trips: Trips = UNKNOWN) -> None:
        self.now_ms = 0.0
        self.events: list[Event] = []
        self.measured: list[tuple[str, float]] = []
        distances: Any = SimpleNamespace(of=lambda engine: trips)
        self.times = AnswerTimes(
            distances,
            lambda: voiced_ms,
            clock=CallClock(monotonic=lambda: self.now_ms / 1000, wall=lambda: 0.0),
            emit=self.events.append,
            measured=lambda *answer: self.measured.append(answer),
            call_id="c",
        )

    def turn_ends(self, at_ms: float, *, end_ms: float = 1000) -> None:
        self.times.take(TurnEnded(call_id="c", at_ms=at_ms, turn=1, start_ms=0, end_ms=end_ms))

    def at(self, now_ms: float) -> AnswerTimes:
        self.now_ms = now_ms
        return self.times

    @property
    def answered(self) -> TurnAnswered:
        [event] = self.events
        assert isinstance(event, TurnAnswered)
        return event


def decided() -> Decided:
    return Decided.model_construct(call_id="c", at_ms=0, turn=1, engine="fast")


def handed_off(at_ms: float) -> HandedOff:
    return HandedOff.model_construct(call_id="c", at_ms=at_ms, turn=1)


def moved(engine: str, to: str, *, failed_ms: float) -> tuple[Event, Event]:
    """``engine`` failed, and gave the turn to another one."""
    failed = ProviderFailed.model_construct(call_id="c", at_ms=failed_ms, turn=1, engine=engine)
    return failed, TurnMoved(call_id="c", at_ms=failed_ms, turn=1, from_engine=engine, to_engine=to)


def test_the_wait_is_told_by_stage() -> None:
    call = Call()
    call.at(1100).transcribed()
    call.turn_ends(1300)
    call.at(1301).take(decided())
    call.at(1310).take(handed_off(1310))
    reply = Generation(1, "fast", 1, first_token_ms=1500, answer_audio_ms=1600)
    call.at(1700).first_sound(1650)
    call.at(1700).answer(1650, "fast", reply)
    assert (call.answered.turn, call.answered.engine, call.answered.at_ms) == (1, "fast", 1700)
    assert (call.answered.heard_ms, call.answered.told_of_delay_ms) == (650, None)
    assert call.answered.waits == {
        "transcription": 100,
        "endpointing": 200,
        "decision": 1,
        "hand_off": 9,
        "thinking": 190,
        "voice": 100,
        "playout": 50,
    }


def test_what_is_known_of_the_way_to_the_provider_and_of_the_engines_history_is_told_apart() -> None:
    call = Call(trips=Trips(30, None))
    call.turn_ends(1200)
    call.at(1260).synced(40)
    reply = Generation(1, "realtime", 1, first_token_ms=1400)
    call.at(1400).answer(1400, "realtime", reply)
    waits = call.answered.waits
    assert (waits["context_sync"], waits["network"]) == (40, 30)
    assert sum(waits.values()) == pytest.approx(400)


def test_a_caller_of_whom_no_sound_was_heard_waits_from_the_end_of_the_turn() -> None:
    call = Call(voiced_ms=None)
    call.turn_ends(1200, end_ms=900)
    call.at(1500).answer(1500, "fast", None)
    assert call.answered.heard_ms == 600


def test_a_sound_that_no_turn_waited_for_is_not_an_answer() -> None:
    call = Call()
    call.at(500).first_sound(500)
    call.at(500).answer(500, "fast", None)
    assert call.events == []


def test_a_turn_is_answered_once() -> None:
    call = Call()
    call.turn_ends(1200)
    call.at(1500).answer(1500, "fast", None)
    call.at(2500).answer(2500, "fast", None)
    assert len(call.events) == 1


def test_a_word_about_a_delay_answers_nothing_and_is_told_with_the_answer() -> None:
    call = Call()
    call.turn_ends(1200)
    call.at(1210).take(decided())
    for event in moved("fast", "realtime", failed_ms=3200):
        call.at(3200).take(event)
    call.at(3400).first_sound(3400)
    assert call.events == []
    call.at(4500).take(handed_off(4500))
    call.at(5000).first_sound(5000)
    call.at(5000).answer(5000, "realtime", Generation(2, "realtime", 1, answer_audio_ms=4900))
    assert (call.answered.engine, call.answered.heard_ms) == ("realtime", 4000)
    assert call.answered.told_of_delay_ms == 2400
    assert call.answered.waits == {
        "endpointing": 200,
        "decision": 10,
        "failed_attempts": 1990,
        "hand_off": 1300,
        "voice": 400,
        "playout": 100,
    }


def test_a_turn_that_goes_to_a_person_has_no_failed_attempts() -> None:
    call = Call()
    call.turn_ends(1200)
    _, event = moved("fast", "human", failed_ms=1500)
    call.at(1500).take(event)
    call.at(2000).answer(2000, "human", None)
    assert "failed_attempts" not in call.answered.waits


def test_an_engine_is_measured_by_its_answers() -> None:
    call = Call()
    call.turn_ends(1200)
    call.at(1500).answer(1500, "fast", None)
    assert call.measured == [("fast", 500)]


def test_that_a_person_is_fetched_is_heard_and_measures_no_engine() -> None:
    call = Call()
    call.turn_ends(1200)
    call.at(1300).take(TransferAsked.model_construct(call_id="c", at_ms=1300, turn=1, engine="human"))
    call.at(1700).answer(1700, "human", None)
    assert (call.answered.engine, call.answered.heard_ms) == ("human", 700)
    assert call.measured == []


def test_what_was_heard_in_a_turn_before_is_not_about_a_delay_in_this_one() -> None:
    call = Call()
    call.turn_ends(600)
    call.at(700).first_sound(700)
    call.turn_ends(1200)
    call.at(1500).answer(1500, "fast", None)
    assert call.answered.told_of_delay_ms is None
