"""A hand-off between two engines, and what holds after each, whatever the pair and whatever caused it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import pairwise

from compliance.events import AgentSaid, HandedOff, LateEventDropped, ProviderFailed
from engines.wording import Wording
from lab.faults import Fault
from service.line import Said
from tests.conformance.engines.stage import CHARACTER_MS, HOST, QUESTIONS, Staged, staged
from tests.conformance.engines.table import BY_NAME, failure_of

ONE, TWO, THREE, _ = QUESTIONS
DELAYS = Wording().about_delays
STILL_HERE = Wording().still_here.strip()
BARGE_IN_S = 1.2
SOON_MS = 300.0
"""What lies at most between the word about a delay and the answer of the engine that has taken over."""


@dataclass
class HandOver:
    """A call in which turn ``turn`` went from one engine to the other, and one more turn was answered there.

    Attributes:
        said: the turn, as it was on the line.
        words: what was said in it.
        until_ms: when the caller spoke again.
        model: the conversation that the model was given in the end.
        beside: what was said while a tool worked, which is in no history.
    """

    left: str
    right: str
    turn: int
    words: str
    said: Said
    until_ms: float
    stage: Staged
    model: list[tuple[str, str]]
    beside: str = ""

    @property
    def failed(self) -> bool:
        """Whether an engine failed the turn; a warm session may be given up besides."""
        return any("moved to" in failed.action for failed in self.stage.call.of(ProviderFailed))

    @property
    def replies(self) -> list[tuple[int, str, str, bool]]:
        """Of which the history is."""
        return [reply for reply in self.stage.replies if reply[2] != self.beside]

    @property
    def before(self) -> list[tuple[int, str, str, bool]]:
        return [reply for reply in self.stage.replies if reply[0] < self.turn]

    # -- what must hold -----------------------------------------------------------------------------------
    def check(self) -> None:
        self._answered_once()
        self._answered_soon()
        self._nobody_else_was_heard()
        self._history_is_whole()
        self._nothing_of_the_caller_was_lost()

    def _answered_once(self) -> None:
        after = [reply for reply in self.replies if reply[0] >= self.turn and not _is_about_a_delay(reply[2])]
        assert [(turn, by, cut) for turn, by, _, cut in after] == [
            (self.turn, self.right, False),
            (self.turn + (not BY_NAME[self.right].keeps), self.right, False),
        ]
        assert self.stage.call.of(LateEventDropped) == []
        told = [text for *_, text, _ in self.replies for word in DELAYS if word in text]
        assert len(told) == self.failed
        if BY_NAME[self.right].hears or not told:  # else a cascade's reply may have moved within the turn
            [handed] = [one for one in self.stage.call.of(HandedOff) if one.turn == self.turn]
            assert (handed.from_engine, handed.to_engine) == (self.left, self.right)
            assert handed.warm == handed.turn_as_audio == BY_NAME[self.right].hears

    def _answered_soon(self) -> None:
        """The word about a delay, and what else is said meanwhile, is heard before the answer, and not long before."""
        said = [one for one in self.stage.call.of(AgentSaid) if one.start_ms >= self.said.end_ms]
        for word, answer in pairwise(said):
            if _is_about_a_delay(word.text):
                assert word.end_ms <= answer.start_ms
                assert word.text == self.beside or answer.start_ms < word.end_ms + SOON_MS

    def _nobody_else_was_heard(self) -> None:
        text = next(text for turn, by, text, _ in self.replies if turn == self.turn and by == self.right)
        heard = self.stage.heard_ms(self.said.end_ms, self.until_ms)
        by_others_ms = sum(ms for who, ms in heard.items() if who != self.right)
        if self.beside or self.failed:
            assert heard.keys() <= {self.right, self.left, HOST}, "the one left, or the host for it"
            assert by_others_ms < CHARACTER_MS * max(map(len, DELAYS)) + 200
        else:
            assert not by_others_ms
        assert heard[self.right] < CHARACTER_MS * len(text) + 200, "the reply was heard more than once"

    def _history_is_whole(self) -> None:
        texts = [text for *_, text, _ in self.replies]
        asked = [text for role, text in self.stage.call.messages if role == "user"]
        assert [text for role, text in self.stage.call.messages if role == "assistant"] == texts
        assert asked[-2:] == [self.words, THREE]
        assert len(asked) == len(set(asked)) == self.turn + 1
        kept = [message for message in self.stage.call.messages if not _is_about_a_delay(message[1])]
        assert self.model == kept[: len(self.model)]
        assert self.model[-1] == ("user", THREE)

    def _nothing_of_the_caller_was_lost(self) -> None:
        assert self.stage.lost_at_the_tap == 0
        assert [segment.text for segment in self.stage.call.segments][-2:] == [self.words, THREE]
        if BY_NAME[self.right].hears:
            assert self.stage.lost_ms(self.words) <= 20


async def by_policy(left: str, right: str) -> HandOver:
    async with staged([left, right]) as stage:
        await stage.asks(ONE)
        return await _ended(stage, left, right, 2, TWO, await stage.asks(TWO))


async def beside_a_tool(left: str, right: str) -> HandOver:
    async with staged([left, left, right], with_tools=True) as stage:
        await stage.asks(ONE)
        await stage.says("wait for it")
        await stage.call.until(lambda: stage.tools_begun == 1)
        over = await _ended(stage, left, right, 3, TWO, await stage.asks(TWO))
        over.beside = STILL_HERE
        assert [(turn, by) for turn, by, text, _ in stage.replies if text == STILL_HERE] == [(2, left)]
        kinds = [item.type for item in stage.call.session.history.items]
        assert kinds.count("function_call") == kinds.count("function_call_output")
        return over


async def after_a_failure(left: str, right: str) -> HandOver:
    async with staged([left, left, right], beside=[right]) as stage:
        await stage.asks(ONE)
        await stage.call.in_step()
        stage.lab.context.faults.set(BY_NAME[left].provider, Fault(failure_of(left, right), times=1))
        over = await _ended(stage, left, right, 2, TWO, await stage.asks(TWO))
        assert [one.engine for one in stage.call.of(ProviderFailed)] == [left]
        return over


async def on_request(left: str, right: str) -> HandOver:
    async with staged([left, left, right]) as stage:
        await stage.asks(ONE)
        await stage.call.answered(await stage.says("tell me all"))
        await asyncio.sleep(BARGE_IN_S)
        said = await stage.interrupts("a person please")
        await stage.call.answered(said)
        await stage.call.heard_out()
        over = await _ended(stage, left, right, 3, "a person please", said)
        [(_, by, text, cut)] = [reply for reply in over.before if reply[0] == 2]
        assert (by, cut) == (left, True)
        assert "marmalade" not in text
        return over


def _is_about_a_delay(text: str) -> bool:
    """Also where a provider broke off, and the caller hears that the answer begins anew."""
    return text.strip().endswith(DELAYS)


async def _ended(stage: Staged, left: str, right: str, turn: int, words: str, said: Said) -> HandOver:
    until_ms = stage.call.line.clock.now_ms()
    await stage.asks(THREE)
    return HandOver(left, right, turn, words, said, until_ms, stage, stage.said_to_model)
