from __future__ import annotations

import asyncio

import pytest

from engines.watch import SilenceWatch

pytestmark = pytest.mark.unit


class Caller:
    """Speaks for as many looks at it as it is told to."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def speaking(self) -> bool:
        self.looks -= 1
        return self.looks >= 0


async def test_a_turn_without_an_answer_expires() -> None:
    expired = asyncio.Event()
    watch = SilenceWatch(0.0, paused=lambda: False, expired=expired.set)
    watch.start()
    await expired.wait()


async def test_silence_is_not_waited_out_while_the_caller_speaks() -> None:
    expired, caller = asyncio.Event(), Caller(looks=3)
    watch = SilenceWatch(0.0, paused=caller.speaking, expired=expired.set)
    watch.start()
    await expired.wait()
    assert caller.looks == -1


async def test_an_answered_turn_is_watched_no_longer() -> None:
    expired = asyncio.Event()
    watch = SilenceWatch(0.0, paused=lambda: False, expired=expired.set)
    watch.start()
    watch.stop()
    assert not watch.running
    for _ in range(3):
        await asyncio.sleep(0)
    assert not expired.is_set()
