"""What providers share: delays that contain the lab's own work, and identifiers from one seed."""

import random

import pytest

from lab.context import LabContext
from lab.delays import Delays
from lab.script import Request, Say, Script
from lab.standins import GivenHearing, ToneVoices

pytestmark = pytest.mark.unit


def context(delays: str, seed: int = 3) -> LabContext:
    return LabContext(
        hearing=GivenHearing(),
        voices=ToneVoices(),
        script=Script(()),
        delays=Delays.parse(delays),
        rng=random.Random(seed),  # noqa: S311 - delays, not secrets
    )


def test_a_stage_costs_the_network_both_ways() -> None:
    shared = context("none,network=10,llm_ttft=150")
    assert shared.draw_s("llm_ttft") == pytest.approx(0.170)
    assert shared.draw_s("stt") == pytest.approx(0.020)
    assert shared.draw_s("network") == pytest.approx(0.020)


def test_a_slow_provider_is_slower_by_its_factor() -> None:
    assert context("", seed=5).draw_s("realtime", slow=4) == pytest.approx(
        4 * context("", seed=5).draw_s("realtime")
    )


async def test_work_already_done_is_not_waited_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("lab.context.asyncio.sleep", sleep)
    shared = context("none,tts_ttfb=100")
    assert await shared.wait("tts_ttfb", spent_s=0.03) == pytest.approx(0.1)
    assert await shared.wait("tts_ttfb", spent_s=0.3) == pytest.approx(0.1)
    assert slept == [pytest.approx(0.07)]


def test_equal_seeds_give_equal_identifiers() -> None:
    assert context("", seed=1).new_id("item_") == context("", seed=1).new_id("item_")
    shared = context("")
    ids = {shared.new_id("item_") for _ in range(100)}
    assert len(ids) == 100
    assert all(i.startswith("item_") and len(i) == 25 for i in ids)


def test_a_script_without_rules_still_says_something() -> None:
    assert context("").script.reply(Request(())) == Say("Sorry, could you say that again?")
