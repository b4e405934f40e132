"""Words said as they are written: each passage by itself, so that its place in the audio is known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from livekit import rtc
from livekit.agents import APIConnectionError

from engines.generations import Generation
from engines.recital import Recital
from engines.voices import Voices
from engines.wording import Wording
from tests.unit.engines.test_voiced import Voice, fails_at, several

pytestmark = pytest.mark.unit

FRAME_MS = 200.0


class Desk:
    """As much of a desk as a recital asks; the voice says a frame for every passage, or what ``speak`` says."""

    def __init__(self, speak: Any = lambda words: True) -> None:
        self.generation = Generation(1, "fast", 0)
        self.generations = SimpleNamespace(current=lambda: self.generation)
        self.wording = Wording()
        self.voices = several(Voice(speak))
        self.failed: list[str] = []
        self.recovery = self

    def voice_for(self, generation: Generation | None) -> Voices:
        return self.voices

    def voice_failed(self, generation: Generation | None, error: BaseException) -> None:
        self.failed.append(type(error).__name__)


def recital(desk: Any, *passages: str) -> Recital:
    return Recital(desk, passages)


async def audio(one: Recital) -> list[rtc.AudioFrame]:
    return [frame async for frame in one.audio()]


async def test_each_passage_lies_where_its_audio_does() -> None:
    desk = Desk()
    one = recital(desk, "Hello.", "I am a machine.", "How can I help?")
    assert one.text == "Hello. I am a machine. How can I help?"
    assert not one.begun
    heard_ms = sum(frame.duration * 1000 for frame in await audio(one))
    assert one.begun
    spans = [one.span_ms(number) for number in range(3)]
    assert [whole for *_, whole in spans] == [True] * 3
    assert spans[0][0] == 0
    assert spans[-1][1] == pytest.approx(heard_ms)
    assert all(begin < end for begin, end, _ in spans)
    assert [end for _, end, _ in spans[:-1]] == [begin for begin, _, _ in spans[1:]]
    assert desk.generation.voice_known.is_set()


async def test_what_was_not_synthesised_has_no_place() -> None:
    one = recital(Desk(), "Hello.", "I am a machine.")
    frames = one.audio()
    await anext(frames)
    await frames.aclose()  # type: ignore[attr-defined]
    begin, end, whole = one.span_ms(0)
    assert (begin, whole) == (0, False)
    assert end > 0
    assert one.span_ms(1)[0] == one.span_ms(1)[1]


async def test_a_voice_that_fails_in_the_middle_leaves_the_rest_unsaid_and_the_caller_is_told() -> None:
    desk = Desk(lambda words: APIConnectionError() if "machine" in words else True)
    one = recital(desk, "Hello.", "I am a machine.", "Bye.")
    heard = await audio(one)
    assert desk.failed == ["APIConnectionError"]
    assert [one.span_ms(number)[2] for number in range(3)] == [True, False, False]
    assert len(heard) > len(Wording().recorded_apology())
    assert not desk.generation.voiceless
    [told] = desk.generation.heard
    assert told.of(one.text, interrupted=False) == f"Hello. {Wording().recorded_words}"


async def test_a_passage_that_one_voice_fails_is_said_by_the_next_and_counts_as_heard() -> None:
    desk = Desk()
    desk.voices = several(Voice(fails_at("I am a machine.")), Voice(lambda words: True))
    one = recital(desk, "Hello.", "I am a machine.")
    await audio(one)
    assert desk.failed == []
    assert [one.span_ms(number)[2] for number in range(2)] == [True, True]


async def test_without_a_voice_the_recorded_apology_is_heard_and_none_of_the_words() -> None:
    desk = Desk(lambda words: APIConnectionError())
    one = recital(desk, "Hello.")
    assert len(await audio(one)) == len(Wording().recorded_apology())
    assert desk.generation.voiceless
    assert one.span_ms(0) == (0, 0, False)
