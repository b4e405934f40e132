"""service.promises: a good record keeps them all, and each kind of damage is told in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from compliance.events import (
    AgentSaid,
    CallEnded,
    CallerSaid,
    CallStarted,
    Decided,
    Event,
    HandedOff,
    Hedged,
    HumanSaid,
    PartFailed,
    ProviderFailed,
    SpeechHeard,
    TransferAnswered,
    TransferEnded,
    TurnAnswered,
    TurnEnded,
    TurnMoved,
)
from service.promises import CHECKS, promises
from tests.unit.service.sample_call import call_with_a_person, furious_call, quick_call

pytestmark = pytest.mark.unit


def changed(events: Sequence[Event], which: Callable[[Event], bool], **update: object) -> list[Event]:
    """``events`` with the fields of those that ``which`` picks replaced."""
    return [event.model_copy(update=update) if which(event) else event for event in events]


def without(events: Sequence[Event], which: Callable[[Event], bool]) -> list[Event]:
    return [event for event in events if not which(event)]


def of_turn(kind: type, turn: int) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, kind) and getattr(event, "turn", None) == turn


def sentences(events: Sequence[Event]) -> list[str]:
    return [broken.sentence for broken in promises(events)]


@pytest.mark.parametrize(
    "events", [furious_call(), quick_call(), call_with_a_person()], ids=["furious", "quick", "person"]
)
def test_a_good_call_keeps_every_promise(events: tuple[Event, ...]) -> None:
    assert promises(events) == ()


def test_an_empty_record_is_said_to_be_empty() -> None:
    assert sentences(()) == ["The record is empty: the call left no events."]


def test_a_record_that_stops_says_where_and_complains_of_nothing_else() -> None:
    events = furious_call()
    end = next(index for index, event in enumerate(events) if of_turn(TurnEnded, 3)(event)) + 1
    assert sentences(events[:end]) == [
        "The record stops at 29.1 s in turn 3, after `turn_ended`: the call's end is missing."
    ]


def test_wherever_a_record_stops_only_its_end_is_missing() -> None:
    events = furious_call()
    for stop in range(1, len(events)):
        assert [broken.promise for broken in promises(events[:stop])] == ["The record is complete"]


def test_a_record_without_its_beginning_is_incomplete() -> None:
    events = without(quick_call(), lambda event: isinstance(event, CallStarted))
    assert sentences(events) == [
        "The record does not begin with the start of the call: its beginning is missing."
    ]


def test_starts_and_ends_that_are_doubled_are_told() -> None:
    events = quick_call()
    assert sentences((events[0], *events, events[-1])) == [
        "The record has the start of the call 2 times.",
        "The record has the end of the call 2 times.",
    ]


def test_events_of_two_calls_are_not_one_record() -> None:
    stray = changed(quick_call(), of_turn(TurnAnswered, 1), call_id="call-0002")
    assert "The record mixes the events of 2 calls: call-0001, call-0002." in sentences(stray)


def test_a_lost_turn_is_told() -> None:
    events = without(furious_call(), lambda event: getattr(event, "turn", None) == 3)
    found = sentences(events)
    assert "Turn 3 is missing: its end is not on record." in found
    assert "The call counted 7 turns, its record has 6." in found


def test_a_doubled_turn_is_told_once() -> None:
    events = [
        copy for event in quick_call() for copy in (event, event)[: 2 if of_turn(TurnEnded, 2)(event) else 1]
    ]
    assert sentences(events) == [
        "The call counted 2 turns, its record has 3.",
        "Turn 2 ended 2 times.",
    ]


def test_an_answer_to_a_turn_that_never_ended_is_told() -> None:
    stray = TurnAnswered(
        call_id="call-0001", at_ms=9_000, turn=9, engine="fast", heard_ms=500, waits={"playout": 500}
    )
    assert sentences((*quick_call(), stray)) == [
        "Turn 9 was decided or answered, but its end is not on record."
    ]


def test_a_turn_without_a_decision_is_told() -> None:
    assert sentences(without(quick_call(), of_turn(Decided, 1))) == [
        "Turn 1 ended, but no engine was decided for it."
    ]


def test_a_turn_decided_twice_is_told() -> None:
    events = [
        copy for event in quick_call() for copy in (event, event)[: 2 if of_turn(Decided, 2)(event) else 1]
    ]
    assert sentences(events) == ["Turn 2 was decided 2 times."]


def test_a_turn_answered_by_another_engine_is_told() -> None:
    events = changed(furious_call(), of_turn(AgentSaid, 3), engine="fast")
    assert (
        "Turn 3 was decided for `standard` but answered by `fast`, and no provider's failure explains it."
        in (sentences(events))
    )


def test_the_wrong_engine_cannot_hide_behind_the_right_reply() -> None:
    events = changed(furious_call(), of_turn(TurnAnswered, 3), engine="fast")
    assert len(promises(events)) == 1


def test_a_failure_explains_only_the_engine_that_the_turn_was_moved_to() -> None:
    events = changed(furious_call(), lambda event: isinstance(event, TurnMoved), to_engine="tool")
    assert [broken.sentence for broken in promises(events)] == [
        "Turn 5 was decided for `realtime` but answered by `standard`, and no provider's failure explains it."
    ]


def test_in_a_record_from_before_moves_were_kept_the_failure_explains_a_fall_over() -> None:
    assert promises(without(furious_call(), lambda event: isinstance(event, TurnMoved))) == ()


def test_an_answer_by_an_engine_that_a_guard_denied_is_told_whatever_failed() -> None:
    events = changed(furious_call(), of_turn(Decided, 5), denied={"standard": "consent", "tool": "budget"})
    assert sentences(events) == ["Turn 5 was answered by `standard`, which `consent` had denied."]


def test_without_the_failure_a_fall_over_is_not_explained() -> None:
    events = without(furious_call(), lambda event: isinstance(event, ProviderFailed))
    (broken,) = promises(events)
    assert broken.promise == "The engine decided is the one that answers"
    assert broken.turn == 5


def test_a_hedge_that_was_lost_explains_another_engine_as_a_failure_does() -> None:
    outrun = [
        Hedged(
            call_id=event.call_id,
            at_ms=event.at_ms,
            turn=event.turn,
            engine=event.engine,
            winner="standard",
            loser=event.engine,
        )
        if isinstance(event, ProviderFailed)
        else event
        for event in furious_call()
    ]
    assert promises(outrun) == ()


def test_a_failure_of_another_engine_explains_nothing() -> None:
    events = changed(furious_call(), lambda event: isinstance(event, ProviderFailed), engine="tool")
    assert [broken.turn for broken in promises(events)] == [5]


def test_a_turn_that_nobody_answered_is_told() -> None:
    events = without(
        furious_call(), lambda event: of_turn(AgentSaid, 3)(event) or of_turn(TurnAnswered, 3)(event)
    )
    assert "Nobody answered turn 3." in sentences(events)


def test_an_apology_and_a_word_about_the_delay_answer_nothing() -> None:
    said = "One moment, please. I am sorry, I have a technical problem just now. Please say that again in a moment."
    events = changed(quick_call(), of_turn(AgentSaid, 1), text=said)
    told = "Nobody answered turn 1. The caller was only told that there is no answer."
    assert told in sentences(events)


def test_a_caller_who_cuts_in_on_the_word_about_a_delay_leaves_no_time_for_the_answer() -> None:
    events = changed(furious_call(), of_turn(AgentSaid, 3), text="One moment, please.", interrupted=True)
    [reply] = [event for event in events if isinstance(event, AgentSaid) and event.turn == 3]
    cut_in = changed(events, of_turn(TurnEnded, 4), start_ms=reply.end_ms - 100)
    assert "Every turn is answered" in {broken.promise for broken in promises(events)}
    assert "Every turn is answered" not in {broken.promise for broken in promises(cut_in)}


def test_what_a_recogniser_that_failed_did_not_hear_is_told() -> None:
    start, *rest = quick_call()
    deaf = PartFailed(call_id=start.call_id, at_ms=1.0, part="transcriber", error="TimeoutError", action="x")
    assert promises((start, deaf, *rest)) == ()
    numbers = {event.turn for event in rest if isinstance(event, TurnEnded)}
    lost = [event for event in (start, deaf, *rest) if getattr(event, "turn", 0) not in numbers]
    unheard = without(lost, lambda event: isinstance(event, CallerSaid))
    spoken = [event for event in unheard if isinstance(event, SpeechHeard) and event.speaker == "caller"]
    told = [broken for broken in promises(unheard) if broken.promise == "Nothing is said in vain"]
    assert spoken
    assert len(told) == len(spoken)
    assert "the recogniser had failed" in told[0].sentence
    # A person takes what is said to them, and nothing that is said when they have left.
    person: Any = {"call_id": start.call_id, "turn": 0, "engine": "human", "person": "anna"}
    came = TransferAnswered(at_ms=0.0, way="warm", to="room:a", waited_ms=0, **person)
    left = TransferEnded(at_ms=1.0, by="person", duration_ms=1, spoke_ms=1, **person)
    vain = [
        [one for one in promises((start, *stay, *unheard[1:])) if one.promise == "Nothing is said in vain"]
        for stay in ((came,), (came, left))
    ]
    assert [len(found) for found in vain] == [0, len(spoken)]


def test_a_caller_who_speaks_on_at_once_leaves_no_time_for_a_reply() -> None:
    events = without(
        furious_call(), lambda event: of_turn(AgentSaid, 6)(event) or of_turn(TurnAnswered, 6)(event)
    )
    sixth = next(event for event in events if isinstance(event, TurnEnded) and event.turn == 6)
    resumed = changed(events, of_turn(TurnEnded, 7), start_ms=sixth.end_ms + 900)
    assert not [broken for broken in promises(resumed) if broken.promise == "Every turn is answered"]


def test_a_reply_cut_before_its_first_word_was_still_heard() -> None:
    events = without(furious_call(), of_turn(AgentSaid, 4))
    assert not [broken for broken in promises(events) if broken.promise == "Every turn is answered"]


def test_a_reply_without_words_is_told() -> None:
    assert sentences(changed(quick_call(), of_turn(AgentSaid, 2), text="  ")) == [
        "The reply to turn 2 has no words."
    ]


def test_waits_that_do_not_sum_are_told() -> None:
    events = changed(quick_call(), of_turn(TurnAnswered, 1), heard_ms=700.0)
    assert sentences(events) == ["The waits of turn 1 sum to 591.4 ms, the caller waited 700.0 ms."]


def test_waits_may_be_rounded() -> None:
    answered = next(event for event in quick_call() if isinstance(event, TurnAnswered))
    assert promises(changed(quick_call(), of_turn(TurnAnswered, 1), heard_ms=answered.heard_ms + 0.9)) == ()


def test_where_no_more_is_heard_than_that_it_takes_longer_there_is_no_wait_to_measure() -> None:
    unanswered = without(furious_call(), of_turn(TurnAnswered, 5))
    assert "Heard latency is measured and adds up" in {broken.promise for broken in promises(unanswered)}
    word = changed(unanswered, of_turn(AgentSaid, 5), engine="realtime", text="One moment, please.")
    assert [broken.promise for broken in promises(word)] == ["Every turn is answered"]


def test_a_reply_whose_wait_was_not_measured_is_told() -> None:
    assert sentences(without(quick_call(), of_turn(TurnAnswered, 1))) == [
        "Turn 1 was answered, but how long the caller waited was not measured."
    ]


def test_two_engines_that_speak_at_once_are_told() -> None:
    events = changed(furious_call(), of_turn(AgentSaid, 4), end_ms=53_500.0)
    assert [broken.promise for broken in promises(events)] == ["One voice at a time, nothing twice"]


def test_a_reply_on_record_twice_is_told() -> None:
    events = [
        copy for event in quick_call() for copy in (event, event)[: 2 if of_turn(AgentSaid, 1)(event) else 1]
    ]
    assert [broken.promise for broken in promises(events)] == ["One voice at a time, nothing twice"]


def test_one_generation_may_speak_before_and_after_a_tool() -> None:
    events = list(quick_call())
    first = next(event for event in events if isinstance(event, AgentSaid) and event.turn == 1)
    more = first.model_copy(
        update={"start_ms": first.end_ms, "end_ms": first.end_ms + 90, "text": "Anything else?"}
    )
    assert promises((*events, more)) == ()


def test_a_change_of_engine_without_a_hand_off_is_told() -> None:
    events = without(furious_call(), of_turn(HandedOff, 3))
    assert sentences(events) == [
        "`tool` answered turn 2 and `standard` turn 3, but no hand-off is on record."
    ]


def test_a_turn_missing_from_the_transcript_is_told() -> None:
    first = next(event for event in quick_call() if isinstance(event, CallerSaid))
    assert sentences(without(quick_call(), lambda event: event == first)) == [
        "The parallel transcript has nothing of turn 1 (4.8–8.1 s)."
    ]


def test_words_that_came_when_their_turn_was_over_are_a_turn_of_no_time_and_not_missing() -> None:
    late = next(event for event in quick_call() if isinstance(event, CallerSaid))  # of the first turn
    timeless = changed(quick_call(), of_turn(TurnEnded, 2), start_ms=9e6, end_ms=9e6 + 0.001)
    at = next(index for index, event in enumerate(timeless) if of_turn(TurnEnded, 2)(event))
    silent = without(timeless[:at], lambda event: isinstance(event, CallerSaid) and event != late)
    nothing = "The parallel transcript has nothing of turn 2 (9000.0–9000.0 s)."
    assert nothing in sentences([*silent, *timeless[at:]])
    assert nothing not in sentences([*silent, late, *timeless[at:]])


def test_a_person_who_is_missing_from_the_transcript_is_told() -> None:
    events = without(call_with_a_person(), lambda event: isinstance(event, HumanSaid))
    assert sentences(events) == [
        "The parallel transcript has nothing of anna, who had the call as `human` and spoke for 4.0 s."
    ]
    failed = PartFailed(
        call_id="call-0008", at_ms=9_000, part="transcriber", error="E", action="still trying"
    )
    assert sentences((*events[:-1], failed, events[-1])) == []


def test_a_bill_that_does_not_add_up_is_told() -> None:
    events = changed(quick_call(), lambda event: isinstance(event, CallEnded), cost_usd=1.0)
    assert [broken.promise for broken in promises(events)] == ["The bill adds up"]


def test_every_check_has_a_name_and_says_what_it_checks() -> None:
    assert all(name and check.__doc__ for name, check in CHECKS.items())
