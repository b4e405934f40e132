"""Several voices as one: what is said begins with the first that is well, and goes on with the next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from livekit import rtc
from livekit.agents import APIConnectionError, APITimeoutError

from engines import voices as module
from engines.gates import GateError
from engines.voices import Voice as Named
from engines.voices import Voices
from tests.unit.engines.test_voiced import Voice, Well, fails_at, several, speaks, words
from tests.virtual_time import in_virtual_time

pytestmark = pytest.mark.unit


class Noting(Voice):
    """A voice that says who it is, and notes what it was given."""

    def __init__(self, name: str, *, fails: bool = False) -> None:
        super().__init__(self._speak)
        self.name, self.fails = name, fails
        self.read: list[str] = []

    def _speak(self, word: str) -> bool | Exception:
        self.read.append(word)
        return APIConnectionError("gone") if self.fails else True

    @property
    def model(self) -> str:
        return self.name


async def heard(voices: Voices, *text: str) -> list[rtc.AudioFrame]:
    first, *rest = text or ("Hello.",)
    return [one async for one in voices.say(first, words(*rest))]


def chain(health: Well, *voices: Noting) -> Voices:
    return Voices([Named(voice.name, "vendor", voice) for voice in voices], health)


async def test_every_word_is_read_aloud() -> None:
    frames = await heard(several(Voice(speaks)), "Good ", "day.")
    assert sum(one.duration for one in frames) == pytest.approx(0.4, abs=0.03)


async def test_a_session_without_failing_over_can_have_the_first_voice_as_it_is() -> None:
    first = Noting("first")
    assert chain(Well(), first, Noting("second")).preferred is first


async def test_the_first_voice_speaks_while_it_is_well() -> None:
    health, house, spare = Well(), Noting("house"), Noting("spare")
    voices = chain(health, house, spare)
    await heard(voices)
    assert (house.read, spare.read) == (["Hello."], [])
    assert health.told == ["house"]
    assert voices.metrics_metadata["model_name"] == "house"


async def test_a_voice_that_is_not_well_is_passed_over() -> None:
    health, house, spare, third = Well("house", "spare"), Noting("house"), Noting("spare"), Noting("third")
    voices = chain(health, house, spare, third)
    await heard(voices)
    assert (house.read, spare.read, third.read) == ([], [], ["Hello."])
    assert health.told == ["third"]
    assert voices.metrics_metadata["model_name"] == "third"
    health.sick.clear()
    await heard(voices)
    assert house.read == ["Hello."]


async def test_where_none_is_well_the_first_is_tried() -> None:
    health, house = Well("house", "spare"), Noting("house")
    await heard(chain(health, house, Noting("spare")))
    assert house.read == ["Hello."]


async def test_the_next_voice_speaks_when_one_fails_whichever_began() -> None:
    health, house, spare = Well("house"), Noting("house"), Noting("spare", fails=True)
    await heard(chain(health, house, spare))
    assert spare.read
    assert house.read == ["Hello."]
    assert health.sick == {"house", "spare"}  # and the next breath is not begun with it


@pytest.mark.parametrize("hangs_at", ["Good ", "day."])
@in_virtual_time
async def test_a_voice_that_stalls_has_failed(hangs_at: str) -> None:
    spare = Noting("spare")
    assert await heard(several(Voice(lambda word: word != hangs_at), spare), "Good ", "day.")
    assert spare.read[-2:] == ["Good ", "day."]
    with pytest.raises(TimeoutError):
        await heard(several(Voice(lambda word: word != hangs_at)), "Good ", "day.")


async def slowly(*text: str) -> AsyncIterator[str]:
    for word in text:
        await asyncio.sleep(1)
        yield word


async def failed_after_s(voice: Voice, *text: str, patience: float = 1.0) -> float:
    """When a voice has failed that says words of which one comes a second."""
    began_s = asyncio.get_running_loop().time()
    with pytest.raises(TimeoutError):
        async for _ in several(voice, patience=patience).say("I will have", slowly(*text)):
            pass
    return asyncio.get_running_loop().time() - began_s


HANGS = Voice(lambda word: False)


@in_virtual_time
async def test_a_voice_owes_audio_from_a_whole_sentence_on() -> None:
    words = " a look", " at that for you.", " It", " may take", " a moment", " or", " two", " or three."
    assert await failed_after_s(HANGS, *words) == pytest.approx(3 + module.VOICE_STALL_S)
    assert await failed_after_s(HANGS, *words[:2]) == pytest.approx(2 + module.VOICE_STALL_S)
    assert await failed_after_s(HANGS, *words, patience=0.2) == pytest.approx(3 + 0.2 * module.VOICE_STALL_S)


@in_virtual_time
async def test_a_voice_is_not_given_up_on_for_the_pause_of_a_hasty_model() -> None:
    def stalls(word: str) -> bool:
        return word != " order."

    after_s = await failed_after_s(Voice(stalls), " your", " order.", patience=0.125)
    assert after_s == pytest.approx(2 + module.LEAST_STALL_S)


@in_virtual_time
async def test_a_voice_is_why_nothing_was_heard_only_where_it_owed_audio_for_long() -> None:
    health, asked, actions = Well(), list[Callable[[], bool]](), list[str]()
    voices = Voices(
        [Named("house", "vendor", HANGS)],
        health,
        failed=lambda voice, error, action: actions.append(action),
    )
    saying = voices.say("I will have", slowly(" a look."), waits=asked.append)
    heard = asyncio.create_task(anext(saying))
    for passed_s, at_fault in ((0.5, False), (2.0, False), (2.5, True)):
        await asyncio.sleep(passed_s)
        assert asked[0]() is at_fault
    heard.cancel()
    await asyncio.gather(heard, return_exceptions=True)
    await saying.aclose()
    assert health.sick == {"house"}
    assert actions == ["it was not waited for any longer"]


async def test_voices_that_all_fail_say_why_the_last_one_did() -> None:
    with pytest.raises(APITimeoutError):
        await heard(several(Voice(fails_at("Hello.")), Voice(lambda word: APITimeoutError())))


async def test_a_voice_that_is_closed_to_the_call_has_not_failed() -> None:
    class Closed(Voice):
        def stream(self, **how: Any) -> Any:
            raise GateError("voice", "vendor 1", "elsewhere")

    failed: list[str] = []
    spare = Noting("spare")
    voices = several(Closed(speaks), spare, failed=lambda voice, error, action: failed.append(action))
    await heard(voices)
    assert (spare.read, failed) == (["Hello."], [])


@pytest.mark.parametrize(
    ("error", "billed"), [(APIConnectionError("refused"), []), (APITimeoutError(), [("vendor 1", 6)])]
)
async def test_who_refused_bills_nothing_and_who_was_waited_for_does(
    error: Exception, billed: list[tuple[str, int]]
) -> None:
    told: list[tuple[str, int]] = []
    voices = several(
        Voice(lambda word: error),
        Noting("spare"),
        unread=lambda voice, characters: told.append((voice.provider, characters)),
    )
    await heard(voices)
    assert told == billed


async def test_voices_of_any_rate_are_heard_at_one() -> None:
    frames = await heard(several(Voice(speaks, rate_hz=16_000)), "Good ", "day.")
    assert {one.sample_rate for one in frames} == {24_000}
    assert sum(one.duration for one in frames) == pytest.approx(0.6, abs=0.03)
