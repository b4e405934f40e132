"""Reading aloud: how long a voice may stay silent, and what becomes of one that fails."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from livekit import rtc
from livekit.agents import APIConnectionError, APIConnectOptions, ModelSettings, tts

from engines import voiced as module
from engines.generations import Generation, Generations
from engines.voiced import VoicedAgent, aloud
from engines.wording import Wording
from tests.unit.engines.fakes import frame

pytestmark = pytest.mark.unit


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
        return [audio.frame async for audio in aloud(stream, "Good ", words("day."))]


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


# -- agents ------------------------------------------------------------------------------------------------------
class Books:
    """As much of a desk as an agent asks that reads aloud."""

    def __init__(self, voice: Voice) -> None:
        self.voice = voice
        self.wording = Wording()
        self.instructions, self.tools = "", ()
        self.generations = Generations()
        self.unread_by_voice: list[int] = []
        self.failures: list[str] = []
        self.recovery = self

    def voice_for(self, generation: Generation | None) -> Voice:
        return self.voice

    def unread(self, voice: tts.TTS[Any], characters: int) -> None:
        self.unread_by_voice.append(characters)

    def voiced(self, generation: Generation | None) -> None: ...
    def voiceless(self, generation: Generation | None) -> None: ...
    def voice_failed(self, generation: Generation | None, error: BaseException) -> None:
        self.failures.append(type(error).__name__)


def reader(books: Books) -> VoicedAgent:
    desk: Any = books
    return VoicedAgent(desk, instructions="")


async def test_words_about_a_delay_are_heard_before_there_are_others() -> None:
    books, more = Books(Voice(lambda word: True)), asyncio.Event()

    async def slowly() -> AsyncIterator[str]:
        yield "One moment, please."
        await more.wait()
        yield " Your order "
        yield "is on its way."

    frames = reader(books).tts_node(slowly(), ModelSettings())
    heard = [await anext(frames)]  # nothing else is said yet
    more.set()
    heard += [one async for one in frames]
    assert sum(one.duration for one in heard) == pytest.approx(0.6, abs=0.05)
    assert books.unread_by_voice == []


async def test_what_a_voice_was_given_when_it_failed_is_told() -> None:
    books = Books(Voice(lambda word: True if word == "Good " else APIConnectionError("gone")))
    frames = [one async for one in reader(books).tts_node(words("Good ", "day."), ModelSettings())]
    assert frames
    assert books.failures == ["APIConnectionError"]
    assert books.unread_by_voice == [len("Good day.")]


async def test_what_a_voice_was_given_when_it_was_cut_is_told() -> None:
    books = Books(Voice(lambda word: word == "Good "))  # then it hangs
    frames = reader(books).tts_node(words("Good ", "day."), ModelSettings())
    await anext(frames)
    await asyncio.sleep(0)
    await frames.aclose()
    assert len(books.unread_by_voice) == 1
