"""The tap: every frame of the caller copied and timed, and what of the agent the caller heard."""

import asyncio
import logging
from collections.abc import Iterable

import numpy as np
import pytest
from livekit import rtc
from livekit.agents.voice import io

from compliance.clock import CallClock
from compliance.tap import NO_ANSWER, AgentTap, CallerTap, Playout
from compliance.voiced import VoiceGate, first_sound, last_sound
from service.line import Line
from tests import virtual_time

pytestmark = pytest.mark.unit

PER_MS = 24


def audio(samples: np.ndarray, rate_hz: int = 24_000, channels: int = 1) -> rtc.AudioFrame:
    return rtc.AudioFrame(samples.astype(np.int16).tobytes(), rate_hz, channels, len(samples) // channels)


SILENCE = np.zeros(480, np.int16)
SPEECH = np.full(480, 3000, np.int16)


class Source(io.AudioInput):
    """Hands out frames at given moments of the call, in milliseconds."""

    def __init__(self, clock: CallClock, frames: Iterable[tuple[float, rtc.AudioFrame]]) -> None:
        super().__init__(label="test")
        self._clock = clock
        self._frames = iter(frames)

    async def __anext__(self) -> rtc.AudioFrame:
        for at_ms, frame in self._frames:
            await asyncio.sleep(max(0.0, (at_ms - self._clock.now_ms()) / 1000))
            return frame
        raise StopAsyncIteration


def paced(*blocks: np.ndarray) -> list[tuple[float, rtc.AudioFrame]]:
    return [((index + 1) * 20.0, audio(block)) for index, block in enumerate(blocks)]


async def drained(tap: CallerTap) -> list[rtc.AudioFrame]:
    return [frame async for frame in tap]


def test_frames_pass_as_they_are_and_are_stamped_with_their_first_sample() -> None:
    async def call() -> None:
        clock = virtual_time.call_clock()
        frames = paced(*[SILENCE] * 5)
        tap = CallerTap(Source(clock, frames), clock)
        seen: list[tuple[float, rtc.AudioFrame]] = []
        tap.sinks.append(lambda at_ms, frame: seen.append((at_ms, frame)))
        passed = await drained(tap)
        assert all(one is sent for one, (_, sent) in zip(passed, frames, strict=True))
        assert [at_ms for at_ms, _ in seen] == pytest.approx([0, 20, 40, 60, 80], abs=0.01)
        assert tap.since(39.9) == [frame for _, frame in frames[2:]]
        assert tap.start_of(passed[3]) == pytest.approx(60)
        assert tap.start_of(audio(SILENCE)) is None
        assert tap.heard_until_ms == pytest.approx(100)

    virtual_time.run(call())


def test_the_ring_forgets_what_is_older_than_it_keeps() -> None:
    async def call() -> None:
        clock = virtual_time.call_clock()
        frames = paced(*[SPEECH] * 100)
        tap = CallerTap(Source(clock, frames), clock, keep_ms=1000)
        await drained(tap)
        assert len(tap.since(0)) == 50
        assert tap.start_of(frames[0][1]) is None
        assert tap.voiced_ms_since(0) == pytest.approx(1000)

    virtual_time.run(call())


def test_the_last_voiced_sample_is_found_within_its_frame() -> None:
    async def call() -> None:
        clock = virtual_time.call_clock()
        tail = SPEECH.copy()
        tail[121:] = 0
        tap = CallerTap(Source(clock, paced(*[SILENCE] * 20, *[SPEECH] * 10, tail, *[SILENCE] * 20)), clock)
        await drained(tap)
        assert tap.last_voiced_ms == pytest.approx(600 + 121 / PER_MS, abs=0.01)
        assert tap.first_voiced_since(0) == pytest.approx(400, abs=0.01)
        assert tap.first_voiced_since(700) is None

    virtual_time.run(call())


def test_steady_noise_on_the_line_is_not_voice_but_speech_above_it_is() -> None:
    gate = VoiceGate()
    noise = np.random.default_rng(3).normal(0, 300, (400, 480)).astype(np.int16)
    heard = [gate.last_voiced(block, 20) is not None for block in noise]
    assert not any(heard[160:])
    assert gate.last_voiced((noise[0] + 5 * SPEECH // 3).astype(np.int16), 20) is not None


def test_full_scale_negative_samples_are_sound() -> None:
    samples = np.array([0, 0, -32768, 0], np.int16)
    assert (first_sound(samples), last_sound(samples)) == (2, 2)
    assert first_sound(np.zeros(4, np.int16)) is None


def test_a_busy_loop_delays_frames_but_not_their_times() -> None:
    async def call() -> None:
        clock = virtual_time.call_clock()
        frames = paced(*[SILENCE] * 50)
        late = [(max(at_ms, 620.0) if at_ms > 500 else at_ms, frame) for at_ms, frame in frames]
        tap = CallerTap(Source(clock, late), clock)
        times: list[float] = []
        tap.sinks.append(lambda at_ms, _: times.append(at_ms))
        await drained(tap)
        assert np.abs(np.array(times) - np.arange(50) * 20).max() < 3
        assert times[-1] == pytest.approx(980, abs=0.01)

    virtual_time.run(call())


def test_the_last_voiced_sample_is_dated_back_when_frames_had_queued_up() -> None:
    async def call() -> None:
        clock = virtual_time.call_clock()
        frames = paced(*[SPEECH] * 60, *[SILENCE] * 40)
        late = [(max(at_ms, 1500.0) if at_ms > 1000 else at_ms, frame) for at_ms, frame in frames]
        tap = CallerTap(Source(clock, late), clock)
        await drained(tap)
        assert tap.last_voiced_ms == pytest.approx(1200, abs=1)

    virtual_time.run(call())


def test_a_line_that_sends_nothing_for_a_while_leaves_a_gap_in_time() -> None:
    async def call() -> None:
        clock = virtual_time.call_clock()
        tap = CallerTap(Source(clock, [(20, audio(SILENCE)), (3020, audio(SPEECH))]), clock)
        await drained(tap)
        assert tap.last_voiced_ms == pytest.approx(3020)
        assert len(tap.since(1000)) == 1

    virtual_time.run(call())


def test_stereo_and_foreign_rates_become_24_khz_mono() -> None:
    async def call() -> None:
        clock = virtual_time.call_clock()
        stereo = audio(np.repeat(SPEECH, 2), channels=2)
        slow = [(20.0 * n, audio(np.full(160, 2000), rate_hz=8000)) for n in range(1, 51)]
        tap = CallerTap(Source(clock, [(0, stereo), *slow]), clock)
        passed = await drained(tap)
        assert {(one.sample_rate, one.num_channels) for one in passed} == {(24_000, 1)}
        assert sum(one.samples_per_channel for one in passed) == pytest.approx(51 * 480, rel=0.05)
        assert tap.repaired == 51

    virtual_time.run(call())


def test_frames_without_audio_are_left_out_and_the_call_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async def call() -> None:
        clock = virtual_time.call_clock()
        empty = rtc.AudioFrame(b"", 24_000, 1, 0)
        broken = rtc.AudioFrame(bytes(20), 0, 1, 10)
        tap = CallerTap(Source(clock, [(20, empty), (40, broken), (60, audio(SPEECH)), (80, empty)]), clock)
        assert len(await drained(tap)) == 1
        assert tap.refused == 3

    with caplog.at_level(logging.WARNING):
        virtual_time.run(call())
    assert caplog.text.count("unusable") == 1


def test_a_sink_that_fails_is_reported_once_and_keeps_nobody_from_hearing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def call() -> int:
        clock = virtual_time.call_clock()
        tap = CallerTap(Source(clock, paced(*[SPEECH] * 10)), clock)
        heard: list[float] = []

        def broken(at_ms: float, frame: rtc.AudioFrame) -> None:
            raise ZeroDivisionError

        tap.sinks += [broken, lambda at_ms, _: heard.append(at_ms)]
        assert len(await drained(tap)) == 10
        return len(heard)

    assert virtual_time.run(call()) == 10
    assert caplog.text.count("a sink of the caller's audio failed") == 1


def test_a_slow_consumer_loses_the_oldest_frames_and_the_loss_is_counted() -> None:
    async def call() -> None:
        clock = virtual_time.call_clock()
        tap = CallerTap(Source(clock, paced(*[SPEECH] * 10)), clock)
        slow, gone = tap.subscribe(maxsize=4), tap.subscribe()
        tap.unsubscribe(gone)
        await drained(tap)
        assert slow.dropped == 6
        assert (await slow.get()).start_ms == pytest.approx(120)

    virtual_time.run(call())


class Reply:
    """A line with an :class:`AgentTap` before it, and what the tap told."""

    def __init__(self) -> None:
        self.line = Line(virtual_time.call_clock())
        self.tap = AgentTap(self.line.output, self.line.clock)
        self.sounds: list[float] = []
        self.answers: list[float] = []
        self.playouts: list[Playout] = []
        self.tap.on_first_sound.append(self.sounds.append)
        self.tap.on_answer.append(self.answers.append)
        self.tap.on_finished.append(self.playouts.append)

    async def capture(self, *blocks: np.ndarray) -> None:
        for block in blocks:
            await self.tap.capture_frame(audio(block))


def test_the_first_sound_of_a_reply_is_told_when_the_caller_hears_it() -> None:
    async def call() -> None:
        reply = Reply()
        await asyncio.sleep(0.1)
        lead = SPEECH.copy()
        lead[:120] = 0
        await reply.capture(SILENCE, SILENCE, lead, SPEECH)
        reply.tap.flush()
        assert reply.sounds == []
        await asyncio.sleep(0.044)
        assert reply.sounds == []
        await asyncio.sleep(0.002)
        assert reply.sounds == [pytest.approx(145, abs=0.1)]
        await reply.tap.wait_for_playout()
        (playout,) = reply.playouts
        assert playout.start_ms == pytest.approx(100, abs=0.1)
        assert playout.end_ms == pytest.approx(180, abs=0.1)
        assert playout.first_sound_ms == pytest.approx(145, abs=0.1)
        assert (playout.captured_ms, playout.heard_ms) == (80, pytest.approx(80))
        assert not playout.interrupted
        assert reply.tap.frames == 4

    virtual_time.run(call())


def no_answer(samples: np.ndarray) -> rtc.AudioFrame:
    frame = audio(samples)
    frame.userdata[NO_ANSWER] = True
    return frame


def test_an_answer_is_told_when_the_caller_hears_it_after_a_word_about_the_delay() -> None:
    async def call() -> None:
        reply = Reply()
        await asyncio.sleep(0.1)
        for frame in (
            no_answer(SILENCE),
            no_answer(SPEECH),
            no_answer(SPEECH),
            audio(SILENCE),
            audio(SPEECH),
        ):
            await reply.tap.capture_frame(frame)
        reply.tap.flush()
        await reply.tap.wait_for_playout()
        assert reply.sounds == [pytest.approx(120, abs=0.1)]
        assert reply.answers == [pytest.approx(180, abs=0.1)]

    virtual_time.run(call())


def test_an_answer_that_comes_when_the_word_about_the_delay_is_over_is_told_when_it_is_heard() -> None:
    async def call() -> None:
        reply = Reply()
        await reply.tap.capture_frame(no_answer(SPEECH))
        await asyncio.sleep(0.5)
        await reply.capture(SILENCE, SPEECH)
        reply.tap.flush()
        await reply.tap.wait_for_playout()
        assert reply.sounds == [pytest.approx(0, abs=0.1)]
        assert reply.answers == [pytest.approx(520, abs=0.1)]

    virtual_time.run(call())


def test_a_word_about_a_delay_is_no_answer_nor_is_an_answer_that_was_cut_before_it() -> None:
    async def call() -> None:
        reply = Reply()
        for frame in (*[no_answer(SPEECH)] * 10, audio(SPEECH)):
            await reply.tap.capture_frame(frame)
        reply.tap.flush()
        await asyncio.sleep(0.1)
        reply.tap.clear_buffer()
        await asyncio.sleep(1)
        assert (reply.sounds, reply.answers) == ([pytest.approx(0, abs=0.1)], [])
        (playout,) = reply.playouts
        assert playout.first_sound_ms == pytest.approx(0, abs=0.1)

    virtual_time.run(call())


def test_a_reply_that_is_cut_while_still_silent_was_never_heard() -> None:
    async def call() -> None:
        reply = Reply()
        await reply.capture(*[SILENCE] * 10, SPEECH)
        reply.tap.flush()
        await asyncio.sleep(0.1)
        reply.tap.clear_buffer()
        await asyncio.sleep(1)
        assert reply.sounds == []
        assert reply.playouts[0].first_sound_ms is None
        assert reply.playouts[0].interrupted
        assert reply.playouts[0].heard_ms == pytest.approx(100, abs=0.1)

    virtual_time.run(call())


def test_audio_that_the_engine_was_late_with_is_heard_late() -> None:
    async def call() -> None:
        reply = Reply()
        await reply.capture(SILENCE)
        await asyncio.sleep(0.3)
        await reply.capture(SPEECH)
        assert reply.sounds == [pytest.approx(300, abs=0.1)]
        assert np.flatnonzero(reply.line._agent.read(0, 24_000))[0] == pytest.approx(300 * PER_MS, abs=1)

    virtual_time.run(call())


def test_each_reply_of_a_call_is_told_on_its_own() -> None:
    async def call() -> None:
        reply = Reply()
        for _ in range(3):
            await reply.capture(SPEECH)
            reply.tap.flush()
        await reply.tap.wait_for_playout()
        assert reply.sounds == pytest.approx([0, 20, 40], abs=0.1)
        assert len(reply.playouts) == 3

    virtual_time.run(call())


def test_late_audio_of_a_cut_reply_is_not_taken_for_the_next() -> None:
    async def call() -> None:
        reply = Reply()
        await reply.capture(SPEECH)
        reply.tap.clear_buffer()
        await reply.capture(SPEECH)
        reply.tap.flush()
        await asyncio.sleep(0.5)
        await reply.capture(SPEECH)
        reply.tap.flush()
        await reply.tap.wait_for_playout()
        assert [playout.start_ms for playout in reply.playouts] == pytest.approx([0, 500], abs=0.1)

    virtual_time.run(call())


class Mute(io.AudioOutput):
    """A sink that reports no start of playback."""

    def __init__(self) -> None:
        super().__init__(label="mute", capabilities=io.AudioOutputCapabilities(pause=False))

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)

    def flush(self) -> None:
        super().flush()

    def clear_buffer(self) -> None: ...


def test_a_sink_that_reports_no_start_is_timed_by_its_end() -> None:
    async def call() -> None:
        sink, clock = Mute(), virtual_time.call_clock()
        tap = AgentTap(sink, clock)
        sounds: list[float] = []
        tap.on_first_sound.append(sounds.append)
        await tap.capture_frame(audio(SILENCE))
        await tap.capture_frame(audio(SPEECH))
        tap.flush()
        await asyncio.sleep(0.5)
        sink.on_playback_finished(playback_position=0.04, interrupted=False)
        assert sounds == [pytest.approx(480)]
        assert not tap.can_pause

    virtual_time.run(call())


def heard_by(playout: Playout) -> np.ndarray:
    """A playout's audio as samples from the beginning of the call, by the times of its frames."""
    found = np.zeros(round(playout.end_ms * PER_MS) + 480, np.int16)
    for start_ms, frame in playout.heard:
        start = round(start_ms * PER_MS)
        found[start : start + frame.samples_per_channel] = np.frombuffer(frame.data, np.int16)
    return found


def test_where_audio_is_kept_a_playout_holds_it_as_the_line_played_it() -> None:
    async def call() -> None:
        reply = Reply()
        reply.tap.keeps_audio = True
        await asyncio.sleep(0.1)
        await reply.capture(*[SPEECH] * 5)
        await asyncio.sleep(0.3)  # the voice is too slow: the caller hears 200 ms of nothing
        await reply.capture(*[SPEECH] * 5)
        reply.tap.flush()
        await reply.tap.wait_for_playout()
        (playout,) = reply.playouts
        _, line = reply.line.recording()
        assert np.array_equal(np.flatnonzero(heard_by(playout)), np.flatnonzero(line))

    virtual_time.run(call())


def test_a_voice_that_stalls_in_mid_reply_was_heard_in_two_stretches() -> None:
    async def call() -> None:
        reply = Reply()
        await asyncio.sleep(0.1)
        await reply.capture(*[SPEECH] * 5)
        await asyncio.sleep(3)
        await reply.capture(*[SPEECH] * 5)
        await asyncio.sleep(0.3)  # a hitch
        await reply.capture(*[SPEECH] * 5)
        await asyncio.sleep(4)  # what would come now is cut
        reply.tap.clear_buffer()
        reply.tap.flush()
        await reply.tap.wait_for_playout()
        (playout,) = reply.playouts
        _, line = reply.line.recording()
        sounding = np.flatnonzero(line) / PER_MS
        (first, second), length_ms = playout.stretches, SPEECH.size / PER_MS
        assert first == pytest.approx((100, 100 + 5 * length_ms), abs=1)
        assert second == pytest.approx((3100, sounding[-1]), abs=1)
        assert playout.ear_ms(0) == pytest.approx(100, abs=1)
        assert playout.ear_ms(5.5 * length_ms) == pytest.approx(3100 + length_ms / 2, abs=1)
        assert playout.ear_ms(60_000) == pytest.approx(sounding[-1], abs=1)

    virtual_time.run(call())


def test_of_a_reply_that_was_cut_a_playout_holds_what_was_heard_to_the_sample() -> None:
    async def call() -> None:
        reply = Reply()
        reply.tap.keeps_audio = True
        await reply.capture(*[SPEECH] * 50)
        await asyncio.sleep(0.25)
        reply.tap.clear_buffer()
        reply.tap.flush()
        await reply.tap.wait_for_playout()
        (playout,) = reply.playouts
        _, line = reply.line.recording()
        heard = sum(frame.samples_per_channel for _, frame in playout.heard)
        assert heard == pytest.approx(np.count_nonzero(line), abs=1)
        assert playout.heard_ms < 300

    virtual_time.run(call())


def test_no_audio_is_kept_unless_somebody_wants_it() -> None:
    async def call() -> None:
        reply = Reply()
        await reply.capture(SPEECH)
        reply.tap.flush()
        await reply.tap.wait_for_playout()
        assert reply.playouts[0].heard == ()

    virtual_time.run(call())


def test_the_beginning_of_a_reply_is_told_before_any_of_it_is_heard() -> None:
    async def call() -> None:
        reply = Reply()
        begun: list[float] = []
        reply.tap.on_begun.append(begun.append)
        await asyncio.sleep(0.1)
        await reply.capture(SPEECH, SPEECH)
        reply.tap.flush()
        await reply.tap.wait_for_playout()
        await reply.capture(SPEECH)
        reply.tap.flush()
        await reply.tap.wait_for_playout()
        assert begun[0] == pytest.approx(100, abs=0.1)
        assert len(begun) == len(reply.playouts) == 2
        assert all(at <= playout.start_ms for at, playout in zip(begun, reply.playouts, strict=True))

    virtual_time.run(call())


def test_a_listener_that_fails_does_not_stop_the_reply(caplog: pytest.LogCaptureFixture) -> None:
    async def call() -> None:
        reply = Reply()
        reply.tap.on_first_sound.insert(0, lambda _: 1 / 0)
        await reply.capture(SPEECH)
        reply.tap.flush()
        await reply.tap.wait_for_playout()
        assert len(reply.sounds) == len(reply.playouts) == 1

    virtual_time.run(call())
    assert "a listener of the agent's audio failed" in caplog.text


def test_the_clock_converts_to_and_from_wall_time() -> None:
    now = {"monotonic": 50.0, "wall": 1000.0}
    clock = CallClock(monotonic=lambda: now["monotonic"], wall=lambda: now["wall"])
    now["monotonic"] += 2.5
    now["wall"] += 2.5
    assert clock.now_ms() == pytest.approx(2500)
    assert clock.from_wall(1001.0) == pytest.approx(1000)
    assert clock.to_wall(1000.0) == pytest.approx(1001)
    now["wall"] += 3600  # the wall clock is set; the call's clock is not
    assert clock.from_wall(now["wall"]) == pytest.approx(2500)
    assert clock.answered_wall_s == 1000.0
