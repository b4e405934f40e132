"""The wait of a turn, split into named stages that sum to the whole (pipecat#5445)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.latency import STAGES, TurnWait, in_order, waits

pytestmark = pytest.mark.unit

moments = st.floats(0, 1e6)
marks = st.dictionaries(st.sampled_from([*STAGES, "something else"]), moments)


def test_each_stage_runs_from_the_one_before_it() -> None:
    split = waits(
        1000,
        1800,
        {"transcription": 1100, "endpointing": 1300, "decision": 1301, "thinking": 1600, "voice": 1750},
    )
    assert split == {
        "transcription": 100,
        "endpointing": 200,
        "decision": 1,
        "thinking": 299,
        "voice": 150,
        "playout": 50,
    }


def test_a_stage_that_ran_ahead_of_time_cost_nothing() -> None:
    split = waits(1000, 1400, {"endpointing": 1300, "thinking": 1200, "voice": 1350})
    assert split == {"endpointing": 300, "thinking": 0, "voice": 50, "playout": 50}


def test_without_marks_the_whole_wait_is_playout() -> None:
    assert waits(1000, 1400, {}) == {"playout": 400}


@given(moments, moments, marks)
def test_the_waits_sum_to_the_whole_in_order_and_none_is_negative(
    end_ms: float, waited_ms: float, marked: dict[str, float]
) -> None:
    split = waits(end_ms, end_ms + waited_ms, marked)
    assert sum(split.values()) == pytest.approx((end_ms + waited_ms) - end_ms, abs=1e-6)
    assert all(wait >= 0 for wait in split.values())
    assert list(split) == [stage for stage in STAGES if stage in marked or stage == "playout"]


@given(marks)
def test_the_order_of_a_turn_can_be_restored(shuffled: dict[str, float]) -> None:
    ordered = in_order(dict(sorted(shuffled.items())))
    assert dict(ordered) == shuffled
    known = [stage for stage, _ in ordered if stage in STAGES]
    assert known == [stage for stage in STAGES if stage in shuffled]


def test_a_sound_that_no_turn_waited_for_leaves_nothing_for_the_next() -> None:
    wait = TurnWait()
    assert wait.sounded(500, thinking_ms=400, voice_ms=450) is None
    wait.turn_ended(1, speech_end_ms=1000, at_ms=1300)
    heard = wait.sounded(1800)
    assert heard is not None
    assert (heard.turn, heard.heard_ms) == (1, 800)
    assert heard.waits == {"endpointing": 300, "playout": 500}


def test_a_turn_is_answered_by_its_first_sound_only() -> None:
    wait = TurnWait()
    wait.turn_ended(1, speech_end_ms=1000, at_ms=1300)
    assert wait.sounded(1800, thinking_ms=1500, voice_ms=1700) is not None
    assert wait.sounded(2500) is None
