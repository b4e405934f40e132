"""The call's transcriber over the recognisers that are not Deepgram's Nova: a failure loses no word and no time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
import pytest_asyncio

from compliance.tap import CallerTap
from compliance.transcriber import Ears, Persistence, Segment, Transcriber
from engines.component import Component
from engines.plugins import Endpoint, build
from lab.callers import HERE, load_pcm
from lab.delays import Delays
from lab.faults import Fault, Provider
from lab.server import Lab, LabSettings
from lab.standins import ToneVoices
from service.heard import voiced_spans
from service.line import Line
from tests.conformance.stalls import Stalls

pytestmark = [pytest.mark.conformance, pytest.mark.asyncio(loop_scope="module")]

GOODBYE, THANKS, THANKS_TEXT = (
    "01_quick_question_t03.flac",
    "01_quick_question_t02.flac",
    "great thank you that is all i needed",
)
WHISPER = Component("openai", "whisper-large-v3", {})
FLUX = Component("deepgram", "flux-general-en", {})
PATIENT = Persistence(connect_within_ms=30_000, answer_within_ms=30_000)
SEGMENT_S = 60


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab() -> AsyncIterator[Lab]:
    async with Lab(LabSettings(Delays.none(), ears=1), voices=ToneVoices()) as running:
        yield running


class Heard:
    """A line, and what is on record of it."""

    def __init__(self, line: Line, transcriber: Transcriber) -> None:
        self.line, self.transcriber = line, transcriber
        self.stalls = Stalls()
        self.states: list[Ears] = []
        self._segments: asyncio.Queue[Segment] = asyncio.Queue()
        transcriber.on_segment.append(self._segments.put_nowait)
        transcriber.on_condition.append(lambda condition: self.states.append(condition.state))

    async def say(self, name: str) -> Segment:
        """Say a recorded turn; returns what is on record of it."""
        await self.line.say(load_pcm(HERE / name))
        return await self.segment()

    async def segment(self) -> Segment:
        async with asyncio.timeout(SEGMENT_S):
            return await self._segments.get()


@asynccontextmanager
async def heard_by(component: Component, lab: Lab) -> AsyncIterator[Heard]:
    line = Line()
    tap = CallerTap(line.input, line.clock)
    url = lab.openai_url if component.plugin == "openai" else lab.deepgram_url
    async with aiohttp.ClientSession() as http:
        recogniser = build("stt", component, Endpoint("lab", url, simulated=True), http)
        heard = Heard(line, Transcriber(recogniser, tap, line.clock, persistence=PATIENT))
        heard.transcriber.start()

        async def drain() -> None:
            async for _ in tap:
                pass

        draining = asyncio.create_task(drain())
        try:
            with heard.stalls.noted():
                yield heard
        finally:
            line.hang_up()
            await draining
            await heard.transcriber.aclose(within_ms=1000 * SEGMENT_S)
            await recogniser.aclose()


@pytest.mark.parametrize(
    ("component", "provider", "fault"),
    [
        (WHISPER, "openai.transcription", Fault("server_error", times=1)),
        (FLUX, "deepgram.flux", Fault("drop", times=1, after=0)),
    ],
    ids=["whisper", "flux"],
)
async def test_a_failure_loses_no_word_and_no_time(
    lab: Lab, component: Component, provider: Provider, fault: Fault
) -> None:
    async with heard_by(component, lab) as call:
        assert (await call.say(GOODBYE)).text == "goodbye"
        lab.context.faults.set(provider, fault)
        segment = await call.say(THANKS)
        assert segment.text == THANKS_TEXT
        spoken = voiced_spans(call.line.recording()[0], join_ms=500)[-1]
        assert segment.start_ms == pytest.approx(spoken.start_ms, abs=250 + call.stalls.ms)
        assert segment.end_ms == pytest.approx(spoken.end_ms, abs=250 + call.stalls.ms)
        assert call.transcriber.streams == 2
        assert call.states == [Ears.LISTENING, Ears.RECONNECTING, Ears.LISTENING]


@pytest.mark.parametrize("component", [WHISPER, FLUX], ids=["whisper", "flux"])
async def test_who_hangs_up_in_mid_sentence_is_on_record_all_the_same(lab: Lab, component: Component) -> None:
    async with heard_by(component, lab) as call:
        samples = load_pcm(HERE / THANKS)
        await call.line.say(samples[: len(samples) * 3 // 4])
    last = await call.segment()
    assert last.text.startswith("great thank you")
