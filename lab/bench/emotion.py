"""What judging voices costs, and how soon a reading is there: ``python -m lab.bench emotion [CALLS] [SECONDS]``.

Recorded callers speak in real time, all at once, and their voices are judged in the process beside the calls; then, for
comparison, in threads of the calls' own process. For both it prints how long after the end of speech the reading was
there that knows all of it, how late the event loop was meanwhile, CPU time, memory, and how long the start took. The
machine's load is printed with them: without it the figures say little.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]

from classifiers.emotion import SHIPPED, EmotionModel
from compliance.tap import RATE_HZ
from compliance.voiced import Samples
from lab.callers import HERE, load_pcm
from service.aside import AsideProcess, Emotion
from service.aside.emotion import EmotionWork
from service.emotion_ear import BATCH_MS

READY_MS = 10.0
"""The reading is there this soon after the end of speech, at the 99th percentile, on an idle machine."""
RECORDINGS = ("05_furious_from_first_word_t01", "01_quick_question_t01", "04_calm_becomes_furious_t05")
PIECE = round(RATE_HZ * BATCH_MS / 1000)
TICK_S = 0.005

Header = Mapping[str, Any]


class BenchError(Exception):
    """There is nothing to measure."""


Judge = Callable[[Header, bytes], Awaitable[Header]]
"""One call's voice: header and samples of a piece → the answer."""


@dataclass
class Figures:
    """What one way of judging cost.

    ``ready_ms``: from each end of speech to the reading of it; ``late_ms``: how late the event loop came to each tick;
    CPU in seconds per second of one call's audio.
    """

    ready_ms: list[float] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)
    calls_cpu: float = 0.0
    aside_cpu: float = 0.0

    def lines(self, name: str, own: Figures) -> list[str]:
        """For people; ``own`` is what the bench itself costs."""
        ready, late = (
            np.percentile(ms, [50, 99, 100], method="inverted_cdf") for ms in (self.ready_ms, self.late_ms)
        )
        return [
            f"{name}: reading after the end of speech, {len(self.ready_ms)} times: "
            f"P50 {ready[0]:.1f} ms, P99 {ready[1]:.1f} ms, worst {ready[2]:.1f} ms",
            f"{name}: event loop late: P50 {late[0]:.2f} ms, P99 {late[1]:.2f} ms, worst {late[2]:.1f} ms",
            f"{name}: CPU per second of a call's audio: "
            f"{1000 * (self.calls_cpu - own.calls_cpu):.1f} ms in the calls' process, "
            f"{1000 * self.aside_cpu:.1f} ms beside it",
        ]


@asynccontextmanager
async def beside(aside: AsideProcess) -> AsyncIterator[Judge]:
    """Judge in the process beside the calls, as calls do."""
    answers: dict[int, asyncio.Future[Header]] = {}
    numbers = itertools.count()

    def answered(number: int, answer: Header) -> None:
        answers.pop(number).set_result(answer)

    def dropped(number: int) -> None:
        answers.pop(number).set_exception(
            BenchError("a piece was dropped: the machine is too busy to measure")
        )

    line = aside.attach("emotion", answered=answered, dropped=dropped, failed=lambda error: None)

    async def judge(header: Header, samples: bytes) -> Header:
        number = next(numbers)
        answers[number] = asyncio.get_running_loop().create_future()
        line.send(header, samples, number)
        return await answers[number]

    try:
        yield judge
    finally:
        await line.aclose()


@asynccontextmanager
async def nowhere() -> AsyncIterator[Judge]:
    """Do not judge: what is left is the bench's own cost."""

    async def judge(header: Header, samples: bytes) -> Header:
        return {}

    yield judge


@asynccontextmanager
async def in_a_thread(model: EmotionModel) -> AsyncIterator[Judge]:
    """Judge in a thread of this process, one per call."""
    work, loop = EmotionWork(model), asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as thread:

        async def judge(header: Header, samples: bytes) -> Header:
            return (await loop.run_in_executor(thread, work.answer, header, samples))[0]

        yield judge


async def measure(
    way: Callable[[], Any], calls: int, seconds: float, aside: psutil.Process | None
) -> Figures:
    """Have ``calls`` callers speak for ``seconds`` each."""
    figures, mine = Figures(), psutil.Process()
    async with AsyncExitStack() as open_calls:
        judges = [await open_calls.enter_async_context(way()) for _ in range(calls)]
        for judge in judges:  # attached, and warm
            await judge({"turn": 0, "rate_hz": RATE_HZ, "speaking": True, "ended": True}, bytes(2 * PIECE))
        ticks = asyncio.create_task(_tick(figures.late_ms), name="ticks")
        before = _cpu_s(mine), _cpu_s(aside)
        await asyncio.gather(
            *(
                _call(judge, _recording(index), seconds, index * BATCH_MS / 1000 / calls, figures.ready_ms)
                for index, judge in enumerate(judges)
            )
        )
        figures.calls_cpu = (_cpu_s(mine) - before[0]) / seconds / calls
        figures.aside_cpu = (_cpu_s(aside) - before[1]) / seconds / calls
        ticks.cancel()
    return figures


async def _call(
    judge: Judge, samples: Samples, seconds: float, offset_s: float, ready_ms: list[float]
) -> None:
    """Say a recording over and over, a turn each time, in pieces as they would come from the line."""
    loop, waiting = asyncio.get_running_loop(), set[asyncio.Future[Header]]()
    began_s = due_s = loop.time() + offset_s
    turn = 0
    while due_s - began_s < seconds:
        turn += 1
        for at in range(0, len(samples), PIECE):
            piece = samples[at : at + PIECE]
            ended = at + PIECE >= len(samples)
            due_s += len(piece) / RATE_HZ
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            header = {"turn": turn, "rate_hz": RATE_HZ, "speaking": True, "ended": ended}
            sent_s = loop.time()
            answer = asyncio.ensure_future(judge(header, piece.tobytes()))
            waiting.add(answer)
            answer.add_done_callback(waiting.discard)
            if ended:
                await answer
                ready_ms.append((loop.time() - sent_s) * 1000)
    await asyncio.gather(*waiting)


async def _tick(late_ms: list[float]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due_s = loop.time() + TICK_S
        await asyncio.sleep(TICK_S)
        late_ms.append((loop.time() - due_s) * 1000)


def _recording(index: int) -> Samples:
    return load_pcm(HERE / f"{RECORDINGS[index % len(RECORDINGS)]}.flac", sample_rate_hz=RATE_HZ)


def _cpu_s(process: psutil.Process | None) -> float:
    if process is None:
        return 0.0
    times = process.cpu_times()
    return float(times.user + times.system)


def _mb(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 1e6


def main(arguments: Sequence[str] = ()) -> int:
    """Print the figures; returns 1 when a reading comes too late.

    Args:
        arguments: how many calls (4), and for how many seconds (30).
    """
    calls, seconds = (*(int(argument) for argument in arguments), *(4, 30)[len(arguments) :])
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    print(f"{calls} call(s) of {seconds} s, {os.cpu_count()} cores, load before {load}")
    began_s = time.perf_counter()
    with closing(AsideProcess.start(Emotion(SHIPPED))) as aside:
        aside.wait_until_ready()
        started_s = time.perf_counter() - began_s
        process = psutil.Process(aside.pid)
        apart = asyncio.run(measure(partial(beside, aside), calls, seconds, process))
        apart_mb = _mb(process)
    before_mb, began_s = _mb(psutil.Process()), time.perf_counter()
    model = EmotionModel.load()
    loaded_s = time.perf_counter() - began_s
    threads = asyncio.run(measure(partial(in_a_thread, model), calls, seconds, None))
    own = asyncio.run(measure(nowhere, calls, min(seconds, 20), None))
    print("\n".join([*apart.lines("process", own), *threads.lines("thread ", own)]))
    print(f"process: {apart_mb:.0f} MB of its own; ready {started_s:.1f} s after it was started")
    print(f"thread : {_mb(psutil.Process()) - before_mb:.0f} MB more; loaded in {loaded_s:.1f} s")
    p99_ms = float(np.percentile(apart.ready_ms, 99, method="inverted_cdf"))
    print(f"P99 is {'within' if p99_ms <= READY_MS else 'OVER'} the limit of {READY_MS:g} ms")
    return 0 if p99_ms <= READY_MS else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
