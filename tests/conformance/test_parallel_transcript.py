"""The transcriber over the real ``deepgram.STT`` plugin and the lab's real ears, on a line at real-time pace."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
import pytest_asyncio
from livekit import rtc
from livekit.plugins import deepgram

from compliance.events import Event, HumanSaid
from compliance.tap import RATE_HZ, CallerTap
from compliance.transcriber import Condition, Ears, Persistence, Segment, Transcriber
from engines.human import Asked
from engines.people import PersonSpec
from lab.callers import HERE, load_pcm
from lab.delays import Delays
from lab.faults import Fault
from lab.server import Lab, LabSettings
from lab.standins import ToneVoices
from service.heard import voiced_spans
from service.line import FRAME_MS, FRAME_SAMPLES, Line
from service.transfer.hearing import Hearing
from tests.conformance.stalls import Stalls
from tests.patience import last_words_are_waited_for

pytestmark = [pytest.mark.conformance, pytest.mark.asyncio(loop_scope="module")]

PATIENT = Persistence(connect_within_ms=30_000, answer_within_ms=30_000)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab() -> AsyncIterator[Lab]:
    async with Lab(LabSettings(Delays.none(), ears=1), voices=ToneVoices()) as running:
        yield running


class Call:
    def __init__(self, line: Line, transcriber: Transcriber) -> None:
        self.line = line
        self.stalls = Stalls()
        self.transcriber = transcriber
        self.segments: asyncio.Queue[Segment] = asyncio.Queue()
        self.conditions: list[Condition] = []
        transcriber.on_segment.append(self.segments.put_nowait)
        transcriber.on_condition.append(self.conditions.append)

    async def say(self, name: str) -> None:
        await self.line.say(load_pcm(HERE / name))

    async def final(self) -> Segment:
        self.transcriber.finalize()
        async with asyncio.timeout(60):
            return await self.segments.get()


@asynccontextmanager
async def call(lab: Lab) -> AsyncIterator[Call]:
    """A call whose recogniser never endpoints by itself: only ``finalize`` brings finals."""
    line = Line()
    tap = CallerTap(line.input, line.clock)
    async with aiohttp.ClientSession() as http:
        plugin = deepgram.STT(base_url=lab.deepgram_url, api_key="lab", http_session=http, endpointing_ms=0)
        made = Call(line, Transcriber(plugin, tap, line.clock, persistence=PATIENT))
        made.transcriber.start()

        async def drain() -> None:
            async for _ in tap:
                pass

        draining = asyncio.create_task(drain())
        try:
            with made.stalls.noted():
                yield made
        finally:
            line.hang_up()
            await draining
            await made.transcriber.aclose(within_ms=60_000)
            await plugin.aclose()


async def test_finalising_brings_the_words_at_the_times_they_were_said(lab: Lab) -> None:
    async with call(lab) as made:
        await asyncio.sleep(0.7)
        await made.say("01_quick_question_t03.flac")
        segment = await made.final()
        spoken = voiced_spans(made.line.recording()[0])[0]
        assert segment.text == "goodbye"
        assert segment.start_ms == pytest.approx(spoken.start_ms, abs=250 + made.stalls.ms)
        assert segment.end_ms == pytest.approx(spoken.end_ms, abs=250 + made.stalls.ms)
        assert made.transcriber.streams == 1


async def test_a_dropped_connection_loses_no_word_and_no_time(lab: Lab) -> None:
    async with call(lab) as made:
        await made.say("01_quick_question_t03.flac")
        assert (await made.final()).text == "goodbye"
        lab.context.faults.set("deepgram", Fault("drop", times=1, after=0))
        await made.say("01_quick_question_t02.flac")
        segment = await made.final()
        assert segment.text == "great thank you that is all i needed"
        spoken = voiced_spans(made.line.recording()[0], join_ms=500)[-1]
        assert segment.start_ms == pytest.approx(spoken.start_ms, abs=250 + made.stalls.ms)
        assert segment.end_ms == pytest.approx(spoken.end_ms, abs=250 + made.stalls.ms)
        assert made.transcriber.streams == 2
        states = [condition.state for condition in made.conditions]
        assert states == [Ears.LISTENING, Ears.RECONNECTING, Ears.LISTENING]


async def test_a_person_who_has_the_call_is_heard_by_the_same_recogniser_beside_the_caller(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    last_words_are_waited_for(monkeypatch)
    events: list[Event] = []
    anna = Asked(PersonSpec("human", ("warm",)), "policy", "", 2)
    async with call(lab) as made:
        hearing = Hearing(
            lambda tap: Transcriber(made.transcriber.recogniser, tap, made.line.clock, persistence=PATIENT),
            made.line.clock,
            events.append,
            call_id="c",
            asked=anna,
            person="anna",
        )
        hearing.start()
        samples = load_pcm(HERE / "01_quick_question_t02.flac", sample_rate_hz=RATE_HZ)
        began_ms = made.line.clock.now_ms()

        async def person() -> None:
            for number, start in enumerate(range(0, len(samples), FRAME_SAMPLES), start=1):
                await asyncio.sleep((began_ms + number * FRAME_MS - made.line.clock.now_ms()) / 1000)
                frame = samples[start : start + FRAME_SAMPLES]
                hearing.heard(rtc.AudioFrame(frame.tobytes(), RATE_HZ, 1, len(frame)))

        await asyncio.gather(person(), made.say("01_quick_question_t03.flac"))
        assert (await made.final()).text == "goodbye"
        await hearing.aclose()
    [said] = events
    assert isinstance(said, HumanSaid)
    assert (said.person, said.text) == ("anna", "great thank you that is all i needed")
    [spoken] = voiced_spans(samples, join_ms=500)
    assert said.start_ms == pytest.approx(began_ms + spoken.start_ms, abs=250 + made.stalls.ms)
    assert said.end_ms == pytest.approx(began_ms + spoken.end_ms, abs=250 + made.stalls.ms)
