"""Ears that know what can be said."""

import asyncio

import numpy as np
import pytest

from lab.bench import known_lab
from lab.callers import HERE, load_pcm
from lab.known_speech import RATE_HZ, KnownListener, KnownSpeech, Utterance, excerpts

pytestmark = pytest.mark.unit

TEXTS = ("where is my order", "thank you", "")
SPEECH = excerpts(load_pcm(HERE / "10_long_complaint_t01.flac"), TEXTS, seconds=0.9)


def silence(seconds: float) -> bytes:
    return bytes(2 * int(seconds * RATE_HZ))


def said(text: str) -> bytes:
    return SPEECH[text].samples.tobytes()


async def finals(listener: KnownListener, count: int) -> list[tuple[str, bool]]:
    heard = aiter(listener)
    found = [await anext(heard) for _ in range(count)]
    return [(one.text, one.finalized) for one in found]


def test_excerpts_are_as_long_as_asked_and_nothing_is_in_two() -> None:
    assert {len(one.samples) for one in SPEECH.values()} == {int(0.9 * RATE_HZ)}
    assert len({one.samples.tobytes() for one in SPEECH.values()}) == len(TEXTS)


def test_a_recording_holds_only_so_many() -> None:
    with pytest.raises(ValueError, match="more than the recording holds"):
        excerpts(np.zeros(RATE_HZ, np.int16), ["one", "two"], seconds=0.9)


async def test_what_was_said_is_recognised_in_its_order_among_silence() -> None:
    ears = KnownSpeech(tuple(SPEECH.values()))
    pcm = silence(0.31) + said("thank you") + silence(0.2) + said("where is my order") + silence(0.1)
    heard = await ears.recognise(pcm, sample_rate_hz=RATE_HZ)
    assert heard.text == "thank you where is my order"


async def test_a_known_sound_may_have_no_words_and_silence_has_none() -> None:
    ears = KnownSpeech(tuple(SPEECH.values()))
    for pcm in (said(""), silence(1.0), b""):
        assert (await ears.recognise(pcm, sample_rate_hz=RATE_HZ)).text == ""


@pytest.mark.parametrize("text", [one.text for one in known_lab.speech()])
async def test_it_does_not_matter_at_which_sample_an_utterance_begins(text: str) -> None:
    [said] = [one.samples for one in known_lab.speech() if one.text == text]
    ears = known_lab.ears(known_lab.speech())
    for early in range(0, RATE_HZ // 100, 7):
        pcm = bytes(2 * early) + said.tobytes() + silence(0.1)
        assert (await ears.recognise(pcm, sample_rate_hz=RATE_HZ)).text == text


async def test_half_of_an_utterance_is_not_heard() -> None:
    ears = KnownSpeech(tuple(SPEECH.values()))
    pcm = said("thank you")
    assert (await ears.recognise(pcm[: len(pcm) // 2], sample_rate_hz=RATE_HZ)).text == ""


async def test_a_listener_answers_when_it_is_asked_and_keeps_what_it_was_sent() -> None:
    ears = KnownSpeech(tuple(SPEECH.values()))
    listener = ears.listen(sample_rate_hz=RATE_HZ)
    listener.push(said("thank you"))
    listener.push(silence(1.0))
    listener.finalize()
    listener.finalize()
    assert await finals(listener, 2) == [("thank you", True), ("", True)]
    assert [len(turn) for turn in listener.turns] == [int(1.9 * RATE_HZ), 0]
    await listener.aclose()


async def test_with_endpointing_silence_ends_an_utterance() -> None:
    ears = KnownSpeech(tuple(SPEECH.values()), endpointing=True)
    listener = ears.listen(sample_rate_hz=RATE_HZ, silence_s=0.3)
    for _ in range(5):
        listener.push(silence(0.1))
    listener.push(said("thank you"))
    for _ in range(5):
        listener.push(silence(0.1))
    listener.push(said("where is my order"))
    listener.finalize()
    async with asyncio.timeout(60):
        assert await finals(listener, 2) == [("thank you", False), ("where is my order", True)]
    await listener.aclose()


async def test_a_pause_within_an_utterance_does_not_end_it_and_times_are_those_of_the_stream() -> None:
    broken = SPEECH["thank you"].samples.copy()
    broken[len(broken) // 2 :][: RATE_HZ // 10] = 0
    ears = KnownSpeech((Utterance("thank you", broken),), endpointing=True)
    listener = ears.listen(sample_rate_hz=RATE_HZ, silence_s=0.04)
    listener.push(silence(1.0))
    listener.finalize()
    for piece in np.split(broken, len(broken) // (RATE_HZ // 50)):
        listener.push(piece.tobytes())
    for _ in range(5):
        listener.push(silence(0.02))
    heard = aiter(listener)
    assert (await anext(heard)).text == ""
    one = await anext(heard)
    assert (one.text, one.finalized) == ("thank you", False)
    assert (one.start_s, one.end_s) == pytest.approx((1.0, 1.94), abs=0.001)
    await listener.aclose()
