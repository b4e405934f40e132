"""The lab's voices: real synthesis in a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from itertools import pairwise

import numpy as np
import pytest
import pytest_asyncio

from lab.voices import VoiceError, Voices
from lab.voices.espeak import VOICES, voice_named

pytestmark = [pytest.mark.unit, pytest.mark.asyncio(loop_scope="module")]

SENTENCE = "Your order is on its way. It’ll cost €12, and arrive on Thursday!"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def voices() -> AsyncIterator[Voices]:
    voices = Voices()
    await voices.start()
    yield voices
    await voices.aclose()


def worker_pid(voices: Voices) -> int:
    process = voices._workers[0]._process
    assert process is not None
    return process.pid


async def test_a_sentence_takes_about_as_long_as_a_person_needs(voices: Voices) -> None:
    speech = await voices.synthesise(SENTENCE)
    assert speech.sample_rate_hz == 24_000
    assert 3_000 < speech.duration_ms < 7_000


async def test_speech_is_neither_faint_nor_clipped(voices: Voices) -> None:
    samples = np.frombuffer((await voices.synthesise(SENTENCE)).pcm, dtype="<i2").astype(float)
    audible = samples[np.abs(samples) > 100]
    assert 20 * np.log10(np.sqrt(np.mean(audible**2)) / 32768) == pytest.approx(-20, abs=1)
    assert np.abs(samples).max() < 32_700


async def test_every_character_is_timed_in_order_and_to_the_end(voices: Voices) -> None:
    speech = await voices.synthesise(SENTENCE)
    assert "".join(c.text for c in speech.characters) == SENTENCE
    for before, after in pairwise(speech.characters):
        assert before.start_ms + before.duration_ms == pytest.approx(after.start_ms, abs=0.2)
    last = speech.characters[-1]
    assert last.start_ms + last.duration_ms == pytest.approx(speech.duration_ms, abs=2)


async def test_the_breath_between_sentences_belongs_to_no_word(voices: Voices) -> None:
    speech = await voices.synthesise("This is one. That is two.")
    samples = np.abs(np.frombuffer(speech.pcm, dtype="<i2").astype(int))
    stop = speech.characters[SENTENCE.find(".") - 13]  # the full stop after "one"
    assert stop.text == "."
    middle = round((stop.start_ms + stop.duration_ms / 2) * 24)
    assert stop.duration_ms > 50
    assert samples[middle - 200 : middle + 200].max() < samples.max() / 20


async def test_a_number_read_as_many_words_keeps_its_place(voices: Voices) -> None:
    speech = await voices.synthesise("Order 441792 is here")
    figures = speech.characters[6:12]
    assert sum(c.duration_ms for c in figures) > 1_500
    assert speech.characters[13].start_ms > figures[-1].start_ms


@pytest.mark.parametrize("text", ["", "  \n "])
async def test_blank_text_is_empty_speech(voices: Voices, text: str) -> None:
    speech = await voices.synthesise(text)
    assert (speech.pcm, speech.characters) == (b"", ())


@pytest.mark.parametrize(
    "text", ["...", "<b>&amp;[[x]]", "nul\0l", "né à Zürich 🙂 漢字", "lone \ud800 surrogate", "a" * 500]
)
async def test_odd_text_is_spoken_or_passed_over_but_stays_aligned(voices: Voices, text: str) -> None:
    speech = await voices.synthesise(text)
    assert "".join(c.text for c in speech.characters) == text
    assert all(c.duration_ms >= 0 for c in speech.characters)


async def test_the_same_sentence_is_synthesised_once_even_when_asked_twice_at_once(voices: Voices) -> None:
    first, second = await asyncio.gather(voices.synthesise("Once only."), voices.synthesise("Once only."))
    assert first is second
    assert await voices.synthesise("Once only.") is first


async def test_the_same_text_has_the_same_timing_whatever_was_said_before(voices: Voices) -> None:
    fresh = Voices()
    try:
        again, before = await fresh.synthesise(SENTENCE), await voices.synthesise(SENTENCE)
        # to the period of its pitch: espeak-ng carries the phase over from what it said before
        assert [c.start_ms for c in again.characters] == pytest.approx(
            [c.start_ms for c in before.characters], abs=6
        )
    finally:
        await fresh.aclose()


async def test_every_named_voice_exists_and_sounds_different(voices: Voices) -> None:
    spoken = [(await voices.synthesise("Good morning.", voice=name)).pcm for name in VOICES]
    assert len(set(spoken)) == len(VOICES)


async def test_a_vendors_voice_name_always_stands_for_the_same_voice() -> None:
    assert voice_named("hpp4J3VqNfWAUOO0d1Us") is voice_named("hpp4J3VqNfWAUOO0d1Us")
    assert {id(voice_named(f"vendor-{n}")) for n in range(40)} == {id(v) for v in VOICES.values()}


async def test_a_worker_that_dies_while_speaking_is_reported_and_replaced() -> None:
    voices = Voices()
    try:
        await voices.start()
        pid = worker_pid(voices)
        os.kill(pid, signal.SIGSTOP)
        speaking = asyncio.create_task(voices.synthesise("This will not be finished."))
        await asyncio.sleep(0)  # the request is on its way
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(VoiceError, match=r"ended \(status -9\) while speaking 'This will not"):
            await speaking
        assert (await voices.synthesise("This will not be finished.")).pcm
        assert worker_pid(voices) != pid
    finally:
        await voices.aclose()


async def test_a_listener_who_goes_away_does_not_disturb_the_next(voices: Voices) -> None:
    task = asyncio.create_task(voices.synthesise("Nobody waits for this sentence."))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    wanted, repeated = await asyncio.gather(
        voices.synthesise("But for this one."), voices.synthesise("Nobody waits for this sentence.")
    )
    assert len(repeated.pcm) > len(wanted.pcm) > 0


async def test_closing_ends_the_workers_even_in_mid_sentence() -> None:
    voices = Voices(processes=2)
    await voices.start()
    processes = [worker._process for worker in voices._workers]
    speaking = asyncio.create_task(voices.synthesise("word " * 2_000))
    await asyncio.sleep(0)
    await voices.aclose()
    with pytest.raises(asyncio.CancelledError):
        await speaking
    assert all(process is not None and process.returncode is not None for process in processes)
