"""How a call goes from machines to a person and back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from livekit.agents import StopResponse, llm

from compliance.events import HandedOff, ProviderFailed
from engines.human import LEFT, Asked, HoldingAgent, People, ReturningAgent
from engines.people import PersonSpec
from tests.unit.engines.sat import Sat

pytestmark = pytest.mark.unit


class Fetched:
    """Notes who is wanted; whoever is in ``free`` can be had."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.free = {"human"}

    def fetch(self, asked: Asked) -> None:
        self.asked.append(asked)

    def available(self, engine: str) -> bool:
        return engine in self.free


class SatWithPeople(Sat):
    """A desk that knows a person, and notes which agents are put in charge."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched = Fetched()
        self.agents: list[Any] = []
        self.people = People({"human": PersonSpec("human", ("callback",))})
        self.people.attach(self.desk)
        self.people.fetching = self.fetched
        self.desk.people = self.people
        session: Any = self.session
        session.update_agent = self.agents.append

    async def tool(self, reason: str) -> Any:
        [tool] = self.people.tools
        assert isinstance(tool, llm.FunctionTool)
        return await tool(reason)


@pytest.fixture
async def sat() -> SatWithPeople:
    return SatWithPeople()


def turn(sat: SatWithPeople, text: str = "hello") -> tuple[bool, llm.ChatMessage]:
    message = llm.ChatMessage(role="user", content=[text])
    return sat.desk.turn_completed(llm.ChatContext(), message), message


async def test_a_turn_that_is_routed_to_a_person_is_answered_by_no_machine(sat: SatWithPeople) -> None:
    sat.plan.chosen = "human"
    stopped, said = turn(sat, "i want a person")
    assert stopped
    [agent] = sat.agents
    assert isinstance(agent, HoldingAgent)
    assert agent.llm is None, "nothing that is said to a person goes to a model"
    assert sat.desk.engine == "human"
    assert sat.session.history.get_by_id(said.id) is not None, "the wish stays in the conversation"


async def test_what_the_caller_says_to_a_person_is_no_turn(sat: SatWithPeople) -> None:
    heard: list[str] = []
    sat.plan.chosen = "human"
    turn(sat)
    [agent] = sat.agents
    sat.people.listener = heard.append
    with pytest.raises(StopResponse):
        await agent.on_user_turn_completed(
            llm.ChatContext(), llm.ChatMessage(role="user", content=["hello anna"])
        )
    assert heard == ["hello anna"]
    assert sat.plan.turns == 1


async def test_an_engine_passes_the_call_on_by_its_tool_and_says_no_more(sat: SatWithPeople) -> None:
    turn(sat)
    with pytest.raises(StopResponse):
        await sat.tool("the caller insists")
    assert sat.agents == [], "the tool's own reply is not cut from within"
    await asyncio.sleep(0)
    assert isinstance(sat.agents[-1], HoldingAgent)
    assert sat.plan.moves[-1] == "human"


async def test_an_engine_hears_that_nobody_is_free(sat: SatWithPeople) -> None:
    turn(sat)
    sat.fetched.free.clear()
    assert "No colleague is free" in await sat.tool("the caller insists")
    await asyncio.sleep(0)
    assert sat.agents == []


async def test_the_tool_does_not_reach_who_is_denied_for_the_turn(sat: SatWithPeople) -> None:
    sat.plan.denied = frozenset({"human"})
    turn(sat)
    assert "No colleague is free" in await sat.tool("the caller insists")


async def test_a_person_is_fetched_when_no_engine_is_left(sat: SatWithPeople) -> None:
    turn(sat)
    for _ in range(3):
        sat.desk.recovery.rescue()
    await asyncio.sleep(0)
    assert isinstance(sat.agents[-1], HoldingAgent)
    assert sat.of(ProviderFailed)[-1].action == "moved to human"
    assert f"say {sat.desk.wording.cannot_help}" not in sat.session.did


async def test_without_anybody_free_the_caller_is_asked_to_say_it_again(sat: SatWithPeople) -> None:
    sat.fetched.free.clear()
    turn(sat)
    for _ in range(3):
        sat.desk.recovery.rescue()
    await asyncio.sleep(0)
    assert sat.agents == []
    assert sat.session.did[-1] == f"say {sat.desk.wording.cannot_help}"


async def test_a_reply_that_every_engine_fails_ends_with_a_person(sat: SatWithPeople) -> None:
    _, said = turn(sat)
    reply = sat.begins(said)
    assert reply is not None
    for _ in range(3):
        left = sat.desk.recovery.fail_over(reply, provider="openai", error=TimeoutError())
    assert left == "human"
    await asyncio.sleep(0)
    assert isinstance(sat.agents[-1], HoldingAgent)


async def test_a_person_is_fetched_when_every_engine_failed_before_the_turn_was_over(
    sat: SatWithPeople,
) -> None:
    said = llm.ChatMessage(role="user", content=["hello"])
    preview = sat.begins(said)
    assert preview is not None
    for _ in range(3):
        sat.desk.recovery.fail_over(preview, provider="openai", error=TimeoutError())
    assert sat.agents == [], "nobody is fetched for a turn that is not over"
    sat.desk.turn_completed(llm.ChatContext(), said)
    await asyncio.sleep(0)
    assert isinstance(sat.agents[-1], HoldingAgent)


async def test_the_call_comes_back_to_a_machine_that_knows_where_the_caller_was(sat: SatWithPeople) -> None:
    sat.plan.chosen = "human"
    turn(sat)
    sat.people.listener = lambda text: None
    sat.people.give_back("welcome back", LEFT)
    agent = sat.agents[-1]
    assert isinstance(agent, ReturningAgent)
    assert sat.desk.engine == "standard"
    assert sat.plan.moves[-1] == "standard"
    assert LEFT in [item.text_content for item in agent.chat_ctx.items if item.type == "message"]


async def test_the_call_comes_back_to_no_engine_that_is_denied_by_now(sat: SatWithPeople) -> None:
    sat.plan.chosen = "human"
    turn(sat)
    sat.plan.denied = frozenset({"standard"})
    sat.people.give_back("welcome back", LEFT)
    assert sat.desk.engine == "tool"
    assert sat.desk.route.denied == frozenset({"standard"})


async def test_with_every_engine_denied_the_caller_hears_that_nobody_can_help(sat: SatWithPeople) -> None:
    sat.plan.chosen = "human"
    turn(sat)
    sat.plan.denied = frozenset({"fast", "standard", "tool"})
    sat.people.give_back("she has left.", LEFT)
    agent = sat.agents[-1]
    assert isinstance(agent, ReturningAgent)
    assert agent._words == f"she has left. {sat.desk.wording.cannot_help}"


async def test_with_every_engine_denied_somebody_else_is_fetched(sat: SatWithPeople) -> None:
    sat.people._specs["anna"] = PersonSpec("anna", ("callback",))
    sat.fetched.free.add("anna")
    sat.plan.chosen = "human"
    turn(sat)
    sat.plan.denied = frozenset({"fast", "standard", "tool"})
    sat.people.give_back("nobody is free", LEFT)
    assert isinstance(sat.agents[-1], HoldingAgent)
    assert sat.desk.engine == "anna"


async def test_both_hand_offs_are_on_record(sat: SatWithPeople) -> None:
    sat.plan.chosen = "human"
    turn(sat)
    sat.desk.entered()
    sat.people.give_back("welcome back", LEFT)
    sat.desk.entered()
    assert [(one.from_engine, one.to_engine) for one in sat.of(HandedOff)] == [
        ("fast", "human"),
        ("human", "standard"),
    ]


def test_who_has_nobody_offers_no_tool() -> None:
    assert People({}).tools == ()
