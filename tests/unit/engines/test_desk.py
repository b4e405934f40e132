"""The desk's rules that need no call: previews, failures, apologies. Whole hand-offs are scenario tests."""

from typing import Any

import pytest
from livekit.agents import APIStatusError, llm

from compliance.events import HandedOff, Hedged, PreviewSettled, ProviderFailed
from engines.gates import GateError
from engines.race import Race
from engines.warm_session import SessionGoneError
from tests.unit.engines.sat import Sat

pytestmark = pytest.mark.unit


@pytest.fixture
async def sat() -> Any:
    made = Sat()
    yield made
    await made.desk.aclose()


def message(text: str = "hello") -> llm.ChatMessage:
    return llm.ChatMessage(role="user", content=[text])


async def test_a_preview_is_for_the_turn_to_come_and_the_engine_it_would_go_to(sat: Sat) -> None:
    sat.plan.chosen = "tool"
    preview = sat.begins(message())
    assert preview is not None
    assert (preview.engine, preview.turn, preview.confirmed) == ("tool", 1, False)
    assert sat.plan.turns == 0


async def test_a_preview_of_the_engine_decided_is_the_reply(sat: Sat) -> None:
    preview = sat.begins(message())
    _, context = sat.ends_turn()
    assert preview is not None
    assert (preview.turn, preview.confirmed, preview.closed) == (1, True, False)
    assert context.items == []  # an unchanged context lets LiveKit use it
    assert sat.of(PreviewSettled) == []  # not before it is heard
    sat.desk.first_sound()
    assert [(event.engine, event.used) for event in sat.of(PreviewSettled)] == [("fast", True)]


async def test_a_reply_to_the_turn_in_hand_is_no_preview_though_another_turn_stands_after_it(
    sat: Sat,
) -> None:
    sat.ends_turn("where is order one")
    later = message("where is order two")  # one that a realtime engine was to answer and was not asked about
    sat.session.history.insert(later)
    sat.plan.chosen = "realtime"  # what the next turn would go to
    reply = sat.begins(later)
    assert reply is not None
    assert (reply.engine, reply.turn, reply.confirmed) == ("fast", 1, True)


async def test_a_preview_of_another_engine_is_closed_and_livekit_made_to_discard_it(sat: Sat) -> None:
    preview = sat.begins(message())
    sat.plan.chosen = "tool"
    _, context = sat.ends_turn()
    assert preview is not None
    assert preview.closed
    assert [item.type for item in context.items] == ["agent_handoff"]
    assert [(event.engine, event.used) for event in sat.of(PreviewSettled)] == [("fast", False)]


async def test_a_preview_with_fewer_words_is_superseded(sat: Sat) -> None:
    first = sat.begins(message("where"))
    second = sat.begins(message("where is my order"))
    assert first is not None
    assert second is not None
    assert (first.closed, second.closed) == (True, False)
    assert [event.used for event in sat.of(PreviewSettled)] == [False]


async def test_a_preview_that_livekit_threw_away_after_all_is_counted(sat: Sat) -> None:
    preview = sat.begins(message())
    said, _ = sat.ends_turn("hello there")
    reply = sat.begins(said)
    assert preview is not None
    assert reply is not None
    assert (preview.closed, reply.confirmed, reply.turn) == (True, True, 1)
    assert [event.used for event in sat.of(PreviewSettled)] == [False]


async def test_the_greeting_is_no_turn_so_the_first_answer_is_no_hand_off(sat: Sat) -> None:
    sat.plan.chosen = "tool"
    sat.ends_turn()
    assert sat.of(HandedOff) == []
    sat.plan.chosen = "standard"
    sat.ends_turn()
    assert [(event.turn, event.from_engine, event.to_engine) for event in sat.of(HandedOff)] == [
        (2, "tool", "standard")
    ]


async def test_a_failure_moves_the_reply_to_the_next_engine_and_says_so(sat: Sat) -> None:
    said, _ = sat.ends_turn()
    reply = sat.begins(said)
    assert reply is not None
    error = APIStatusError("no", status_code=503)
    assert sat.desk.recovery.fail_over(reply, provider="openai", error=error)
    assert (reply.engine, sat.desk.engine, sat.plan.failures) == ("standard", "standard", ["fast"])
    [event] = sat.of(ProviderFailed)
    assert (event.engine, event.provider, event.error) == ("fast", "openai", "APIStatusError 503")
    assert event.action == "moved to standard"


async def test_a_preview_that_moved_on_is_kept_although_its_first_engine_is_decided(sat: Sat) -> None:
    preview = sat.begins(message())
    assert preview is not None
    assert sat.desk.recovery.fail_over(preview, provider="openai", error=TimeoutError())
    assert sat.desk.engine == "fast"  # which had made the greeting
    _, context = sat.ends_turn()
    assert (preview.engine, preview.confirmed, context.items) == ("standard", True, [])
    assert sat.desk.engine == "standard"


async def test_the_turn_does_not_go_back_to_an_engine_that_failed_in_its_preview(sat: Sat) -> None:
    preview = sat.begins(message())
    assert preview is not None
    sat.desk.recovery.fail_over(preview, provider="openai", error=TimeoutError())
    sat.ends_turn()
    tried = [sat.desk.recovery.fail_over(preview, provider="openai", error=TimeoutError()) for _ in range(2)]
    assert tried == ["tool", None]
    assert sat.plan.failures == ["fast", "standard", "tool"]


async def test_a_preview_that_fails_leaves_the_turn_before_it_its_engines(sat: Sat) -> None:
    sat.ends_turn()
    preview = sat.begins(message("and then"))
    assert preview is not None
    sat.desk.recovery.fail_over(preview, provider="openai", error=TimeoutError())
    sat.desk.recovery.rescue()
    assert sat.plan.failures == ["fast", "fast"]
    assert sat.desk.engine == "standard"


async def test_an_error_is_recorded_without_its_text(sat: Sat) -> None:
    said, _ = sat.ends_turn()
    reply = sat.begins(said)
    assert reply is not None
    sat.desk.recovery.fail_over(
        reply, provider="openai", error=TimeoutError("caller said 4111 1111 1111 1111")
    )
    assert "4111" not in sat.of(ProviderFailed)[0].model_dump_json()


async def test_when_every_engine_has_failed_there_is_none_left(sat: Sat) -> None:
    said, _ = sat.ends_turn()
    reply = sat.begins(said)
    assert reply is not None
    tried = [sat.desk.recovery.fail_over(reply, provider="openai", error=TimeoutError()) for _ in range(3)]
    assert tried == ["standard", "tool", None]
    assert sat.plan.failures == ["fast", "standard", "tool"]


async def test_an_engine_that_a_guard_denied_does_not_answer_although_others_fail(sat: Sat) -> None:
    sat.plan.denied = frozenset({"standard"})
    said, _ = sat.ends_turn()
    reply = sat.begins(said)
    assert reply is not None
    assert sat.desk.recovery.fail_over(reply, provider="openai", error=TimeoutError())
    assert (reply.engine, sat.desk.engine, sat.plan.moves) == ("tool", "tool", ["tool"])
    assert not sat.desk.recovery.fail_over(reply, provider="openai", error=TimeoutError())
    assert sat.of(ProviderFailed)[-1].action == "apologised: no engine is left"
    assert (sat.desk.engine, sat.plan.moves) == ("tool", ["tool"])


async def test_a_cascade_that_routing_does_not_name_never_answers(sat: Sat) -> None:
    sat.plan.order = ()
    said, _ = sat.ends_turn()
    reply = sat.begins(said)
    assert reply is not None
    assert not sat.desk.recovery.fail_over(reply, provider="openai", error=TimeoutError())


async def test_a_turn_left_unanswered_is_not_moved_to_an_engine_that_a_guard_denied(sat: Sat) -> None:
    sat.plan.denied = frozenset({"standard", "tool"})
    sat.ends_turn()
    sat.desk.recovery.rescue()
    assert (sat.desk.engine, sat.plan.moves) == ("fast", [])
    assert sat.session.did == ["interrupt", f"say {sat.desk.wording.cannot_help}"]


async def test_guards_hold_for_a_turn_to_its_last_engine(sat: Sat) -> None:
    sat.plan.denied = frozenset({"tool"})
    sat.ends_turn()
    for _ in range(3):
        sat.desk.recovery.rescue()
    assert sat.plan.moves == ["standard"]
    assert sat.session.did[-1] == f"say {sat.desk.wording.cannot_help}"


async def test_a_preview_moves_only_to_engines_that_its_own_turn_may_have(sat: Sat) -> None:
    sat.ends_turn()
    sat.plan.denied = frozenset({"standard"})
    preview = sat.begins(message("and now"))
    assert preview is not None
    assert sat.desk.recovery.fail_over(preview, provider="openai", error=TimeoutError())
    assert (preview.engine, sat.desk.engine) == ("tool", "fast")


async def test_a_preview_by_an_engine_that_the_decision_denies_is_not_the_reply(sat: Sat) -> None:
    preview = sat.begins(message())
    assert preview is not None
    assert sat.desk.recovery.fail_over(preview, provider="openai", error=TimeoutError())
    assert preview.engine == "standard"
    sat.plan.denied = frozenset({"standard"})  # the last words, or the voice, changed it
    said, context = sat.ends_turn()
    assert preview.closed
    assert [item.type for item in context.items] == ["agent_handoff"]
    assert (sat.desk.engine, sat.plan.moves) == ("fast", [])
    reply = sat.begins(said)
    assert reply is not None
    assert sat.desk.recovery.fail_over(reply, provider="openai", error=TimeoutError())
    assert reply.engine == "tool"


async def test_a_reply_that_outlives_its_turn_keeps_to_the_guards_of_that_turn(sat: Sat) -> None:
    sat.plan.denied = frozenset({"standard"})
    said, _ = sat.ends_turn()
    late = sat.begins(said)
    assert late is not None
    sat.plan.denied = frozenset()
    sat.ends_turn("something else")
    assert sat.desk.recovery.fail_over(late, provider="openai", error=TimeoutError())
    assert late.engine == "tool"


async def test_engines_that_failed_in_a_turn_are_tried_again_in_the_next(sat: Sat) -> None:
    for _ in range(2):
        said, _ = sat.ends_turn()
        reply = sat.begins(said)
        assert reply is not None
        sat.desk.recovery.fail_over(reply, provider="openai", error=TimeoutError())
        assert reply.engine == "standard"


async def test_a_turn_nobody_answers_is_moved_on_with_a_word_to_the_caller(sat: Sat) -> None:
    said, _ = sat.ends_turn()
    sat.desk.recovery.rescue()
    assert (sat.desk.engine, sat.session.did) == ("standard", ["interrupt", "reply"])
    reply = sat.begins(said)
    assert reply is not None
    assert sat.desk.recovery.apology_owed(reply) == sat.desk.wording.one_moment
    assert sat.desk.recovery.apology_owed(reply) is None


async def test_a_preview_of_the_next_turn_does_not_use_up_the_apology(sat: Sat) -> None:
    said, _ = sat.ends_turn()
    sat.desk.recovery.rescue()
    preview = sat.begins(message("something else"))
    assert preview is not None
    assert sat.desk.recovery.apology_owed(preview) is None
    reply = sat.begins(said)
    assert reply is not None
    assert sat.desk.recovery.apology_owed(reply) is not None


async def test_a_reply_that_broke_off_is_begun_again_in_other_words(sat: Sat) -> None:
    said, _ = sat.ends_turn()
    sat.desk.first_sound()
    sat.desk.recovery.rescue()
    reply = sat.begins(said)
    assert reply is not None
    assert sat.desk.recovery.apology_owed(reply) == "Sorry, let me start again. "


async def test_the_caller_is_asked_to_say_it_again_when_nobody_is_left(sat: Sat) -> None:
    sat.ends_turn()
    for _ in range(3):
        sat.desk.recovery.rescue()
    assert sat.session.did[-1] == f"say {sat.desk.wording.cannot_help}"
    assert sat.of(ProviderFailed)[-1].action == "none left; asked the caller to say it again"


async def test_nothing_is_rescued_before_the_first_turn_or_after_the_call(sat: Sat) -> None:
    sat.desk.recovery.rescue()
    sat.ends_turn()
    await sat.desk.aclose()
    sat.desk.recovery.rescue()
    assert sat.session.did == []
    assert sat.events == []


# -- hedges and health -------------------------------------------------------------------------------------------
async def test_a_hedge_that_wins_has_the_turn_and_it_is_on_record(sat: Sat) -> None:
    said, _ = sat.ends_turn()
    reply = sat.begins(said)
    assert reply is not None
    race = Race(sat.desk, reply)
    assert race.second() == "standard"
    race.won("standard", "fast")
    assert (reply.engine, sat.desk.engine, sat.plan.moves) == ("standard", "standard", ["standard"])
    [event] = sat.of(Hedged)
    assert (event.turn, event.engine, event.winner, event.loser) == (1, "fast", "standard", "fast")
    assert sat.plan.failures == []


async def test_a_hedge_that_loses_leaves_the_turn_where_it_is(sat: Sat) -> None:
    said, _ = sat.ends_turn()
    reply = sat.begins(said)
    assert reply is not None
    Race(sat.desk, reply).won("fast", "standard")
    assert (reply.engine, sat.desk.engine) == ("fast", "fast")
    assert [event.winner for event in sat.of(Hedged)] == ["fast"]


async def test_a_hedge_in_a_preview_is_for_the_turn_to_come(sat: Sat) -> None:
    preview = sat.begins(message())
    assert preview is not None
    Race(sat.desk, preview).won("standard", "fast")
    assert sat.desk.engine == "fast"
    _, context = sat.ends_turn()
    assert (preview.confirmed, context.items, sat.desk.engine) == (True, [], "standard")


@pytest.mark.parametrize(("failed", "left"), [("fast", "standard"), ("standard", "fast")])
async def test_of_two_that_were_asked_the_one_that_did_not_fail_answers(
    sat: Sat, failed: str, left: str
) -> None:
    said, _ = sat.ends_turn()
    reply = sat.begins(said)
    assert reply is not None
    Race(sat.desk, reply).failed(failed, TimeoutError(), left=left)
    assert (reply.engine, sat.desk.engine, sat.plan.failures) == (left, left, [failed])
    [event] = sat.of(ProviderFailed)
    assert (event.engine, event.action) == (failed, f"moved to {left}")
    assert sat.desk.recovery.fail_over(reply, provider="openai", error=TimeoutError())
    assert reply.engine == "tool"  # neither is asked again


async def test_nobody_is_asked_besides_who_may_not_answer_the_turn(sat: Sat) -> None:
    sat.plan.denied = frozenset({"standard", "tool"})
    said, _ = sat.ends_turn()
    reply = sat.begins(said)
    assert reply is not None
    assert sat.desk.recovery.stand_in(reply) is None
    assert sat.desk.recovery.stand_in(reply, "tool") is None
    sat.plan.denied = frozenset()
    said, _ = sat.ends_turn()
    reply = sat.begins(said)
    assert reply is not None
    assert sat.desk.recovery.stand_in(reply, "tool") == "tool"


async def test_a_gate_that_is_closed_to_this_call_says_nothing_of_the_provider(sat: Sat) -> None:
    said, _ = sat.ends_turn()
    reply = sat.begins(said)
    assert reply is not None
    assert sat.desk.recovery.fail_over(
        reply, provider="openai", error=GateError("fast", "openai", "elsewhere")
    )
    assert (reply.engine, sat.plan.failures) == ("standard", [])


async def test_a_session_that_was_lost_before_it_was_asked_says_nothing_of_the_provider(sat: Sat) -> None:
    sat.ends_turn()
    sat.desk.recovery.rescue(SessionGoneError("gone"))
    assert (sat.desk.engine, sat.plan.failures) == ("standard", [])
    assert [one.error for one in sat.of(ProviderFailed)] == ["SessionGoneError"]


async def test_a_voice_that_failed_is_on_record_though_another_spoke(sat: Sat) -> None:
    sat.ends_turn()
    sat.desk.recovery.one_voice_failed("elevenlabs", TimeoutError(), "the next voice speaks")
    [event] = sat.of(ProviderFailed)
    assert (event.turn, event.engine, event.provider) == (1, "voice", "elevenlabs")
    assert event.action == "the next voice speaks"


async def test_no_apology_is_on_record_that_nobody_waited_for(sat: Sat) -> None:
    said, _ = sat.ends_turn()
    reply = sat.begins(said)
    assert reply is not None
    sat.desk.recovery.voice_failed(reply, TimeoutError())
    reply.close()
    sat.desk.recovery.voice_failed(reply, TimeoutError())
    assert [event.action for event in sat.of(ProviderFailed)] == [
        "played the recorded apology",
        "nobody waited for it any more",
    ]


async def test_a_preview_that_fails_after_it_was_thrown_away_leaves_the_turn_where_it_is(sat: Sat) -> None:
    preview = sat.begins(message())
    assert preview is not None
    sat.plan.chosen = "tool"
    sat.ends_turn()
    moves = list(sat.plan.moves)
    assert not sat.desk.recovery.fail_over(preview, provider="openai", error=TimeoutError())
    assert (sat.desk.engine, sat.plan.moves, sat.plan.failures) == ("tool", moves, ["fast"])
    assert sat.of(ProviderFailed)[-1].action == "nobody waited for it any more"
    sat.desk.recovery.rescue()
    assert sat.desk.engine == "standard"  # which nobody has tried for this turn
