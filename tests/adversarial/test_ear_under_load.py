"""More work than the machine has cores, and the process that judges voices stopped in the middle of it.

Several callers speak at once, in real time: with every core busy, until each was judged once; with every core busy and
the process stopped; and when both is over, until each was judged again. What the session hears is every sample that
was said, and a decision that the scores are too late for is made without them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

import numpy as np
import psutil
import pytest

from classifiers.emotion import SHIPPED, EmotionReading
from compliance.tap import RATE_HZ, CallerTap
from compliance.voiced import Samples
from service.aside import AsideHungError, AsideProcess, Emotion, process
from service.aside.channel import WINDOW
from service.emotion_ear import EarCounts, EmotionEar
from service.line import Line
from tests.whole_call import recording

pytestmark = [pytest.mark.adversarial, pytest.mark.alone]

CALLERS = 4
TURN_S = 2.4
PATIENCE_S = 300.0


@contextmanager
def every_core_busy() -> Iterator[None]:
    """Twice as many busy processes as there are cores, at the priority of calls."""
    busy = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * (os.cpu_count() or 1))
    ]
    try:
        yield
    finally:
        for one in busy:
            one.kill()
        for one in busy:
            one.wait()


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not what():  # noqa: ASYNC110 -- nobody is told of what becomes of another process
            await asyncio.sleep(0.01)


class Caller:
    """A caller's line, its tap and ear, and a session that reads what the tap passes."""

    def __init__(self, aside: AsideProcess) -> None:
        self.line = Line()
        self.tap = CallerTap(self.line.input, self.line.clock)
        self.failures: list[BaseException] = []
        self.readings = 0
        self.ear = EmotionEar(aside, self.tap, heard=self._heard, failed=self.failures.append)
        self.heard: list[bytes] = []
        self.decided = EmotionReading("unknown", 0.0, 0.0, 0)
        self.counts = EarCounts()
        self._session = asyncio.create_task(self._listen(), name="session")

    def _heard(self) -> None:
        self.readings += 1

    async def _listen(self) -> None:
        async for frame in self.tap:
            self.heard.append(bytes(frame.data))

    async def speaks(self, samples: Samples) -> None:
        """One turn, with the decision at its end."""
        self.ear.speech(True)
        await self.line.say(samples)
        self.ear.speech(False)
        self.decided = self.ear.reading()
        self.ear.turn_ended()
        self.counts = replace(self.ear.counts)

    async def hangs_up(self) -> None:
        self.line.hang_up()
        await self._session
        await self.ear.aclose()


@dataclass(frozen=True)
class Stopped:
    """What a caller's turn came to while the process was stopped, and what had been counted before it."""

    decided: EmotionReading
    before: EarCounts
    after: EarCounts


@dataclass(frozen=True)
class Run:
    callers: list[Caller]
    stopped: list[Stopped]


@pytest.fixture(scope="module")
def run() -> Run:
    with pytest.MonkeyPatch.context() as patch:
        # It is let go again; who hangs for good has a test elsewhere.
        patch.setattr(process, "HUNG_S", PATIENCE_S)
        patch.setattr(process, "READY_S", PATIENCE_S)
        with closing(AsideProcess.start(Emotion(SHIPPED))) as aside:
            aside.wait_until_ready()
            return asyncio.run(calls(aside))


async def calls(aside: AsideProcess) -> Run:
    samples = recording("05_furious_from_first_word_t01")[: round(TURN_S * RATE_HZ)]
    judging = psutil.Process(aside.pid)
    callers = [Caller(aside) for _ in range(CALLERS)]

    async def turn() -> None:
        await asyncio.gather(*(caller.speaks(samples) for caller in callers))

    async def until_judged() -> None:
        """Turns until each caller was judged in one of them: a score that comes after its turn is none."""
        before = [caller.readings for caller in callers]
        async with asyncio.timeout(PATIENCE_S):
            while any(one.readings == count for one, count in zip(callers, before, strict=True)):
                await turn()

    with every_core_busy():
        await until_judged()
        judging.send_signal(signal.SIGSTOP)
        await until(lambda: judging.status() == psutil.STATUS_STOPPED)
        before = [caller.counts for caller in callers]
        await turn()
        stopped = [
            Stopped(one.decided, counts, one.counts) for one, counts in zip(callers, before, strict=True)
        ]
        judging.send_signal(signal.SIGCONT)
        await until(lambda: all(one.ear.counts.late >= one.counts.late + WINDOW for one in callers))
    await until_judged()
    for caller in callers:
        await caller.hangs_up()
    return Run(callers, stopped)


def test_the_session_hears_every_sample_that_was_said(run: Run) -> None:
    for caller in run.callers:
        heard = np.frombuffer(b"".join(caller.heard), np.int16)
        assert caller.tap.frames == len(caller.heard) >= 3 * TURN_S * 50
        assert np.array_equal(heard, caller.line.recording()[0][: len(heard)])


def test_a_decision_that_the_scores_are_too_late_for_is_made_without_them(run: Run) -> None:
    for stopped in run.stopped:
        assert (stopped.decided.label, stopped.decided.confidence) == ("unknown", 0.0)
        assert stopped.after.stale == stopped.before.stale + 1


def test_what_comes_too_late_is_dropped_and_counted(run: Run) -> None:
    for caller, stopped in zip(run.callers, run.stopped, strict=True):
        assert caller.ear.counts.late >= WINDOW
        assert stopped.after.dropped_frames > stopped.before.dropped_frames


def test_voices_are_judged_again_when_the_process_is_well(run: Run) -> None:
    for caller in run.callers:
        assert caller.readings > 1
        assert caller.ear.counts.restarts == 0
        assert {type(error) for error in caller.failures} <= {AsideHungError}
