"""A live view sees every event once and in order, and waits for none of them longer than it was told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from compliance.events import Event, SpeechHeard
from compliance.live_view import LiveView
from tests.virtual_time import VirtualLoop

pytestmark = pytest.mark.unit

LATE_S = 1.0


def event(at_ms: float) -> Event:
    return SpeechHeard(call_id="c", at_ms=at_ms, speaker="caller", start_ms=0, end_ms=at_ms)


def stand_in(number: int) -> Event:
    return event(1000 + number)


def seen(*happens: tuple[float, Callable[[LiveView], None]]) -> list[tuple[float, float]]:
    """When, in virtual seconds, which event was seen after all that happened, each at its time."""
    told: list[tuple[float, float]] = []

    async def live() -> None:
        loop = asyncio.get_running_loop()
        view = LiveView("c", late_s=LATE_S)
        view.subscribe(lambda one: told.append((loop.time(), one.at_ms)))
        for at_s, happen in happens:
            loop.call_at(at_s, happen, view)
        await asyncio.sleep(100)
        view.close()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(live())
    return told


def expect(number: int) -> Callable[[LiveView], None]:
    return lambda view: view.expect(number, stand_in(number))


def show(number: int, *more: float) -> Callable[[LiveView], None]:
    return lambda view: view.show(number, [event(number), *map(event, more)])


def test_what_is_redacted_in_time_is_shown_when_it_is() -> None:
    assert seen((0, expect(1)), (0.5, expect(2)), (0.9, show(1)), (1.2, show(2))) == [(0.9, 1), (1.2, 2)]


def test_what_takes_longer_is_shown_as_withheld_and_not_again() -> None:
    assert seen((0, expect(1)), (0.5, expect(2)), (1.2, show(1)), (1.3, show(2))) == [(1, 1001), (1.3, 2)]


def test_those_that_wait_behind_it_are_withheld_in_order_when_their_time_has_come() -> None:
    assert seen((0, expect(1)), (0.5, expect(2)), (9, show(1)), (9, show(2))) == [(1, 1001), (1.5, 1002)]


def test_what_came_of_an_event_that_was_withheld_is_shown_all_the_same() -> None:
    assert seen((0, expect(1)), (9, show(1, 77))) == [(1, 1001), (9, 77)]
