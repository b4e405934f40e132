"""A recorded caller on a line: speaks, listens, waits, barges in, loses patience, hangs up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compliance.events import AgentSaid, CallbackAsked, Event, TransferAnswered, TurnAnswered, TurnMoved
from lab.callers import RecordedCall, RecordedTurn, load_pcm
from service.answered import is_answer
from service.audio import write_wav
from service.heard import Span, heard_latencies
from service.line import Line, LineClosedError

RATE_HZ = 24_000

Progress = Callable[[str], None]
"""Told in a few words what the caller is doing."""


@dataclass(frozen=True)
class Manners:
    """How a caller waits. All in milliseconds.

    ``greeting_ms`` is how long to wait for a greeting before speaking anyway; ``reply_ms`` how long to wait for
    an answer before giving up; ``quiet_ms`` the silence that means the agent is done; ``aside_ms`` how long to
    wait for an answer to silence or noise, which need none.
    """

    greeting_ms: float = 6_000
    reply_ms: float = 20_000
    quiet_ms: float = 900
    aside_ms: float = 1_500


@dataclass(frozen=True)
class CallerTurn:
    """One turn as the caller lived it. Times are milliseconds of the call.

    ``start_ms`` and ``end_ms`` are of the caller's first and last voiced sample. ``heard_latency_ms`` runs from
    ``end_ms`` to the first reply sample heard, and is None when no reply began before the next turn.
    ``agent_ms`` is how much agent audio was heard from there to the next turn, silence within it left out.
    """

    number: int
    text: str
    state: str
    barged_in: bool
    start_ms: float
    end_ms: float
    heard_latency_ms: float | None
    agent_ms: float


@dataclass(frozen=True)
class CallerReport:
    """What the caller can say about the call.

    ``gave_up`` is the number of the turn whose answer never came, or never came to its end, or None. ``cut_off`` is
    whether the other side ended the call before the caller was through.
    """

    name: str
    turns: tuple[CallerTurn, ...]
    greeted: bool
    gave_up: int | None
    cut_off: bool
    duration_ms: float


class Understanding:
    """A caller's sense of what they hear: that it takes longer, or that nobody can help, is no answer to them, and one
    that breaks off in mid-sentence is not over.

    It is told the call's events, which know; a caller without it takes any sound for an answer, and any pause for its
    end.
    """

    def __init__(self) -> None:
        self._begun_ms: list[float] = []
        self._over_ms: list[float] = []
        self._moved_ms = 0.0
        self._changed = asyncio.Event()

    def take(self, event: Event) -> None:
        """An event of the call, redacted or not: for :class:`service.call.Call`'s ``watch``."""
        match event:
            case TurnAnswered():
                self._begun_ms.append(event.at_ms)
            case TransferAnswered() | CallbackAsked():
                self._begun_ms.append(event.at_ms)
                self._over_ms.append(event.at_ms)
            case TurnMoved():
                self._moved_ms = event.at_ms
            case AgentSaid() if not event.interrupted and is_answer(event.text):
                self._over_ms.append(event.at_ms)
            case _:
                return
        self._changed.set()

    async def answer(self, since_ms: float) -> float:
        """Wait for an answer that is heard after ``since_ms``; returns when it began, on the call's clock."""
        return await self._first(self._begun_ms, since_ms)

    async def whole(self, since_ms: float) -> float:
        """Wait for an answer to be said to its end after ``since_ms``; returns when that was known."""
        return await self._first(self._over_ms, since_ms)

    def broke_off(self, since_ms: float) -> bool:
        """Whether an answer that began at ``since_ms`` or later broke off, and somebody else has the turn."""
        return self._moved_ms >= since_ms

    async def _first(self, times_ms: list[float], since_ms: float) -> float:
        while True:
            for at_ms in times_ms:
                if at_ms >= since_ms:
                    return at_ms
            self._changed.clear()
            await self._changed.wait()


@dataclass(frozen=True)
class _Said:
    turn: RecordedTurn
    span: Span
    barged_in: bool


class Caller:
    """Plays a recorded call over a line, in real time, as a person would.

    Args:
        line: the line, just answered.
        telephone: speak through a telephone (8 kHz µ-law) where the recording has that.
        hears: a WAV to write: left what the caller said, right what the caller heard.
        progress: told what is going on.
        understanding: tells answers from other sounds; without it, every sound is one.
    """

    def __init__(
        self,
        recorded: RecordedCall,
        line: Line,
        *,
        telephone: bool = False,
        manners: Manners | None = None,
        hears: Path | None = None,
        progress: Progress | None = None,
        understanding: Understanding | None = None,
    ) -> None:
        self._recorded = recorded
        self._line = line
        self._telephone = telephone
        self._manners = manners or Manners()
        self._hears = hears
        self._progress = progress or (lambda _: None)
        self._understanding = understanding
        self._said: list[_Said] = []

    async def run(self) -> CallerReport:
        """The whole call, to the hang-up. An agent that never answers is a result, not an error."""
        greeted, gave_up, cut_off = False, None, False
        try:
            greeted = await self._agent_starts(0.0, self._manners.greeting_ms) is not None
            if greeted:
                self._progress("hears the greeting")
                await self._line.agent_finished(self._manners.quiet_ms)
            gave_up = await self._converse()
        except LineClosedError:
            cut_off = True
        finally:
            self._line.hang_up()
        self._progress("hangs up")
        return self._report(greeted=greeted, gave_up=gave_up, cut_off=cut_off)

    async def _converse(self) -> int | None:
        """All turns; returns the number of the turn that was never answered, if there was one."""
        turns = self._recorded.turns
        for turn, following in zip(turns, (*turns[1:], None), strict=True):
            await self._speak(turn)
            aside = turn.state in ("silence", "noise")
            patience_ms = self._manners.aside_ms if aside else self._manners.reply_ms
            reply_ms = await self._answer_starts(self._said[-1].span.end_ms, patience_ms)
            if reply_ms is None:
                if aside:
                    continue
                self._progress(f"gives up on an answer to turn {turn.number}")
                return turn.number
            barge_in_ms = None if following is None else following.barge_in_ms
            cuts_in = barge_in_ms is not None and await self._cuts_in(reply_ms, barge_in_ms)
            if not (cuts_in or await self._answer_ends(reply_ms)):
                self._progress(f"gives up on the rest of the answer to turn {turn.number}")
                return turn.number
        return None

    async def _cuts_in(self, reply_ms: float, after_ms: float) -> bool:
        """Listen for so long to the answer that began at ``reply_ms``; False when there is none to cut in on."""
        await self._listen_until(reply_ms + after_ms)
        return self._understanding is None or not self._understanding.broke_off(reply_ms)

    async def _speak(self, turn: RecordedTurn) -> None:
        self._progress(f"turn {turn.number}: {turn.text or turn.state}")
        path = turn.telephony if self._telephone and turn.telephony is not None else turn.path
        samples = await asyncio.to_thread(load_pcm, path, sample_rate_hz=RATE_HZ)
        barged_in = turn.barge_in_ms is not None and self._line.agent_speaking
        start_ms = self._line.clock.now_ms()
        try:
            said = await self._line.say(samples)
        except LineClosedError:
            self._said.append(_Said(turn, Span(start_ms, self._line.clock.now_ms()), barged_in))
            raise
        self._said.append(_Said(turn, Span(said.start_ms, said.end_ms), barged_in))

    async def _agent_starts(self, since_ms: float, patience_ms: float) -> float | None:
        """When the agent is first heard after ``since_ms``; None when patience runs out first."""
        try:
            async with asyncio.timeout(patience_ms / 1000):
                return await self._line.agent_started(since_ms)
        except TimeoutError:
            return None

    async def _answer_starts(self, since_ms: float, patience_ms: float) -> float | None:
        """When the first answer after ``since_ms`` is heard; None when patience runs out first."""
        if self._understanding is None:
            return await self._agent_starts(since_ms, patience_ms)
        return await self._understood(self._understanding.answer(since_ms), patience_ms)

    async def _answer_ends(self, since_ms: float) -> bool:
        """Hear the answer that began at ``since_ms`` out; False when patience with one that broke off runs out."""
        await self._line.agent_finished(self._manners.quiet_ms)
        if self._understanding is None:
            return True
        whole = await self._understood(self._understanding.whole(since_ms), self._manners.reply_ms)
        if whole is None and self._line.agent_speaking:  # nobody hangs up on an answer
            await self._line.agent_finished(self._manners.quiet_ms)
            whole = await self._understood(self._understanding.whole(since_ms), self._manners.quiet_ms)
        if whole is not None:  # after a pause, maybe
            await self._line.agent_finished(self._manners.quiet_ms)
        return whole is not None

    async def _understood(self, what: Coroutine[None, None, float], patience_ms: float) -> float | None:
        """What is waited for; None when patience runs out first.

        Raises:
            LineClosedError: the line was closed before that.
        """
        waited = asyncio.create_task(what, name="caller listens for an answer")
        over = asyncio.create_task(self._line.hung_up(), name="caller listens for the line")
        try:
            await asyncio.wait(
                {waited, over}, timeout=patience_ms / 1000, return_when=asyncio.FIRST_COMPLETED
            )
            if waited.done():
                return waited.result()
            if over.done():
                raise LineClosedError("the line was closed before the caller was answered")
            return None
        finally:
            for task in (waited, over):
                task.cancel()
            await asyncio.gather(waited, over, return_exceptions=True)

    async def _listen_until(self, at_ms: float) -> None:
        """Listen to the agent up to a moment of the call, or until it is done before that."""
        try:
            async with asyncio.timeout(max(0.0, at_ms - self._line.clock.now_ms()) / 1000):
                await self._line.agent_finished(self._manners.quiet_ms)
        except TimeoutError:
            pass

    def _report(self, *, greeted: bool, gave_up: int | None, cut_off: bool) -> CallerReport:
        caller, agent = self._line.recording()
        if self._hears is not None:
            write_wav(self._hears, (caller, agent), sample_rate_hz=RATE_HZ)
        answers = heard_latencies(caller, agent, turns=[said.span for said in self._said])
        turns = []
        for index, (said, answer) in enumerate(zip(self._said, answers, strict=True)):
            last = index + 1 == len(answers)
            until_ms = len(agent) / RATE_HZ * 1000 if last else answers[index + 1].said.start_ms
            heard = agent[_sample(answer.said.end_ms) : _sample(until_ms)]
            turns.append(
                CallerTurn(
                    number=said.turn.number,
                    text=said.turn.text,
                    state=said.turn.state,
                    barged_in=said.barged_in,
                    start_ms=answer.said.start_ms,
                    end_ms=answer.said.end_ms,
                    heard_latency_ms=answer.heard_latency_ms,
                    agent_ms=float(np.count_nonzero(heard)) / RATE_HZ * 1000,
                )
            )
        return CallerReport(
            name=self._recorded.name,
            turns=tuple(turns),
            greeted=greeted,
            gave_up=gave_up,
            cut_off=cut_off,
            duration_ms=len(caller) / RATE_HZ * 1000,
        )


def _sample(at_ms: float) -> int:
    return round(at_ms * RATE_HZ / 1000)
