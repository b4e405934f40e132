"""The turn feed: exactly one caller turn in the listener's buffer, from before its onset."""

import pytest
from livekit import rtc
from livekit.agents.voice import io

from compliance.clock import CallClock
from compliance.tap import CallerTap
from engines.feed import TurnFeed

pytestmark = pytest.mark.unit


class Time:
    """A clock that a test moves, and the caller's line on it: 20 ms a frame."""

    def __init__(self) -> None:
        self.now_s = 1.0
        self.tap = CallerTap(_Line(), CallClock(monotonic=lambda: self.now_s, wall=lambda: self.now_s))
        self._start_s = self.now_s

    async def pass_ms(self, ms: int) -> None:
        for _ in range(ms // 20):
            self.now_s += 0.020
            await anext(self.tap)


class _Line(io.AudioInput):
    def __init__(self) -> None:
        super().__init__(label="test")

    async def __anext__(self) -> rtc.AudioFrame:
        return rtc.AudioFrame(bytes(960), 24_000, 1, 480)


class Buffer:
    """A listener that holds what it heard."""

    def __init__(self) -> None:
        self.frames: list[rtc.AudioFrame] = []
        self.emptied = 0

    def hear(self, frame: rtc.AudioFrame) -> None:
        self.frames.append(frame)

    def forget(self) -> None:
        self.frames.clear()
        self.emptied += 1

    @property
    def held_ms(self) -> int:
        return 20 * len(self.frames)


@pytest.fixture
async def time() -> Time:
    return Time()


async def test_a_turn_is_heard_from_before_its_onset(time: Time) -> None:
    feed, buffer = TurnFeed(time.tap), Buffer()
    feed.attach(buffer)
    await time.pass_ms(1000)
    feed.begin(900)
    assert buffer.held_ms == 400  # 300 ms before the onset, and 100 since
    await time.pass_ms(200)
    assert buffer.held_ms == 600
    assert len({id(frame) for frame in buffer.frames}) == 30
    assert feed.has_turn


async def test_speech_that_resumes_in_a_turn_continues_it(time: Time) -> None:
    feed, buffer = TurnFeed(time.tap), Buffer()
    feed.attach(buffer)
    await time.pass_ms(1000)
    feed.begin(1000)
    await time.pass_ms(500)
    feed.begin(1400)
    await time.pass_ms(100)
    assert buffer.held_ms == 300 + 600


async def test_a_sound_that_was_given_up_is_no_part_of_the_next_turn(time: Time) -> None:
    feed, buffer = TurnFeed(time.tap), Buffer()
    feed.attach(buffer)
    await time.pass_ms(1000)
    feed.begin(1000)
    await time.pass_ms(4000)
    feed.give_up()
    await time.pass_ms(1000)
    feed.begin(6000)
    await time.pass_ms(500)
    feed.complete(1000)  # LiveKit counts from the sound
    assert buffer.held_ms == 280 + 500  # whole frames


async def test_a_turn_that_ends_after_it_was_given_up_is_sent_again(time: Time) -> None:
    feed, buffer = TurnFeed(time.tap), Buffer()
    feed.attach(buffer)
    await time.pass_ms(1000)
    feed.begin(1000)
    await time.pass_ms(4000)
    feed.give_up()
    feed.complete(1000)
    assert buffer.held_ms == 300 + 4000


async def test_after_a_commit_the_next_speech_is_another_turn(time: Time) -> None:
    feed, buffer = TurnFeed(time.tap), Buffer()
    feed.attach(buffer)
    await time.pass_ms(1000)
    feed.begin(1000)
    feed.commit()
    assert not feed.has_turn
    buffer.frames.clear()
    await time.pass_ms(500)
    assert buffer.held_ms == 0
    feed.begin(1500)
    assert buffer.held_ms == 300
    assert buffer.emptied == 0


async def test_a_turn_that_another_engine_answers_is_thrown_away(time: Time) -> None:
    feed, buffer = TurnFeed(time.tap), Buffer()
    feed.attach(buffer)
    await time.pass_ms(1000)
    feed.discard()
    assert buffer.emptied == 0  # there was nothing to forget
    feed.begin(1000)
    feed.discard()
    await time.pass_ms(100)
    assert (buffer.held_ms, buffer.emptied, feed.has_turn) == (0, 1, False)


async def test_a_tenth_of_a_second_is_no_turn(time: Time) -> None:
    feed, buffer = TurnFeed(time.tap), Buffer()
    feed.attach(buffer)
    feed.begin(0)
    await time.pass_ms(100)
    assert not feed.has_turn  # the vendor's plugin commits more than 100 ms
    await time.pass_ms(20)
    assert feed.has_turn


async def test_nothing_is_sent_without_a_listener_or_to_one_that_was_let_go(time: Time) -> None:
    feed, buffer = TurnFeed(time.tap), Buffer()
    await time.pass_ms(500)
    feed.begin(400)
    feed.attach(buffer)
    await time.pass_ms(100)
    assert buffer.held_ms == 0
    feed.begin(600)
    feed.attach(None)
    held_ms = buffer.held_ms
    await time.pass_ms(100)
    assert buffer.held_ms == held_ms
    assert not feed.has_turn


async def test_attaching_the_same_listener_again_keeps_its_turn(time: Time) -> None:
    feed, buffer = TurnFeed(time.tap), Buffer()
    feed.attach(buffer)
    await time.pass_ms(500)
    feed.begin(500)
    feed.attach(buffer)
    assert feed.has_turn


async def test_a_connection_made_anew_hears_the_running_turn_again(time: Time) -> None:
    # pipecat#5465: audio is lost while a speech-to-speech session reconnects.
    feed, buffer = TurnFeed(time.tap), Buffer()
    feed.attach(buffer)
    await time.pass_ms(1000)
    feed.again()
    assert buffer.held_ms == 0  # no turn is running
    feed.begin(1000)
    await time.pass_ms(200)
    buffer.frames.clear()
    feed.again()
    assert buffer.held_ms == 500
    await time.pass_ms(100)
    assert buffer.held_ms == 600


async def test_a_turn_that_the_detector_missed_is_sent_when_it_is_over(time: Time) -> None:
    feed, buffer = TurnFeed(time.tap), Buffer()
    feed.attach(buffer)
    await time.pass_ms(2000)
    feed.complete(1000)
    assert buffer.held_ms == 1300
    assert feed.has_turn


async def test_a_turn_whose_onset_came_late_is_sent_whole_when_it_is_over(time: Time) -> None:
    feed, buffer = TurnFeed(time.tap), Buffer()
    feed.attach(buffer)
    await time.pass_ms(2000)
    feed.begin(1800)
    feed.complete(1000)
    assert (buffer.held_ms, buffer.emptied) == (1300, 1)
    feed.complete(1100)  # nothing is missing now
    assert (buffer.held_ms, buffer.emptied) == (1300, 1)


async def test_a_closed_feed_lets_go_of_the_tap(time: Time) -> None:
    feed, buffer = TurnFeed(time.tap), Buffer()
    feed.attach(buffer)
    feed.begin(0)
    feed.close()
    feed.close()
    await time.pass_ms(100)
    assert buffer.held_ms == 0
    assert time.tap.sinks == []
