"""Generations: every reply numbered, and fenced once it is closed."""

import asyncio

import pytest
from livekit.agents.voice.agent_activity import _SpeechHandleContextVar
from livekit.agents.voice.speech_handle import SpeechHandle

from compliance.clock import CallClock
from engines.generations import Generations, current_speech_id

pytestmark = pytest.mark.unit


def test_replies_are_numbered_in_the_order_they_begin() -> None:
    generations = Generations(CallClock())
    opened = [generations.open(name, engine="fast", turn=1) for name in ("a", "b", "c")]
    assert [generation.number for generation in opened] == [1, 2, 3]
    assert list(generations) == opened


def test_a_finished_reply_is_closed_and_still_known() -> None:
    generations = Generations(CallClock())
    generation = generations.open("a", engine="fast", turn=1)
    assert generations.finish("a") is generation
    assert generation.closed
    assert generations.of("a") is generation


def test_a_speech_that_was_never_opened_has_no_generation() -> None:
    generations = Generations(CallClock())
    assert generations.of("other") is None
    assert generations.of(None) is None
    assert generations.finish("other") is None


def test_what_comes_late_is_counted() -> None:
    generation = Generations(CallClock()).open("a", engine="fast", turn=1)
    generation.close()
    generation.drop()
    generation.drop()
    assert generation.dropped == 2


async def test_the_current_generation_is_that_of_the_speech_a_task_works_for() -> None:
    # The variable is LiveKit's own: a version that renames it must fail here first.
    generations = Generations(CallClock())
    assert current_speech_id() is None
    assert generations.current() is None
    speech = SpeechHandle.create()
    generation = generations.open(speech.id, engine="fast", turn=1)

    async def works_for_it() -> bool:
        return generations.current() is generation

    token = _SpeechHandleContextVar.set(speech)
    task = asyncio.create_task(works_for_it())
    _SpeechHandleContextVar.reset(token)
    assert await task
    assert generations.current() is None


def test_a_reply_has_the_times_of_its_first_word_its_first_sound_and_the_first_sound_of_its_answer() -> None:
    now = iter([0.0, 1.0, 2.0, 3.0])
    clock = CallClock(monotonic=lambda: next(now))
    generation = Generations(clock).open("a", engine="fast", turn=1)
    generation.voiced(answers=False)  # "one moment"
    assert generation.voice_known.is_set()
    generation.thought()
    generation.voiced()
    generation.thought()
    generation.voiced()
    assert (generation.first_audio_ms, generation.first_token_ms, generation.answer_audio_ms) == (
        1000,
        2000,
        3000,
    )


def test_a_reply_that_no_voice_has_audio_for_is_heard_and_answers_nothing() -> None:
    generation = Generations(CallClock()).open("a", engine="fast", turn=1)
    generation.unvoiced()
    assert generation.voiceless
    assert generation.voice_known.is_set()
    assert generation.answer_audio_ms == 0
