"""A cascade's parts: how long a model and a voice may stay silent, and what tools a model is offered."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from livekit import rtc
from livekit.agents import (
    NOT_GIVEN,
    APIConnectionError,
    APIConnectOptions,
    ModelSettings,
    function_tool,
    llm,
    tts,
)

from engines import cascade as module
from engines.cascade import Cascade, _aloud
from tests.unit.engines.fakes import frame

pytestmark = pytest.mark.unit


class Mind(llm.LLM[Any]):
    """Says each word after its wait in seconds; an exception among the words is raised."""

    def __init__(self, *words: tuple[float, str | Exception]) -> None:
        super().__init__()
        self.words = words
        self.offered: list[tuple[list[str], Any]] = []

    @property
    def model(self) -> str:
        return "scripted"

    @property
    def provider(self) -> str:
        return "nobody"

    def chat(self, *, chat_ctx: llm.ChatContext, tools: Any = None, **how: Any) -> llm.LLMStream:
        self.offered.append(([tool.id for tool in tools or []], how.get("tool_choice", NOT_GIVEN)))
        return _Stream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=how["conn_options"])


class _Stream(llm.LLMStream):
    async def _run(self) -> None:
        assert isinstance(self._llm, Mind)
        for wait_s, word in self._llm.words:
            await asyncio.sleep(wait_s)
            if isinstance(word, Exception):
                raise word
            self._event_ch.send_nowait(llm.ChatChunk(id="1", delta=llm.ChoiceDelta(content=word)))


def cascade(mind: Mind, *, tools: bool = False, first_reply_s: float = 5.0) -> Cascade:
    voice: Any = None
    return Cascade("fast", mind, voice, tools, first_reply_s)


async def said(chain: Cascade, tools: Sequence[llm.Tool] = ()) -> list[str]:
    words = []
    async for chunk in chain.think(llm.ChatContext(), [*tools], ModelSettings(tool_choice="auto")):
        assert chunk.delta is not None
        words.append(chunk.delta.content or "")
    return words


@function_tool
async def order_lookup(order_number: str) -> str:
    """Find an order."""
    return "on its way"


async def test_a_reply_is_streamed_as_it_comes() -> None:
    assert await said(cascade(Mind((0, "Good "), (0, "day.")))) == ["Good ", "day."]


async def test_a_model_that_does_not_begin_in_time_has_failed() -> None:
    with pytest.raises(TimeoutError):
        await said(cascade(Mind((60, "late")), first_reply_s=0.01))


async def test_a_model_that_stops_in_mid_reply_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STALL_S", 0.01)
    with pytest.raises(TimeoutError):
        await said(cascade(Mind((0, "Good "), (60, "day."))))


async def test_a_failure_is_not_tried_again_on_the_same_model() -> None:
    mind = Mind((0, APIConnectionError("gone")))
    with pytest.raises(APIConnectionError):
        await said(cascade(mind))
    assert len(mind.offered) == 1


async def test_tools_are_offered_only_to_an_engine_that_may_use_them() -> None:
    mind = Mind((0, "Good day."))
    await said(cascade(mind, tools=True), [order_lookup])
    await said(cascade(mind, tools=False), [order_lookup])
    assert mind.offered == [(["order_lookup"], "auto"), ([], NOT_GIVEN)]


# -- the voice ------------------------------------------------------------------------------------------------
class Voice(tts.TTS[Any]):
    """Speaks one frame for every word, unless it hangs or fails."""

    def __init__(self, speak: Callable[[str], bool | Exception]) -> None:
        super().__init__(capabilities=tts.TTSCapabilities(streaming=True), sample_rate=24_000, num_channels=1)
        self.speak = speak

    def synthesize(self, text: str, *, conn_options: Any = None) -> Any:
        raise NotImplementedError

    def stream(self, *, conn_options: APIConnectOptions = module.VOICE) -> tts.SynthesizeStream:
        return _Spoken(tts=self, conn_options=conn_options)


class _Spoken(tts.SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        assert isinstance(self._tts, Voice)
        output_emitter.initialize(
            request_id="1", sample_rate=24_000, num_channels=1, mime_type="audio/pcm", stream=True
        )
        output_emitter.start_segment(segment_id="1")
        self._mark_started()
        async for word in self._input_ch:
            if isinstance(word, str):
                heard = self._tts.speak(word)
                if isinstance(heard, Exception):
                    raise heard
                if not heard:
                    await asyncio.Event().wait()
                output_emitter.push(frame(200).data.tobytes())
                output_emitter.flush()


async def words(*after: str) -> AsyncIterator[str]:
    for word in after:
        yield word


async def heard(voice: Voice) -> list[rtc.AudioFrame]:
    async with voice.stream() as stream:
        return [audio.frame async for audio in _aloud(stream, "Good ", words("day."))]


async def test_every_word_is_read_aloud() -> None:
    frames = await heard(Voice(lambda word: True))
    assert sum(one.duration for one in frames) == pytest.approx(0.4, abs=0.03)


@pytest.mark.parametrize("hangs_at", ["Good ", "day."])
async def test_a_voice_that_stalls_has_failed(monkeypatch: pytest.MonkeyPatch, hangs_at: str) -> None:
    monkeypatch.setattr(module, "VOICE_STALL_S", 0.05)
    with pytest.raises(TimeoutError):
        await heard(Voice(lambda word: word != hangs_at))


async def test_a_voice_that_fails_says_so() -> None:
    with pytest.raises(APIConnectionError):
        await heard(Voice(lambda word: APIConnectionError("gone")))
