"""The wait of a turn, split into named stages that sum to the whole (pipecat#5445)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.latency import MARKED, STAGES, WITHIN, Span, Trips, TurnWait, in_order, waits

pytestmark = pytest.mark.unit

moments = st.floats(0, 1e6)
marks = st.dictionaries(st.sampled_from([*MARKED, "something else"]), moments)
spans = st.lists(st.builds(Span, st.sampled_from([*WITHIN, "something else"]), moments, moments), max_size=6)


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


@given(moments, moments, marks, spans)
def test_the_waits_sum_to_the_whole_in_order_and_none_is_negative(
    end_ms: float, waited_ms: float, marked: dict[str, float], within: list[Span]
) -> None:
    split = waits(end_ms, end_ms + waited_ms, marked, within)
    assert sum(split.values()) == pytest.approx((end_ms + waited_ms) - end_ms, abs=1e-6)
    assert all(wait >= 0 for wait in split.values())
    stages = [stage for stage in split if stage not in WITHIN]
    assert stages == [stage for stage in MARKED if stage in marked or stage == "playout"]
    assert list(split) == [stage for stage in STAGES if stage in split]


@given(moments, moments, marks, spans)
def test_what_is_told_apart_within_a_stage_is_taken_from_that_stage(
    end_ms: float, waited_ms: float, marked: dict[str, float], within: list[Span]
) -> None:
    whole, split = (waits(end_ms, end_ms + waited_ms, marked, some) for some in ((), within))
    taken = {stage: whole[stage] - split[stage] for stage in whole}
    assert all(taken[stage] >= 0 for stage in taken)
    inside = {stage for name in WITHIN for stage in WITHIN[name]}
    assert all(taken[stage] == 0 for stage in taken if stage not in inside)


def test_a_span_counts_only_where_it_lies_within_its_stages() -> None:
    marked = {"endpointing": 1300, "decision": 1301, "hand_off": 1401, "thinking": 1600, "voice": 1700}
    split = waits(
        1000,
        1750,
        marked,
        [Span("context_sync", 1200, 1371), Span("network", 1580, 1600), Span("network", 1690, 1700)],
    )
    assert split == {
        "endpointing": 300,
        "decision": 1,
        "hand_off": 30,
        "context_sync": 70,
        "thinking": 179,
        "voice": 90,
        "network": 30,
        "playout": 50,
    }


def test_a_reply_that_was_begun_early_has_no_way_to_its_provider_in_the_wait() -> None:
    split = waits(1000, 1400, {"endpointing": 1300, "thinking": 1200}, [Span("network", 1150, 1200)])
    assert split == {"endpointing": 300, "thinking": 0, "playout": 100}


def test_the_way_to_a_provider_is_told_where_it_is_known() -> None:
    wait = TurnWait()
    wait.turn_ended(1, speech_end_ms=1000, at_ms=1300)
    heard = wait.answered(1800, thinking_ms=1500, voice_ms=1700, trips=Trips(thinking_ms=40))
    assert heard is not None
    assert heard.waits == {"endpointing": 300, "thinking": 160, "voice": 200, "network": 40, "playout": 100}


def test_a_conversation_brought_in_step_before_the_turn_ended_is_no_part_of_its_wait() -> None:
    wait = TurnWait()
    wait.within("context_sync", 50, until_ms=900)
    wait.turn_ended(1, speech_end_ms=1000, at_ms=1300)
    wait.within("context_sync", 50, until_ms=1400)
    wait.mark("hand_off", 1450)
    heard = wait.answered(1500)
    assert heard is not None
    assert heard.waits == {"endpointing": 300, "hand_off": 100, "context_sync": 50, "playout": 50}


@given(st.dictionaries(st.sampled_from([*STAGES, "something else"]), moments))
def test_the_order_of_a_turn_can_be_restored(shuffled: dict[str, float]) -> None:
    ordered = in_order(dict(sorted(shuffled.items())))
    assert dict(ordered) == shuffled
    known = [stage for stage, _ in ordered if stage in STAGES]
    assert known == [stage for stage in STAGES if stage in shuffled]


def test_a_sound_that_no_turn_waited_for_leaves_nothing_for_the_next() -> None:
    wait = TurnWait()
    assert wait.answered(500, thinking_ms=400, voice_ms=450) is None
    wait.turn_ended(1, speech_end_ms=1000, at_ms=1300)
    heard = wait.answered(1800)
    assert heard is not None
    assert (heard.turn, heard.heard_ms) == (1, 800)
    assert heard.waits == {"endpointing": 300, "playout": 500}


def test_a_turn_is_answered_once() -> None:
    wait = TurnWait()
    wait.turn_ended(1, speech_end_ms=1000, at_ms=1300)
    assert wait.answered(1800, thinking_ms=1500, voice_ms=1700) is not None
    assert wait.answered(2500) is None
