"""Calls that somebody is given for good: a person who is fetched, and who gives a call back to a machine."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from compliance.events import AgentSaid, HandedOff, LateEventDropped, ProviderFailed
from engines.human import LEFT, NOBODY
from lab.faults import Fault
from service.line import Said
from tests.conformance.engines.pairs import BARGE_IN_S, ONE, THREE, TWO
from tests.conformance.engines.stage import HOST, SPEECH, Staged, staged
from tests.conformance.engines.table import BY_NAME, HUMAN, failure_of

SPOKE_S = 1.0
PLEASE = "a person please"


@dataclass
class Fetched:
    """A call in which a person was fetched in turn ``turn``, and talked to.

    Attributes:
        words: what the caller said in that turn.
        said: the same, as it was on the line.
        asked: how often a model had been asked by the time the person came.
    """

    stage: Staged
    turn: int
    words: str
    said: Said
    asked: int

    def check(self) -> None:
        self._one_person_was_asked_for()
        self._they_heard_each_other()
        self._no_machine_had_a_part_in_it()
        assert self.stage.lost_at_the_tap == 0
        assert [segment.text for segment in self.stage.call.segments][-2:] == [self.words, THREE]

    def _one_person_was_asked_for(self) -> None:
        [asked] = self.stage.somebody.asked
        assert (asked.person.name, asked.turn) == (HUMAN, self.turn)
        assert self.stage.replies[-1] == (self.turn, HUMAN, asked.person.words.fetching, False)
        assert self.stage.call.of(HandedOff)[-1].to_engine == self.stage.call.desk.engine == HUMAN

    def _they_heard_each_other(self) -> None:
        heard = self.stage.heard_ms(self.said.end_ms)
        assert heard[HUMAN] > 2 * 1000 * SPOKE_S - 100
        by_person = b"".join(frame.tobytes() for frame in self.stage.somebody.heard)
        assert SPEECH[THREE].samples.tobytes() in by_person

    def _no_machine_had_a_part_in_it(self) -> None:
        assert len(self.stage.asked) == self.asked, "what is said to a person goes to no model"
        assert self.stage.call.messages.count(("user", self.words)) == 1
        assert ("user", THREE) not in self.stage.call.messages
        assert self.stage.call.of(LateEventDropped) == []
        if not self.stage.call.of(ProviderFailed):  # of which the caller is told before somebody is fetched
            said = self.stage.call.of(AgentSaid)
            assert [one.engine for one in said if one.start_ms >= self.said.end_ms] == [HUMAN]
            assert set(self.stage.heard_ms(self.said.end_ms)) == {HOST, HUMAN}  # the host says who is fetched


async def by_policy(left: str) -> Fetched:
    async with staged([left, HUMAN]) as stage:
        await stage.asks(ONE)
        return await _talked_to(stage, 2, TWO, await stage.says(TWO))


async def by_a_tool(left: str) -> Fetched:
    async with staged([left, left, HUMAN]) as stage:
        await stage.asks(ONE)
        return await _talked_to(stage, 2 - BY_NAME[left].keeps, PLEASE, await stage.says(PLEASE))


async def after_every_failure(left: str) -> Fetched:
    async with staged([left, left, HUMAN]) as stage:
        await stage.asks(ONE)
        await stage.call.in_step()
        for provider in (BY_NAME[left].provider, BY_NAME["cascade"].provider):
            stage.lab.context.faults.set(provider, Fault(failure_of(left, HUMAN)))
        fetched = await _talked_to(stage, 2, TWO, await stage.says(TWO))
        moved = [(one.engine, one.action) for one in stage.call.of(ProviderFailed) if "moved" in one.action]
        assert moved == [(left, f"moved to {HOST}"), (HOST, f"moved to {HUMAN}")]
        return fetched


async def by_an_engine_with_no_other(left: str, *, lost: bool) -> Fetched:
    """From an engine that takes turns by itself, where the guards leave no cascade."""
    async with staged([left, HUMAN]) as stage:
        stage.call.plan.engines = [left]
        await stage.asks(ONE)
        said = await stage.asks(TWO)
        stage.call.plan.denied = frozenset({HOST})
        _leaves(stage, left, HUMAN, lost=lost)
        left_at = replace(said, end_ms=stage.call.line.clock.now_ms())
        fetched = await _talked_to(stage, 1, TWO, left_at)
        failed = [(one.engine, one.action) for one in stage.call.of(ProviderFailed)]
        assert failed == ([(left, f"moved to {HUMAN}")] if lost else [])
        return fetched


async def on_request(left: str) -> Fetched:
    async with staged([left, left, HUMAN]) as stage:
        await stage.asks(ONE)
        await stage.call.answered(await stage.says("tell me all"))
        await asyncio.sleep(BARGE_IN_S)
        said = await stage.interrupts(PLEASE)
        fetched = await _talked_to(stage, 3 - 2 * BY_NAME[left].keeps, PLEASE, said)
        (_, by, text, _) = stage.replies[1]
        assert (by, "marmalade" in text) == (left, False)
        return fetched


async def _talked_to(stage: Staged, turn: int, words: str, said: Said) -> Fetched:
    await stage.call.until(stage.somebody.there.is_set)
    await stage.call.heard_out()
    asked = len(stage.asked)
    await stage.somebody.says(SPOKE_S)
    await stage.says(THREE)
    await stage.somebody.says(SPOKE_S)
    return Fetched(stage, turn, words, said, asked)


@dataclass
class GivenBack:
    """A call that went back to the cascade ``right``, which answered the next turn.

    Attributes:
        left: who had the call.
        said: the turn, as it was on the line.
        before: the replies before it.
    """

    stage: Staged
    left: str
    right: str
    said: Said
    before: int

    def check(self) -> None:
        stage = self.stage
        *_, (_, by, text, cut) = stage.replies
        assert (by, text, cut) == (self.right, "The answer to question three is yours.", False)
        assert len(stage.replies) == self.before + 1
        assert list(stage.heard_ms(self.said.end_ms)) == [self.right]
        last = stage.call.of(HandedOff)[-1]
        assert (last.from_engine, last.to_engine) == (self.left, self.right)
        assert stage.said_to_model == stage.call.messages[:-1]
        assert stage.said_to_model[-1] == ("user", THREE)
        assert stage.lost_at_the_tap == 0
        assert stage.call.of(LateEventDropped) == []


async def by_a_person(right: str, *, comes: bool) -> GivenBack:
    """From a person who has left, or who could not be had."""
    async with staged([HUMAN, right], beside=[right]) as stage:
        stage.somebody.comes = comes
        if comes:
            await _talked_to(stage, 1, ONE, await stage.says(ONE))
            stage.somebody.leaves()
        else:
            await stage.says(ONE)
        await stage.call.until(lambda: stage.call.desk.engine == right)
        await stage.call.heard_out()
        words = stage.somebody.asked[0].person.words
        assert stage.replies[-1] == (1, right, words.back if comes else words.nobody, False)
        given = GivenBack(stage, HUMAN, right, *await _third(stage))
        told = [message.text for message in stage.asked[-1].messages if message.role == "system"]
        assert (LEFT if comes else NOBODY) in told
        return given


async def by_an_engine(left: str, right: str, *, lost: bool) -> GivenBack:
    """From an engine that takes turns by itself, whose connection was lost for good, or which a guard closed."""
    async with staged([left, right], beside=[right]) as stage:
        await stage.asks(ONE)
        await stage.asks(TWO)
        _leaves(stage, left, right, lost=lost)
        await stage.call.until(lambda: stage.call.desk.engine == right)
        given = GivenBack(stage, left, right, *await _third(stage))
        failed = [(one.engine, one.action) for one in stage.call.of(ProviderFailed)]
        assert failed == ([(left, f"moved to {right}")] if lost else [])
        return given


def _leaves(stage: Staged, left: str, right: str, *, lost: bool) -> None:
    if lost:
        stage.lab.context.faults.set(BY_NAME[left].provider, Fault(failure_of(left, right)))
        stage.cut_off(left)
    else:
        stage.call.plan.denied |= {left}
        stage.call.desk.consent_changed()


async def _third(stage: Staged) -> tuple[Said, int]:
    before = len(stage.replies)
    return await stage.asks(THREE), before
