import asyncio
import math
import os
import signal
from collections.abc import AsyncIterator
from itertools import pairwise

import numpy as np
import pytest
import pytest_asyncio

from lab.callers import HERE, load_pcm
from lab.hearing import Heard, Hearing, HearingError, Listener

pytestmark = [pytest.mark.unit, pytest.mark.asyncio(loop_scope="module")]

RATE_HZ = 16_000
OPENING_HOURS = "hi what are your opening hours on saturday"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ears() -> AsyncIterator[Hearing]:
    hearing = Hearing(processes=1)
    await hearing.start()
    yield hearing
    await hearing.aclose()


def recording(name: str, sample_rate_hz: int = RATE_HZ) -> bytes:
    return load_pcm(HERE / name, sample_rate_hz=sample_rate_hz).tobytes()


def push_in_frames(listener: Listener, pcm: bytes) -> None:
    step = RATE_HZ // 50 * 2
    for at in range(0, len(pcm), step):
        listener.push(pcm[at : at + step])


async def until_finalized(listener: Listener) -> list[Heard]:
    listener.finalize()
    heard = []
    async with asyncio.timeout(60):
        async for item in listener:
            heard.append(item)
            if item.finalized:
                break
    return heard


async def test_a_caller_is_understood_with_the_times_of_the_words(ears: Hearing) -> None:
    listener = ears.listen(sample_rate_hz=RATE_HZ)
    push_in_frames(listener, recording("01_quick_question_t01.flac"))
    heard = await until_finalized(listener)
    await listener.aclose()

    assert [item.kind for item in heard[:2]] == ["speech_started", "interim"]
    finals = [item for item in heard if item.kind == "final"]
    assert " ".join(item.text for item in finals).strip() == OPENING_HOURS
    words = finals[0].words
    assert 0.3 < words[0].start_s < 0.7
    assert 2.4 < words[-1].end_s < 3.2
    assert all(a.start_s < a.end_s <= b.start_s for a, b in pairwise(words))
    assert all(0 < word.confidence <= 1 for word in words)
    assert all(item.decode_s > 0 for item in heard)


async def test_times_run_on_from_the_first_sample_ever_pushed(ears: Hearing) -> None:
    listener = ears.listen(sample_rate_hz=RATE_HZ)
    goodbye = recording("01_quick_question_t03.flac")
    push_in_frames(listener, goodbye)
    first = (await until_finalized(listener))[0].start_s
    push_in_frames(listener, goodbye)
    second = (await until_finalized(listener))[0].start_s
    await listener.aclose()
    assert second - first == pytest.approx(len(goodbye) / 2 / RATE_HZ, abs=0.04)


@pytest.mark.parametrize("turn", ["t02", "t03", "t05"])
async def test_silence_and_noise_are_no_words(ears: Hearing, turn: str) -> None:
    listener = ears.listen(sample_rate_hz=RATE_HZ)
    push_in_frames(listener, recording(f"07_silence_and_noise_{turn}.flac"))
    heard = await until_finalized(listener)
    await listener.aclose()
    assert [(item.kind, item.text) for item in heard] == [("final", "")]


async def test_finalize_brings_what_was_said_so_far_and_the_rest_follows(ears: Hearing) -> None:
    pcm = recording("04_calm_becomes_furious_t03.flac")
    cut = RATE_HZ * 2 * 2
    listener = ears.listen(sample_rate_hz=RATE_HZ)
    push_in_frames(listener, pcm[:cut])
    before = await until_finalized(listener)
    push_in_frames(listener, pcm[cut:])
    after = await until_finalized(listener)
    await listener.aclose()
    assert before[-1].text.startswith("no i already told you that")
    assert " ".join(item.text for item in after if item.kind == "final").endswith("weeks ago")


async def test_silence_ends_an_utterance_unless_that_is_switched_off(ears: Hearing) -> None:
    pcm = recording("03_card_phone_two_breaths_t03.flac")
    for silence_s, utterances in ((0.3, 2), (math.inf, 1)):
        listener = ears.listen(sample_rate_hz=RATE_HZ, silence_s=silence_s)
        push_in_frames(listener, pcm)
        finals = [item for item in await until_finalized(listener) if item.text and item.kind == "final"]
        await listener.aclose()
        assert len(finals) == utterances
        text = " ".join(item.text for item in finals)
        assert text == "my phone number is five five five zero one four two seven seven eight"


@pytest.mark.parametrize("sample_rate_hz", [24_000, 48_000])
async def test_a_recording_of_another_rate_is_recognised_whole(ears: Hearing, sample_rate_hz: int) -> None:
    pcm = recording("01_quick_question_t01.flac", sample_rate_hz)
    heard = await ears.recognise(pcm, sample_rate_hz=sample_rate_hz)
    assert heard.text == OPENING_HOURS
    assert 0.3 < heard.words[0].start_s < 0.7


@pytest.mark.parametrize("sample_rate_hz", [8_000, 16_000])
async def test_a_telephone_is_understood_at_its_own_rate_and_at_another(
    ears: Hearing, sample_rate_hz: int
) -> None:
    pcm = recording("02_order_status_t02_8k_mulaw.wav", sample_rate_hz)
    heard = await ears.recognise(pcm, sample_rate_hz=sample_rate_hz)
    assert heard.text == "the order number is four four one seven nine two"


async def test_a_listener_is_not_influenced_by_the_one_before(ears: Hearing) -> None:
    pcm = recording("08_asks_for_human_t01.flac")
    first = await ears.recognise(pcm, sample_rate_hz=RATE_HZ)
    await ears.recognise(recording("05_furious_from_first_word_t01.flac"), sample_rate_hz=RATE_HZ)
    again = await ears.recognise(pcm, sample_rate_hz=RATE_HZ)
    assert again.words == first.words


async def test_two_listeners_of_one_process_do_not_mix(ears: Hearing) -> None:
    texts = await asyncio.gather(
        ears.recognise(recording("01_quick_question_t01.flac"), sample_rate_hz=RATE_HZ),
        ears.recognise(recording("01_quick_question_t03.flac"), sample_rate_hz=RATE_HZ),
    )
    assert [heard.text for heard in texts] == [OPENING_HOURS, "goodbye"]


async def test_nonsense_is_refused_with_a_reason(ears: Hearing) -> None:
    with pytest.raises(HearingError, match="at least one process"):
        Hearing(processes=0)
    with pytest.raises(HearingError, match="between 8000 and 192000"):
        ears.listen(sample_rate_hz=0)
    listener = ears.listen(sample_rate_hz=RATE_HZ)
    with pytest.raises(HearingError, match="even number of bytes"):
        listener.push(bytes(np.zeros(3, np.uint8)))
    await listener.aclose()
    with pytest.raises(HearingError, match=r"start\(\) first"):
        Hearing().listen(sample_rate_hz=RATE_HZ)


async def test_listeners_of_a_dead_process_are_told_and_a_new_process_takes_over() -> None:
    hearing = Hearing(processes=1)
    await hearing.start()
    try:
        listener = hearing.listen(sample_rate_hz=RATE_HZ)
        (dead,) = hearing.process_ids
        os.kill(dead, signal.SIGKILL)
        async with asyncio.timeout(60):
            with pytest.raises(HearingError, match="ended unexpectedly"):
                async for _ in listener:
                    pass
            listener.push(bytes(2))  # too late, but no reason to fail again
            await listener.aclose()
            await hearing.ready()
        (alive,) = hearing.process_ids
        assert alive != dead
        heard = await hearing.recognise(recording("01_quick_question_t03.flac"), sample_rate_hz=RATE_HZ)
        assert heard.text == "goodbye"
    finally:
        await hearing.aclose()
    assert hearing.process_ids == ()


async def test_ears_can_be_closed_while_a_process_is_being_replaced() -> None:
    hearing = Hearing(processes=1)
    await hearing.start()
    listener = hearing.listen(sample_rate_hz=RATE_HZ)
    os.kill(hearing.process_ids[0], signal.SIGKILL)
    with pytest.raises(HearingError):
        async for _ in listener:
            pass
    async with asyncio.timeout(60):
        await hearing.aclose()
    assert hearing.process_ids == ()


async def test_closing_the_ears_ends_who_listens_and_every_process() -> None:
    hearing = Hearing(processes=1)
    await hearing.start()
    (process,) = hearing.process_ids
    listener = hearing.listen(sample_rate_hz=RATE_HZ)
    await hearing.aclose()
    with pytest.raises(HearingError, match="were closed"):
        async for _ in listener:
            pass
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
