"""What becomes of a call when a full-duplex engine, which takes turns by itself, says nothing more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from livekit.agents import APIConnectionError, UserStateChangedEvent, llm

from compliance.events import ProviderFailed
from engines.cascade import CascadeAgent
from engines.duplex import DuplexAgent, DuplexModel, FullDuplex
from engines.human import HoldingAgent, People, ReturningAgent
from engines.people import PersonSpec
from tests.unit.engines.sat import Sat
from tests.unit.engines.test_duplex import Model
from tests.unit.engines.test_human import Fetched
from tests.virtual_time import call_clock, in_virtual_time

pytestmark = pytest.mark.unit

LIMIT_S = 8.0
LIVE = "live"


class Live(Sat):
    """A desk whose full-duplex engine was given the call, and has answered once."""

    def __init__(self) -> None:
        self.model = DuplexModel(Model(), provider="openai", on_metrics=lambda event: None)
        super().__init__(LIMIT_S, full_duplex=FullDuplex({LIVE: self.model}))
        self.desk._clock = call_clock()
        self.plan.chosen = LIVE
        assert self.desk.turn_completed(llm.ChatContext(), message("hello"))
        [agent] = self.session.agents
        assert isinstance(agent, DuplexAgent)
        self.wrote("user", "hello")
        self.answers("good morning")
        self.session.did.clear()

    def wrote(self, role: Any, text: str) -> llm.ChatMessage:
        """The session has it in its history."""
        said = message(text, role)
        self.session.history.insert(said)
        return said

    def answers(self, text: str) -> None:
        self.desk.first_sound()
        self.wrote("assistant", text)

    async def caller_says(self, text: str, *, transcribed: bool = True) -> None:
        """Words that are over by now, of which the engine may have told a transcript as well."""
        await asyncio.sleep(1)
        if transcribed:
            self.wrote("user", text)
        self.desk.caller_said(text, self.desk._clock.now_ms())

    @property
    def asked(self) -> int:
        """How often the engine was asked to speak."""
        return self.session.did.count("reply")


def message(text: str, role: Any = "user") -> llm.ChatMessage:
    return llm.ChatMessage(role=role, content=[text])


@in_virtual_time
async def test_one_that_says_nothing_is_asked_half_way_and_left_at_the_limit() -> None:
    live = Live()
    await live.caller_says("where is my order")
    await asyncio.sleep(LIMIT_S / 2 - 0.1)
    assert live.asked == 0
    await asyncio.sleep(LIMIT_S / 2)
    assert (live.asked, live.desk.engine) == (1, LIVE)
    await asyncio.sleep(0.2)
    assert isinstance(live.session.agents[-1], CascadeAgent)
    [failed] = live.of(ProviderFailed)
    assert (failed.engine, failed.provider, failed.action) == (LIVE, "openai", "moved to standard")
    assert failed.error == "TimeoutError"
    assert live.plan.failures == [LIVE]
    await live.desk.aclose()


@in_virtual_time
async def test_what_was_said_last_is_answered_with_a_word_about_the_delay() -> None:
    live = Live()
    await live.caller_says("where is my order")
    await asyncio.sleep(LIMIT_S + 0.1)
    reply = live.begins(live.session.history.items[-1])  # type: ignore[arg-type]
    assert reply is not None
    assert reply.engine == "standard"
    assert live.desk.recovery.apology_owed(reply) == live.desk.wording.one_moment
    await live.desk.aclose()


@in_virtual_time
async def test_one_that_speaks_when_it_is_asked_keeps_the_call() -> None:
    live = Live()
    await live.caller_says("one second, i am looking for my card")
    await asyncio.sleep(LIMIT_S / 2 + 0.1)
    live.answers("take your time")
    await asyncio.sleep(10 * LIMIT_S)
    assert (live.asked, live.desk.engine) == (1, LIVE)
    assert live.of(ProviderFailed) == []


@in_virtual_time
async def test_one_that_answers_is_asked_nothing() -> None:
    live = Live()
    await live.caller_says("where is my order")
    await asyncio.sleep(1)
    live.answers("on its way")
    await asyncio.sleep(10 * LIMIT_S)
    assert live.asked == 0


@in_virtual_time
async def test_words_that_are_recognised_after_their_answer_began_are_not_waited_for() -> None:
    live = Live()
    await asyncio.sleep(1)
    over_ms = live.desk._clock.now_ms()
    live.answers("on its way")
    await asyncio.sleep(0.5)
    live.desk.caller_said("where is my order", over_ms)
    await asyncio.sleep(10 * LIMIT_S)
    assert live.asked == 0


@in_virtual_time
async def test_a_caller_who_calls_again_does_not_wait_the_longer_for_it() -> None:
    live = Live()
    await live.caller_says("where is my order")
    for _ in range(3):
        await asyncio.sleep(1)
        await live.caller_says("hello?")
    await asyncio.sleep(LIMIT_S - 6.1)
    assert live.desk.engine == LIVE
    await asyncio.sleep(0.2)
    assert live.desk.engine == "standard"
    await live.desk.aclose()


@in_virtual_time
async def test_nothing_is_waited_for_while_the_caller_goes_on() -> None:
    live = Live()
    live.session.user_state = "speaking"
    await live.caller_says("where is my order", transcribed=False)
    await asyncio.sleep(10 * LIMIT_S)
    assert live.asked == 0
    live.session.user_state = "listening"
    live.desk._user_state_changed(UserStateChangedEvent(old_state="speaking", new_state="listening"))
    await asyncio.sleep(LIMIT_S / 2 + 0.1)
    assert live.asked == 1
    await live.desk.aclose()


@pytest.mark.parametrize(("spoke_on_s", "asked"), [(0.5, 1), (5.0, 0)])
def test_one_that_yields_to_a_caller_owes_an_answer_and_one_that_goes_on_does_not(
    spoke_on_s: float, asked: int
) -> None:
    @in_virtual_time
    async def cut_in() -> None:
        live = Live()
        live.session.agent_state = "speaking"
        await live.caller_says("mm-hm", transcribed=False)
        await asyncio.sleep(spoke_on_s)
        live.session.agent_state = "listening"
        live.desk._full_duplex.reply_ended(live.desk._clock.now_ms())
        await asyncio.sleep(LIMIT_S / 2 + 0.1)
        assert live.asked == asked
        await live.desk.aclose()

    cut_in()


@in_virtual_time
async def test_words_of_which_it_has_no_transcript_are_answered_too() -> None:
    live = Live()
    await live.caller_says("where is", transcribed=False)
    await live.caller_says("my order", transcribed=False)
    await asyncio.sleep(LIMIT_S)
    agent = live.session.agents[-1]
    assert isinstance(agent, CascadeAgent)
    assert agent._answering is not None
    assert agent._answering.text_content == "where is my order"
    await live.desk.aclose()


# -- under the guards of today -------------------------------------------------------------------------------------
@in_virtual_time
async def test_the_call_goes_to_no_engine_that_is_denied_by_now() -> None:
    live = Live()
    live.plan.denied = frozenset({"standard"})
    live.model.on_lost(APIConnectionError("gone"))
    assert live.desk.engine == "tool"
    reply = live.begins(live.wrote("user", "and now"))
    assert reply is not None
    assert reply.denied == frozenset({"standard"})


@in_virtual_time
async def test_its_tool_fetches_nobody_who_is_denied_by_now() -> None:
    live = Live()
    people = live.desk.people = People({"human": PersonSpec("human", ("callback",))})
    people.attach(live.desk)
    people.fetching = Fetched()
    live.plan.denied = frozenset({"human"})
    [tool] = people.tools
    assert isinstance(tool, llm.FunctionTool)
    assert "No colleague is free" in await tool("they insist")


@in_virtual_time
async def test_with_no_engine_left_the_caller_is_asked_to_say_it_again() -> None:
    live = Live()
    await live.caller_says("where is my order")
    live.plan.denied = frozenset({"fast", "standard", "tool"})
    live.model.on_lost(APIConnectionError("gone"))
    agent = live.session.agents[-1]
    assert isinstance(agent, ReturningAgent)
    assert (agent._words, agent._answering) == (live.desk.wording.cannot_help, None)
    assert live.of(ProviderFailed)[-1].action == "none left; asked the caller to say it again"


@in_virtual_time
async def test_with_no_engine_left_a_person_is_fetched() -> None:
    live = Live()
    live.desk.people = People({"human": PersonSpec("human", ("callback",))})
    live.desk.people.attach(live.desk)
    live.desk.people.fetching = Fetched()
    live.plan.denied = frozenset({"fast", "standard", "tool"})
    live.model.on_lost(APIConnectionError("gone"))
    await asyncio.sleep(0)
    assert isinstance(live.session.agents[-1], HoldingAgent)
    assert live.of(ProviderFailed)[-1].action == "moved to human"
