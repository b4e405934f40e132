"""Generations: every reply numbered, and fenced once it is closed."""

import asyncio

import pytest
from livekit.agents.voice.agent_activity import _SpeechHandleContextVar
from livekit.agents.voice.speech_handle import SpeechHandle

from engines.generations import Generations, current_speech_id

pytestmark = pytest.mark.unit


def test_replies_are_numbered_in_the_order_they_begin() -> None:
    generations = Generations()
    opened = [generations.open(name, engine="fast", turn=1) for name in ("a", "b", "c")]
    assert [generation.number for generation in opened] == [1, 2, 3]
    assert list(generations) == opened


def test_a_finished_reply_is_closed_and_still_known() -> None:
    generations = Generations()
    generation = generations.open("a", engine="fast", turn=1)
    assert generations.finish("a") is generation
    assert generation.closed
    assert generations.of("a") is generation


def test_a_speech_that_was_never_opened_has_no_generation() -> None:
    generations = Generations()
    assert generations.of("other") is None
    assert generations.of(None) is None
    assert generations.finish("other") is None


def test_what_comes_late_is_counted() -> None:
    generation = Generations().open("a", engine="fast", turn=1)
    generation.close()
    generation.drop()
    generation.drop()
    assert generation.dropped == 2


async def test_the_current_generation_is_that_of_the_speech_a_task_works_for() -> None:
    # The variable is LiveKit's own: a version that renames it must fail here first.
    generations = Generations()
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
