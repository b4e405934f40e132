"""Reading aloud: what the caller hears of a reply, and what the record says was heard, when voices fail."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from livekit.agents import APIConnectionError, APIConnectOptions, ModelSettings, llm, tts

from compliance.tap import NO_ANSWER
from engines import voices as module
from engines.generations import Generation
from engines.voiced import VoicedAgent
from engines.voices import Voice as Named
from engines.voices import Voices
from engines.wording import Wording
from tests.unit.engines.fakes import frame

pytestmark = pytest.mark.unit

APOLOGY = Wording().recorded_words
APOLOGY_S = sum(one.duration for one in Wording().recorded_apology())
AGAIN = Wording().start_again.strip()


class Voice(tts.TTS[Any]):
    """Speaks one frame of 200 ms (at 24 kHz) for every piece of text, unless it hangs or fails."""

    def __init__(self, speak: Callable[[str], bool | Exception], rate_hz: int = 24_000) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=True), sample_rate=rate_hz, num_channels=1
        )
        self.speak = speak

    def synthesize(self, text: str, *, conn_options: Any = None) -> Any:
        raise NotImplementedError

    def stream(self, *, conn_options: APIConnectOptions = module.VOICE) -> tts.SynthesizeStream:
        return _Spoken(tts=self, conn_options=conn_options)


class _Spoken(tts.SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        assert isinstance(self._tts, Voice)
        output_emitter.initialize(
            request_id="1",
            sample_rate=self._tts.sample_rate,
            num_channels=1,
            mime_type="audio/pcm",
            stream=True,
        )
        output_emitter.start_segment(segment_id="1")
        self._mark_started()
        async for word in self._input_ch:
            if isinstance(word, str):
                heard = self._tts.speak(word)
                if isinstance(heard, Exception):
                    await asyncio.sleep(0.05)  # what was said before is on its way
                    raise heard
                if not heard:
                    await asyncio.Event().wait()
                output_emitter.push(frame(200).data.tobytes())
                output_emitter.flush()


class Well:
    """Voices that are all well, and what is told of them."""

    def __init__(self, *sick: str) -> None:
        self.sick = set(sick)
        self.told: list[str] = []

    def may_ask(self, name: str) -> bool:
        return name not in self.sick

    def asked(self, name: str) -> None:
        self.told.append(name)

    def failed(self, name: str) -> None:
        self.sick.add(name)


def several(*voices: tts.TTS[Any], **told: Any) -> Voices:
    named = [Named(f"voice {number}", f"vendor {number}", voice) for number, voice in enumerate(voices, 1)]
    return Voices(named, Well(), **told)


def speaks(word: str) -> bool:
    return True


def fails_at(*words: str) -> Callable[[str], bool | Exception]:
    """How a voice speaks that fails at one of ``words``."""
    return lambda word: APIConnectionError("gone") if word.strip() in words else True


async def words(*after: str) -> AsyncIterator[str]:
    for word in after:
        yield word


# -- agents ------------------------------------------------------------------------------------------------------
class Books:
    """As much of a desk as an agent asks that reads aloud."""

    def __init__(self, *voices: Voice) -> None:
        self.unread_by_voice: list[tuple[str, int]] = []
        self.actions: list[str] = []
        self.failures: list[str] = []
        self.voices = several(
            *voices,
            unread=lambda voice, characters: self.unread_by_voice.append((voice.provider, characters)),
            failed=lambda voice, error, action: self.actions.append(action),
        )
        self.wording = Wording()
        self.instructions, self.tools = "", ()
        self.generation = Generation(1, "fast", 1)
        self.generations = self
        self.recovery = self

    def current(self) -> Generation:
        return self.generation

    def voice_for(self, generation: Generation | None) -> Voices:
        return self.voices

    def voice_failed(self, generation: Generation | None, error: BaseException) -> None:
        self.failures.append(type(error).__name__)

    def on_record(self, text: str, *, interrupted: bool = False) -> str:
        """What the record has of the reply, of which ``text`` is what the engine wrote."""
        message = llm.ChatMessage(role="assistant", content=[text], interrupted=interrupted)
        self.generation.put_right([message])
        return message.text_content or ""


def reader(books: Books) -> VoicedAgent:
    desk: Any = books
    return VoicedAgent(desk, instructions="")


async def heard_s(books: Books, *text: str) -> float:
    frames = [one async for one in reader(books).tts_node(words(*text), ModelSettings())]
    assert {one.sample_rate for one in frames} == {24_000}
    return sum(one.duration for one in frames)


async def test_words_about_a_delay_are_heard_before_there_are_others() -> None:
    books, more = Books(Voice(speaks)), asyncio.Event()

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
    answer = [one for one in heard if NO_ANSWER not in one.userdata]
    assert sum(one.duration for one in answer) == pytest.approx(0.4, abs=0.05)
    assert NO_ANSWER in heard[0].userdata
    assert books.unread_by_voice == []
    assert books.on_record("One moment, please. Your order is on its way.").endswith("its way.")


async def test_what_a_voice_breaks_off_the_next_one_says_from_the_beginning() -> None:
    text = "Your refund of ", "forty francs ", "is on its way."
    books = Books(Voice(fails_at("is on its way.")), Voice(speaks))
    # Two pieces, the word about it, and all three again.
    assert await heard_s(books, *text) == pytest.approx(6 * 0.2, abs=0.1)
    assert books.actions == ["the next voice says it again"]
    assert books.failures == []
    assert books.unread_by_voice == [("vendor 1", len("".join(text)))]
    assert books.on_record("".join(text)) == f"Your {AGAIN} {''.join(text)}"


async def test_where_a_voice_fails_before_it_is_heard_the_next_one_says_it_without_a_word() -> None:
    books = Books(Voice(fails_at("Good ".strip())), Voice(speaks))
    assert await heard_s(books, "Good ", "day.") == pytest.approx(0.4, abs=0.05)
    assert books.actions == ["the next voice speaks"]
    assert books.unread_by_voice == []  # it took nothing
    assert books.on_record("Good day.") == "Good day."


async def test_where_no_voice_is_left_the_recorded_apology_is_heard_after_what_was_said() -> None:
    books = Books(Voice(fails_at("Your refund of forty francs")))
    text = "One moment, please. ", "Your refund of forty francs ", "is on its way."
    assert await heard_s(books, *text) == pytest.approx(0.2 + APOLOGY_S, abs=0.1)
    assert books.actions == ["no voice is left"]
    assert books.failures == ["APIConnectionError"]
    assert not books.generation.voiceless
    assert books.on_record("".join(text)) == f"One moment, please. {APOLOGY}"


async def test_of_what_the_last_voice_broke_off_the_record_has_no_more_than_was_heard() -> None:
    books = Books(Voice(fails_at("is on its way.")), Voice(fails_at("forty francs")))
    text = "Your refund of ", "forty francs ", "is on its way."
    assert await heard_s(books, *text) == pytest.approx(4 * 0.2 + APOLOGY_S, abs=0.1)
    assert books.actions == ["the next voice says it again", "no voice is left"]
    told = books.on_record("".join(text))
    assert told.startswith(f"Your {AGAIN} ")
    assert told.endswith(APOLOGY)
    assert "francs" not in told
    assert "francs" not in books.on_record("Your refund of forty francs", interrupted=True)


async def test_without_any_voice_only_the_recorded_apology_is_heard() -> None:
    books = Books(Voice(fails_at("Good")))
    assert await heard_s(books, "Good ", "day.") == pytest.approx(APOLOGY_S)
    assert books.generation.voiceless


async def test_a_plugin_that_breaks_is_a_voice_that_fails() -> None:
    books = Books(Voice(lambda word: KeyError("audio")))
    assert await heard_s(books, "Good day.") == pytest.approx(APOLOGY_S)
    assert books.failures == ["KeyError"]


async def test_what_a_voice_was_given_when_it_was_cut_is_told() -> None:
    books = Books(Voice(lambda word: word == "Good "))  # then it hangs
    frames = reader(books).tts_node(words("Good ", "day."), ModelSettings())
    await anext(frames)
    await asyncio.sleep(0)
    await frames.aclose()
    assert books.unread_by_voice == [("vendor 1", len("Good day."))]
    assert books.actions == []


async def test_nothing_is_said_of_a_reply_that_was_cut() -> None:
    books = Books(Voice(fails_at("day.")))
    frames = reader(books).tts_node(words("Good ", "day."), ModelSettings())
    await anext(frames)
    books.generation.close()
    assert [one async for one in frames] == []
