"""A person who has the call is heard for the record, on a stream of their own, whatever becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import APIConnectionError, APIStatusError
from livekit.agents.voice import io

from compliance.events import Event, HumanSaid, PartFailed, TransferEnded
from compliance.tap import RATE_HZ, AgentTap, CallerTap, FrameQueue
from compliance.transcriber import Transcriber
from compliance.voiced import Samples
from engines.gates import GateError
from engines.human import LEFT, Asked
from engines.people import PersonSpec, Target
from service.line import Line as InProcessLine
from service.transfer.hearing import KEPT, LOST, Hearing
from service.transfer.line import Line
from service.transfer.transfers import Transfers
from tests import virtual_time
from tests.level_stt import LevelSTT, Plan

pytestmark = pytest.mark.unit

ANNA = PersonSpec("human", ("warm",), (Target("room", "desk-anna"),))
FRAME = RATE_HZ // 50
CUT = APIConnectionError()


def word(level: int, ms: int = 400) -> Samples:
    return np.full(ms * RATE_HZ // 1000, level, np.int16)


def pause(ms: int) -> Samples:
    return np.zeros(ms * RATE_HZ // 1000, np.int16)


class Leg:
    """The line's end of a room in which somebody says what they are given, as it would come."""

    def __init__(self, person: str) -> None:
        self.person = person
        self.heard: Callable[[rtc.AudioFrame], None] = lambda frame: None
        self.connected = asyncio.Event()
        self._left = asyncio.Event()

    async def says(self, *parts: Samples) -> None:
        samples = np.concatenate(parts)
        for start in range(0, len(samples), FRAME):
            frame = samples[start : start + FRAME]
            await asyncio.sleep(0.02)
            self.heard(rtc.AudioFrame(frame.tobytes(), RATE_HZ, 1, len(frame)))

    def leaves(self) -> None:
        self._left.set()

    async def left(self) -> None:
        await self._left.wait()

    async def pass_on(self, caller: FrameQueue) -> None:
        self.connected.set()
        while True:
            await caller.get()


class Stay:
    """A caller on a line of this process, and Anna, whom they were given."""

    def __init__(self, recogniser: LevelSTT, *, person: str = "anna") -> None:
        self.recogniser = recogniser
        self.line = InProcessLine(virtual_time.call_clock())
        self.caller = CallerTap(self.line.input, self.line.clock)
        self.ear: io.AudioOutput = AgentTap(self.line.output, self.line.clock)
        self.leg = Leg(person)
        self.events: list[Event] = []
        self.given_back: list[tuple[float, str]] = []
        self.people = SimpleNamespace(fetching=None, listener=None, give_back=self._give_back)
        session: Any = SimpleNamespace(current_speech=None, interrupt=lambda **how: None)
        desk: Any = SimpleNamespace(people=self.people)
        calling: Any = SimpleNamespace(called=self._called)
        recorder: Any = None
        line = Line(
            session=session,
            caller=self.caller,
            ear=self.ear,
            desk=desk,
            clock=self.line.clock,
            hears=lambda tap: Transcriber(recogniser, tap, self.line.clock),
            recorder=recorder,
            emit=self.events.append,
            pass_on=lambda target: asyncio.sleep(0),
            hang_up=lambda reason: None,
            bill=lambda engine, minutes: None,
            met=lambda: None,
            reason=lambda: "",
            keeps_numbers=False,
        )
        self.transfers = Transfers(line, {"human": ANNA}, calling, "c", changed=lambda free: None)

    def _give_back(self, words: str, told: str) -> None:
        self.given_back.append((self.line.clock.now_ms(), told))

    @asynccontextmanager
    async def _called(self, person: PersonSpec, target: Target) -> AsyncIterator[Leg]:
        yield self.leg

    async def come(self) -> None:
        """Anna is on the line."""
        self.transfers.fetch(Asked(ANNA, "policy", "", 3))
        await self.leg.connected.wait()

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def said(self) -> list[str]:
        return [event.text for event in self.of(HumanSaid)]


def in_a_stay(
    recogniser: Callable[[], LevelSTT] = LevelSTT, *, person: str = "anna"
) -> Callable[[Callable[[Stay], Coroutine[Any, Any, None]]], None]:
    """Run the decorated body while Anna has the call, in virtual time; afterwards the call is over."""

    def run(body: Callable[[Stay], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            stay = Stay(recogniser(), person=person)
            listening = asyncio.create_task(_drained(stay.caller))
            await stay.come()
            try:
                await body(stay)
            finally:
                await stay.transfers.aclose()
                stay.line.hang_up()
                await listening
            others = asyncio.all_tasks() - {asyncio.current_task()}
            assert not {task.get_name() for task in others}
            assert all(stream.closed.is_set() for stream in stay.recogniser.opened)

        virtual_time.run(main())

    return run


async def _drained(tap: CallerTap) -> None:
    async for _ in tap:
        pass


def test_a_persons_words_are_on_record_under_their_name_as_soon_as_they_pause() -> None:
    @in_a_stay(lambda: LevelSTT(auto_final=False))
    async def _(stay: Stay) -> None:
        began_ms = stay.line.clock.now_ms()
        await stay.leg.says(pause(1000), word(1000), pause(100), word(2000), pause(600))
        [said] = stay.of(HumanSaid)
        assert (said.person, said.engine, said.turn, said.text) == ("anna", "human", 3, "1000 2000")
        assert said.start_ms - began_ms == pytest.approx(1000, abs=45)
        assert said.end_ms - began_ms == pytest.approx(1900, abs=45)
        assert said.at_ms == pytest.approx(said.end_ms + 500, abs=45)


def test_what_is_on_record_is_what_the_caller_heard() -> None:
    @in_a_stay()
    async def _(stay: Stay) -> None:
        await stay.leg.says(word(1000), pause(1000))
        [said] = stay.of(HumanSaid)
        _, heard = stay.line.recording()
        voiced_ms = np.flatnonzero(heard > 500)[[0, -1]] * 1000 / RATE_HZ
        assert voiced_ms == pytest.approx([said.start_ms, said.end_ms], abs=200)


def test_the_caller_is_not_heard_on_the_persons_stream() -> None:
    @in_a_stay()
    async def _(stay: Stay) -> None:
        await asyncio.gather(
            stay.line.say(np.concatenate((word(5000), pause(800)))),
            stay.leg.says(word(1000), pause(800)),
        )
        assert stay.said == ["1000"]


def test_nothing_of_a_person_is_on_the_callers_tap_which_is_all_that_judges_voices() -> None:
    @in_a_stay()
    async def _(stay: Stay) -> None:
        loudest: list[int] = []
        stay.caller.sinks.append(
            lambda start_ms, frame: loudest.append(int(np.abs(np.frombuffer(frame.data, np.int16)).max()))
        )
        await stay.leg.says(word(1000), pause(800))
        assert stay.said == ["1000"]
        assert len(loudest) >= 50
        assert set(loudest) == {0}


def test_nothing_is_heard_before_a_person_takes_the_call_and_nothing_after_they_left() -> None:
    @in_a_stay()
    async def _(stay: Stay) -> None:
        await stay.leg.says(word(1000), pause(600))
        stay.leg.leaves()
        await asyncio.sleep(1)
        await stay.leg.says(word(2000), pause(600))
        assert stay.said == ["1000"]
        assert len(stay.recogniser.opened) == 1


def test_the_last_words_of_a_person_are_on_record_and_the_caller_does_not_wait_for_them() -> None:
    @in_a_stay(lambda: LevelSTT(auto_final=False))
    async def _(stay: Stay) -> None:
        await stay.leg.says(word(1000))
        left_ms = stay.line.clock.now_ms()
        stay.leg.leaves()
        await asyncio.sleep(2)
        assert stay.said == ["1000"]
        [(back_ms, told)] = stay.given_back
        assert told == LEFT
        assert back_ms == pytest.approx(left_ms, abs=1)


def test_a_call_that_ends_in_a_persons_word_has_that_word() -> None:
    ended: list[Stay] = []

    @in_a_stay(lambda: LevelSTT(auto_final=False))
    async def _(stay: Stay) -> None:
        await stay.leg.says(word(1000))
        ended.append(stay)

    [stay] = ended
    assert stay.said == ["1000"]
    assert [event.by for event in stay.of(TransferEnded)] == ["service"]


def test_a_person_of_whom_only_the_number_is_known_has_no_name() -> None:
    @in_a_stay(person="person")
    async def _(stay: Stay) -> None:
        await stay.leg.says(word(1000), pause(600))
        [said] = stay.of(HumanSaid)
        assert said.person == ""


def test_a_recogniser_that_fails_is_told_and_hears_again_what_was_said_meanwhile() -> None:
    @in_a_stay(lambda: LevelSTT(plans=[Plan(error=CUT, after_s=0.5)]))
    async def _(stay: Stay) -> None:
        await stay.leg.says(word(1000), pause(200), word(2000), pause(800))
        [failed] = stay.of(PartFailed)
        assert (failed.part, failed.error, failed.action) == ("transcriber", "APIConnectionError", KEPT)
        assert stay.said == ["1000 2000"]
        assert stay.transfers.connected


def test_a_recogniser_that_stays_away_is_told_once_and_the_people_talk_on() -> None:
    refused = APIStatusError("no", status_code=401)

    @in_a_stay(lambda: LevelSTT(plans=[Plan(error=refused)] * 9))
    async def _(stay: Stay) -> None:
        await stay.leg.says(*[word(1000), pause(600)] * 8)
        assert [event.action for event in stay.of(PartFailed)] == [LOST]
        assert stay.said == []
        assert stay.transfers.connected
        _, heard = stay.line.recording()
        assert np.count_nonzero(heard > 500) > 8 * 0.3 * RATE_HZ


def test_a_gate_that_is_closed_has_told_why_itself() -> None:
    closed = GateError("transcriber", "test", "it is in another region")

    @in_a_stay(lambda: LevelSTT(plans=[Plan(error=closed)] * 99))
    async def _(stay: Stay) -> None:
        await stay.leg.says(word(1000), pause(600))
        assert stay.of(PartFailed) == []
        assert stay.said == []


def test_whoever_never_listened_closes_at_once() -> None:
    async def main() -> None:
        clock = virtual_time.call_clock()
        hearing = Hearing(
            lambda tap: Transcriber(LevelSTT(), tap, clock),
            clock,
            emit=lambda event: None,
            call_id="c",
            asked=Asked(ANNA, "policy", "", 1),
            person="anna",
        )
        await hearing.aclose()

    virtual_time.run(main())
