"""A caller who cannot be heard: told so every time, and passed on."""

from __future__ import annotations

import asyncio

import pytest

from compliance.heard import Ears
from service.unheard import Unheard

pytestmark = pytest.mark.unit


class Line:
    """A line whose recogniser is in a test's hands.

    ``person`` says whether somebody can be fetched, ``talks`` whether the caller talks with somebody.
    """

    def __init__(self, *, person: bool = False) -> None:
        self.told: list[str] = []
        self.person = person
        self.talks = False
        self.unheard = Unheard(
            lambda: self.told.append("sorry"), self._fetch, lambda: self.talks, patience_s=0.0
        )

    def _fetch(self) -> bool:
        if self.person:
            self.told.append("a person")
        return self.person

    async def says(self) -> None:
        self.unheard.caller(speaking=True)
        self.unheard.caller(speaking=False)
        for _ in range(3):
            await asyncio.sleep(0)


async def test_nothing_is_said_while_the_recogniser_is_well() -> None:
    line = Line()
    await line.says()
    assert line.told == []


@pytest.mark.parametrize("state", [Ears.RECONNECTING, Ears.DEAF])
async def test_who_speaks_and_is_not_heard_is_told_so_every_time(state: Ears) -> None:
    line = Line()
    line.unheard.ears(state)
    assert line.told == []  # nobody has said anything yet
    for times in (1, 2, 3):
        await line.says()
        assert line.told == times * ["sorry"]


async def test_a_recogniser_that_fails_once_the_caller_has_spoken_is_noticed() -> None:
    line = Line()
    await line.says()
    line.unheard.ears(Ears.RECONNECTING)
    line.unheard.ears(Ears.RECONNECTING)
    await asyncio.sleep(0.01)
    assert line.told == ["sorry"]


async def test_nobody_is_interrupted_by_an_apology() -> None:
    line = Line()
    line.unheard.ears(Ears.DEAF)
    line.unheard.caller(speaking=False)
    line.unheard.caller(speaking=True)
    await asyncio.sleep(0.01)
    assert line.told == []


async def test_who_is_heard_after_all_is_told_nothing() -> None:
    line = Line()
    line.unheard.ears(Ears.RECONNECTING)
    line.unheard.caller(speaking=False)
    line.unheard.ears(Ears.LISTENING)
    await asyncio.sleep(0.01)
    line.unheard.heard()
    line.unheard.ears(Ears.RECONNECTING)
    await asyncio.sleep(0.01)
    assert line.told == []


async def test_who_is_not_heard_again_and_again_is_passed_on_to_a_person() -> None:
    line = Line(person=True)
    line.unheard.ears(Ears.RECONNECTING)
    for _ in range(3):
        await line.says()
    assert line.told == ["sorry", "sorry", "a person"]


async def test_a_person_is_fetched_at_once_when_no_recogniser_is_left() -> None:
    line = Line(person=True)
    line.unheard.ears(Ears.DEAF)
    await line.says()
    assert line.told == ["a person"]


async def test_who_says_more_than_a_cough_and_is_not_understood_by_anybody_is_told_so() -> None:
    line = Line()
    line.unheard.nothing(800)
    assert line.told == ["sorry"]


async def test_one_short_sound_without_words_is_passed_over_and_a_second_is_not() -> None:
    line = Line()
    line.unheard.nothing(200)
    line.unheard.heard()
    line.unheard.nothing(200)
    assert line.told == []
    line.unheard.nothing(200)
    assert line.told == ["sorry"]


async def test_words_that_come_begin_the_count_anew() -> None:
    line = Line(person=True)
    line.unheard.ears(Ears.RECONNECTING)
    for _ in range(2):
        await line.says()
        await line.says()
        line.unheard.heard()
    assert line.told == 4 * ["sorry"]


@pytest.mark.parametrize("state", [Ears.RECONNECTING, Ears.DEAF])
async def test_nobody_talks_into_what_a_caller_says_to_a_person(state: Ears) -> None:
    line = Line(person=True)
    line.unheard.ears(state)
    line.talks = True
    for _ in range(3):
        await line.says()
        line.unheard.nothing(800)
    assert line.told == []


async def test_what_was_said_before_a_person_came_is_not_asked_for_again() -> None:
    line = Line()
    line.unheard.ears(Ears.RECONNECTING)
    line.unheard.caller(speaking=False)
    line.talks = True
    await asyncio.sleep(0.01)
    assert line.told == []


async def test_what_was_said_to_a_person_is_forgotten_when_they_leave() -> None:
    line = Line()
    line.talks = True
    await line.says()
    line.unheard.nothing(200)
    line.talks = False
    line.unheard.ears(Ears.RECONNECTING)
    line.unheard.nothing(200)
    await asyncio.sleep(0.01)
    assert line.told == []
    await line.says()
    assert line.told == ["sorry"]


async def test_nothing_is_said_once_the_call_is_over() -> None:
    line = Line()
    line.unheard.ears(Ears.DEAF)
    line.unheard.caller(speaking=False)
    line.unheard.close()
    await asyncio.sleep(0.01)
    assert line.told == []
