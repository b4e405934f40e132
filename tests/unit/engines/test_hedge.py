"""Hedged requests: the first engine to speak answers, and what was asked in vain is stopped and paid for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import pytest
from livekit.agents import APIConnectionError, llm

from engines.hedge import Reply, first_to_speak
from tests.virtual_time import in_virtual_time

pytestmark = pytest.mark.unit

Step = float | str | Exception


class Asked:
    """Engines by script: seconds to wait, words, errors. An endless wait is ``float("inf")``."""

    def __init__(self, second: str | None = "other", **scripts: Sequence[Step]) -> None:
        self._second = second
        self._scripts = scripts
        self.asked: list[str] = []
        self.stopped: list[str] = []
        self.told: list[str] = []

    def ask(self, engine: str) -> Reply:
        self.asked.append(engine)
        return self._reply(engine)

    async def _reply(self, engine: str) -> AsyncGenerator[llm.ChatChunk, None]:
        try:
            for step in self._scripts[engine]:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, str):
                    yield llm.ChatChunk(id=engine, delta=llm.ChoiceDelta(content=step))
                elif step == float("inf"):
                    await asyncio.Event().wait()
                else:
                    await asyncio.sleep(step)
        except (asyncio.CancelledError, GeneratorExit):
            self.stopped.append(engine)
            raise

    def second(self) -> str | None:
        return self._second

    def won(self, winner: str, loser: str) -> None:
        self.told.append(f"{winner} before {loser}")

    def failed(self, engine: str, error: BaseException, *, left: str) -> None:
        self.told.append(f"{engine} failed, {left} is left")

    async def heard(self, after_s: float | None = 0.02) -> list[str]:
        found = []
        async with aclosing(first_to_speak("first", self.ask, self, after_s=after_s)) as reply:
            async for chunk in reply:
                assert chunk.delta is not None
                found.append(chunk.delta.content or "")
        return found


NEVER = float("inf")


@in_virtual_time
async def test_an_engine_that_begins_in_time_is_asked_alone() -> None:
    asked = Asked(first=["", "Good ", "day."], other=["no"])
    assert await asked.heard() == ["", "Good ", "day."]
    assert asked.asked == ["first"]
    assert asked.told == []


@in_virtual_time
async def test_without_a_hedge_a_late_engine_is_waited_for() -> None:
    asked = Asked(first=[0.05, "late"], other=["no"])
    assert await asked.heard(after_s=None) == ["late"]
    assert asked.asked == ["first"]


@in_virtual_time
async def test_when_the_first_is_late_the_second_is_asked_and_answers() -> None:
    asked = Asked(first=["", NEVER], other=["Good ", "day."])
    assert await asked.heard() == ["Good ", "day."]
    assert asked.told == ["other before first"]
    assert asked.stopped == ["first"]


@in_virtual_time
async def test_the_first_answers_if_it_speaks_before_the_second_after_all() -> None:
    asked = Asked(first=[0.05, "here"], other=[NEVER])
    assert await asked.heard() == ["here"]
    assert asked.told == ["first before other"]
    assert asked.stopped == ["other"]


@in_virtual_time
async def test_with_nobody_else_to_ask_the_first_is_waited_for() -> None:
    asked = Asked(second=None, first=[0.05, "late"])
    assert await asked.heard() == ["late"]


@pytest.mark.parametrize(
    ("first", "other", "words", "told"),
    [
        ([0.05, APIConnectionError("gone")], [0.15, "here"], ["here"], "first failed, other is left"),
        ([0.15, "here"], [TimeoutError()], ["here"], "other failed, first is left"),
    ],
)
@in_virtual_time
async def test_when_one_fails_the_other_goes_on(
    first: list[Step], other: list[Step], words: list[str], told: str
) -> None:
    asked = Asked(first=first, other=other)
    assert await asked.heard() == words
    assert asked.told == [told]


@in_virtual_time
async def test_the_last_failure_is_raised() -> None:
    asked = Asked(first=[0.03, APIConnectionError("first")], other=[0.05, TimeoutError("second")])
    with pytest.raises(TimeoutError, match="second"):
        await asked.heard()
    assert asked.told == ["first failed, other is left"]


@in_virtual_time
async def test_a_failure_before_the_hedge_is_raised_at_once() -> None:
    asked = Asked(first=[APIConnectionError("first")], other=["no"])
    with pytest.raises(APIConnectionError):
        await asked.heard()
    assert asked.asked == ["first"]


@in_virtual_time
async def test_nobody_goes_on_when_the_caller_cuts_in() -> None:
    asked = Asked(first=[NEVER], other=[NEVER])
    task = asyncio.create_task(asked.heard(after_s=0.0))
    while len(asked.asked) < 2:  # noqa: ASYNC110 -- there is no event to wait for
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert sorted(asked.stopped) == ["first", "other"]


@in_virtual_time
async def test_who_hears_no_more_stops_the_winner_too() -> None:
    asked = Asked(first=["Good ", NEVER], other=["no"])
    async with aclosing(first_to_speak("first", asked.ask, asked, after_s=None)) as reply:
        await anext(reply)
    assert asked.stopped == ["first"]
