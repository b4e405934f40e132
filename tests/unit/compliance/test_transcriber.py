"""One recogniser stream per call: it survives its provider, and loses nothing that the tap keeps."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import APIConnectionError, APIStatusError, stt, utils

from compliance.heard import Condition, Ears, Recogniser, Segment, Timeline
from compliance.recognisers import ALL_WELL, BarredError, Persistence, RecogniserStalledError, Well
from compliance.shared_stt import SharedSTT
from compliance.tap import CallerTap, Stamped
from compliance.transcriber import Transcriber, TranscriberError
from service.line import Line
from tests import virtual_time
from tests.level_stt import LevelSTT, Plan

pytestmark = pytest.mark.unit

PER_MS = 24
Kind = stt.SpeechEventType
REFUSED = APIStatusError("no", status_code=401)
BARRED = BarredError("not now", retryable=False)


def word(level: int, ms: float = 200) -> np.ndarray:
    return np.full(int(ms * PER_MS), level, np.int16)


def pause(ms: float) -> np.ndarray:
    return np.zeros(int(ms * PER_MS), np.int16)


def said(*parts: np.ndarray) -> np.ndarray:
    return np.concatenate(parts)


class Call:
    """A line, its tap and its transcriber; ``session`` plays the part of the session."""

    def __init__(
        self, *recognisers: Recogniser, persistence: Persistence | None = None, well: Well = ALL_WELL
    ) -> None:
        self.line = Line(virtual_time.call_clock())
        self.tap = CallerTap(self.line.input, self.line.clock)
        self.transcriber = Transcriber(
            recognisers[0],
            self.tap,
            self.line.clock,
            fallbacks=recognisers[1:],
            well=well,
            persistence=persistence,
        )
        self.nothing_ms: list[float] = []
        self.transcriber.on_nothing.append(self.nothing_ms.append)
        self.segments: list[Segment] = []
        self.conditions: list[Condition] = []
        self.transcriber.on_segment.append(self.segments.append)
        self.transcriber.on_condition.append(self.conditions.append)
        self.readers: list[tuple[stt.RecognizeStream, list[stt.SpeechEvent], asyncio.Task[None]]] = []
        self.deaf = False
        self._pump: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Call":
        self.transcriber.start()
        self._pump = asyncio.create_task(self._forward())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.line.hang_up()
        assert self._pump is not None
        await self._pump
        await self.transcriber.aclose()
        for stream, _, task in self.readers:
            await stream.aclose()
            await task

    async def _forward(self) -> None:
        async for frame in self.tap:
            for stream, _, _ in self.readers:
                stream.push_frame(utils.audio.silence_frame_like(frame) if self.deaf else frame)

    def read(self, shared: SharedSTT) -> list[stt.SpeechEvent]:
        """Open one of the session's streams; returns what it is given, as it comes."""
        stream, events = shared.stream(), []

        async def collect() -> None:
            async for event in stream:
                events.append(event)  # noqa: PERF401 -- as they come, not when all are there

        self.readers.append((stream, events, asyncio.create_task(collect())))
        return events

    async def say(self, *parts: np.ndarray, then_ms: float = 600) -> None:
        await self.line.say(said(*parts))
        await asyncio.sleep(then_ms / 1000)

    async def ask(self, *parts: np.ndarray, then_ms: float = 600) -> None:
        """Say something; the voice detector tells half a second after it that it is over."""
        await self.say(*parts, then_ms=500)
        self.transcriber.finalize()
        await asyncio.sleep(then_ms / 1000)

    @property
    def texts(self) -> list[str]:
        return [segment.text for segment in self.segments]

    @property
    def states(self) -> list[Ears]:
        return [condition.state for condition in self.conditions]


def in_call(
    *recognisers: Callable[[], LevelSTT], persistence: Persistence | None = None, well: Well = ALL_WELL
) -> Callable[[Callable[[Call], Coroutine[Any, Any, None]]], None]:
    """Run the decorated body in a call, in virtual time."""

    def run(body: Callable[[Call], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            made = [make() for make in recognisers or (LevelSTT,)]
            async with Call(*made, persistence=persistence, well=well) as call:
                await body(call)

        virtual_time.run(main())

    return run


class _Kept:
    """Somebody who keeps count of recognisers, and finds them well."""

    def may_hear(self, recogniser: Recogniser) -> bool:
        return True

    def may_ask(self, recogniser: Recogniser) -> bool:
        return True

    def asked(self, recogniser: Recogniser) -> None: ...
    def worked(self, recogniser: Recogniser) -> None: ...
    def failed(self, recogniser: Recogniser, error: Exception) -> None: ...


def finals(events: list[stt.SpeechEvent]) -> list[str]:
    return [event.alternatives[0].text for event in events if event.type is Kind.FINAL_TRANSCRIPT]


def test_segments_are_recorded_with_their_words_in_call_time() -> None:
    @in_call()
    async def _(call: Call) -> None:
        await asyncio.sleep(1)
        await call.say(word(1000), pause(100), word(2000))
        await call.say(word(3000))
        first, second = call.segments
        assert (first.text, second.text) == ("1000 2000", "3000")
        assert (first.start_ms, first.end_ms) == pytest.approx((1000, 1500), abs=21)
        assert [one.text for one in first.words] == ["1000", "2000"]
        assert first.words[1].start_ms == pytest.approx(1300, abs=21)
        assert second.start_ms == pytest.approx(2100, abs=21)
        assert first.confidence == 0.9
        assert first.settled
        assert call.transcriber.streams == 1
        assert call.states == [Ears.LISTENING]


def test_finalising_brings_the_final_result_at_once() -> None:
    @in_call(lambda: LevelSTT(auto_final=False))
    async def _(call: Call) -> None:
        await call.say(word(1000))
        assert call.texts == []
        call.transcriber.finalize()
        await asyncio.sleep(0.001)
        assert call.texts == ["1000"]


def test_the_last_words_are_recorded_when_the_caller_hangs_up_in_mid_sentence() -> None:
    async def main() -> None:
        async with Call(LevelSTT(auto_final=False)) as call:
            await call.say(word(1000), then_ms=30)
        assert call.texts == ["1000"]
        assert call.segments[0].settled
        assert call.states[-1] is Ears.CLOSED

    virtual_time.run(main())


def test_words_that_never_became_final_are_recorded_as_not_settled() -> None:
    async def main() -> None:
        # It tells of the word while it is spoken, and of nothing from 0.3 s of audio on.
        async with Call(LevelSTT([Plan(hang=True, after_s=0.3)])) as call:
            await call.say(pause(200), word(1000, 400), then_ms=30)
        assert [(segment.text, segment.settled) for segment in call.segments] == [("1000", False)]

    virtual_time.run(main())


def test_a_stream_that_breaks_at_the_hang_up_is_opened_once_more_for_the_last_words() -> None:
    async def main() -> None:
        async with Call(LevelSTT([Plan(APIConnectionError("gone"), after_s=0.6)])) as call:
            await call.say(pause(200), word(1000, 400), then_ms=30)
        assert call.texts == ["1000"]
        assert call.transcriber.streams == 2

    virtual_time.run(main())


def test_a_dead_recogniser_does_not_hold_up_the_end_of_the_call() -> None:
    async def main() -> float:
        async with Call(LevelSTT([Plan(APIConnectionError("gone"))] * 99)) as call:
            await call.say(word(1000))
            ended_ms = call.line.clock.now_ms()
        return call.line.clock.now_ms() - ended_ms

    assert virtual_time.run(main()) <= 1600


def test_usage_is_told_with_its_recogniser() -> None:
    async def main() -> None:
        used: list[tuple[str, float]] = []
        async with Call(LevelSTT()) as call:
            call.transcriber.on_usage.append(
                lambda one, usage: used.append((one.model, usage.audio_duration))
            )
            await call.say(word(1000))
        assert used == [("levels", pytest.approx(0.8))]

    virtual_time.run(main())


def test_a_stream_that_breaks_is_opened_again_and_hears_what_was_not_final() -> None:
    @in_call(lambda: LevelSTT([Plan(APIConnectionError("gone"), after_s=1.5)]))
    async def _(call: Call) -> None:
        await call.say(word(1000))
        await call.say(pause(100), word(2000), word(3000, 1000), word(4000), then_ms=1000)
        assert call.texts == ["1000", "2000 3000 4000"]
        second = call.segments[1]
        assert (second.start_ms, second.end_ms) == pytest.approx((900, 2300), abs=25)
        assert call.states == [Ears.LISTENING, Ears.RECONNECTING, Ears.LISTENING]
        assert call.transcriber.streams == 2


def test_an_outage_of_some_seconds_loses_nothing() -> None:
    @in_call(lambda: LevelSTT([Plan(APIConnectionError("gone"))] * 4))
    async def _(call: Call) -> None:
        for level in range(1000, 1010):
            await call.say(word(level), then_ms=300)
        await asyncio.sleep(10)
        assert " ".join(call.texts) == " ".join(str(level) for level in range(1000, 1010))
        assert call.states[-1] is Ears.LISTENING


def test_silence_is_not_replayed() -> None:
    recogniser = LevelSTT

    made: list[LevelSTT] = []

    def make() -> LevelSTT:
        made.append(recogniser([Plan(APIConnectionError("gone"), after_s=10)]))
        return made[0]

    @in_call(make)
    async def _(call: Call) -> None:
        await call.say(word(1000))
        await asyncio.sleep(12)
        assert call.transcriber.streams == 2
        assert made[0].opened[1].audio_s < 3
        await call.say(word(2000))
        assert call.segments[1].start_ms == pytest.approx(12_800, abs=21)


def test_a_fallback_hears_what_the_first_recogniser_had_not_finalised() -> None:
    @in_call(lambda: LevelSTT([Plan(APIConnectionError("gone"), after_s=0.3)]), LevelSTT)
    async def _(call: Call) -> None:
        await call.say(pause(100), word(1000), word(2000), word(3000))
        await call.say(word(4000))
        assert call.texts == ["1000 2000 3000", "4000"]
        assert call.conditions[1].error is not None


def test_a_recogniser_that_hangs_is_replaced_after_it_was_asked_in_vain() -> None:
    @in_call(lambda: LevelSTT([Plan(hang=True)]), LevelSTT)
    async def _(call: Call) -> None:
        await call.say(word(1000, 800), then_ms=0)
        call.transcriber.finalize()
        await asyncio.sleep(3.9)
        assert call.transcriber.streams == 1
        await asyncio.sleep(0.5)
        assert call.texts == ["1000"]
        assert isinstance(call.conditions[1].error, RecogniserStalledError)


def test_a_noise_that_is_no_speech_costs_one_more_attempt_and_no_more() -> None:
    @in_call(lambda: LevelSTT([Plan(hang=True)] * 9))
    async def _(call: Call) -> None:
        await call.say(word(1000, 800), then_ms=0)
        call.transcriber.finalize()
        await asyncio.sleep(60)
        assert call.transcriber.streams == 2
        assert call.states == [Ears.LISTENING, Ears.RECONNECTING, Ears.LISTENING]


@pytest.mark.parametrize("ms", [200, 800])
@pytest.mark.parametrize("after_s", [0.0, 2.1], ids=["from the beginning", "once it has told of some of it"])
def test_a_word_that_a_silent_recogniser_tells_nothing_of_is_heard_by_the_next(
    ms: float, after_s: float
) -> None:
    @in_call(lambda: LevelSTT([Plan(hang=True, after_s=after_s)]), LevelSTT)
    async def _(call: Call) -> None:
        await call.say(pause(2000))
        await call.ask(word(1000, ms), then_ms=3900)
        assert call.texts == []
        await asyncio.sleep(0.5)
        assert call.texts == ["1000"]
        assert call.nothing_ms == []


def test_a_recogniser_that_falls_silent_in_mid_call_is_noticed_at_the_next_word() -> None:
    @in_call(lambda: LevelSTT([Plan(hang=True, after_s=5)]), LevelSTT)
    async def _(call: Call) -> None:
        await call.ask(word(1000, 800), then_ms=5000)
        await call.ask(word(2000, 200), then_ms=6000)
        assert call.texts == ["1000", "2000"]


def test_who_found_no_words_twice_in_a_sound_has_heard_none_and_the_first_has_the_call_again() -> None:
    blamed: list[str] = []

    class Kept(_Kept):
        def failed(self, recogniser: Recogniser, error: Exception) -> None:
            blamed.append(type(error).__name__)

    made: list[LevelSTT] = []

    def make(plan: Plan) -> Callable[[], LevelSTT]:
        def one() -> LevelSTT:
            made.append(LevelSTT([plan]))
            return made[-1]

        return one

    @in_call(make(Plan(hang=True)), make(Plan(hang=True)), well=Kept())
    async def _(call: Call) -> None:
        await call.ask(word(1000, 300), then_ms=9000)
        assert call.nothing_ms == [pytest.approx(300, abs=21)]
        assert blamed == []
        assert call.transcriber.recogniser is made[0]
        assert call.states == [Ears.LISTENING, Ears.RECONNECTING, Ears.LISTENING]
        await call.ask(word(2000))
        assert call.texts == ["2000"]  # the sound is heard no third time
        assert [len(one.opened) for one in made] == [2, 1]


def test_who_speaks_again_while_a_sound_is_heard_again_puts_nothing_off() -> None:
    def silent() -> LevelSTT:
        return LevelSTT([Plan(hang=True)] * 10)

    @in_call(silent, silent)
    async def _(call: Call) -> None:
        await call.ask(word(1000, 300), then_ms=5000)
        await call.ask(word(2000, 900), then_ms=3500)
        assert call.nothing_ms == [pytest.approx(300, abs=21)]
        await asyncio.sleep(9)  # the later one is waited for in its turn
        assert call.nothing_ms == [pytest.approx(300, abs=21), pytest.approx(900, abs=21)]


def test_who_speaks_again_while_a_sound_is_heard_again_is_heard_by_the_first_that_can() -> None:
    @in_call(lambda: LevelSTT([Plan(hang=True)] * 10), lambda: LevelSTT([Plan(hang=True)]))
    async def _(call: Call) -> None:
        await call.ask(cough(), then_ms=5000)
        await call.ask(word(2000, 900), then_ms=3500)
        assert call.nothing_ms == [pytest.approx(300, abs=21)]
        await asyncio.sleep(6)
        assert call.texts == ["2000"]
        assert len(call.nothing_ms) == 1


def cough(ms: float = 300) -> np.ndarray:
    """Voiced sound in which the recogniser of these tests finds nothing."""
    return word(80, ms)


def test_who_tells_of_later_words_has_found_none_in_what_came_before() -> None:
    @in_call(LevelSTT, LevelSTT)
    async def _(call: Call) -> None:
        await call.ask(cough(), then_ms=1000)
        await call.ask(word(1000, 5000))  # longer than an answer may take
        assert call.texts == ["1000"]
        assert call.transcriber.streams == 1


def test_words_that_follow_a_cough_blame_nobody_and_are_lost_on_nobody() -> None:
    made: list[LevelSTT] = []
    blamed: list[str] = []

    def make() -> LevelSTT:
        made.append(LevelSTT())
        return made[-1]

    class Kept(_Kept):
        def failed(self, recogniser: Recogniser, error: Exception) -> None:
            blamed.append(type(error).__name__)

    @in_call(make, make, well=Kept())
    async def _(call: Call) -> None:
        await call.ask(cough(), then_ms=4200)
        assert call.transcriber.recogniser is made[1]
        await call.ask(word(1000))
        assert call.transcriber.recogniser is made[0]
        await call.ask(word(2000), then_ms=9000)
        assert call.texts == ["1000", "2000"]
        assert [len(one.opened) for one in made] == [2, 1]
        assert (blamed, call.nothing_ms) == ([], [])


@pytest.mark.parametrize("later_ms", [2500, 3000, 3300, 3500])
def test_words_that_are_being_said_when_a_silent_recogniser_is_replaced_are_whole(later_ms: float) -> None:
    @in_call(lambda: LevelSTT([Plan(hang=True)]), LevelSTT)
    async def _(call: Call) -> None:
        await call.ask(cough(), then_ms=later_ms)
        await call.ask(word(1000, 1500), then_ms=9000)
        assert call.texts == ["1000"]
        assert call.segments[0].end_ms - call.segments[0].start_ms == pytest.approx(1500, abs=25)


def test_a_recogniser_that_ends_the_speech_without_words_has_told_that_there_were_none() -> None:
    def without_words() -> LevelSTT:
        recogniser = LevelSTT()
        opened = recogniser.stream

        def stream(**how: Any) -> Any:
            made = opened(**how)
            send = made._send
            made._send = lambda event: None if event.alternatives else send(event)  # type: ignore[method-assign]
            return made

        recogniser.stream = stream  # type: ignore[method-assign]
        return recogniser

    @in_call(without_words, LevelSTT)
    async def _(call: Call) -> None:
        await call.ask(word(1000, 300), then_ms=9000)
        assert call.transcriber.streams == 1
        assert call.states == [Ears.LISTENING]


def test_a_stream_that_the_provider_ends_is_opened_again() -> None:
    @in_call(lambda: LevelSTT([Plan(ends=True, after_s=0.5)]))
    async def _(call: Call) -> None:
        await call.say(pause(700), word(1000))
        assert call.texts == ["1000"]


def test_giving_up_is_told_once_reached_and_attempts_go_on() -> None:
    @in_call(lambda: LevelSTT([Plan(APIConnectionError("gone"))] * 6), persistence=Persistence(failures=3))
    async def _(call: Call) -> None:
        await asyncio.sleep(30)
        assert call.states.count(Ears.RECONNECTING) == 2
        assert call.states.count(Ears.DEAF) == 4
        assert call.states[-1] is Ears.LISTENING
        await call.say(word(1000))
        assert call.texts == ["1000"]


def test_one_that_breaks_off_before_it_is_certain_of_a_word_is_asked_less_and_less_often() -> None:
    made: list[LevelSTT] = []

    def make() -> LevelSTT:
        made.append(LevelSTT([Plan(APIConnectionError("gone"), after_s=0.1)] * 99))
        return made[-1]

    @in_call(make)
    async def _(call: Call) -> None:
        await call.say(word(1000, 1000), then_ms=0)
        await asyncio.sleep(30)
        assert call.states.count(Ears.RECONNECTING) == 4
        assert call.states[1:].count(Ears.LISTENING) == 0  # an interim result is not enough
        assert len(made[0].opened) < 14


def test_a_recogniser_that_is_out_is_not_asked_first() -> None:
    made: list[LevelSTT] = []

    def make() -> LevelSTT:
        made.append(LevelSTT())
        return made[-1]

    class Kept(_Kept):
        def may_ask(self, recogniser: Recogniser) -> bool:
            return recogniser is not made[0]

    @in_call(make, make, well=Kept())
    async def _(call: Call) -> None:
        await call.say(word(1000))
        assert call.texts == ["1000"]
        assert [len(one.opened) for one in made] == [0, 1]


def test_a_recogniser_that_may_hear_no_more_makes_way_and_nothing_is_lost() -> None:
    made: list[LevelSTT] = []
    barred: list[LevelSTT] = []

    def make() -> LevelSTT:
        made.append(LevelSTT())
        return made[-1]

    class Kept(_Kept):
        def may_hear(self, recogniser: Recogniser) -> bool:
            return recogniser not in barred

    @in_call(make, make, well=Kept())
    async def _(call: Call) -> None:
        await call.say(word(1000), then_ms=0)
        call.transcriber.reconsider()
        await asyncio.sleep(0.1)
        assert call.transcriber.streams == 1
        barred.append(made[0])
        call.transcriber.reconsider()
        await call.say(word(2000))
        assert call.texts == ["1000 2000"]
        assert [len(one.opened) for one in made] == [1, 1]
        assert call.states == [Ears.LISTENING]


class _Barrable(LevelSTT):
    """A recogniser that may hear the caller while it is open."""

    def __init__(self, plans: Sequence[Plan] = (), *, may_hear: bool = True) -> None:
        super().__init__(plans)
        self.may_hear = may_hear

    def stream(self, **how: Any) -> Any:
        if not self.may_hear:
            raise BARRED
        return super().stream(**how)


class _Gates(_Kept):
    """Those of recognisers that are well; who failed is noted."""

    def __init__(self) -> None:
        self.failed_ones: list[Recogniser] = []

    def may_hear(self, recogniser: Recogniser) -> bool:
        assert isinstance(recogniser, _Barrable)
        return recogniser.may_hear

    def failed(self, recogniser: Recogniser, error: Exception) -> None:
        self.failed_ones.append(recogniser)


def in_gated_call(
    first: _Barrable, spare: _Barrable, body: Callable[[Call, _Gates], Coroutine[Any, Any, None]]
) -> None:
    """Run ``body`` in a call with these recognisers, in virtual time."""

    async def main() -> None:
        gates = _Gates()
        async with Call(first, spare, well=gates) as call:
            await body(call, gates)

    virtual_time.run(main())


def test_a_recogniser_hears_the_caller_from_when_it_may_on_and_whenever_it_may() -> None:
    first, spare = _Barrable(may_hear=False), _Barrable()

    async def body(call: Call, gates: _Gates) -> None:
        for level, may_hear in ((1000, True), (2000, False), (3000, True), (4000, True)):
            await call.say(word(level))
            first.may_hear = may_hear
            call.transcriber.reconsider()
        assert call.texts == ["1000", "2000", "3000", "4000"]
        assert [stream.words for stream in first.opened] == [["2000"], ["4000"]]
        assert [stream.words for stream in spare.opened] == [["1000"], ["3000"]]
        assert call.states == [Ears.LISTENING]
        assert gates.failed_ones == []

    in_gated_call(first, spare, body)


def test_a_stream_that_its_gate_has_ended_makes_way_and_nobody_has_failed() -> None:
    first, spare = _Barrable([Plan(BARRED, after_s=0.5)]), _Barrable()

    async def body(call: Call, gates: _Gates) -> None:
        await call.say(pause(300), word(1000, 150), then_ms=0)
        first.may_hear = False  # of which nobody tells
        await call.say(word(2000))
        assert call.texts == ["1000 2000"]
        assert [len(one.opened) for one in (first, spare)] == [1, 1]
        assert (call.states, gates.failed_ones) == ([Ears.LISTENING], [])

    in_gated_call(first, spare, body)


def test_while_none_may_hear_the_caller_that_is_told_and_what_is_said_is_heard_by_nobody_later() -> None:
    first, spare = _Barrable(), _Barrable()

    async def body(call: Call, gates: _Gates) -> None:
        await call.say(word(1000))
        first.may_hear = spare.may_hear = False
        call.transcriber.reconsider()
        await call.say(word(2000), then_ms=20_000)
        assert [(told.state, told.error) for told in call.conditions[1:]] == [(Ears.DEAF, BARRED)]
        await call.say(word(3000), then_ms=0)
        first.may_hear = True
        await call.ask(pause(200), word(4000), then_ms=10_000)
        assert call.texts == ["1000", "4000"]
        assert [stream.words for stream in first.opened] == [["1000"], ["4000"]]
        assert call.states == [Ears.LISTENING, Ears.DEAF, Ears.LISTENING]
        assert gates.failed_ones == []

    in_gated_call(first, spare, body)


def test_a_stream_that_breaks_is_not_replaced_by_one_that_is_told_what_nobody_might_hear() -> None:
    first, spare = _Barrable([Plan(APIConnectionError("gone"), after_s=0.2)]), _Barrable(may_hear=False)

    async def body(call: Call, gates: _Gates) -> None:
        first.may_hear = False
        await call.say(word(1000), then_ms=0)
        first.may_hear = True
        await call.say(pause(200), word(2000))
        assert call.texts == ["2000"]
        assert [stream.words for stream in first.opened] == [["2000"], ["2000"]]

    in_gated_call(first, spare, body)


def test_that_nobody_is_left_is_the_failure_of_who_refused_where_the_other_may_not_hear() -> None:
    first, spare = _Barrable([Plan(REFUSED)]), _Barrable()

    async def body(call: Call, gates: _Gates) -> None:
        await call.say(word(1000))
        assert call.texts == ["1000"]
        spare.may_hear = False
        call.transcriber.reconsider()
        await call.say(word(2000))
        assert (call.states[-1], call.conditions[-1].error) == (Ears.DEAF, REFUSED)
        spare.may_hear = True
        await call.say(pause(200), word(3000))
        assert call.texts == ["1000", "3000"]

    in_gated_call(first, spare, body)


def test_what_becomes_of_recognisers_is_told() -> None:
    made: list[LevelSTT] = []
    told: list[str] = []

    def make(*plans: Plan) -> Callable[[], LevelSTT]:
        def one() -> LevelSTT:
            made.append(LevelSTT(plans))
            return made[-1]

        return one

    class Kept(_Kept):
        def asked(self, recogniser: Recogniser) -> None:
            told.append(f"{made.index(recogniser)} asked")  # type: ignore[arg-type]

        def worked(self, recogniser: Recogniser) -> None:
            told.append(f"{made.index(recogniser)} worked")  # type: ignore[arg-type]

        def failed(self, recogniser: Recogniser, error: Exception) -> None:
            told.append(f"{made.index(recogniser)} {type(error).__name__}")  # type: ignore[arg-type]

    @in_call(make(Plan(hang=True, after_s=3)), make(Plan(), Plan()), well=Kept())
    async def _(call: Call) -> None:
        for level in (1000, 2000):
            await call.ask(word(level))
        await call.ask(pause(1000), word(3000, 200), then_ms=6000)
        assert call.texts == ["1000", "2000", "3000"]
        # The silence of the first is its failure once the other has found words in it.
        assert told == ["0 asked", "0 worked", "1 asked", "1 worked", "0 RecogniserStalledError"]


def test_a_recogniser_that_refuses_for_good_is_not_asked_again() -> None:
    made: list[LevelSTT] = []

    def make() -> LevelSTT:
        made.append(LevelSTT([Plan(REFUSED)] * 9))
        return made[-1]

    @in_call(make)
    async def _(call: Call) -> None:
        await call.say(word(1000), then_ms=20_000)
        assert call.states == [Ears.LISTENING, Ears.DEAF]
        assert call.conditions[1].error is REFUSED
        assert len(made[0].opened) == 1


def test_a_listener_that_fails_keeps_no_other_from_hearing(caplog: pytest.LogCaptureFixture) -> None:
    @in_call()
    async def _(call: Call) -> None:
        call.transcriber.on_segment.insert(0, lambda _: 1 / 0)
        await call.say(word(1000))
        assert call.texts == ["1000"]

    assert "a listener of the transcript failed" in caplog.text


def test_a_recogniser_that_cannot_stream_is_refused_with_what_to_do() -> None:
    async def main() -> None:
        batch = LevelSTT()
        batch.capabilities.streaming = False
        with pytest.raises(TranscriberError, match="StreamAdapter"):
            Call(batch)

    virtual_time.run(main())


def test_without_word_times_a_segment_spans_the_voiced_sound() -> None:
    @in_call(lambda: LevelSTT(word_times=False))
    async def _(call: Call) -> None:
        await call.say(pause(1000), word(1000, 300))
        (segment,) = call.segments
        assert (segment.start_ms, segment.end_ms) == pytest.approx((1000, 1300), abs=21)
        assert segment.words == ()


def test_the_session_reads_the_same_stream_and_finalises_it() -> None:
    @in_call(lambda: LevelSTT(auto_final=False))
    async def _(call: Call) -> None:
        shared = SharedSTT(call.transcriber)
        assert shared.capabilities.manual_flush
        assert (shared.model, shared.provider) == ("levels", "test")
        events = call.read(shared)
        await call.say(word(1000))
        call.readers[0][0].flush()
        await asyncio.sleep(0.01)
        assert finals(events) == call.texts == ["1000"]
        assert call.transcriber.streams == 1


def test_streams_of_the_session_come_and_go_over_one_recogniser_stream() -> None:
    @in_call()
    async def _(call: Call) -> None:
        shared = SharedSTT(call.transcriber)
        first = call.read(shared)
        await call.say(word(1000))
        await call.readers.pop()[0].aclose()
        await call.say(word(2000))
        second = call.read(shared)
        await call.say(word(3000))
        await shared.aclose()
        assert finals(first) == ["1000"]
        assert finals(second) == ["3000"]
        assert call.texts == ["1000", "2000", "3000"]
        assert call.transcriber.streams == 1


def test_word_times_are_given_on_the_clock_of_the_sessions_stream() -> None:
    @in_call()
    async def _(call: Call) -> None:
        await asyncio.sleep(2)
        events = call.read(SharedSTT(call.transcriber))
        await asyncio.sleep(1)
        await call.say(word(1000))
        final = next(event for event in events if event.type is Kind.FINAL_TRANSCRIPT)
        data = final.alternatives[0]
        assert (data.start_time, data.end_time) == pytest.approx((1.0, 1.2), abs=0.045)
        assert data.words is not None
        assert data.words[0].start_time == pytest.approx(1.0, abs=0.045)
        assert final.speech_end_time == pytest.approx(virtual_time.WALL_S + 3.2, abs=0.025)


def test_what_the_session_was_deaf_to_is_withheld_from_it_and_is_on_record() -> None:
    @in_call()
    async def _(call: Call) -> None:
        shared = SharedSTT(call.transcriber)
        events = call.read(shared)
        await call.say(word(1000))
        call.deaf = True
        await call.say(word(2000))
        call.deaf = False
        await call.say(word(3000))
        assert finals(events) == ["1000", "3000"]
        assert [event.type for event in events].count(Kind.END_OF_SPEECH) == 2
        assert shared.withheld == 1
        assert call.texts == ["1000", "2000", "3000"]


def test_a_segment_that_the_session_mostly_heard_is_given_to_it_whole() -> None:
    @in_call()
    async def _(call: Call) -> None:
        events = call.read(SharedSTT(call.transcriber))
        call.deaf = True
        saying = asyncio.create_task(call.say(word(1000), word(2000, 600)))
        await asyncio.sleep(0.2)
        call.deaf = False
        await saying
        assert finals(events) == ["1000 2000"]


def test_frames_remade_on_the_way_do_not_make_the_session_deaf() -> None:
    @in_call()
    async def _(call: Call) -> None:
        events = call.read(SharedSTT(call.transcriber))
        stream = call.readers.pop()

        def remake(at_ms: float, frame: rtc.AudioFrame) -> None:
            stream[0].push_frame(rtc.AudioFrame(bytes(frame.data.cast("B")), 24_000, 1, 480))

        call.tap.sinks.append(remake)
        await call.say(word(1000))
        call.readers.append(stream)
        call.tap.sinks.remove(remake)
        assert finals(events) == ["1000"]


def test_usage_reaches_the_session_once_however_many_streams_it_has() -> None:
    async def main() -> None:
        metrics: list[Any] = []
        async with Call(LevelSTT()) as call:
            shared = SharedSTT(call.transcriber)
            shared.on("metrics_collected", metrics.append)
            call.read(shared)
            call.read(shared)
            await call.say(word(1000))
        assert [one.audio_duration for one in metrics] == [pytest.approx(0.8)]
        assert metrics[0].metadata.model_name == "levels"

    virtual_time.run(main())


def test_failures_reach_the_session_and_its_streams_live_on() -> None:
    @in_call(lambda: LevelSTT([Plan(APIConnectionError("gone"), after_s=0.5)]))
    async def _(call: Call) -> None:
        shared = SharedSTT(call.transcriber)
        errors: list[stt.STTError] = []
        shared.on("error", errors.append)
        events = call.read(shared)
        await call.say(pause(600), word(1000))
        assert [error.recoverable for error in errors] == [True]
        assert finals(events) == ["1000"]


def test_the_timeline_follows_gaps_and_replays() -> None:
    timeline = Timeline()
    frame = rtc.AudioFrame(bytes(960), 24_000, 1, 480)
    for start_ms in (100, 120, 140, 3000, 3020, 1000):
        timeline.push(Stamped(start_ms, frame))
    assert timeline.ms(0.03) == pytest.approx(130)
    assert timeline.ms(0.07) == pytest.approx(3010)
    assert timeline.ms(0.11) == pytest.approx(1010)
    assert Timeline().ms(1.5) == 1500
