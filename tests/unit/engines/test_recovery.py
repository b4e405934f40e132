"""Turns that are over go to realtime engines as well, when the cascades fail them; hand-offs are conformance tests."""

from typing import Any

import pytest
from livekit.agents import function_tool, llm

from compliance.events import PreviewSettled, ProviderFailed
from engines.errors import SILENT
from engines.generations import Generation
from engines.human import HoldingAgent, People
from engines.people import PersonSpec
from engines.realtime import RealtimeAgent
from tests.unit.engines.sat import Sat

pytestmark = pytest.mark.unit

ERROR, REFUSED = TimeoutError(), ConnectionRefusedError()


@function_tool
async def cancel_order() -> str:
    """Cancel the order."""
    return "done"


@pytest.fixture
async def sat() -> Any:
    made = Sat(realtime=("realtime", "other"), tools=[cancel_order])
    made.plan.order = ("realtime", "standard")
    yield made
    await made.desk.aclose()


@pytest.fixture
async def shared() -> Any:
    """Two of the cascades ask one provider, and a realtime engine comes after them."""
    made = Sat(realtime=["realtime"], providers={"fast": "openai", "standard": "openai"})
    made.plan.order = ("standard", "tool", "realtime")
    yield made
    await made.desk.aclose()


def replying(sat: Sat) -> Generation:
    """A reply to a turn that is over."""
    said, _ = sat.ends_turn()
    sat.session.history.insert(said)
    reply = sat.begins(said)
    assert reply is not None
    return reply


def fails(sat: Sat, reply: Generation, error: BaseException = ERROR) -> str | None:
    provider = sat.desk.cascades[reply.engine].mind.provider
    return sat.desk.recovery.fail_over(reply, provider=provider, error=error)


def over(sat: Sat, reply: Generation, *, interrupted: bool = False) -> None:
    sat.desk.recovery.reply_over(reply, interrupted=interrupted)


def saying(sat: Sat) -> Generation:
    """What the session says by itself."""
    found = sat.desk.generations.of(sat.session.did[-1].removeprefix("say "))
    assert found is not None
    return found


async def test_a_turn_that_a_cascade_failed_is_handed_to_a_realtime_engine_when_its_reply_has_ended(
    sat: Sat,
) -> None:
    reply = replying(sat)
    assert fails(sat, reply) == "realtime"
    assert (sat.desk.engine, sat.plan.moves, sat.session.agents) == ("fast", [], [])
    over(sat, reply)
    [agent] = sat.session.agents
    assert isinstance(agent, RealtimeAgent)
    assert (agent.engine, sat.desk.engine, sat.plan.moves) == ("realtime", "realtime", ["realtime"])
    assert [one.action for one in sat.of(ProviderFailed)] == ["moved to realtime"]


async def test_other_replies_hand_nothing_over(sat: Sat) -> None:
    reply = replying(sat)
    fails(sat, reply)
    over(sat, Generation(99, "fast", 1))
    assert sat.session.agents == []


async def test_the_engine_is_made_ready_while_the_caller_is_told_of_the_delay(sat: Sat) -> None:
    fails(sat, replying(sat))
    assert sat.desk._realtime["realtime"].ready
    assert not sat.desk._realtime["other"].ready


async def test_a_turn_that_is_heard_is_not_in_writing_as_well(sat: Sat) -> None:
    reply = replying(sat)
    fails(sat, reply)
    sat.session.history.add_message(role="assistant", content=sat.desk.wording.one_moment)
    over(sat, reply)
    assert sat.session.agents[0].chat_ctx.items == []
    assert [item.type == "message" and item.role for item in sat.session.history.items] == ["assistant"]


async def test_a_turn_that_the_tap_no_longer_has_is_handed_over_in_writing(sat: Sat) -> None:
    sat.kept.clear()
    reply = replying(sat)
    fails(sat, reply)
    over(sat, reply)
    [item] = sat.session.agents[0].chat_ctx.items
    assert sat.session.history.get_by_id(item.id) is not None


async def test_a_turn_on_which_tools_have_worked_goes_along_with_what_they_did(sat: Sat) -> None:
    reply = replying(sat)
    sat.session.history.insert(
        [
            llm.FunctionCall(call_id="call", name="cancel_order", arguments="{}"),
            llm.FunctionCallOutput(call_id="call", name="cancel_order", output="done", is_error=False),
        ]
    )
    fails(sat, reply)
    over(sat, reply)
    kinds = [item.type for item in sat.session.agents[0].chat_ctx.items]
    assert kinds == ["message", "function_call", "function_call_output"]
    assert not sat.desk._realtime["realtime"].feed.has_turn


async def test_the_caller_is_told_of_a_delay_once_if_what_fails_next_fails_at_once(sat: Sat) -> None:
    reply, recovery, wording = replying(sat), sat.desk.recovery, sat.desk.wording
    fails(sat, reply)
    assert recovery.word_of_delay(reply, ERROR, begun=False) == wording.one_moment
    over(sat, reply)
    recovery.rescue(REFUSED)
    said = sat.desk.generations.open("answer", engine="standard", turn=1)
    assert recovery.apology_owed(said) is None
    assert recovery.word_of_delay(reply, REFUSED, begun=False) == ""
    assert recovery.word_of_delay(reply, REFUSED, begun=True) == wording.start_again


@pytest.mark.parametrize("error", [None, ERROR, llm.RealtimeError("no reply", code=SILENT)])
async def test_a_caller_who_waits_again_is_told_again(sat: Sat, error: BaseException | None) -> None:
    reply, recovery, wording = replying(sat), sat.desk.recovery, sat.desk.wording
    fails(sat, reply)
    recovery.word_of_delay(reply, ERROR, begun=False)
    over(sat, reply)
    recovery.rescue(error)
    said = sat.desk.generations.open("answer", engine="standard", turn=1)
    assert recovery.apology_owed(said) == wording.still_here
    assert recovery.word_of_delay(reply, ERROR, begun=False) == wording.still_here


async def test_a_provider_that_was_waited_for_is_passed_over_while_there_is_another(shared: Sat) -> None:
    reply = replying(shared)
    assert fails(shared, reply) == "tool"
    assert fails(shared, reply, REFUSED) == "realtime"
    over(shared, reply)
    shared.desk.recovery.rescue(REFUSED)
    assert shared.desk.engine == "standard", "nobody else is left"


async def test_a_provider_that_was_waited_for_before_the_turn_was_over_is_passed_over_after_it(
    shared: Sat,
) -> None:
    said = llm.ChatMessage(role="user", content=["hello"])
    preview = shared.begins(said)
    assert preview is not None
    assert fails(shared, preview) == "tool"
    assert shared.desk.turn_completed(llm.ChatContext(), said) is False
    assert fails(shared, preview, REFUSED) == "realtime"


async def test_a_model_that_refuses_says_nothing_of_the_others_of_its_provider(shared: Sat) -> None:
    assert fails(shared, replying(shared), REFUSED) == "standard"


async def test_in_the_next_turn_a_provider_that_was_waited_for_may_be_asked_again(shared: Sat) -> None:
    assert fails(shared, replying(shared)) == "tool"
    assert fails(shared, replying(shared), REFUSED) == "standard"


async def test_no_engine_gets_a_turn_twice(sat: Sat) -> None:
    reply = replying(sat)
    fails(sat, reply)
    over(sat, reply)
    sat.desk.recovery.rescue(ERROR)
    assert (sat.desk.engine, len(sat.session.agents)) == ("standard", 2)
    sat.desk.recovery.rescue(ERROR)
    assert sat.plan.failures == ["fast", "realtime", "standard"]
    assert [one.action for one in sat.of(ProviderFailed)] == [
        "moved to realtime",
        "moved to standard",
        "none left; asked the caller to say it again",
    ]
    assert len(sat.session.agents) == 2


async def test_one_realtime_engine_follows_another(sat: Sat) -> None:
    sat.plan.order = ("realtime", "other")
    reply = replying(sat)
    fails(sat, reply)
    sat.desk.recovery.word_of_delay(reply, ERROR, begun=False)
    over(sat, reply)
    sat.desk.recovery.rescue(REFUSED)
    assert [one.engine for one in sat.session.agents if isinstance(one, RealtimeAgent)] == [
        "realtime",
        "other",
    ]
    assert not sat.desk._realtime["realtime"].ready


async def test_guards_keep_a_realtime_engine_from_a_turn_that_others_failed(sat: Sat) -> None:
    sat.plan.denied = frozenset({"realtime", "standard"})
    assert fails(sat, replying(sat)) is None
    assert sat.of(ProviderFailed)[-1].action == "apologised: no engine is left"


async def test_a_preview_moves_among_cascades_only(sat: Sat) -> None:
    preview = sat.begins(llm.ChatMessage(role="user", content=["hello"]))
    assert preview is not None
    assert [fails(sat, preview), fails(sat, preview)] == ["standard", None]


async def test_a_turn_that_every_cascade_failed_before_it_was_over_goes_to_a_realtime_engine(
    sat: Sat,
) -> None:
    said = llm.ChatMessage(role="user", content=["hello"])
    preview = sat.begins(said)
    assert preview is not None
    while fails(sat, preview):
        pass
    assert sat.desk.turn_completed(llm.ChatContext(), said)
    [agent] = sat.session.agents
    assert isinstance(agent, RealtimeAgent)
    assert (sat.desk.engine, sat.plan.moves) == ("realtime", ["realtime"])
    assert preview.closed, "nothing of its apology is heard"
    assert [event.used for event in sat.of(PreviewSettled)] == [False]


async def test_a_turn_left_unanswered_is_handed_over_after_a_word_to_the_caller(sat: Sat) -> None:
    replying(sat)
    sat.desk.recovery.rescue()
    assert sat.session.did == ["interrupt", f"say {sat.desk.wording.one_moment}"]
    assert sat.session.agents == []
    over(sat, saying(sat))
    assert sat.desk.engine == "realtime"


async def test_a_turn_is_still_owed_to_a_caller_who_coughs_over_that_word(sat: Sat) -> None:
    replying(sat)
    sat.desk.recovery.rescue()
    over(sat, saying(sat), interrupted=True)
    assert sat.session.agents == []
    sat.desk.recovery.rescue()  # nobody has said anything for as long as a turn may stay unanswered
    assert sat.desk.engine == "realtime"
    assert len(sat.of(ProviderFailed)) == 1


async def test_a_new_turn_is_decided_anew(sat: Sat) -> None:
    reply = replying(sat)
    fails(sat, reply)
    sat.ends_turn("something else")
    over(sat, reply)
    assert (sat.session.agents, sat.desk.engine) == ([], "fast")


async def test_what_a_person_has_taken_is_handed_to_no_engine(sat: Sat) -> None:
    people = People({"human": PersonSpec("human", ("callback",))})
    people.attach(sat.desk)
    sat.desk.people = people
    reply = replying(sat)
    fails(sat, reply)
    people.fetch("human", "tool")
    over(sat, reply)
    assert isinstance(sat.session.agents[0], HoldingAgent)
    assert [agent for agent in sat.session.agents if isinstance(agent, RealtimeAgent)] == []
