"""The ear beside the call: a turn's audio goes out in pieces, readings come back, and the call never waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from livekit import rtc
from livekit.agents.voice import io

from classifiers.emotion import EmotionReading
from compliance.clock import CallClock
from compliance.tap import RATE_HZ, CallerTap
from service.aside import Aside, AsideGoneError, AsideHungError, WorkFailedError, channel
from service.aside.channel import PENDING, WINDOW
from service.emotion_ear import BATCH_MS, STALE_MS, UNKNOWN, ClosedEar, EarCounts, EmotionEar
from tests.unit.service.aside.beside import PATIENCE_S, Slow, Told, serving, slow

pytestmark = pytest.mark.unit

FRAME_MS = 20
FRAMES_PER_PIECE = round(BATCH_MS / FRAME_MS)


class Voice:
    """Stands in for the emotion work: says how many samples it has heard of the turn, in ms, as ``windows``."""

    def __init__(self) -> None:
        self.turn = 0
        self.heard_ms = 0.0
        self.pieces: list[tuple[int, float, bool, bool]] = []

    def answer(self, header: Mapping[str, Any], payload: bytes) -> tuple[Mapping[str, Any], bytes]:
        ms = len(payload) / 2 / header["rate_hz"] * 1000
        self.pieces.append((header["turn"], ms, header["speaking"], header["ended"]))
        if header["turn"] != self.turn:
            self.turn, self.heard_ms = header["turn"], 0.0
        self.heard_ms += ms
        reading = EmotionReading("calm", 0.9, 0.1, round(self.heard_ms), 1, 2.5)
        return {"reading": asdict(reading)}, b""


class BrokenVoice:
    def answer(self, header: Mapping[str, Any], payload: bytes) -> tuple[Mapping[str, Any], bytes]:
        raise RuntimeError("broken")


class Line(io.AudioInput):
    def __init__(self) -> None:
        super().__init__(label="test")
        self.sent = 0

    async def __anext__(self) -> rtc.AudioFrame:
        self.sent += 1
        return rtc.AudioFrame(bytes(960), RATE_HZ, 1, 480)


class Listening:
    """An ear on a line whose clock goes by the frames."""

    def __init__(self, address: Path) -> None:
        self.now_s = 1.0
        self.line = Line()
        self.tap = CallerTap(self.line, CallClock(monotonic=lambda: self.now_s, wall=lambda: self.now_s))
        self.failures: list[BaseException] = []
        self.readings: list[EmotionReading] = []
        self.ear = EmotionEar(Aside(address), self.tap, heard=self._heard, failed=self.failures.append)

    def _heard(self) -> None:
        self.readings.append(self.ear.reading())

    async def hears(self, ms: float) -> None:
        """As much of the line as a session would read; nothing else runs meanwhile."""
        for _ in range(round(ms / FRAME_MS)):
            self.now_s += FRAME_MS / 1000
            await anext(self.tap)

    async def until(self, what: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not what():  # noqa: ASYNC110 -- counts have no event of ours
                await asyncio.sleep(0.001)

    async def knows(self, reading: Callable[[EmotionReading], bool]) -> EmotionReading:
        await self.until(lambda: reading(self.ear.reading()))
        return self.ear.reading()


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[Listening, list[Voice]]]:
    """An ear, and the work that was made for it."""
    made: list[Voice] = []

    def voice() -> Voice:
        made.append(Voice())
        return made[-1]

    async with serving(emotion=voice) as address:
        on = Listening(address)
        yield on, made
        await on.ear.aclose()


@asynccontextmanager
async def listening_slowly() -> AsyncIterator[tuple[Listening, Slow]]:
    """An ear that is answered when the test says so."""
    async with slow(Told()) as (address, process):
        on = Listening(address)
        yield on, process
        await on.ear.aclose()


# -- readings ------------------------------------------------------------------------------------------------
async def test_a_turn_is_read_in_pieces() -> None:
    async with listening() as (on, voices):
        assert on.ear.reading() == UNKNOWN
        on.ear.speech(True)
        await on.hears(2 * BATCH_MS)
        reading = await on.knows(lambda reading: reading.windows == 2 * BATCH_MS)
        assert reading == EmotionReading("calm", 0.9, 0.1, round(2 * BATCH_MS), 1, 2.5)
        assert on.readings[-1] == reading
        assert voices[0].pieces == [(0, BATCH_MS, True, False)] * 2
        assert on.ear.counts == EarCounts()


async def test_the_end_of_speech_is_judged_at_once_and_not_when_the_piece_is_full() -> None:
    async with listening() as (on, voices):
        on.ear.speech(True)
        await on.hears(BATCH_MS + 60)
        on.ear.speech(False)
        await on.knows(lambda reading: reading.windows == BATCH_MS + 60)
        assert voices[0].pieces[-1] == (0, 60, True, True)


async def test_a_caller_who_stops_between_two_pieces_is_judged_as_well() -> None:
    async with listening() as (on, voices):
        on.ear.speech(True)
        await on.hears(BATCH_MS)
        on.ear.speech(False)
        await on.hears(BATCH_MS)
        await on.knows(lambda reading: reading.windows == 2 * BATCH_MS)
        assert voices[0].pieces[1:] == [(0, 0, True, True), (0, BATCH_MS, False, False)]


async def test_the_next_turn_starts_from_nothing() -> None:
    async with listening() as (on, _):
        await on.hears(BATCH_MS)
        await on.knows(lambda reading: reading != UNKNOWN)
        on.ear.turn_ended()
        assert on.ear.reading() == UNKNOWN
        await on.hears(BATCH_MS)
        await on.knows(lambda reading: reading.windows == BATCH_MS)


# -- late and behind --------------------------------------------------------------------------------------------
async def test_a_score_that_comes_after_its_turn_is_dropped_and_counted() -> None:
    async with listening_slowly() as (on, process):
        await on.hears(BATCH_MS)
        await on.until(lambda: len(process.messages) == 1)
        on.ear.turn_ended()
        process.answer()
        await on.until(lambda: on.ear.counts.late == 1)
        assert on.ear.reading() == UNKNOWN
        assert on.readings == []


async def test_a_reading_that_is_behind_is_unknown_and_its_turn_is_counted_once() -> None:
    async with listening() as (on, _):
        await on.hears(BATCH_MS)
        known = await on.knows(lambda reading: reading != UNKNOWN)
        await on.hears(STALE_MS - FRAME_MS)  # nothing is judged before this test waits for something
        assert on.ear.reading() == known
        await on.hears(2 * FRAME_MS)
        assert on.ear.reading() == UNKNOWN
        assert on.ear.reading() == UNKNOWN
        assert on.ear.counts == EarCounts(stale=1)
        await on.knows(lambda reading: reading.windows > BATCH_MS)
        assert on.ear.counts == EarCounts(stale=1)


async def test_what_a_slow_process_cannot_take_is_dropped_oldest_first_and_the_line_never_waits() -> None:
    async with listening_slowly() as (on, process):
        pieces = WINDOW + PENDING + 100
        await on.hears(pieces * BATCH_MS)
        assert on.line.sent == on.tap.frames == pieces * FRAMES_PER_PIECE
        await on.until(lambda: len(process.messages) == WINDOW)
        dropped = on.ear.counts.dropped_frames
        assert (pieces - WINDOW - PENDING) * FRAMES_PER_PIECE <= dropped
        assert dropped <= (pieces - PENDING) * FRAMES_PER_PIECE
        assert on.ear.reading() == UNKNOWN


async def test_what_waits_when_its_turn_is_over_is_dropped() -> None:
    async with listening_slowly() as (on, process):
        await on.hears((WINDOW + 2) * BATCH_MS)
        await on.until(lambda: len(process.messages) == WINDOW)
        on.ear.turn_ended()
        assert on.ear.counts.dropped_frames == 2 * FRAMES_PER_PIECE
        await on.hears(BATCH_MS)
        process.answer(WINDOW)
        await on.until(lambda: on.ear.counts.late == WINDOW)
        await on.until(lambda: len(process.messages) == WINDOW + 1)
        assert process.messages[-1].header["turn"] == 1


# -- failures -------------------------------------------------------------------------------------------------
async def test_when_the_process_is_lost_the_reading_is_unknown_and_the_failure_told_once() -> None:
    async with listening_slowly() as (on, process):
        for lost in (1, 2):
            await on.hears(BATCH_MS)
            await on.until(lambda wanted=lost: len(process.messages) == wanted)  # type: ignore[misc]
            process.go()
            await on.until(lambda wanted=lost: on.ear.counts.restarts == wanted)  # type: ignore[misc]
            assert on.ear.reading() == UNKNOWN
        assert [type(error) for error in on.failures] == [AsideGoneError]
        assert on.ear.counts.dropped_frames == 2 * FRAMES_PER_PIECE


async def test_a_process_that_hangs_is_a_failure_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening_slowly() as (on, process):
        await on.hears(BATCH_MS)
        await on.until(lambda: len(process.messages) == 1)
        monkeypatch.setattr(channel, "HUNG_S", -1.0)
        await on.hears(3 * BATCH_MS)
        assert [type(error) for error in on.failures] == [AsideHungError]
        assert on.ear.reading() == UNKNOWN


async def test_a_failure_of_the_model_is_told_once_and_leaves_the_call_alone() -> None:
    async with serving(emotion=BrokenVoice) as address:
        on = Listening(address)
        await on.hears(4 * BATCH_MS)
        await on.until(lambda: bool(on.failures))
        await on.hears(4 * BATCH_MS)
        await asyncio.sleep(0)
        assert [(type(error), str(error)) for error in on.failures] == [(WorkFailedError, "RuntimeError")]
        assert on.ear.reading() == UNKNOWN
        assert on.tap.frames == 8 * FRAMES_PER_PIECE
        await on.ear.aclose()


async def test_a_call_without_a_process_beside_it_is_told_so(tmp_path: Path) -> None:
    on = Listening(tmp_path / "nobody")
    await on.until(lambda: bool(on.failures))
    await on.hears(4 * BATCH_MS)
    assert [type(error) for error in on.failures] == [AsideGoneError]
    assert on.ear.reading() == UNKNOWN
    await on.ear.aclose()


# -- letting go -----------------------------------------------------------------------------------------------
async def test_a_caller_who_objects_is_not_listened_to_any_more_and_forgotten() -> None:
    async with listening_slowly() as (on, process):
        await on.hears(BATCH_MS)
        await on.until(lambda: len(process.messages) == 1)
        on.ear.forget()
        await on.until(lambda: process.attached[-1].is_closing())
        await on.hears(10 * BATCH_MS)
        assert on.ear.reading() == UNKNOWN
        assert on.ear.counts == EarCounts()
        assert len(process.messages) == 1
        on.ear.forget()
    assert on.failures == []


async def test_closing_lets_go_of_the_tap() -> None:
    async with listening() as (on, voices):
        await on.ear.aclose()
        await on.hears(2 * BATCH_MS)
        assert on.tap.sinks == []
        assert voices == []
        assert on.failures == []


def test_where_there_is_no_consent_nothing_is_heard() -> None:
    ear = ClosedEar()
    ear.speech(True)
    ear.turn_ended()
    ear.forget()
    assert ear.reading() == UNKNOWN
    assert ear.counts == EarCounts()
