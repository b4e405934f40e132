"""The ear beside the call: the caller's frames go to the emotion model, and its failure is not the call's."""

import asyncio
import threading
from typing import Any

import numpy as np
import pytest
from livekit import rtc
from livekit.agents.voice import io

from classifiers.emotion import EmotionReading
from compliance.clock import CallClock
from compliance.tap import RATE_HZ, CallerTap
from service import emotion_ear
from service.emotion_ear import UNKNOWN, EmotionEar

pytestmark = pytest.mark.unit

MS_PER_BATCH = int(emotion_ear.BATCH_MS)


class Stream:
    """Stands in for the emotion stream: says how much it has heard of the turn, in ms, as ``windows``."""

    def __init__(self, model: Any) -> None:
        self.pushed: list[tuple[int, bool]] = []
        self.resets = 0
        self.threads: set[int] = set()
        self.breaks = model == "broken"

    def push(self, samples: np.ndarray, rate_hz: int, *, speaking: bool) -> None:
        assert rate_hz == RATE_HZ
        if self.breaks:
            raise RuntimeError("broken")
        self.threads.add(threading.get_ident())
        self.pushed.append((len(samples) * 1000 // rate_hz, speaking))

    def turn_result(self) -> EmotionReading:
        return EmotionReading("calm", 0.9, 0.1, sum(ms for ms, _ in self.pushed))

    def reset_turn(self) -> None:
        self.resets += 1
        self.pushed.clear()


class Line(io.AudioInput):
    def __init__(self) -> None:
        super().__init__(label="test")

    async def __anext__(self) -> rtc.AudioFrame:
        return rtc.AudioFrame(bytes(960), RATE_HZ, 1, 480)


class Listening:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, model: str = "works") -> None:
        made: list[Stream] = []

        def stream(model: Any) -> Stream:
            made.append(Stream(model))
            return made[0]

        monkeypatch.setattr(emotion_ear, "EmotionStream", stream)
        self.now_s = 1.0
        self.tap = CallerTap(Line(), CallClock(monotonic=lambda: self.now_s, wall=lambda: self.now_s))
        self.failures: list[BaseException] = []
        self.readings: list[EmotionReading] = []
        loaded: Any = model
        self.ear = EmotionEar(loaded, self.tap, heard=self._heard, failed=self.failures.append)
        self.stream = made[0]

    def _heard(self) -> None:
        self.readings.append(self.ear.reading())

    async def hears(self, ms: int) -> None:
        for _ in range(ms // 20):
            self.now_s += 0.020
            await anext(self.tap)

    async def until(self, what: Any) -> None:
        async with asyncio.timeout(5):
            while not what():  # noqa: ASYNC110 -- the worker thread has no event of ours
                await asyncio.sleep(0.001)


async def test_a_turn_is_read_in_batches_off_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    on = Listening(monkeypatch)
    assert on.ear.reading() == UNKNOWN
    on.ear.speech(True)
    await on.hears(MS_PER_BATCH + 20)
    await on.until(lambda: on.ear.reading() != UNKNOWN)
    [(heard_ms, speaking)] = on.stream.pushed
    assert heard_ms == pytest.approx(MS_PER_BATCH, abs=20)
    assert speaking
    assert on.readings == [on.ear.reading()]
    assert threading.get_ident() not in on.stream.threads
    await on.ear.aclose()


async def test_the_next_turn_starts_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    on = Listening(monkeypatch)
    await on.hears(MS_PER_BATCH + 20)
    await on.until(lambda: on.ear.reading() != UNKNOWN)
    on.ear.turn_ended()
    assert on.ear.reading() == UNKNOWN
    await on.hears(MS_PER_BATCH + 20)
    await on.until(lambda: on.ear.reading() != UNKNOWN)
    assert on.stream.resets == 1
    assert on.ear.reading().windows == pytest.approx(MS_PER_BATCH, abs=20)
    await on.ear.aclose()


async def test_a_failure_of_the_model_is_told_once_and_leaves_the_call_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on = Listening(monkeypatch, model="broken")
    await on.hears(4 * MS_PER_BATCH)
    await on.until(lambda: on.failures)
    await on.hears(4 * MS_PER_BATCH)
    assert [type(error) for error in on.failures] == [RuntimeError]
    assert on.ear.reading() == UNKNOWN
    await on.ear.aclose()


async def test_closing_lets_go_of_the_tap(monkeypatch: pytest.MonkeyPatch) -> None:
    on = Listening(monkeypatch)
    await on.ear.aclose()
    await on.hears(2 * MS_PER_BATCH)
    assert on.stream.pushed == []
    assert on.failures == []
