"""What vendors say of their use, on the wire, through the real plugins and the shipped prices into the ledger.

The usage is literal (:mod:`tests.conformance.vendors_usage`), and played by the lab's servers (Gemini's language model
by one of its own); every figure was reckoned by hand from `policies/prices.yaml`. Recognisers by the minute and voices
by the character are told nothing: what they are given is counted.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from livekit import rtc
from livekit.agents import APIConnectOptions, ModelSettings, llm

from compliance.clock import CallClock
from compliance.events import CallStarted, Event, UsageIncurred
from compliance.ledger import Ledger
from engines.catalogue import Catalogue
from engines.component import Component
from engines.plugins import Endpoint, Endpoints
from engines.prices import Prices
from lab import openai_chat, openai_speech, openai_transcription, realtime_response
from lab.callers import HERE, load_pcm
from lab.delays import Delays
from lab.gemini_conversation import Conversation as GeminiConversation
from lab.server import Lab, LabSettings
from lab.standins import GivenHearing, ToneVoices
from policies import shipped
from service.bill import Bill, Work
from service.cast import Cast, cast
from service.costs import bill, total
from tests.conformance.vendors_usage import (
    CEREBRAS,
    FIRST,
    GEMINI,
    LIVE,
    REALTIME,
    SECOND,
    SPEECH,
    TRANSCRIPTION,
)

pytestmark = pytest.mark.conformance

RATE_HZ = 16_000
STEP = RATE_HZ // 10
ONCE = APIConnectOptions(max_retry=0, timeout=30.0)
CATALOGUE = """
version: 1
greeting: Hello.
instructions: Be brief.
transcriber: {plugin: deepgram, model: nova-3}
voices:
  house: {plugin: elevenlabs, model: eleven_flash_v2_5, options: {voice_id: someone}}
  spare: {plugin: openai, model: gpt-4o-mini-tts, options: {voice: nova}}
engines:
  fast: {kind: cascade, model: {preset: cerebras, model: llama3.1-8b}, voices: [house]}
  standard: {kind: cascade, model: {plugin: openai, model: gpt-4.1-mini}, voices: [spare]}
  thoughtful: {kind: cascade, model: {plugin: google, model: gemini-2.5-flash}, voices: [house]}
  realtime:
    kind: realtime
    model: {plugin: openai, model: gpt-realtime, options: {own_transcript: gpt-4o-mini-transcribe}}
  live: {kind: realtime, model: {plugin: google, model: gemini-2.5-flash-native-audio-preview-12-2025}}
"""

EARS = "{plugin: deepgram, model: nova-3}"


class Vendors(Endpoints):
    """The lab, except for Gemini's language model, which answers at ``google``."""

    def __init__(self, lab: Lab, google: str) -> None:
        stand_ins = {name: Endpoint("lab", url, simulated=True) for name, url in lab.stand_ins.items()}
        super().__init__({}, stand_ins, lab_only=True)
        self._google = google

    def of(self, component: Component) -> Endpoint:
        return Endpoint("none", self._google) if component.model in self._google else super().of(component)


class Line:
    """The parts of a call, and what is on record of their use."""

    def __init__(self) -> None:
        self.made: Cast
        self.events: list[UsageIncurred] = []
        self._told = asyncio.Event()

    def emit(self, event: Event) -> None:
        assert isinstance(event, UsageIncurred)
        self.events.append(event)
        self._told.set()

    async def use_of(self, model: str) -> UsageIncurred:
        """The first use of a model, once it was told."""
        async with asyncio.timeout(30):
            while not (found := [one for one in self.events if one.model == model]):
                self._told.clear()
                await self._told.wait()
        return found[0]

    async def think(self, engine: str) -> None:
        async for _ in self.made.cascades[engine].think(asked(), [], ModelSettings()):
            pass

    async def answer(self, engine: str) -> None:
        session = self.made.realtime[engine].open().take()
        await session.update_chat_ctx(asked())
        created = await session.generate_reply()
        async for message in created.message_stream:
            await asyncio.gather(drained(message.text_stream), drained(message.audio_stream))

    async def speak(self, voice: int, text: str) -> None:
        part = self.made.voices[voice]
        if part.capabilities.streaming:
            async with part.stream(conn_options=ONCE) as stream:
                stream.push_text(text)
                stream.end_input()
                await drained(stream)
            return
        async with part.synthesize(text, conn_options=ONCE) as whole:
            await drained(whole)

    async def hear(self, pcm: bytes) -> None:
        stream = self.made.transcriber.stream(conn_options=ONCE)
        for at in range(0, len(pcm), 2 * STEP):
            piece = pcm[at : at + 2 * STEP]
            stream.push_frame(rtc.AudioFrame(piece, RATE_HZ, 1, len(piece) // 2))
        stream.end_input()
        await drained(stream)
        await stream.aclose()


def asked() -> llm.ChatContext:
    context = llm.ChatContext.empty()
    context.add_message(role="user", content="what are your opening hours on saturday")
    return context


async def drained(stream: AsyncIterable[Any]) -> None:
    async for _ in stream:
        pass


@asynccontextmanager
async def gemini() -> AsyncIterator[str]:
    """A server with Gemini's streamed generation; returns its address, which holds the model's name."""

    async def generate(request: web.Request) -> web.Response:
        said = {"role": "model", "parts": [{"text": "From nine to five."}]}
        answer = {
            "candidates": [{"content": said, "finishReason": "STOP", "index": 0}],
            "usageMetadata": GEMINI,
        }
        return web.Response(text=f"data: {json.dumps(answer)}\r\n\r\n", content_type="text/event-stream")

    app = web.Application()
    app.router.add_post("/{rest:.*}", generate)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/gemini-2.5-flash"
    finally:
        await runner.cleanup()


@pytest.fixture
async def line(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> AsyncIterator[Line]:
    """With the shipped prices; a test's parameter names another recogniser."""
    catalogue = CATALOGUE.replace(EARS, getattr(request, "param", EARS))
    chats = {"gpt-4.1-mini": [FIRST, SECOND], "llama3.1-8b": [CEREBRAS]}
    monkeypatch.setattr(openai_chat, "_usage", lambda body, reply, cache: chats[body["model"]].pop(0))
    monkeypatch.setattr(realtime_response, "usage", lambda *tokens: REALTIME)
    monkeypatch.setattr(GeminiConversation, "usage", lambda *made: LIVE)
    monkeypatch.setattr(openai_transcription, "_usage", lambda *heard: TRANSCRIPTION)
    monkeypatch.setattr(openai_speech, "_usage", lambda *spoken: SPEECH)
    opened, clock = Line(), CallClock()
    paid = Bill(Prices.load(shipped("prices.yaml")), clock=clock, emit=opened.emit, call_id="call")
    hearing, voices = GivenHearing(), ToneVoices(character_ms=4.0)
    async with (
        Lab(LabSettings(Delays.none()), hearing=hearing, voices=voices) as lab,
        gemini() as google,
        aiohttp.ClientSession() as http,
    ):
        opened.made = cast(
            Catalogue.parse(catalogue),
            Vendors(lab, google),
            http,
            lambda engine, provider, event: paid.measured(
                event, Work(1, "standard"), engine=engine, provider=provider
            ),
        )
        yield opened
        for model in opened.made.realtime.values():
            await model.aclose()
        await opened.made.aclose()


@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")  # of google-genai
async def test_a_recorded_call_costs_what_was_reckoned_by_hand(line: Line, tmp_path: Path) -> None:
    """In millionths of a dollar, and what of it is for conversation that had been sent before.

    | use                  | reckoned                                                         | cost     | again  |
    |----------------------|------------------------------------------------------------------|----------|--------|
    | gpt-4.1-mini, first  | 1100 x 0.40 + 50 x 1.60                                          |   520    |    0   |
    | gpt-4.1-mini, second | 226 x 0.40 + 1024 x 0.10 + 60 x 1.60                             |   288.8  |  152.8 |
    | gemini-2.5-flash     | 476 x 0.30 + 1024 x 0.03 + (60 + 300 thought) x 2.50             |  1073.52 |  116.52|
    | gpt-realtime         | 376 x 4 + 1024 x 0.40 + 66 x 32 + 64 x 0.40 + 40 x 16 + 160 x 64 | 14931.2  | 4051.2 |
    | llama at Cerebras    | (208 + 1792) x 0.10 + 40 x 0.10                                  |   204    |  173   |
    | Gemini Live          | 500 x 0.50 + 200 x 3 + 80 thought x 2 + 225 x 12                 |  3710    |  850   |
    | gpt-4o-mini-tts      | 20 x 0.60 + 75 x 12                                              |   912    |        |
    | eleven_flash_v2_5    | 25 characters x 50                                               |  1250    |        |
    | nova-3               | 12 s x 7700 a minute                                             |  1540    |        |
    | all                  |                                                                  | 24429.52 | 5343.52|

    The request before the second held and brought forth 1150 tokens, so that its 1024 cached ones and 126 others were
    sent again; the one before Gemini's 1310; before gpt-realtime's 1860, more than its 1530; before Cerebras's 1730,
    less than its cached 1792; and before Gemini Live's 2040, more than its 700.
    """
    for engine in ("standard", "standard", "thoughtful"):
        await line.think(engine)
    await line.use_of("gemini-2.5-flash")
    await line.answer("realtime")
    await line.use_of("gpt-realtime")
    await line.think("fast")
    await line.use_of("llama3.1-8b")
    await line.answer("live")
    await line.use_of("gemini-2.5-flash-native-audio-preview-12-2025")
    await line.speak(1, "From nine to five.")
    await line.speak(0, "Your order is on its way.")
    await line.hear(bytes(12 * 2 * RATE_HZ))
    await line.use_of("nova-3")
    began = CallStarted(
        call_id="call",
        at_ms=0,
        started_at="2026-11-20T10:00:00Z",
        source="lab:x",
        policy="p",
        policy_hash="h",
    )
    with closing(Ledger.open(tmp_path / "ledger.sqlite")) as ledger:
        ledger.append_many([began, *line.events])
        recorded = ledger.events("call")
    costs: dict[str, float] = {}
    for one in recorded:
        if isinstance(one, UsageIncurred):
            costs[one.model] = costs.get(one.model, 0.0) + one.cost_usd
    assert costs == {
        model: pytest.approx(millionths * 1e-6, rel=1e-6)
        for model, millionths in {
            "gpt-4.1-mini": 808.8,
            "gemini-2.5-flash": 1073.52,
            "gpt-realtime": 14931.2,
            "llama3.1-8b": 204.0,
            "gemini-2.5-flash-native-audio-preview-12-2025": 3710.0,
            "gpt-4o-mini-tts": 912.0,
            "eleven_flash_v2_5": 1250.0,
            "nova-3": 1540.0,
        }.items()
    }
    whole = total(bill([recorded], "model"), 1)
    assert whole.cost_usd == pytest.approx(0.02442952, rel=1e-6)
    assert whole.again_usd == pytest.approx(0.00534352, rel=1e-6)
    assert whole.unpriced == 0


@pytest.mark.parametrize("line", ["{plugin: openai, model: gpt-4o-transcribe}"], indirect=True)
async def test_a_recogniser_that_is_billed_by_the_token_costs_what_its_answer_says(line: Line) -> None:
    """(50 of audio + 2 of text) x 2.50 + 9 x 10: 220 millionths of a dollar, whatever its minutes are."""
    await line.hear(load_pcm(HERE / "01_quick_question_t03.flac", sample_rate_hz=RATE_HZ).tobytes())
    used = await line.use_of("gpt-4o-transcribe")
    assert used.quantities.keys() == {
        "audio_minutes",
        "input_audio_tokens",
        "input_text_tokens",
        "output_text_tokens",
    }
    assert used.cost_usd == pytest.approx(0.00022)
    assert used.unpriced == ()


async def test_what_a_realtime_engine_has_written_down_of_a_turn_is_billed_beside_its_reply(
    line: Line,
) -> None:
    """A second at 10 tokens x 1.25, and one word x 5: 17.5 millionths of a dollar."""
    session = line.made.realtime["realtime"].open().take()
    for _ in range(10):
        session.hear(rtc.AudioFrame(bytes(2 * 2400), 24_000, 1, 2400))
    session.expect("hello", 12.0)
    async with asyncio.timeout(30):
        await session.generate_reply()
    used = await line.use_of("gpt-4o-mini-transcribe")
    assert [one.model for one in line.events].count(used.model) == 1, "it is told of twice, and paid for once"
    assert (used.engine, used.provider) == ("realtime", "openai")
    assert used.quantities == {"input_audio_tokens": 10, "output_text_tokens": 1}
    assert used.cost_usd == pytest.approx(17.5e-6)
