"""service.summary and its JSON: what is read from a record, whole or cut off."""

from __future__ import annotations

import json

import pytest

from compliance.events import (
    EVENT,
    CallerSaid,
    CallStarted,
    ConsentChanged,
    Decided,
    DisclosureMissed,
    EngineHeard,
    HandedOff,
    HeardAlike,
    PartFailed,
    Refused,
    TurnMoved,
    UsageIncurred,
    VoiceUnjudged,
)
from service.promises import promises
from service.segments import by_turn
from service.summary import LedgerCheck, RecordError, percentiles, summarise
from service.summary_json import summary_json
from tests.unit.service.sample_call import POLICY_HASH, call_with_a_person, furious_call, quick_call

pytestmark = pytest.mark.unit


def test_the_facts_of_a_call_are_those_of_its_start_and_end() -> None:
    summary = summarise(furious_call())
    assert summary.call_id == "call-0004"
    assert summary.name == "04_calm_becomes_furious"
    assert summary.started_at == "2026-11-16T09:30:00+00:00"
    assert summary.simulated == ("deepgram", "elevenlabs", "openai")
    assert (summary.policy, summary.policy_hash) == ("default", POLICY_HASH)
    assert summary.ended == "caller hung up"
    assert len(summary.turns) == 7
    assert summary.greeting[0].text.startswith("Thank you for calling")


def test_a_turn_has_its_words_its_decision_and_its_reply() -> None:
    turn = summarise(furious_call()).turns[1]
    assert (turn.turn, turn.route, turn.engine) == (2, "tool", "tool")
    assert turn.caller_text == "and where is my order it's number four four one seven nine two"
    assert turn.agent_text.startswith("Your stand mixer")
    assert (turn.rule, turn.reason) == ("needs tools", "the caller asks about an order (tool need 0.94)")
    assert dict(turn.signals)["needs_tools"] is True
    assert [tool.name for tool in turn.tools] == ["look_up_order"]
    assert (turn.previews_used, turn.previews_discarded) == (0, 1)
    assert not turn.interrupted


def test_a_decision_has_its_arms_its_shadow_and_its_hint() -> None:
    summary = summarise(furious_call())
    assert (summary.policy_version, summary.tenant) == (3, "acme")
    turn = summary.turns[1]
    assert (turn.arms, turn.shadow) == ((("earlier-tools", "tool"),), (("try-lower", "tool"),))
    assert (turn.endpointing_ms, summary.turns[0].endpointing_ms) == (1_200, None)


def test_a_turn_that_moved_tells_between_whom_and_when() -> None:
    summary = summarise(furious_call())
    [move] = summary.turns[4].moves
    assert (move.from_engine, move.to_engine) == ("realtime", "standard")
    assert move.at_ms == summary.turns[4].failures[0].at_ms
    assert summary.turns[3].moves == ()


def test_a_record_from_before_versions_arms_and_moves_still_reads() -> None:
    added = {"policy_version", "tenant", "arms", "shadow", "endpointing_ms"}
    old = [
        {name: value for name, value in event.model_dump(mode="json").items() if name not in added}
        for event in furious_call()
        if not isinstance(event, TurnMoved)
    ]
    summary = summarise([EVENT.validate_python(body) for body in old])
    assert (summary.policy_version, summary.tenant, len(summary.turns)) == (0, "", 7)
    turn = summary.turns[1]
    assert (turn.arms, turn.shadow, turn.endpointing_ms, turn.moves) == ((), (), None, ())


def test_a_hand_off_tells_from_where_and_how() -> None:
    (hand_off,) = summarise(furious_call()).turns[3].hand_offs
    assert (hand_off.from_engine, hand_off.to_engine) == ("standard", "realtime")
    assert hand_off.warm
    assert hand_off.turn_as_audio


def test_the_engine_that_answered_differs_from_the_route_after_a_failure() -> None:
    turn = summarise(furious_call()).turns[4]
    assert (turn.route, turn.engine) == ("realtime", "standard")
    assert turn.failures[0].error == "APITimeoutError"


def test_totals_add_up_over_turns_providers_and_engines() -> None:
    summary = summarise(furious_call())
    assert sum(turn.cost_usd for turn in summary.turns) == pytest.approx(summary.cost_usd)
    assert sum(cost for _, cost in summary.cost_by_provider) == pytest.approx(summary.cost_usd)
    assert sum(cost for _, cost in summary.cost_by_engine) == pytest.approx(summary.cost_usd)
    assert sum(usage.cost_usd for usage in summary.usage) == pytest.approx(summary.cost_usd)
    assert (summary.hand_offs, summary.late_dropped, summary.interruptions) == (6, 7, 1)
    assert (summary.previews_used, summary.previews_discarded) == (1, 2)
    assert summary.engines == ("fast", "tool", "standard", "realtime")


def test_what_a_person_said_is_theirs_and_no_reply_of_an_engine() -> None:
    summary = summarise(call_with_a_person())
    [turn] = summary.turns
    assert [(said.who, said.text) for said in turn.said] == [
        ("human", "One moment, please. I am getting a colleague for you."),
        ("human (anna)", "hello what is the number of your card"),
        ("human (anna)", "thank you that is paid"),
    ]
    assert turn.agent_text == turn.said[0].text
    replies = summary_json(summary)["turns"][0]["replies"]
    assert [reply["person"] for reply in replies] == [None, "anna", "anna"]


def test_a_person_of_whom_only_the_number_was_known_is_told_from_the_machine() -> None:
    events = [
        event.model_copy(update={"person": ""}) if hasattr(event, "person") else event
        for event in call_with_a_person()
    ]
    [turn] = summarise(events).turns
    assert {said.who for said in turn.said} == {"human", "human (a person)"}


def test_the_waits_of_a_turn_keep_their_order() -> None:
    turn = summarise(furious_call()).turns[1]
    assert [wait.name for wait in turn.waits] == [
        "transcription",
        "endpointing",
        "decision",
        "hand_off",
        "thinking",
        "voice",
        "playout",
    ]


def test_percentiles_are_values_that_occurred() -> None:
    found = percentiles([500, 100, 400, 300, 200])
    assert found is not None
    assert (found.count, found.p50_ms, found.p95_ms, found.max_ms) == (5, 300, 500, 500)
    assert percentiles([]) is None


def test_several_segments_make_one_turn_and_words_over_the_greeting_make_none() -> None:
    events = quick_call()
    early = CallerSaid(
        call_id="call-0001",
        at_ms=900,
        start_ms=600,
        end_ms=850,
        text="hello",
        confidence=0.8,
        while_agent_spoke=True,
    )
    segment = by_turn(events)[1][0]
    more = segment.model_copy(
        update={"start_ms": segment.end_ms + 20, "end_ms": segment.end_ms + 300, "text": "please"}
    )
    found = by_turn((*events, early, more))
    assert [one.text for one in found[None]] == ["hello"]
    assert summarise((*events, early, more)).turns[0].caller_text == f"{segment.text} please"


def test_an_emotion_that_rests_on_nothing_is_no_emotion() -> None:
    nothing = {"emotion.label": "unknown", "emotion.confidence": 0.0, "emotion.upset": 0.0}
    events = [
        event.model_copy(update={"signals": {**event.signals, **nothing}})
        if isinstance(event, Decided)
        else event
        for event in quick_call()
    ]
    assert summarise(events).most_upset is None


def test_every_hand_off_of_a_turn_is_kept() -> None:
    first = HandedOff(
        call_id="call-0001",
        at_ms=9_000,
        turn=1,
        from_engine="fast",
        to_engine="tool",
        warm=False,
        turn_as_audio=False,
        items=1,
        took_ms=5,
    )
    events = (*quick_call(), first, first.model_copy(update={"to_engine": "standard"}))
    assert [one.to_engine for one in summarise(events).turns[0].hand_offs] == ["tool", "standard"]


def test_a_record_that_stops_anywhere_can_be_summarised() -> None:
    events = furious_call()
    for stop in range(1, len(events)):
        summary = summarise(events[:stop])
        assert summary.ended is None
        assert json.dumps(summary_json(summary, broken=promises(events[:stop])))


def test_no_events_and_events_of_two_calls_are_refused() -> None:
    with pytest.raises(RecordError, match="nothing is on record"):
        summarise(())
    with pytest.raises(RecordError, match="events of 2 calls"):
        summarise((*quick_call(), *furious_call()))


def test_a_record_read_back_from_json_has_the_same_summary() -> None:
    events = furious_call()
    read = [EVENT.validate_json(event.model_dump_json()) for event in events]
    assert summarise(read) == summarise(events)


def test_the_json_says_its_schema_and_all_that_the_tables_show() -> None:
    events = furious_call()
    value = summary_json(
        summarise(events), broken=promises(events), ledger=LedgerCheck(True, 94, "ab" * 32, "94 entries")
    )
    assert json.loads(json.dumps(value)) == value
    assert value["schema"] == "patchbay.call/1"
    assert set(value) == {
        "schema",
        "call",
        "totals",
        "greeting",
        "turns",
        "usage",
        "part_failures",
        "refused",
        "without",
        "consents",
        "disclosed",
        "undisclosed",
        "unjudged",
        "heard_otherwise",
        "broken",
        "ledger",
    }
    assert value["broken"] == []
    assert value["ledger"]["head"] == "ab" * 32
    assert (value["call"]["policy_version"], value["call"]["tenant"]) == (3, "acme")
    decided = value["turns"][1]
    assert (decided["arms"], decided["shadow"]) == ({"earlier-tools": "tool"}, {"try-lower": "tool"})
    assert decided["endpointing_ms"] == 1_200
    assert [move["to_engine"] for move in value["turns"][4]["moves"]] == ["standard"]
    turn = value["turns"][3]
    assert (turn["route"], turn["interrupted"]) == ("realtime", True)
    assert sum(turn["waits_ms"].values()) == pytest.approx(turn["heard_ms"])


def test_a_consent_taken_back_and_a_voice_not_judged_are_told() -> None:
    more = (
        ConsentChanged(call_id="call-0001", at_ms=5, turn=1, what="emotion", given=False, how="revoked"),
        DisclosureMissed(call_id="call-0001", at_ms=9, what=("ai",)),
        VoiceUnjudged(call_id="call-0001", at_ms=9, dropped_frames=12, late=3, stale=1, restarts=0),
    )
    told = " ".join(summarise((*quick_call(), *more)).remarks)
    assert "In turn 1 the caller took back the consent to have the voice judged for emotion." in told
    assert "The caller never heard to its end: that this is a machine." in told
    assert "12 frames were not judged" in told
    assert summarise(quick_call()).remarks == ()


def test_what_an_engine_heard_otherwise_is_told() -> None:
    heard = EngineHeard(
        call_id="call-0001",
        at_ms=9,
        turn=1,
        engine="realtime",
        record="order 441",
        engine_text="order 449 please",
        words=2,
        substituted=1,
        inserted=1,
        deleted=0,
        word_error_rate=1.0,
    )
    alike = HeardAlike(call_id="call-0001", at_ms=9, turn=2, engine="realtime", words=4)
    summary = summarise((*quick_call(), heard, alike, alike.model_copy(update={"turn": 3})))
    assert "In turn 1 realtime heard 2 of 2 words otherwise than the record." in summary.remarks
    assert (
        "An engine's own transcript differs from the record in 1 of 3 turns that were compared."
        in summary.remarks
    )
    assert summary_json(summary)["totals"]["heard_twice"] == 3
    [told] = summary_json(summary)["heard_otherwise"]
    assert (told["record"], told["engine_text"], told["word_error_rate"]) == (
        "order 441",
        "order 449 please",
        1.0,
    )


def test_the_cost_of_conversation_sent_again_is_told_apart() -> None:
    events = [
        event.model_copy(update={"again_usd": 0.25 * event.cost_usd})
        if isinstance(event, UsageIncurred)
        else event
        for event in furious_call()
    ]
    summary = summarise(events)
    assert summary.again_usd == pytest.approx(0.25 * summary.cost_usd)
    assert summary_json(summary)["totals"]["again_usd"] == summary.again_usd


def test_a_part_that_failed_is_in_the_summary() -> None:
    failed = PartFailed(
        call_id="call-0001", at_ms=3, part="emotion", error="ValueError", action="routed without it"
    )
    summary = summarise((*quick_call(), failed))
    assert summary.part_failures == (failed,)


def test_what_a_gate_stopped_and_what_a_call_could_not_have_are_told() -> None:
    started, *rest = quick_call()
    assert isinstance(started, CallStarted)
    refused = Refused(
        call_id=started.call_id,
        at_ms=3,
        turn=2,
        used_by="realtime",
        provider="openai",
        because="it serves callers of eu only",
    )
    summary = summarise((started.model_copy(update={"without": ("transcriber",)}), *rest, refused))
    assert "In turn 2 nothing was given to openai (realtime), though the policy let it" in summary.remarks[-2]
    assert summary.remarks[-1] == "This call could not have: transcriber."
