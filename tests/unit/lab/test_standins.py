"""The free ears and voice behave like the real ones as far as a protocol can tell."""

import asyncio

import numpy as np
import pytest

from lab.errors import LabError
from lab.standins import GivenHearing, ToneVoices

pytestmark = pytest.mark.unit


async def test_the_ears_hear_what_they_were_given_and_then_hello() -> None:
    hearing = GivenHearing(["good morning"])
    heard = await hearing.recognise(bytes(48_000), sample_rate_hz=24_000)
    assert (heard.text, heard.kind, heard.end_s) == ("good morning", "final", 1.0)
    assert [(w.text, w.start_s, w.end_s) for w in heard.words] == [("good", 0, 0.5), ("morning", 0.5, 1.0)]
    assert (await hearing.recognise(bytes(2), sample_rate_hz=24_000)).text == "hello"


async def test_a_listener_answers_each_finalize_once_and_ends_when_closed() -> None:
    hearing = GivenHearing(["one", "two"])
    listener = hearing.listen(sample_rate_hz=8_000)
    for _ in range(2):
        listener.push(bytes(160))
        listener.finalize()
    await listener.aclose()
    async with asyncio.timeout(60):
        assert [heard.text async for heard in listener] == ["one", "two"]


async def test_every_voice_has_its_pitch() -> None:
    voices = ToneVoices(character_ms=100, pitches_hz={"high": 880.0})
    for voice, pitch_hz in (("high", 880), ("any", 440)):
        samples = np.frombuffer((await voices.synthesise("hello hello", voice=voice)).pcm, "<i2")
        second = samples[:24_000]
        assert np.abs(np.fft.rfft(second)).argmax() == pitch_hz


async def test_the_voice_is_as_long_as_its_text_and_marks_every_character() -> None:
    voices = ToneVoices(character_ms=10)
    speech = await voices.synthesise("hello")
    assert len(speech.pcm) == 5 * 240 * 2
    assert [(c.text, c.start_ms) for c in speech.characters][-1] == ("o", 40)
    voices.broken = True
    with pytest.raises(LabError):
        await voices.synthesise("hello")
