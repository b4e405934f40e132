"""The in-process line: pace, ears, cuts, pauses and the recording."""

import asyncio

import numpy as np
import pytest
from livekit import rtc
from livekit.agents.voice import io

from service.line import FRAME_SAMPLES, Line, LineClosedError
from service.ports import LinePort
from tests import virtual_time

pytestmark = pytest.mark.unit

PER_MS = 24


def tone(ms: float, level: int = 4000) -> np.ndarray:
    return np.full(int(ms * PER_MS), level, np.int16)


def frame(samples: np.ndarray) -> rtc.AudioFrame:
    return rtc.AudioFrame(samples.astype(np.int16).tobytes(), 24_000, 1, len(samples))


async def read(line: Line) -> list[np.ndarray]:
    return [np.frombuffer(one.data, np.int16) async for one in line.input]


async def speak(line: Line, *parts: np.ndarray) -> None:
    for part in parts:
        await line.output.capture_frame(frame(part))
    line.output.flush()


def test_the_caller_is_heard_at_real_time_pace_and_in_full() -> None:
    async def call() -> None:
        line = Line(virtual_time.call_clock())
        reader = asyncio.create_task(read(line))
        await asyncio.sleep(0.5)
        said = await line.say(tone(333))
        assert said.start_ms == pytest.approx(500, abs=0.1)
        assert line.clock.now_ms() == pytest.approx(833, abs=0.1)
        await asyncio.sleep(0.167)
        line.hang_up()
        heard = await reader
        assert [len(one) for one in heard] == [FRAME_SAMPLES] * 50
        caller, _ = line.recording()
        assert np.array_equal(np.concatenate(heard), caller[: 50 * FRAME_SAMPLES])
        assert np.count_nonzero(caller) == 333 * PER_MS

    virtual_time.run(call())


def test_a_session_that_attaches_late_gets_all_that_was_said() -> None:
    async def call() -> None:
        line = Line(virtual_time.call_clock())
        await line.say(tone(100))
        await asyncio.sleep(1)
        first = await anext(line.input)
        assert np.frombuffer(first.data, np.int16).all()
        assert line.clock.now_ms() == pytest.approx(1100, abs=0.1)

    virtual_time.run(call())


def test_agent_audio_is_heard_from_the_sample_at_which_it_arrives() -> None:
    async def call() -> None:
        line = Line(virtual_time.call_clock())
        started: list[io.PlaybackStartedEvent] = []
        line.output.on("playback_started", started.append)
        await asyncio.sleep(0.1234)
        await speak(line, tone(200), tone(100))
        assert line.agent_speaking
        done = await line.output.wait_for_playout()
        assert (done.playback_position, done.interrupted) == (pytest.approx(0.3), False)
        assert line.clock.now_ms() == pytest.approx(423.4, abs=0.1)
        assert not line.agent_speaking
        assert len(started) == 1
        assert line.clock.from_wall(started[0].created_at) == pytest.approx(123.4, abs=0.1)
        _, agent = line.recording()
        sounding = np.flatnonzero(agent)
        assert sounding[0] == pytest.approx(123.4 * PER_MS, abs=1)
        assert len(sounding) == 300 * PER_MS

    virtual_time.run(call())


def test_clearing_the_buffer_cuts_what_is_heard_at_that_sample() -> None:
    async def call() -> None:
        line = Line(virtual_time.call_clock())
        await speak(line, tone(1000))
        await asyncio.sleep(0.25)
        line.output.clear_buffer()
        done = await line.output.wait_for_playout()
        assert (done.playback_position, done.interrupted) == (pytest.approx(0.25, abs=0.001), True)
        await asyncio.sleep(1)
        _, agent = line.recording()
        assert np.count_nonzero(agent) == pytest.approx(250 * PER_MS, abs=1)

    virtual_time.run(call())


def test_audio_of_a_cleared_reply_that_comes_late_is_not_heard_and_the_next_reply_is() -> None:
    async def call() -> None:
        line = Line(virtual_time.call_clock())
        finished: list[io.PlaybackFinishedEvent] = []
        line.output.on("playback_finished", finished.append)
        await line.output.capture_frame(frame(tone(500)))
        await asyncio.sleep(0.1)
        line.output.clear_buffer()
        await line.output.capture_frame(frame(tone(500)))
        line.output.flush()
        await asyncio.sleep(0.1)
        await speak(line, tone(50, level=900))
        await line.output.wait_for_playout()
        assert [one.interrupted for one in finished] == [True, False]
        _, agent = line.recording()
        assert np.count_nonzero(agent == 4000) == 100 * PER_MS
        assert np.count_nonzero(agent == 900) == 50 * PER_MS

    virtual_time.run(call())


def test_a_second_reply_waits_for_the_first_to_be_heard() -> None:
    async def call() -> None:
        line = Line(virtual_time.call_clock())
        await speak(line, tone(300))
        await speak(line, tone(100, level=900))
        assert line.clock.now_ms() == pytest.approx(300, abs=0.1)
        await line.output.wait_for_playout()
        assert line.clock.now_ms() == pytest.approx(400, abs=0.1)

    virtual_time.run(call())


def test_a_pause_is_silence_and_nothing_is_lost() -> None:
    async def call() -> None:
        line = Line(virtual_time.call_clock())
        assert line.output.can_pause
        await speak(line, tone(400))
        await asyncio.sleep(0.1)
        line.output.pause()
        assert not line.agent_speaking
        await asyncio.sleep(0.5)
        line.output.resume()
        done = await line.output.wait_for_playout()
        assert (done.playback_position, done.interrupted) == (pytest.approx(0.4), False)
        assert line.clock.now_ms() == pytest.approx(900, abs=0.1)
        _, agent = line.recording()
        assert not agent[101 * PER_MS : 599 * PER_MS].any()
        assert np.count_nonzero(agent) == 400 * PER_MS

    virtual_time.run(call())


def test_a_paused_reply_that_is_cleared_was_heard_until_the_pause() -> None:
    async def call() -> None:
        line = Line(virtual_time.call_clock())
        await speak(line, tone(400))
        await asyncio.sleep(0.1)
        line.output.pause()
        await asyncio.sleep(0.1)
        line.output.clear_buffer()
        line.output.resume()
        done = await line.output.wait_for_playout()
        assert (done.playback_position, done.interrupted) == (pytest.approx(0.1, abs=0.001), True)
        await asyncio.sleep(1)
        assert np.count_nonzero(line.recording()[1]) == pytest.approx(100 * PER_MS, abs=1)

    virtual_time.run(call())


def test_the_caller_hears_the_start_and_the_end_of_the_agent() -> None:
    async def call() -> None:
        line = Line(virtual_time.call_clock())
        hearing = asyncio.create_task(line.agent_started())
        await asyncio.sleep(0.2)
        await speak(line, np.zeros(50 * PER_MS, np.int16), tone(300))
        assert await hearing == pytest.approx(250, abs=0.1)
        assert line.clock.now_ms() == pytest.approx(250, abs=0.1)
        assert await line.agent_finished(quiet_ms=400) == pytest.approx(550, abs=0.1)
        assert line.clock.now_ms() == pytest.approx(950, abs=0.2)

    virtual_time.run(call())


def test_a_short_pause_between_sentences_does_not_end_the_agents_turn() -> None:
    async def call() -> None:
        line = Line(virtual_time.call_clock())
        await speak(line, tone(100))
        finished = asyncio.create_task(line.agent_finished(quiet_ms=500))
        await asyncio.sleep(0.4)
        await speak(line, tone(100))
        assert await finished == pytest.approx(500, abs=0.1)

    virtual_time.run(call())


def test_hanging_up_ends_the_input_and_what_is_heard_and_wakes_who_waits() -> None:
    async def call() -> None:
        line = Line(virtual_time.call_clock())
        reader = asyncio.create_task(read(line))
        waiting = asyncio.create_task(line.agent_started(since_ms=10_000))
        saying = asyncio.create_task(line.say(tone(5000)))
        await speak(line, tone(1000))
        await asyncio.sleep(0.3)
        line.hang_up()
        line.hang_up()
        await line.hung_up()
        assert len(await reader) == 15
        for waiter in (waiting, saying):
            with pytest.raises(LineClosedError):
                await waiter
        with pytest.raises(LineClosedError):
            await line.say(tone(1))
        await asyncio.sleep(1)
        caller, agent = line.recording()
        assert len(caller) == len(agent) == 300 * PER_MS

    virtual_time.run(call())


@pytest.mark.parametrize("heard_ms", [0, 300])
def test_a_reply_that_was_hung_up_on_ends_when_the_session_lets_it_go_never_as_if_heard_in_full(
    heard_ms: int,
) -> None:
    async def call() -> None:
        line = Line(virtual_time.call_clock())
        ended = list[io.PlaybackFinishedEvent]()
        line.output.on("playback_finished", ended.append)
        if heard_ms:
            await speak(line, tone(500))
            await asyncio.sleep(heard_ms / 1000)
            line.hang_up()
        else:
            line.hang_up()
            await speak(line, tone(500))
        await asyncio.sleep(5)
        assert ended == []
        line.output.clear_buffer()
        [done] = ended
        assert done.interrupted
        assert done.playback_position == pytest.approx(heard_ms / 1000, abs=0.001)

    virtual_time.run(call())


def test_a_caller_who_is_cut_off_has_said_only_what_was_sent() -> None:
    async def call() -> None:
        line = Line(virtual_time.call_clock())
        saying = asyncio.create_task(line.say(tone(1000)))
        await asyncio.sleep(0.2)
        saying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await saying
        await asyncio.sleep(2)
        assert np.count_nonzero(line.recording()[0]) == pytest.approx(200 * PER_MS, abs=1)

    virtual_time.run(call())


def test_audio_at_another_rate_is_refused_by_name() -> None:
    async def call() -> None:
        line = Line(virtual_time.call_clock())
        with pytest.raises(ValueError, match="24000 Hz, not 16000 Hz"):
            await line.output.capture_frame(rtc.AudioFrame(bytes(640), 16_000, 1, 320))

    virtual_time.run(call())


def test_a_service_that_ends_the_call_lets_the_caller_go_at_once() -> None:
    async def call() -> None:
        line = Line(virtual_time.call_clock())
        LinePort(line).hang_up()
        assert line.closed
        with pytest.raises(LineClosedError):
            await line.say(tone(100))

    virtual_time.run(call())
